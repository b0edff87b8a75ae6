"""Sixteen clients at once, each asking for another case: every answer is about the case that was asked for."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import httpx
import rfc8785

from tests.api.test_record_decision import a_request
from tests.demo_city import RunningCity

CLIENTS = 16
ANSWERS_EACH = 6


def what_it_is_about(document: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs, contributions and score: what no other case has."""
    numbers = {part["feature"]: (part["value"], part["contribution"]) for part in document["contributions"]}
    return {"numbers": numbers, "score": document["score"], "expected_value": document["expected_value"]}


def test_recorded_and_new_cases_are_never_mixed_up(demo_city: RunningCity) -> None:
    letters = [letter for letter in demo_city.access["letters"] if not letter["decided_by_rule"]][:20]
    alone = {letter["reference"]: what_it_is_about(demo_city.explain(letter).json()) for letter in letters}
    incomes = [1000.0 + 37 * number for number in range(20)]
    alone_live = {income: what_it_is_about(ask_about_income(demo_city, income)) for income in incomes}
    assert len({repr(about) for about in [*alone.values(), *alone_live.values()]}) >= 36, "cases that can be told apart"

    def client(number: int) -> list[str]:
        wrong = []
        for turn in range(ANSWERS_EACH):
            place = 7 * number + 3 * turn
            if turn % 2:
                income = incomes[place % len(incomes)]
                if what_it_is_about(ask_about_income(demo_city, income)) != alone_live[income]:
                    wrong.append(f"income {income}")
                continue
            letter = letters[place % len(letters)]
            document = demo_city.explain(letter, ("de", "en")[place % 2]).json()
            if document["decision"]["reference"] != letter["reference"]:
                wrong.append("another decision")
            if what_it_is_about(document) != alone[letter["reference"]]:
                wrong.append(letter["reference"])
        return wrong

    with ThreadPoolExecutor(CLIENTS) as clients:
        assert [wrong for answers in clients.map(client, range(CLIENTS)) for wrong in answers] == []


def test_each_of_many_answers_at_once_has_an_entry_of_its_own_and_can_be_read_again(demo_city: RunningCity) -> None:
    letters = [letter for letter in demo_city.access["letters"] if not letter["decided_by_rule"]][:CLIENTS]
    with ThreadPoolExecutor(CLIENTS) as clients:
        documents = [answer.json() for answer in clients.map(demo_city.explain, letters * 2)]
    assert len({document["log"]["index"] for document in documents}) == len(documents)
    assert len({document["log"]["leaf_hash"] for document in documents}) == len(documents)
    for letter, document in zip(letters * 2, documents, strict=True):
        del document["log"]
        again = httpx.get(
            f"{demo_city.base_url}/api/v1/explanations/{document['id']}",
            headers={"Authorization": f"AccessCode {letter['access_code']}"},
            timeout=30,
        )
        assert again.content == rfc8785.dumps(document)
        assert again.headers["etag"] == f'"{sha256(again.content).hexdigest()}"'


def ask_about_income(city: RunningCity, income: float) -> dict[str, Any]:
    """Explain inputs that nobody recorded."""
    inputs = a_request()["inputs"] | {"income_eur_month": income}
    with city.as_case_system() as client:
        answer = client.post(
            "/api/v1/models/wohngeld/explanations",
            json={"inputs": inputs, "language": "en", "purpose": "test", "legal_basis": "test"},
        )
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document
