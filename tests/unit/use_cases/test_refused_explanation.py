"""An explanation that fails its own checks is never shown: the person hears who answers, a caseworker gets a task."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explainer.app import build_service
from explainer.attribution_methods.method import AttributionComputer
from explainer.demo.run_demo import demo_settings
from explainer.errors import AdditivityError, UntrustworthyExplanationError
from explainer.explanations.stored_numbers import numbers_to_bytes
from explainer.use_cases.callers import CaseSystem, Staff, Subject
from explainer.use_cases.explain_decision import explain_decision
from explainer.use_cases.record_decision import record_decision
from explainer.use_cases.service import Service
from tests.api.test_record_decision import a_request

CASE_SYSTEM = CaseSystem("case-system", "Fachverfahren")
CASEWORKER = Staff("staff-1", "caseworker", frozenset({"caseworker"}))


class WrongByATenth:
    """The broken twin: an attribution method whose first contribution is a tenth too large."""

    def __init__(self, right: AttributionComputer) -> None:
        self._right = right
        self.method = right.method
        self.expected_value = right.expected_value
        self.leaf_scale = right.leaf_scale

    def contributions_of(self, rows: np.ndarray) -> np.ndarray:
        contributions = self._right.contributions_of(rows).copy()
        contributions[:, 0] += 0.1
        return contributions


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = build_service(demo_settings(tmp_path / "city", port=8000))
    yield service
    service.database.dispose()  # type: ignore[attr-defined]


def with_wrong_attribution(service: Service) -> Service:
    versions = {
        key: replace(model, methods=(replace(model.methods[0], computer=WrongByATenth(model.computer)),))
        for key, model in service.explained_versions.items()
    }
    return replace(service, explained_versions=versions)


def subject_of(answer: dict[str, Any]) -> Subject:
    return Subject(answer["reference"])


def test_a_wrong_attribution_is_refused_when_the_decision_is_recorded(service: Service) -> None:
    wrong = with_wrong_attribution(service)
    answer = record_decision(wrong, CASE_SYSTEM, a_request())
    with service.database.reading() as work:
        record = work.decisions.get(answer["reference"])
        tasks = work.tasks.for_decision(answer["reference"])
    assert record is not None
    assert record.sealed_numbers is None
    assert [task.kind for task in tasks] == ["numbers_missing"]


def test_the_person_hears_until_when_a_person_answers(service: Service) -> None:
    wrong = with_wrong_attribution(service)
    subject = subject_of(record_decision(wrong, CASE_SYSTEM, a_request()))
    with pytest.raises(AdditivityError) as refusal:
        explain_decision(wrong, subject, subject.reference, language="de")
    assert refusal.value.answer_by is not None
    with service.database.reading() as work:
        kinds = [task.kind for task in work.tasks.for_decision(subject.reference)]
        refused = work.log.last_of("explanation.refused")
        explanations = work.explanations.of_decision(subject.reference)
    assert kinds.count("explanation_refused") == 1
    assert refused is not None
    assert explanations == []


def test_asking_again_opens_no_second_task(service: Service) -> None:
    wrong = with_wrong_attribution(service)
    subject = subject_of(record_decision(wrong, CASE_SYSTEM, a_request()))
    for _ in range(2):
        with pytest.raises(UntrustworthyExplanationError):
            explain_decision(wrong, subject, subject.reference, language="de")
    with service.database.reading() as work:
        kinds = [task.kind for task in work.tasks.for_decision(subject.reference)]
    assert kinds.count("explanation_refused") == 1


def test_the_same_decision_is_explained_once_the_method_is_mended(service: Service) -> None:
    wrong = with_wrong_attribution(service)
    subject = subject_of(record_decision(wrong, CASE_SYSTEM, a_request()))
    delivered = explain_decision(service, subject, subject.reference, language="de")
    assert delivered.document.contributions


def test_numbers_of_another_case_are_refused(service: Service) -> None:
    """Numbers are bound to the inputs they were computed from: swapping two cases' numbers is noticed."""
    first = record_decision(service, CASE_SYSTEM, a_request())
    other_inputs = a_request()["inputs"] | {"income_eur_month": 3100.0}
    model = service.model("wohngeld")
    with service.database.writing() as work:
        record = work.decisions.get(first["reference"])
        assert record is not None
        foreign = service.vault.seal(
            numbers_to_bytes(model.numbers_for(other_inputs)),
            key_id=record.key_id,
            context=f"numbers:{record.reference}",
        )
        connection = work.decisions._connection  # type: ignore[attr-defined]
        connection.exec_driver_sql(
            "UPDATE decision SET sealed_numbers = ? WHERE reference = ?", (foreign, record.reference)
        )
    with pytest.raises(UntrustworthyExplanationError):
        explain_decision(
            service, CASEWORKER, first["reference"], language="de", purpose="phone call", legal_basis="SGB X § 25"
        )


def test_nothing_is_delivered_when_the_log_cannot_be_written(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """No log entry, no answer: a failing log takes decision and explanation with it."""
    answer = record_decision(service, CASE_SYSTEM, a_request())
    log_store = type_of_log_store(service)

    def fails(*_arguments: object, **_options: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(log_store, "append_all", fails)
    with pytest.raises(OSError, match="disk is full"):
        explain_decision(service, subject_of(answer), answer["reference"], language="de")
    with pytest.raises(OSError, match="disk is full"):
        record_decision(service, CASE_SYSTEM, a_request())
    with service.database.reading() as work:
        assert work.explanations.of_decision(answer["reference"]) == []


def type_of_log_store(service: Service) -> type:
    with service.database.reading() as work:
        return type(work.log)
