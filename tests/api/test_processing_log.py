"""Traces for the Logboek dataverwerkingen, sent to a collector that really listens."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from gzip import decompress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from explainer.api.processing_log import trace_of
from explainer.demo.run_demo import demo_settings
from explainer.errors import SettingsError
from explainer.settings import load_settings
from explainer.use_cases.grant_access import add_case_system, add_staff
from explainer.use_cases.service import Service
from tests.api.test_record_decision import a_request
from tests.demo_city import free_port, serving

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
ACTIVITY = "https://register.example/processings/1"


@dataclass
class Collector:
    """An OTLP/HTTP endpoint that keeps what it is sent."""

    port: int = 0
    accepts: bool = True
    spans: list[Any] = field(default_factory=list)
    raw: bytes = b""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/traces"


@pytest.fixture
def collector() -> Iterator[Collector]:
    kept = Collector()

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = decompress(body)
            assert (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/x-protobuf")
            if kept.accepts:
                kept.raw += body
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for scope in resource.scope_spans:
                        kept.spans += scope.spans
            self.send_response(200 if kept.accepts else 400)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    kept.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class City:
    service: Service
    client: httpx.Client
    staff_token: str
    staff_id: str


@pytest.fixture
def required() -> bool:
    return False


@pytest.fixture
def city(tmp_path: Path, collector: Collector, required: bool) -> Iterator[City]:
    settings = demo_settings(tmp_path / "city", port=free_port()).model_copy(
        update={
            "traces_endpoint": collector.endpoint,
            "processing_activity_id": ACTIVITY,
            "traces_required": required,
        }
    )
    with serving(settings) as service:
        key = add_case_system(service, "Fachverfahren")
        granted = add_staff(service, "berta", "ein langes Kennwort 7", ["caseworker"])
        with service.database.reading() as work:
            staff = work.access.staff_by_user("berta")
        assert staff is not None
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=settings.base_url, headers=headers, trust_env=False, timeout=30) as client:
            yield City(service, client, granted.token, staff.id)


def attributes(span: Any) -> dict[str, str]:
    return {one.key: one.value.string_value for one in span.attributes}


def newest_leaf(city: City) -> dict[str, Any]:
    with city.service.database.reading() as work:
        [newest] = work.log.newest(limit=1)
    leaf: dict[str, Any] = json.loads(newest.leaf)
    return leaf


def recorded(city: City, **headers: str) -> dict[str, Any]:
    answer = city.client.post("/api/v1/decisions", json=a_request(), headers=headers)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_recorded_decision_is_one_span_in_the_callers_trace_and_in_our_log(city: City, collector: Collector) -> None:
    answer = recorded(city, traceparent=f"00-{TRACE}-{PARENT}-01")
    [span] = collector.spans
    assert span.name == "decision.recorded"
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert span.status.code == 1
    assert 0 < span.end_time_unix_nano - span.start_time_unix_nano < 60e9
    with city.service.database.reading() as work:
        decision = work.decisions.get(answer["reference"])
    assert decision is not None
    assert attributes(span) == {
        "dpl.core.processing_activity_id": ACTIVITY,
        "dpl.core.data_subject_id": decision.key_id,
        "dpl.core.data_subject_id_type": "klarbescheid-key-id",
        "klarbescheid.log_entry_id": answer["log"]["entry_id"],
    }
    assert newest_leaf(city)["trace_id"] == TRACE


def test_every_kind_of_request_about_a_person_is_told_and_no_other(city: City, collector: Collector) -> None:
    answer = recorded(city)
    staff = {"Authorization": f"Bearer {city.staff_token}"}
    reference, why = answer["reference"], {"purpose": "Widerspruch", "legal_basis": "§ 35 SGB X"}
    city.client.get(f"/api/v1/decisions/{reference}", headers=staff)
    made = city.client.post(f"/api/v1/decisions/{reference}/explanations", json=why, headers=staff)
    city.client.get(f"/api/v1/explanations/{made.json()['id']}", headers=staff)
    own = {"Authorization": f"AccessCode {answer['access_code']}"}
    assert city.client.post(f"/api/v1/decisions/{reference}/explanations", json={}, headers=own).status_code == 201
    for path in ("/log/checkpoint", "/api/v1/register", "/healthz"):
        city.client.get(path)
    city.client.post(f"/api/v1/decisions/{reference}/explanations", json={}, headers={"Authorization": "AccessCode X"})
    names = [span.name for span in collector.spans]
    assert names == [
        "decision.recorded",
        "decision.read",
        "explanation.delivered",
        "explanation.read",
        "explanation.delivered",
    ]
    assert len({span.trace_id for span in collector.spans}) == len(names), "each request is a trace of its own"


def test_nobody_of_the_staff_and_nothing_personal_is_in_it(city: City, collector: Collector) -> None:
    answer = recorded(city)
    staff = {"Authorization": f"Bearer {city.staff_token}"}
    city.client.get(f"/api/v1/decisions/{answer['reference']}", headers=staff)
    assert len(collector.spans) == 2
    request = a_request()
    secrets = ("berta", city.staff_id, "Fachverfahren", answer["reference"], request["case_reference"], "granted")
    for secret in (*secrets, str(request.get("subject_reference") or "no pseudonym"), "httpx"):
        assert secret.encode() not in collector.raw, secret


def test_a_collector_that_fails_does_not_stop_the_city(city: City, collector: Collector) -> None:
    collector.accepts = False
    assert recorded(city)["reference"]
    assert collector.spans == []


@pytest.mark.parametrize("required", [True])
def test_where_traces_are_required_no_answer_leaves_without_them(city: City, collector: Collector) -> None:
    collector.accepts = False
    sent = {"json": a_request(), "headers": {"Idempotency-Key": "a-key-of-the-case-system"}}
    refused = city.client.post("/api/v1/decisions", **sent)  # type: ignore[arg-type]
    assert refused.status_code == 503
    assert refused.json()["type"] == "traces_not_taken"
    assert "access_code" not in refused.text
    collector.accepts = True
    assert city.client.post("/api/v1/decisions", **sent).status_code in (200, 201)  # type: ignore[arg-type]
    assert city.client.get("/api/v1/register").status_code == 200


MALFORMED = (
    "",
    "00",
    f"00-{'0' * 32}-{PARENT}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"ff-{TRACE}-{PARENT}-01",
    f"00-{TRACE.upper()}-{PARENT}-01",
)


@pytest.mark.parametrize("header", MALFORMED)
def test_a_malformed_trace_is_not_joined(header: str) -> None:
    trace = trace_of(header)
    assert trace.trace_id != TRACE
    assert len(trace.trace_id) == 32
    assert trace.parent_span_id is None
    assert trace_of(f"00-{TRACE}-{PARENT}-00").trace_id == TRACE


def test_without_the_setting_entries_name_no_trace(tmp_path: Path) -> None:
    with serving(demo_settings(tmp_path / "city", port=free_port())) as service:
        key = add_case_system(service, "Fachverfahren")
        headers = {"Authorization": f"Bearer {key}", "traceparent": f"00-{TRACE}-{PARENT}-01"}
        with httpx.Client(base_url=service.settings.base_url, headers=headers, trust_env=False) as client:
            assert client.post("/api/v1/decisions", json=a_request()).status_code == 201
        with service.database.reading() as work:
            [newest] = work.log.newest(limit=1)
    assert json.loads(newest.leaf)["trace_id"] is None


@pytest.mark.parametrize(
    ("endpoint", "activity", "sentence"),
    [
        ("http://collector.example/v1/traces", ACTIVITY, "over https:// only"),
        ("collector", ACTIVITY, "over https:// only"),
        ("https://collector.example/v1/traces", "", "URI of this processing"),
        ("https://collector.example/v1/traces", "activity one", "URI of this processing"),
    ],
)
def test_settings_that_would_leak_or_say_nothing_are_refused(endpoint: str, activity: str, sentence: str) -> None:
    given = {"EXPLAINER_DEMO": "true", "EXPLAINER_TRACES_ENDPOINT": endpoint}
    with pytest.raises(SettingsError, match=sentence):
        load_settings({**given, **({"EXPLAINER_PROCESSING_ACTIVITY_ID": activity} if activity else {})})
