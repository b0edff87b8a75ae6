"""The address that letters lead to is answered before the framework, and exactly as the framework would answer."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import httpx
import pytest

from explainer.api import direct_route
from explainer.api.direct_route import _reference_in
from explainer.app import application_of
from tests.demo_city import RunningCity
from tests.event_loops import in_a_loop_of_its_own

NO_HEADERS: Mapping[str, str] = MappingProxyType({})

OF_ONE_DELIVERY = ("id", "produced_at", "text", "log")
"""Members of a document that differ from one delivery to the next; of the text, only its small print."""


def both_answers(
    city: RunningCity, letter: dict[str, Any], *, headers: Mapping[str, str] = NO_HEADERS, **body: Any
) -> tuple[httpx.Response, httpx.Response]:
    """The answer of the shortcut, and the framework's where there is no shortcut."""

    async def asking() -> httpx.Response:
        transport = httpx.ASGITransport(application_of(city.service))
        async with httpx.AsyncClient(transport=transport, base_url="http://city") as client:
            code = {"Authorization": f"AccessCode {letter['access_code']}"}
            address = f"/api/v1/decisions/{letter['reference']}/explanations"
            return await client.post(address, headers={**code, **headers}, **body)

    direct = in_a_loop_of_its_own(asking())
    with pytest.MonkeyPatch.context() as without_shortcut:
        without_shortcut.setattr(direct_route, "_reference_in", lambda _scope: None)
        return direct, in_a_loop_of_its_own(asking())


REQUESTS: dict[str, dict[str, Any]] = {
    "nothing said": {},
    "in English": {"json": {"language": "en"}},
    "in the language of the browser": {"headers": {"Accept-Language": "en-GB,de;q=0.5"}},
    "another audience": {"json": {"audience": "auditor"}},
    "another code": {"headers": {"Authorization": "AccessCode 2222 2222 2222"}},
    "no code": {"headers": {"Authorization": "AccessCode"}},
    "a code too long for a header": {"headers": {"Authorization": "AccessCode " + "2" * 600}},
    "an unknown token": {"headers": {"Authorization": "Bearer nobody"}},
    "another scheme": {"headers": {"Authorization": "Basic eDp5"}},
    "a token of a session that is none": {"headers": {"Authorization": "", "X-CSRF-Token": "x"}},
    "several problems": {"json": {"language": "fr", "audience": "press", "more": 1}},
    "no object": {"content": b"[]"},
    "no JSON": {"content": b"{"},
    "a key twice": {"content": b'{"language":"de","language":"en"}'},
    "not UTF-8": {"content": b"\xff"},
    "half a character": {"content": rb'{"purpose":"\ud800"}'},
    "too much": {"content": b" " * 3_000_000},
}


@pytest.mark.parametrize("name", REQUESTS)
def test_framework_and_shortcut_answer_alike(demo_city: RunningCity, name: str) -> None:
    letter = demo_city.letter(outcome="refused", decided_by_rule=False)
    direct, framework = both_answers(demo_city, letter, **REQUESTS[name])
    assert what_stays(direct) == what_stays(framework)
    assert direct.status_code in {201, 401, 403, 413, 422}
    assert "content-security-policy" in direct.headers


def test_unknown_references_are_answered_alike(demo_city: RunningCity) -> None:
    letter = demo_city.access["letters"][0]
    for reference in ("KB-2222-2222-22", "x" * 300, "%00", "KB 2222"):
        direct, framework = both_answers(demo_city, letter | {"reference": reference})
        assert what_stays(direct) == what_stays(framework)


def test_staff_without_reasons_are_told_all_that_is_missing_either_way(demo_city: RunningCity) -> None:
    letter = demo_city.access["letters"][0]
    token = next(person["token"] for person in demo_city.access["staff"] if "caseworker" in person["roles"])
    direct, framework = both_answers(demo_city, letter, headers={"Authorization": f"Bearer {token}"})
    assert what_stays(direct) == what_stays(framework)
    assert {problem["pointer"] for problem in direct.json()["errors"]} == {"/purpose", "/legal_basis"}


@pytest.mark.parametrize(
    ("path", "reference"),
    [
        ("/api/v1/decisions/KB-1/explanations", "KB-1"),
        ("/api/v1/decisions//explanations", None),
        ("/api/v1/decisions/explanations", None),
        ("/api/v1/decisions/a/b/explanations", None),
        ("/api/v1/decisions/KB-1/explanations/", None),
        ("/api/v1/decisions/KB-1", None),
        ("/de/api/v1/decisions/KB-1/explanations", None),
    ],
)
def test_only_this_one_address_is_answered_directly(path: str, reference: str | None) -> None:
    scope = {"type": "http", "method": "POST", "path": path, "root_path": ""}
    assert _reference_in(scope) == reference
    assert _reference_in(scope | {"method": "GET"}) is None
    assert _reference_in(scope | {"type": "websocket"}) is None
    assert _reference_in(scope | {"root_path": "/city"}) is None


def what_stays(answer: httpx.Response) -> tuple[int, dict[str, str], Any]:
    headers = {name: value for name, value in answer.headers.items() if name != "location"}
    content = answer.json()
    if answer.status_code == 201:
        assert answer.headers["location"] == f"/api/v1/explanations/{content['id']}"
        content = {name: value for name, value in content.items() if name not in OF_ONE_DELIVERY}
        headers.pop("content-length")
    return answer.status_code, headers, content
