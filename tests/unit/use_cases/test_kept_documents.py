"""What was written when a decision was recorded is used only while it is still true, and stays readable for ever."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from explainer.app import build_service
from explainer.demo.run_demo import demo_settings
from explainer.errors import BadAccessCodeError, ErasedError, SealingError, UntrustworthyExplanationError
from explainer.use_cases import explain_decision as use_case
from explainer.use_cases import kept_documents
from explainer.use_cases.callers import CaseSystem, Staff, Subject
from explainer.use_cases.deliver_explanation import DeliveredExplanation
from explainer.use_cases.explain_decision import explain_decision, explain_to_subject, read_explanation
from explainer.use_cases.record_decision import record_decision
from explainer.use_cases.service import Service
from explainer.use_cases.supersede_decision import supersede_decision
from tests.api.test_record_decision import a_request
from tests.event_loops import in_a_loop_of_its_own

CASE_SYSTEM = CaseSystem("key-1", "Fachverfahren")
AUDITOR = Staff("staff-2", "auditor", frozenset({"auditor"}))
NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = build_service(demo_settings(tmp_path / "city", port=8000), clock=lambda: NOON)
    yield service
    service.database.dispose()


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """References of decisions whose document was built again on request."""
    seen: list[str] = []
    build: Callable[..., Any] = use_case._document_anew

    def noting(service: Service, caller: Any, decision: Any, wish: Any) -> Any:
        seen.append(decision.reference)
        return build(service, caller, decision, wish)

    monkeypatch.setattr(use_case, "_document_anew", noting)
    return seen


def asked(service: Service, answer: dict[str, Any], language: str = "de") -> DeliveredExplanation:
    return in_a_loop_of_its_own(
        explain_to_subject(
            service,
            answer["reference"],
            answer["access_code"],
            language=language,
            audience=None,  # type: ignore[arg-type]
        )
    )


def at(service: Service, moment: datetime) -> Service:
    return replace(service, clock=lambda: moment)


def execute(service: Service, statement: str, *values: object) -> None:
    with service.database.writing() as work:
        work.decisions._connection.exec_driver_sql(statement, values)  # type: ignore[attr-defined]


def test_a_subject_gets_what_was_written_at_recording_in_both_languages(service: Service, built: list[str]) -> None:
    answer = record_decision(service, CASE_SYSTEM, a_request())
    later = at(service, NOON + timedelta(hours=3))
    for language in ("de", "en"):
        delivered = asked(later, answer, language)
        assert delivered.document.language == language
        assert delivered.document.produced_at == NOON + timedelta(hours=3)
        assert delivered.document.id == delivered.id
    assert built == []


def test_both_ways_to_the_explanation_say_the_same(service: Service, built: list[str]) -> None:
    answer = record_decision(service, CASE_SYSTEM, a_request())
    quick = asked(service, answer).document
    slow = explain_decision(service, Subject(answer["reference"]), answer["reference"], language="de").document
    same = {"id": quick.id, "text": quick.text}
    assert slow.model_copy(update=same) == quick
    assert slow.text.model_dump_json().replace(slow.id, quick.id) == quick.text.model_dump_json()
    assert built == []


def test_every_delivery_can_be_read_again_to_the_byte(service: Service) -> None:
    answer = record_decision(service, CASE_SYSTEM, a_request())
    delivered = [asked(at(service, NOON + timedelta(minutes=number)), answer) for number in range(3)]
    assert len({one.sha256 for one in delivered}) == 3
    for one in delivered:
        assert read_explanation(service, Subject(answer["reference"]), one.id) == (one.canonical, one.sha256)
        assert sha256(one.canonical).hexdigest() == one.sha256


def test_a_superseded_decision_says_so_and_earlier_deliveries_stay(service: Service, built: list[str]) -> None:
    first = record_decision(service, CASE_SYSTEM, a_request())
    before = asked(service, first)
    second = supersede_decision(service, CASE_SYSTEM, first["reference"], {"outcome": "granted", "reasons": "Belegt."})
    later = at(service, NOON + timedelta(minutes=1))
    after = asked(later, first)
    assert before.document.decision is not None
    assert before.document.decision.superseded_by is None
    assert after.document.decision is not None
    assert after.document.decision.superseded_by == second["reference"]
    assert built == [first["reference"]]
    assert asked(later, first).document.decision == after.document.decision
    assert built == [first["reference"]], "the new text is kept in its turn"
    assert read_explanation(service, Subject(first["reference"]), before.id)[0] == before.canonical


def test_a_deadline_that_has_passed_is_told_as_over(service: Service, built: list[str]) -> None:
    remedy = {"kind": "objection", "text": "Sie können Widerspruch einlegen.", "until": "2026-11-25"}
    answer = record_decision(service, CASE_SYSTEM, a_request(remedy=remedy))
    last_evening = datetime(2026, 11, 25, 22, 59, tzinfo=UTC)  # 23:59 where people live
    on_time = asked(at(service, last_evening), answer)
    assert built == []
    over = asked(at(service, last_evening + timedelta(minutes=2)), answer)
    assert built == [answer["reference"]]
    fresh = explain_decision(
        at(service, last_evening + timedelta(days=9)), Subject(answer["reference"]), answer["reference"], language="de"
    )
    assert built == [answer["reference"]], "over is over"
    assert _rights(on_time) != _rights(over) == _rights(fresh)


def _rights(delivered: DeliveredExplanation) -> object:
    return next(part for part in delivered.document.text.sections if part.id == "what_you_can_do")


@pytest.mark.parametrize("changed", ["texts", "address"])
def test_a_new_text_or_address_is_used_at_once(
    service: Service, built: list[str], monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    answer = record_decision(service, CASE_SYSTEM, a_request())
    if changed == "texts":
        monkeypatch.setattr(kept_documents, "text_version", lambda: "the next version")
    else:
        moved = service.settings.model_copy(update={"base_url": "https://stadt.example"})
        service = replace(service, settings=moved)
    assert ("https://stadt.example" in asked(service, answer).canonical.decode()) == (changed == "address")
    assert built == [answer["reference"]]


def test_staffs_texts_are_written_when_first_asked_for_and_then_kept(service: Service, built: list[str]) -> None:
    reference = record_decision(service, CASE_SYSTEM, a_request())["reference"]
    for _ in range(2):
        explain_decision(service, AUDITOR, reference, language="en", purpose="check", legal_basis="Art. 12")
    assert built == [reference]


def test_a_wrong_code_and_an_unknown_reference_are_refused_alike(service: Service) -> None:
    answer = record_decision(service, CASE_SYSTEM, a_request())
    for wrong in (answer | {"access_code": "2222 2222 2222"}, answer | {"reference": "KB-2222-2222-22"}):
        with pytest.raises(BadAccessCodeError, match="Reference or code is wrong"):
            asked(service, wrong)


@pytest.mark.parametrize("where", ["changed", "of another decision", "an older one"])
def test_a_kept_document_that_was_tampered_with_is_never_handed_out(service: Service, where: str) -> None:
    """The broken twins: one bit turned, another person's document put there, a document from before put back."""
    mine, other = (record_decision(service, CASE_SYSTEM, a_request()) for _ in range(2))
    if where == "changed":
        execute(
            service, "UPDATE kept_document SET sealed = CAST(substr(sealed, 1, length(sealed) - 1) || x'00' AS BLOB)"
        )
    elif where == "of another decision":
        execute(
            service,
            "UPDATE kept_document SET decision_reference = ? WHERE decision_reference = ?",
            mine["reference"],
            other["reference"],
        )
        execute(service, "UPDATE kept_document SET made_at = '2030-01-01 00:00:00.000000' WHERE rowid IN (3, 4)")
    else:
        supersede_decision(service, CASE_SYSTEM, mine["reference"], {"outcome": "granted", "reasons": "Belegt."})
        asked(service, mine)
        execute(service, "UPDATE kept_document SET made_at = '2030-01-01 00:00:00.000000' WHERE rowid IN (1, 2)")
        decision = asked(service, mine).document.decision
        assert decision is not None
        assert decision.superseded_by is not None
        return
    with pytest.raises(SealingError):
        asked(service, mine)


def test_a_delivery_whose_document_was_exchanged_is_not_handed_out_again(service: Service) -> None:
    answer = record_decision(service, CASE_SYSTEM, a_request())
    german, english = asked(service, answer, "de"), asked(service, answer, "en")
    execute(
        service,
        "UPDATE explanation SET kept_id = (SELECT kept_id FROM explanation WHERE id = ?) WHERE id = ?",
        english.id,
        german.id,
    )
    with pytest.raises(UntrustworthyExplanationError, match="not the one that was logged"):
        read_explanation(service, Subject(answer["reference"]), german.id)


def test_nothing_is_left_of_an_erased_persons_documents(service: Service) -> None:
    answer = record_decision(service, CASE_SYSTEM, a_request())
    delivered = asked(service, answer)
    with service.database.reading() as work:
        record = work.decisions.get(answer["reference"])
    assert record is not None
    service.vault.destroy([record.key_id])
    with pytest.raises(ErasedError):
        asked(service, answer)
    with pytest.raises(ErasedError):
        read_explanation(service, Subject(answer["reference"]), delivered.id)


def test_a_caseworkers_task_ends_also_where_the_text_was_kept(service: Service) -> None:
    answer = record_decision(service, CASE_SYSTEM, a_request())
    execute(
        service,
        "INSERT INTO task (id, kind, decision_reference, opened_at, due_at) "
        "VALUES ('t', 'explanation_refused', ?, ?, ?)",
        answer["reference"],
        "2026-11-23 10:00:00.000000",
        "2026-12-07 10:00:00.000000",
    )
    asked(service, answer)
    with service.database.reading() as work:
        assert work.tasks.open_tasks(limit=10) == []
