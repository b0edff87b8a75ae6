"""The OpenAPI document holds against the running service (schemathesis sends what people do not think of)."""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.demo_city import RunningCity

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def test_the_service_keeps_to_its_own_description(demo_city: RunningCity) -> None:
    """For every operation: no server error, only described statuses, media types and bodies."""
    schema = schemathesis.openapi.from_url(f"{demo_city.base_url}/api/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) >= 12
    for operation in operations:
        _try_operation(operation, demo_city)


def _try_operation(operation: Any, city: RunningCity) -> None:
    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy())
    def sends(case: schemathesis.Case) -> None:
        response = case.call(headers={"Authorization": f"Bearer {city.access['api_key']}"})
        case.validate_response(response, checks=CHECKS)

    sends()


def test_every_address_of_the_interface_is_described(demo_city: RunningCity) -> None:
    with demo_city.client() as client:
        paths = client.get("/api/openapi.json").json()["paths"]
    assert {
        "/api/v1/decisions",
        "/api/v1/decisions/{reference}",
        "/api/v1/decisions/{reference}/supersede",
        "/api/v1/decisions/{reference}/explanations",
        "/api/v1/models/{slug}/explanations",
        "/api/v1/explanations/{explanation_id}",
        "/api/v1/register",
        "/api/v1/register/{slug}",
        "/log/checkpoint",
        "/log/keys",
        "/healthz",
        "/readyz",
    } <= set(paths)
