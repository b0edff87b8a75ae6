"""What a case system may send, and what it hears when it sends something else."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from explainer.use_cases.records import DecisionFilter
from tests.demo_city import RunningCity


def a_request(**overrides: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": "wohngeld",
        "case_reference": "WG-TEST-1",
        "subject_reference": "person-under-test",
        "inputs": {
            "household_size": 2,
            "income_eur_month": 1450.0,
            "gross_cold_rent_eur_month": 720.0,
            "rent_level": 4,
            "assets_eur": 3000.0,
        },
        "decided_by": "person",
        "outcome": "granted",
        "reasons": "Nach der Formel besteht ein Anspruch.",
    }
    return body | overrides


def post(city: RunningCity, body: Any, **headers: str) -> httpx.Response:
    with city.as_case_system() as client:
        return client.post("/api/v1/decisions", json=body, headers=headers)


def problems_of(response: httpx.Response) -> set[tuple[str, str]]:
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert all(found["detail"].strip() for found in problem["errors"])
    return {(found["pointer"], found["code"]) for found in problem["errors"]}


def count(city: RunningCity) -> int:
    with city.service.database.reading() as work:
        return work.decisions.count(DecisionFilter())


def test_a_decision_is_answered_with_reference_code_and_log_entry(demo_city: RunningCity) -> None:
    response = post(demo_city, a_request())
    assert response.status_code == 201
    answer = response.json()
    assert answer["reference"].startswith("KB-")
    assert len(answer["access_code"]) == 12
    assert 0 < answer["score"] < 1
    assert answer["outcome"] == "granted"
    assert answer["status"] == "decided"
    assert answer["model"]["sha256"] == demo_city.service.model("wohngeld").package.sha256
    assert answer["log"]["status"] == "integrated"
    with demo_city.service.database.reading() as work:
        entry = work.log.find(answer["log"]["entry_id"])
    assert entry is not None
    assert entry.index == answer["log"]["index"]


def test_all_problems_are_reported_at_once(demo_city: RunningCity) -> None:
    before = count(demo_city)
    body = a_request(decided_by="model", outcome="perhaps", model_version="1999", surprise=1)
    body["inputs"] = {
        "household_size": 2.5,
        "income_eur_month": "1450",
        "gross_cold_rent_eur_month": -5,
        "rent_level": 99,
        "shoe_size": 43,
    }
    found = problems_of(post(demo_city, body))
    assert {
        ("/surprise", "unknown_field"),
        ("/inputs/household_size", "wrong_type"),
        ("/inputs/income_eur_month", "wrong_type"),
        ("/inputs/gross_cold_rent_eur_month", "out_of_range"),
        ("/inputs/rent_level", "out_of_range"),
        ("/inputs/assets_eur", "missing"),
    } <= found
    assert any(code == "unknown_feature" for _, code in found)
    assert count(demo_city) == before


def test_structure_and_meaning_and_inputs_are_told_together(demo_city: RunningCity) -> None:
    body = a_request(
        decided_by="model", outcome="perhaps", model_version="1999", surprise=1, decided_at="2199-01-01T00:00:00Z"
    )
    body["inputs"]["rent_level"] = 99
    assert {
        ("/surprise", "unknown_field"),
        ("/inputs/rent_level", "out_of_range"),
        ("/decided_by", "not_decided_by_model"),
        ("/outcome", "unknown_outcome"),
        ("/model_version", "unknown_version"),
        ("/decided_at", "in_the_future"),
    } <= problems_of(post(demo_city, body))


def test_a_date_before_all_records_is_refused(demo_city: RunningCity) -> None:
    response = post(demo_city, a_request(decided_at="0001-01-01T00:00:00+14:00"))
    assert ("/decided_at", "too_early") in problems_of(response)


def test_problems_of_meaning_are_reported_together_with_problems_of_inputs(demo_city: RunningCity) -> None:
    body = a_request(decided_by="model", outcome="perhaps", model_version="1999")
    body["inputs"]["rent_level"] = 99
    found = problems_of(post(demo_city, body))
    assert {
        ("/inputs/rent_level", "out_of_range"),
        ("/decided_by", "not_decided_by_model"),
        ("/outcome", "unknown_outcome"),
        ("/model_version", "unknown_version"),
    } <= found


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused_by_name(demo_city: RunningCity, value: str) -> None:
    raw = json.dumps(a_request()).replace("1450.0", value)
    with demo_city.as_case_system() as client:
        response = client.post("/api/v1/decisions", content=raw, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert ("/inputs/income_eur_month", "not_finite") in problems_of(response)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"model": "a", "model": "b"}', b"[" * 5000, b"9" * 5000]
)
def test_what_is_not_a_json_object_is_refused_without_a_stack_trace(demo_city: RunningCity, raw: bytes) -> None:
    with demo_city.as_case_system() as client:
        response = client.post("/api/v1/decisions", content=raw, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert "Traceback" not in response.text
    assert problems_of(response)


def test_unknown_model_is_refused_with_the_names_of_the_installed_ones(demo_city: RunningCity) -> None:
    response = post(demo_city, a_request(model="astrology"))
    assert ("/model", "unknown_model") in problems_of(response)
    assert "wohngeld" in response.text


def test_a_body_over_the_limit_is_refused(demo_city: RunningCity) -> None:
    response = post(demo_city, a_request(reasons="x" * 300_000))
    assert response.status_code == 413
    assert response.json()["type"] == "body_too_large"


@pytest.mark.parametrize(
    "text", ["Ünïcödé ✓ 你好 🏠", "<script>alert(1)</script>", "'; DROP TABLE decision; --", "a\nb\tc"]
)
def test_special_characters_survive_unchanged(demo_city: RunningCity, text: str) -> None:
    answer = post(demo_city, a_request(case_reference=text, reasons=text)).json()
    with demo_city.as_case_system() as client:
        kept = client.get(f"/api/v1/decisions/{answer['reference']}").json()
    assert kept["case_reference"] == text


def test_very_long_strings_are_refused_by_name(demo_city: RunningCity) -> None:
    body = a_request(case_reference="x" * 201)
    body["inputs"]["rent_level"] = "y" * 5000
    found = problems_of(post(demo_city, body))
    assert ("/case_reference", "too_long") in found
    assert ("/inputs/rent_level", "too_long") in found


def test_a_decision_in_the_future_is_refused(demo_city: RunningCity) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert ("/decided_at", "in_the_future") in problems_of(post(demo_city, a_request(decided_at=tomorrow)))


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Basic YTpi", "Bearer", "AccessCode ABCD"])
def test_nobody_without_a_valid_key_records_anything(demo_city: RunningCity, authorization: str | None) -> None:
    before = count(demo_city)
    headers = {"Authorization": authorization} if authorization else {}
    response = httpx.post(f"{demo_city.base_url}/api/v1/decisions", json=a_request(), headers=headers)
    assert response.status_code == 401
    assert count(demo_city) == before


def test_staff_are_not_case_systems(demo_city: RunningCity) -> None:
    with demo_city.as_staff("caseworker") as client:
        assert client.post("/api/v1/decisions", json=a_request()).status_code == 403


def test_api_keys_are_stored_as_digests_only(demo_city: RunningCity) -> None:
    key = demo_city.access["api_key"].encode()
    for path in demo_city.service.settings.data_folder.rglob("*"):
        if path.is_file() and path.name != "access.json":
            assert key not in path.read_bytes(), path.name


def test_the_same_idempotency_key_gets_the_same_answer_and_one_decision(demo_city: RunningCity) -> None:
    before, key = count(demo_city), uuid4().hex
    first = post(demo_city, a_request(), **{"Idempotency-Key": key})
    again = post(demo_city, a_request(), **{"Idempotency-Key": key})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json() | {"replayed": True}
    assert count(demo_city) == before + 1


def test_the_same_idempotency_key_with_another_body_is_a_conflict(demo_city: RunningCity) -> None:
    key = uuid4().hex
    post(demo_city, a_request(), **{"Idempotency-Key": key})
    response = post(demo_city, a_request(reasons="Anders."), **{"Idempotency-Key": key})
    assert response.status_code == 409
    assert response.json()["type"] == "idempotency_key_reused"


def test_a_score_that_was_used_must_be_reproduced(demo_city: RunningCity) -> None:
    score = post(demo_city, a_request()).json()["score"]
    assert post(demo_city, a_request(score_used=score)).status_code == 201
    before = count(demo_city)
    response = post(demo_city, a_request(score_used=score + 0.01))
    assert response.status_code == 409
    assert response.json()["type"] == "score_mismatch"
    assert count(demo_city) == before
    with demo_city.service.database.reading() as work:
        assert work.log.last_of("decision.score_mismatch") is not None


def test_a_statutory_rule_decides_before_the_score(demo_city: RunningCity) -> None:
    body = a_request(outcome="refused")
    body["inputs"]["assets_eur"] = 184_000.0
    answer = post(demo_city, body).json()
    assert answer["score"] is None
    assert answer["decided_by_rule"] is not None
    assert answer["outcome"] == "refused"


def test_special_circumstances_divert_to_a_person(demo_city: RunningCity) -> None:
    body = a_request(special_circumstances="Ich pflege meine Mutter.")
    del body["outcome"], body["reasons"]
    answer = post(demo_city, body).json()
    assert answer["status"] == "diverted"
    assert answer["decided_outcome"] is None
    with demo_city.service.database.reading() as work:
        assert [task.kind for task in work.tasks.for_decision(answer["reference"])] == ["diverted"]


def test_blank_circumstances_divert_nothing(demo_city: RunningCity) -> None:
    assert post(demo_city, a_request(special_circumstances="  \n ")).json()["status"] == "decided"


def test_a_person_decides_a_diverted_case_once(demo_city: RunningCity) -> None:
    body = a_request(special_circumstances="Ich pflege meine Mutter.", outcome=None)
    first = post(demo_city, body).json()
    final = {"outcome": "granted", "reasons": "Der gesunkene Lohn ist belegt."}
    with demo_city.as_case_system() as client:
        answer = client.post(f"/api/v1/decisions/{first['reference']}/supersede", json=final)
        assert answer.status_code == 201
        assert answer.json()["supersedes"] == first["reference"]
        assert answer.json()["status"] == "decided"
        again = client.post(f"/api/v1/decisions/{first['reference']}/supersede", json=final)
        assert again.status_code == 409
        before = client.get(f"/api/v1/decisions/{first['reference']}").json()
    assert before["status"] == "superseded"
    assert before["superseded_by"] == answer.json()["reference"]


def test_a_correction_is_scored_anew(demo_city: RunningCity) -> None:
    first = post(demo_city, a_request()).json()
    final = {"outcome": "granted", "reasons": "Das Einkommen war falsch.", "inputs": {"income_eur_month": 900.0}}
    with demo_city.as_case_system() as client:
        answer = client.post(f"/api/v1/decisions/{first['reference']}/supersede", json=final).json()
    assert answer["score"] > first["score"]


def test_nothing_personal_lies_in_the_database_in_clear(demo_city: RunningCity) -> None:
    marker = f"Kennzeichen-{uuid4().hex}"
    post(demo_city, a_request(case_reference=marker, subject_reference=marker, reasons=marker))
    hidden = [marker.encode(), base64.b64encode(marker.encode()), marker.encode().hex().encode()]
    for path in demo_city.service.settings.data_folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(form in content for form in hidden), path.name
