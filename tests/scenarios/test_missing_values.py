"""A case in which details are not stated goes the whole way: decision, explanation for everybody, pages, register."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from explainer.demo.run_demo import demo_settings
from explainer.use_cases.grant_access import add_case_system, add_staff
from models.features import from_row
from models.package import load_package
from tests.demo_city import free_port, serving
from tests.exported_packages import write_export

NAME = "xgboost_binary"
PURPOSE = {"purpose": "Prüfung", "legal_basis": "§ 25 SGB X"}
WORDS = {"de": "nicht angegeben", "en": "not stated"}
LANGUAGES = ("de", "en")


class City:
    """A running city with one model that was trained with missing values."""

    def __init__(self, base_url: str, folder: Path, token: str, key: str) -> None:
        self.base_url, self.token, self.key = base_url, token, key
        package = load_package(folder)
        row = package.reference.rows[0].copy()
        row[[2, 6]] = np.nan
        self.inputs: dict[str, Any] = dict(from_row(package.card.features, row))
        self.score = float(package.model.score(row[np.newaxis])[0])

    def decide(self, **changes: Any) -> httpx.Response:
        """Record a decision; ``inputs`` that differ."""
        body = {
            "model": "exported",
            "case_reference": "AZ 1",
            "inputs": {**self.inputs, **changes},
            "decided_by": "person",
            "outcome": "granted",
            "reasons": "Die Nachweise liegen vor.",
        }
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.post(f"{self.base_url}/api/v1/decisions", json=body, headers=headers, timeout=60)

    def explain(self, letter: dict[str, Any], language: str) -> dict[str, Any]:
        """The person's explanation."""
        answer = httpx.post(
            f"{self.base_url}/api/v1/decisions/{letter['reference']}/explanations",
            json={"language": language},
            headers={"Authorization": f"AccessCode {letter['access_code']}"},
            timeout=60,
        )
        assert answer.status_code == 201, answer.text
        document: dict[str, Any] = answer.json()
        return document


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    folder: Path = tmp_path_factory.mktemp("missing")
    package = write_export(folder / "packages", NAME, actionable=(2,))
    base = demo_settings(folder / "city", port=free_port())
    settings = base.model_copy(update={"package_folders": (folder / "packages",), "use_bundled_packages": False})
    with serving(settings) as service:
        key = add_case_system(service, "test")
        token = add_staff(service, "worker", "a-long-password", ("caseworker",)).token
        yield City(settings.base_url, package, token, key)


def test_a_decision_with_missing_values_is_recorded_with_the_runtime_s_score(city: City) -> None:
    assert list(city.inputs.values()).count(None) >= 2
    answer = city.decide()
    assert answer.status_code == 201, answer.text
    assert answer.json()["score"] == pytest.approx(city.score, abs=1e-9)


def test_null_elsewhere_and_absent_names_are_refused_together(city: City) -> None:
    answer = city.decide(n0=None, n7=None, n3="much")
    assert answer.status_code == 422
    assert [(one["pointer"], one["code"]) for one in answer.json()["errors"]] == [
        ("/inputs/n0", "missing"),
        ("/inputs/n3", "wrong_type"),
        ("/inputs/n7", "missing"),
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_person_reads_what_was_not_stated(city: City, language: str) -> None:
    letter = city.decide().json()
    document = city.explain(letter, language)
    missing = [name for name, value in city.inputs.items() if value is None]
    by_name = {one["feature"]: one for one in document["contributions"]}
    for name in missing:
        assert by_name[name]["value"] is None
        assert by_name[name]["value_text"] == WORDS[language]
        assert WORDS[language] in by_name[name]["sentence"]
    data = next(section for section in document["text"]["sections"] if section["id"] == "data")
    assert sum(WORDS[language] in said for said in data["paragraphs"]) == len(missing)
    assert {one["feature"] for one in document["data"] if one["value_text"] == WORDS[language]} == set(missing)
    assert "not_met" not in document["checklist"].values()
    told = document["counterfactuals"] + document["disputed"]
    assert all(change["to"] is not None for one in told for change in one["changes"])
    assert document["reliability"]["outside_background"] == []
    with httpx.Client(base_url=city.base_url, timeout=60, follow_redirects=True) as visitor:
        form = {"reference": letter["reference"], "code": letter["access_code"]}
        page = visitor.post(f"/{language}/why", data=form)
        assert page.status_code == 200
        assert page.text.count(WORDS[language]) >= len(missing)


@pytest.mark.parametrize("language", LANGUAGES)
def test_staff_get_the_same_numbers_without_a_decision_and_on_their_page(city: City, language: str) -> None:
    letter = city.decide().json()
    body = {"inputs": city.inputs, "audience": "caseworker", "language": language, **PURPOSE}
    headers = {"Authorization": f"Bearer {city.token}"}
    address = f"{city.base_url}/api/v1/models/exported/explanations"
    answer = httpx.post(address, json=body, headers=headers, timeout=60)
    assert answer.status_code == 201, answer.text
    assert [one["value"] for one in answer.json()["contributions"]].count(None) >= 2
    numbers = {one["feature"]: one["contribution"] for one in answer.json()["contributions"]}
    decided = {one["feature"]: one["contribution"] for one in city.explain(letter, language)["contributions"]}
    assert numbers == decided
    with httpx.Client(base_url=city.base_url, timeout=60, follow_redirects=True) as worker:
        worker.post(f"/{language}/staff/sign-in", data={"user": "worker", "password": "a-long-password"})
        case = worker.get(f"/{language}/staff/decisions/{letter['reference']}")
        csrf = re.search(r'name="csrf" value="([^"]+)"', case.text)
        assert csrf is not None
        form = {"csrf": csrf[1], **PURPOSE, "previews": "1"}
        page = worker.post(f"/{language}/staff/decisions/{letter['reference']}/explanation", data=form)
        assert page.status_code == 200
        assert WORDS[language] in page.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_register_says_what_the_program_makes_of_missing_values(city: City, language: str) -> None:
    page = httpx.get(f"{city.base_url}/{language}/register/exported", timeout=60)
    assert page.status_code == 200
    assert WORDS[language] in page.text
    entry = httpx.get(f"{city.base_url}/api/v1/register/exported", timeout=60)
    assert entry.status_code == 200
    assert WORDS["en"] in entry.text


def test_a_correction_can_state_what_was_missing(city: City) -> None:
    letter = city.decide().json()
    missing = [name for name, value in city.inputs.items() if value is None]
    body = {"outcome": "refused", "reasons": "Nachgereicht.", "inputs": {missing[0]: 1.5}}
    headers = {"Authorization": f"Bearer {city.token}"}
    address = f"{city.base_url}/api/v1/decisions/{letter['reference']}/supersede"
    answer = httpx.post(address, json=body, headers=headers, timeout=60)
    assert answer.status_code == 201, answer.text
    document = city.explain(answer.json(), "en")
    stated = {one["feature"]: one["value"] for one in document["contributions"]}
    assert stated[missing[0]] == 1.5
    assert stated[missing[1]] is None
