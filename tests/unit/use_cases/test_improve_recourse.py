"""A proof that takes longer than a person waits improves what is said later, wholly or not at all."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explainer.app import build_service
from explainer.demo.run_demo import demo_settings
from explainer.errors import ErasedError
from explainer.explanations.counterfactual import NoCounterfactual, Recourse
from explainer.recourse import infeasibility, search
from explainer.recourse.action_set import SearchSpace
from explainer.recourse.forest_bounds import ForestBounds
from explainer.use_cases import explained_model
from explainer.use_cases.callers import CaseSystem, Staff, Subject
from explainer.use_cases.deliver_explanation import DeliveredExplanation
from explainer.use_cases.explain_decision import explain_decision, read_explanation
from explainer.use_cases.improve_recourse import improve_recourse
from explainer.use_cases.proof_jobs import ProofJobs
from explainer.use_cases.record_decision import record_decision
from explainer.use_cases.service import Service
from tests.api.test_record_decision import a_request

CASE_SYSTEM = CaseSystem("key-1", "Fachverfahren")
CASEWORKER = Staff("staff-1", "caseworker", frozenset({"caseworker"}))
NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
RICH = {
    "household_size": 2,
    "income_eur_month": 2900.0,
    "gross_cold_rent_eur_month": 720.0,
    "rent_level": 4,
    "assets_eur": 3000.0,
}
LEFT_OPEN = Recourse(counterfactuals=(), none=NoCounterfactual(reason="none_found", proven=False))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = build_service(demo_settings(tmp_path / "city", port=8000), clock=lambda: NOON)
    yield service
    assert service.proof_jobs is not None
    service.proof_jobs.close()
    service.database.dispose()


@pytest.fixture
def hopeless(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """People may only earn more, which helps nobody who earns too much; the search gets no time to prove it."""
    monkeypatch.setattr(search, "MAX_BOXES", 0)
    monkeypatch.setattr(infeasibility, "BOXES_AT_A_TIME", 1)
    score = ForestBounds.score

    def loose(self: ForestBounds, low: Any, high: Any) -> Any:
        # A model whose bounds tell nothing until a single cell is left: a proof that takes steps.
        return score(self, low, high) - self._sign * np.where((low != high).any(axis=1), 9.0, 0.0)

    monkeypatch.setattr(ForestBounds, "score", loose)
    versions = {}
    for key, model in service.explained_versions.items():
        features = tuple(_only_rising(one) for one in model.package.card.features)
        card = model.package.card.model_copy(update={"features": features})
        package = replace(model.package, card=card)
        versions[key] = replace(model, package=package, search_space=SearchSpace.of(package))
    return replace(service, explained_versions=versions)


def _only_rising(feature: Any) -> Any:
    changed: dict[str, Any] = {"disputable": False}
    if feature.name == "income_eur_month":
        changed["actionable"] = feature.actionable.model_copy(update={"direction": "up"})
    elif feature.actionable is not None:
        changed["actionable"] = None
    return feature.model_copy(update=changed)


def recorded(service: Service) -> str:
    request = a_request(inputs=RICH, outcome="refused", reasons="Das Einkommen ist zu hoch.")
    return str(record_decision(service, CASE_SYSTEM, request)["reference"])


def told(service: Service, reference: str, *, later: int) -> DeliveredExplanation:
    afterwards = replace(service, clock=lambda: NOON + timedelta(minutes=later))
    return explain_decision(afterwards, Subject(reference), reference, language="de")


def why_none(delivered: DeliveredExplanation) -> Any:
    return delivered.document.no_counterfactual


def improved(service: Service, reference: str, report: Callable[[object], None] = lambda _: None) -> str:
    afterwards = replace(service, clock=lambda: NOON + timedelta(minutes=5))
    return improve_recourse(afterwards, reference, seconds=30, report=report)


def sealed_numbers(service: Service, reference: str) -> bytes | None:
    with service.database.reading() as work:
        record = work.decisions.get(reference)
    assert record is not None
    return record.sealed_numbers


def test_what_is_proven_later_is_said_from_then_on(hopeless: Service) -> None:
    reference = recorded(hopeless)
    before = told(hopeless, reference, later=1)
    assert not why_none(before).proven
    assert improved(hopeless, reference) == "proven"
    after = told(hopeless, reference, later=6)
    assert why_none(after).proven
    assert why_none(after).sentence != why_none(before).sentence
    assert read_explanation(hopeless, Subject(reference), before.id)[0] == before.canonical
    assert improved(hopeless, reference) == "nothing to improve"


def test_the_better_text_is_ready_and_need_not_be_built(hopeless: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = recorded(hopeless)
    improved(hopeless, reference)
    monkeypatch.setattr("explainer.use_cases.explain_decision._document_anew", None)
    assert why_none(told(hopeless, reference, later=6)).proven


def test_a_text_for_staff_that_was_kept_before_is_not_used_again(hopeless: Service) -> None:
    reference = recorded(hopeless)

    def for_staff(minutes: int) -> DeliveredExplanation:
        return explain_decision(
            replace(hopeless, clock=lambda: NOON + timedelta(minutes=minutes)),
            CASEWORKER,
            reference,
            language="en",
            purpose="objection",
            legal_basis="SGB X",
        )

    assert not why_none(for_staff(1)).proven
    improved(hopeless, reference)
    assert why_none(for_staff(6)).proven


def test_an_example_that_the_search_missed_is_told(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(explained_model, "find_recourse", lambda *_: LEFT_OPEN)
        reference = recorded(service)
    assert told(service, reference, later=1).document.counterfactuals == ()
    assert improved(service, reference) == "example found"
    document = told(service, reference, later=6).document
    assert document.counterfactuals
    assert document.no_counterfactual is None


def test_a_proof_that_is_interrupted_keeps_nothing(hopeless: Service) -> None:
    reference = recorded(hopeless)
    before = sealed_numbers(hopeless, reference)

    def ends(_: object) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        improved(hopeless, reference, report=ends)
    assert sealed_numbers(hopeless, reference) == before
    assert not why_none(told(hopeless, reference, later=6)).proven


def test_of_two_processes_one_keeps_its_result(hopeless: Service) -> None:
    reference = recorded(hopeless)
    others: list[str] = []

    def meanwhile(_: object) -> None:
        if not others:
            others.append("begun")
            others.append(improved(hopeless, reference))

    assert improved(hopeless, reference, report=meanwhile) == "nothing to improve"
    assert others == ["begun", "proven"]
    assert why_none(told(hopeless, reference, later=6)).proven


def test_nothing_is_kept_about_somebody_who_was_erased_meanwhile(hopeless: Service) -> None:
    reference = recorded(hopeless)
    before = sealed_numbers(hopeless, reference)
    with hopeless.database.reading() as work:
        record = work.decisions.get(reference)
    assert record is not None
    key_id = record.key_id
    with pytest.raises(ErasedError):
        improved(hopeless, reference, report=lambda _: hopeless.vault._key_store.destroy(key_id))
    assert sealed_numbers(hopeless, reference) == before


def eventually(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + 30
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


def test_a_recorded_decision_that_was_left_open_is_proven_in_the_background(hopeless: Service) -> None:
    jobs = hopeless.proof_jobs
    assert jobs is not None
    reference = recorded(hopeless)
    assert jobs.results == {}
    jobs.start()
    assert eventually(lambda: jobs.results["proven"] == 1)
    assert why_none(told(hopeless, reference, later=6)).proven


def test_a_decision_with_an_example_asks_for_no_proof(service: Service) -> None:
    jobs = service.proof_jobs
    assert jobs is not None
    recorded(service)
    assert jobs._waiting.empty()


def test_a_job_that_fails_does_not_end_the_others(hopeless: Service) -> None:
    jobs = hopeless.proof_jobs
    assert jobs is not None
    jobs.want(hopeless, "no-such-decision")
    recorded(hopeless)
    jobs.start()
    assert eventually(lambda: jobs.results["proven"] == 1)
    assert jobs.results["failed: DecisionNotFoundError"] == 1


def test_the_end_of_the_process_interrupts_a_proof(hopeless: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[object] = []

    def endless(_service: Service, _reference: str, *, report: Callable[[object], None], **_: object) -> str:
        while True:
            begun.append(None)
            report(None)

    monkeypatch.setattr("explainer.use_cases.proof_jobs.improve_recourse", endless)
    jobs = ProofJobs(1.0)
    jobs.want(hopeless, "any")
    jobs.start()
    thread = jobs._thread
    assert eventually(lambda: bool(begun))
    jobs.close()
    assert thread is not None
    assert not thread.is_alive()
    assert jobs.results == {}


def test_zero_seconds_switch_proofs_off(hopeless: Service) -> None:
    jobs = ProofJobs(0)
    reference = recorded(replace(hopeless, proof_jobs=jobs))
    jobs.start()
    assert jobs._waiting.empty()
    assert jobs._thread is None
    assert not why_none(told(hopeless, reference, later=6)).proven


def test_no_more_decisions_wait_than_fit_and_the_progress_names_nobody(
    hopeless: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("explainer.use_cases.proof_jobs.MAX_WAITING", 1)
    jobs = ProofJobs(1.0)
    with caplog.at_level("INFO", logger="klarbescheid.proofs"):
        jobs.want(hopeless, "first")
        jobs.want(hopeless, "second")
        assert jobs.results == {"not tried": 1}
        jobs.start()
        assert eventually(lambda: jobs.results["failed: DecisionNotFoundError"] == 1)
        jobs.close()
    assert "not tried" in caplog.text
    assert "first" not in caplog.text
    assert "second" not in caplog.text
