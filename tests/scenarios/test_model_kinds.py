"""Every kind of model goes the whole way: package, decision, explanation for everybody in both languages, pages."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from explainer.demo.run_demo import demo_settings
from explainer.use_cases.grant_access import add_case_system, add_staff
from explainer.use_cases.service import Service
from tests.demo_city import free_port, serving
from tests.model_kinds import KINDS, WIDE_BLACK_BOX, Kind

LANGUAGES = ("de", "en")


class City:
    """A running city with one model of every kind, and everybody who asks it."""

    def __init__(self, base_url: str, service: Service) -> None:
        self.base_url, self.service = base_url, service
        self.case_system = {"Authorization": f"Bearer {add_case_system(service, 'test')}"}
        self.staff = {role: add_staff(service, role, "a-long-password", (role,)) for role in ("caseworker", "auditor")}
        self.letters: dict[str, dict[str, Any]] = {}

    def letter(self, kind: Kind) -> dict[str, Any]:
        """The decision of one kind of model, recorded once."""
        if kind.slug not in self.letters:
            body = {
                "model": kind.slug,
                "case_reference": f"AZ {kind.slug}",
                "inputs": kind.inputs,
                "decided_by": "person",
                "outcome": self.service.model(kind.slug).outcome_of(kind.inputs).outcome,
                "reasons": "Die Nachweise liegen vor.",
                "score_used": float(max(kind.link(kind.original(kind.row_of(kind.inputs))))),
            }
            answer = httpx.post(f"{self.base_url}/api/v1/decisions", json=body, headers=self.case_system, timeout=60)
            assert answer.status_code == 201, answer.text
            self.letters[kind.slug] = answer.json()
        return self.letters[kind.slug]

    def explain(self, kind: Kind, audience: str, language: str) -> dict[str, Any]:
        """The explanation document of that decision."""
        letter = self.letter(kind)
        body: dict[str, Any] = {"language": language}
        headers = {"Authorization": f"AccessCode {letter['access_code']}"}
        if audience != "subject":
            body |= {"purpose": "Prüfung", "legal_basis": "§ 25 SGB X"}
            headers = {"Authorization": f"Bearer {self.staff[audience].token}"}
        address = f"{self.base_url}/api/v1/decisions/{letter['reference']}/explanations"
        answer = httpx.post(address, json=body, headers=headers, timeout=60)
        assert answer.status_code == 201, answer.text
        document: dict[str, Any] = answer.json()
        return document


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    folder: Path = tmp_path_factory.mktemp("kinds")
    for kind in KINDS:
        kind.write(folder / "packages")
    base = demo_settings(folder / "city", port=free_port())
    settings = base.model_copy(update={"package_folders": (folder / "packages",), "use_bundled_packages": False})
    with serving(settings) as service:
        yield City(settings.base_url, service)


def test_every_package_is_verified_and_used(city: City) -> None:
    assert {slug: str(error) for slug, error in city.service.catalogue.failures.items()} == {}
    assert set(city.service.catalogue.packages) == {kind.slug for kind in KINDS}


@pytest.mark.parametrize("audience", ["subject", "caseworker", "auditor"])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
def test_contributions_are_those_of_the_original_s_own_score(
    city: City, kind: Kind, language: str, audience: str
) -> None:
    document = city.explain(kind, audience, language)
    additive = kind.original(kind.row_of(kind.inputs))
    scores = kind.link(additive)
    explained = scores.index(max(scores))
    tolerance = city.service.model(kind.slug).package.additive_tolerance
    total = math.fsum(part["contribution"] for part in document["contributions"]) + document["expected_value"]
    assert abs(total - additive[explained]) <= tolerance
    assert document["score"]["value"] == pytest.approx(scores[explained], abs=tolerance)
    assert document["score"]["additive_value"] == pytest.approx(additive[explained], abs=tolerance)
    assert {part["feature"] for part in document["contributions"]} == set(kind.inputs)
    assert document["method"]["exact"] == (kind is not WIDE_BLACK_BOX)
    if kind is WIDE_BLACK_BOX:
        assert document["method"]["standard_error"] > 0
        assert document["method"]["stopped"] in ("precise_enough", "budget_used")
    assert "not_met" not in document["checklist"].values()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
def test_score_and_outcome_are_those_the_card_describes(city: City, kind: Kind) -> None:
    document, card = city.explain(kind, "auditor", "en"), city.service.model(kind.slug).package.card
    scores = kind.link(kind.original(kind.row_of(kind.inputs)))
    if kind.classes:
        expected = kind.classes[scores.index(max(scores))]
        assert document["threshold"] is None
        assert document["score"]["of_outcome"] == document["outcome"] == expected
        listed = {one["outcome"]: one["value"] for one in document["score"]["of_classes"]}
        assert list(listed) == kind.classes
        assert list(listed.values()) == pytest.approx(scores, abs=1e-6)
    else:
        assert document["threshold"] == card.threshold
        assert document["outcome"] == ("granted" if scores[0] >= document["threshold"] else "refused")
        assert document["score"]["of_outcome"] == ("granted" if card.score.is_probability else None)
        assert "of_classes" not in document["score"]
    assert document["unit"] == card.additive_unit_name


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
def test_the_person_reads_the_number_with_its_unit(city: City, kind: Kind, language: str) -> None:
    document = city.explain(kind, "subject", language)
    said = "\n".join(next(s["paragraphs"] for s in document["text"]["sections"] if s["id"] == "program_role"))
    value = document["score"]["value"]
    unit = kind.units[LANGUAGES.index(language)]
    shown = f"{value:,.0f} {unit}" if unit else f"{value * 100:.0f}"
    assert shown.replace(",", "." if language == "de" else ",") in said


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
def test_a_changed_detail_that_is_told_really_changes_the_original_s_outcome(
    city: City, kind: Kind, language: str
) -> None:
    document = city.explain(kind, "subject", language)
    now = document["outcome"]
    told = document["counterfactuals"] + document["disputed"]
    assert told, "these models are made so that there is something to tell"
    for one in told:
        changed = {**kind.inputs, **{change["feature"]: change["to"] for change in one["changes"]}}
        scores = kind.link(kind.original(kind.row_of(changed)))
        if kind.classes:
            assert kind.classes[scores.index(max(scores))] == one["outcome"] != now
        else:
            assert (scores[0] >= document["threshold"]) == (one["outcome"] == "granted")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
def test_pages_show_the_explanation_and_the_register_entry(city: City, kind: Kind, language: str) -> None:
    letter = city.letter(kind)
    with httpx.Client(base_url=city.base_url, timeout=60, follow_redirects=True) as visitor:
        form = {"reference": letter["reference"], "code": letter["access_code"]}
        page = visitor.post(f"/{language}/why", data=form)
        assert page.status_code == 200
        assert page.text.count('class="factor"') >= 1
        entry = visitor.get(f"/{language}/register/{kind.slug}")
        assert entry.status_code == 200
        assert ("calibration" in entry.text) == ("calibration" in kind.evaluation)
    person = city.staff["caseworker"]
    with httpx.Client(base_url=city.base_url, timeout=60, follow_redirects=True) as worker:
        worker.post(f"/{language}/staff/sign-in", data={"user": "caseworker", "password": "a-long-password"})
        case = worker.get(f"/{language}/staff/decisions/{letter['reference']}")
        csrf = re.search(r'name="csrf" value="([^"]+)"', case.text)
        assert case.status_code == 200, person
        assert csrf is not None
        body = {"csrf": csrf[1], "purpose": "Prüfung", "legal_basis": "§ 25 SGB X", "previews": "1"}
        page = worker.post(f"/{language}/staff/decisions/{letter['reference']}/explanation", data=body)
        assert page.status_code == 200
        unit = kind.units[LANGUAGES.index(language)]
        assert page.text.count(unit) >= 3
