"""Explanations over HTTP: who gets them, what is in them, and that no answer leaves without its log entry."""

import hashlib
import math

import httpx
import pytest
import rfc8785

from tests.api.test_record_decision import a_request, post
from tests.demo_city import RunningCity

TOLERANCE = 1e-5
FLOAT32_STEP = 2.0**-23


def test_contributions_add_up_for_every_demo_decision_that_has_a_score(demo_city: RunningCity) -> None:
    """Sum of contributions plus expected value is the runtime's own raw score, for each of them."""
    model = demo_city.service.model("wohngeld")
    checked = 0
    for letter in demo_city.access["letters"]:
        answer = demo_city.explain(letter)
        assert answer.status_code == 201, answer.text
        document = answer.json()
        if document["score"] is None:
            assert document["contributions"] == []
            assert document["expected_value"] is None
            assert any(rule["fired"] for rule in document["rules"])
            continue
        total = sum(item["contribution"] for item in document["contributions"]) + document["expected_value"]
        probability = document["score"]["value"]
        scale = max(1.0, model.computer.leaf_scale)
        # A probability near 0 or 1 says less about the raw score than a float32 can hold: its error grows by 1/p(1-p).
        blur = FLOAT32_STEP / (probability * (1 - probability))
        assert abs(total - math.log(probability / (1 - probability))) <= TOLERANCE * scale + blur
        assert abs(total - document["score"]["additive_value"]) <= TOLERANCE * scale
        checked += 1
    assert checked >= 40


def test_an_explanation_is_hashed_logged_and_kept_as_it_was_delivered(demo_city: RunningCity) -> None:
    letter = demo_city.letter(outcome="refused", decided_by_rule=False)
    document = demo_city.explain(letter).json()
    log = document.pop("log")
    digest = hashlib.sha256(rfc8785.dumps(document)).hexdigest()
    kept = httpx.get(
        f"{demo_city.base_url}/api/v1/explanations/{document['id']}",
        headers={"Authorization": f"AccessCode {letter['access_code']}"},
    )
    assert kept.status_code == 200
    assert hashlib.sha256(kept.content).hexdigest() == digest
    assert kept.headers["etag"] == f'"{digest}"'
    with demo_city.service.database.reading() as work:
        record = work.log.find(log["entry_id"])
        sealed = work.log.sealed_part(log["entry_id"])
    assert record is not None
    assert record.leaf_hash.hex() == log["leaf_hash"]
    assert sealed is not None
    opened = demo_city.service.vault.open(sealed[1], key_id=sealed[0], context=f"log:{log['entry_id']}")
    assert digest.encode() in opened


def test_unknown_reference_and_wrong_code_are_one_answer(demo_city: RunningCity) -> None:
    letter = demo_city.access["letters"][0]
    wrong_code = demo_city.explain(letter | {"access_code": "2222 2222 2222"})
    unknown = demo_city.explain(letter | {"reference": "KB-2222-2222-22"})
    assert wrong_code.status_code == unknown.status_code == 403
    assert wrong_code.content == unknown.content


def test_a_code_opens_only_its_own_decision(demo_city: RunningCity) -> None:
    mine, other = demo_city.access["letters"][:2]
    assert demo_city.explain(mine | {"access_code": other["access_code"]}).status_code == 403


def test_codes_may_be_typed_as_people_type(demo_city: RunningCity) -> None:
    letter = demo_city.access["letters"][0]
    code = letter["access_code"].lower()
    assert demo_city.explain(letter | {"access_code": f"{code[:4]}-{code[4:8]} {code[8:]}"}).status_code == 201


def test_staff_say_why_they_ask(demo_city: RunningCity) -> None:
    path = f"/api/v1/decisions/{demo_city.access['letters'][0]['reference']}/explanations"
    with demo_city.as_staff("caseworker") as client:
        refused = client.post(path, json={"language": "en"})
        assert refused.status_code == 422
        assert {item["pointer"] for item in refused.json()["errors"]} == {"/purpose", "/legal_basis"}
        given = client.post(path, json={"language": "en", "purpose": "phone call", "legal_basis": "SGB X § 25"})
    assert given.status_code == 201
    assert given.json()["audience"] == "caseworker"


def test_a_case_system_cannot_read_explanations_of_decisions(demo_city: RunningCity) -> None:
    with demo_city.as_case_system() as client:
        answer = client.post(f"/api/v1/decisions/{demo_city.access['letters'][0]['reference']}/explanations", json={})
    assert answer.status_code == 403


def test_inputs_are_explained_without_a_decision(demo_city: RunningCity) -> None:
    body = {"inputs": a_request()["inputs"], "language": "en", "purpose": "training", "legal_basis": "internal"}
    with demo_city.as_staff("caseworker") as client:
        answer = client.post("/api/v1/models/wohngeld/explanations", json=body)
    assert answer.status_code == 201
    assert answer.json()["decision"] is None


def test_counterfactuals_change_the_outcome_when_sent_as_a_new_case(demo_city: RunningCity) -> None:
    """What the explanation says is tried out through the public API, not through our own objects."""
    tried = 0
    for letter in [item for item in demo_city.access["letters"] if item["status"] == "decided"][:12]:
        document = demo_city.explain(letter).json()
        with demo_city.as_case_system() as client:
            inputs = client.get(f"/api/v1/decisions/{letter['reference']}").json()["inputs"]
        assert document["counterfactuals"] or document["no_counterfactual"]
        for counterfactual in document["counterfactuals"]:
            changed = inputs | {change["feature"]: change["to"] for change in counterfactual["changes"]}
            answer = post(demo_city, a_request(inputs=changed, outcome=None, reasons=None)).json()
            assert answer["model_outcome"] == counterfactual["outcome"]
            assert answer["model_outcome"] != document["decision"]["model_outcome"]
            tried += 1
    assert tried


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_required_checklist_item_is_met(demo_city: RunningCity, language: str) -> None:
    for letter in demo_city.access["letters"][-6:]:
        checklist = demo_city.explain(letter, language).json()["checklist"]
        assert len(checklist) == 16
        assert set(checklist.values()) <= {"met", "not_applicable"}


def test_answers_about_persons_are_never_cached(demo_city: RunningCity) -> None:
    assert demo_city.explain(demo_city.access["letters"][0]).headers["cache-control"] == "no-store"
