"""An installation that is not whole says so at its start, and never puts something new in the place of what is lost."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from explainer.app import KEY_STORE_FILE, LOG_KEY_FILE, build_service
from explainer.demo.run_demo import MARKER_FILE, begin_anew_if_unfinished, demo_settings
from explainer.errors import AdditivityError, SettingsError
from explainer.settings import load_settings, read_server_key
from explainer.use_cases.callers import CaseSystem, Staff, Subject
from explainer.use_cases.explain_decision import explain_decision, read_explanation
from explainer.use_cases.explained_model import ExplainedModel
from explainer.use_cases.read_decisions import read_decision
from explainer.use_cases.record_decision import record_decision
from explainer.use_cases.service import Service
from explainer.use_cases.supersede_decision import supersede_decision
from models.errors import UnsupportedModelError
from tests.api.test_record_decision import a_request
from tests.unit.use_cases.test_refused_explanation import with_wrong_attribution

CASE_SYSTEM = CaseSystem("key-1", "Fachverfahren")
CASEWORKER = Staff("staff-1", "caseworker", frozenset({"caseworker"}))
AUDITOR = Staff("staff-2", "auditor", frozenset({"auditor"}))


class MovableClock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def start(tmp_path: Path, clock: MovableClock) -> Iterator[Callable[[], Service]]:
    started: list[Service] = []

    def start() -> Service:
        started.append(build_service(demo_settings(tmp_path / "city", port=8000), clock=clock))
        return started[-1]

    yield start
    for service in started:
        service.database.dispose()


def test_a_lost_log_key_is_not_replaced(start: Callable[[], Service], tmp_path: Path) -> None:
    start()
    (tmp_path / "city" / LOG_KEY_FILE).unlink()
    with pytest.raises(SettingsError, match="another key"):
        start()


def test_a_lost_key_store_is_not_replaced(start: Callable[[], Service], tmp_path: Path) -> None:
    record_decision(start(), CASE_SYSTEM, a_request())
    (tmp_path / "city" / KEY_STORE_FILE).unlink()
    with pytest.raises(SettingsError, match="look erased"):
        start()


def test_a_database_that_is_none_is_told_in_a_sentence(start: Callable[[], Service], tmp_path: Path) -> None:
    (tmp_path / "city").mkdir()
    (tmp_path / "city" / "klarbescheid.db").write_bytes(b"not a database" * 100)
    with pytest.raises(SettingsError, match="cannot be opened"):
        start()


def test_the_demo_never_removes_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(SettingsError, match="not a demo city's"):
        begin_anew_if_unfinished(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_the_demo_begins_anew_where_its_own_first_start_was_interrupted(tmp_path: Path) -> None:
    begin_anew_if_unfinished(tmp_path / "demo")
    (tmp_path / "demo" / "klarbescheid.db").write_text("half")
    begin_anew_if_unfinished(tmp_path / "demo")
    assert [path.name for path in (tmp_path / "demo").iterdir()] == [MARKER_FILE]


def test_an_access_code_is_forgotten_after_a_day(start: Callable[[], Service], clock: MovableClock) -> None:
    service = start()
    first = record_decision(service, CASE_SYSTEM, a_request(), idempotency_key="one")
    clock.now += timedelta(hours=23)
    again = record_decision(service, CASE_SYSTEM, a_request(), idempotency_key="one")
    assert again["access_code"] == first["access_code"]
    clock.now += timedelta(hours=2)
    late = record_decision(service, CASE_SYSTEM, a_request(), idempotency_key="one")
    assert late == {**first, "access_code": None, "replayed": True}
    record_decision(service, CASE_SYSTEM, a_request(), idempotency_key="two")
    with service.database.writing() as work:
        assert work.answers.forget_codes_before(clock.now - timedelta(hours=24)) == 0, "it is gone already"


def test_a_new_key_of_the_same_case_system_reaches_its_decisions(start: Callable[[], Service]) -> None:
    service = start()
    reference = record_decision(service, CASE_SYSTEM, a_request())["reference"]
    assert read_decision(service, CaseSystem("key-2", "Fachverfahren"), reference).decision.reference == reference


def test_tasks_end_with_what_they_ask_for(start: Callable[[], Service]) -> None:
    service = start()
    diverted = record_decision(service, CASE_SYSTEM, a_request(outcome=None, special_circumstances="Pflege."))
    supersede_decision(service, CASE_SYSTEM, diverted["reference"], {"outcome": "granted", "reasons": "Belegt."})
    wrong = with_wrong_attribution(service)
    refused = record_decision(wrong, CASE_SYSTEM, a_request())
    subject = Subject(refused["reference"])
    with pytest.raises(AdditivityError):
        explain_decision(wrong, subject, subject.reference, language="de")
    explain_decision(service, subject, subject.reference, language="de")
    with service.database.reading() as work:
        assert work.tasks.open_tasks(limit=10) == []


def test_nobody_is_promised_a_day_that_is_over(start: Callable[[], Service], clock: MovableClock) -> None:
    wrong = with_wrong_attribution(start())
    subject = Subject(record_decision(wrong, CASE_SYSTEM, a_request())["reference"])
    for _ in range(2):
        with pytest.raises(AdditivityError) as refusal:
            explain_decision(wrong, subject, subject.reference, language="de")
        assert refusal.value.answer_by is not None
        assert refusal.value.answer_by > clock.now.date()
        clock.now += timedelta(days=60)


def test_a_corrected_value_does_not_keep_the_source_of_the_wrong_one(start: Callable[[], Service]) -> None:
    service = start()
    sources = {"income_eur_month": {"source": "Lohnabrechnung"}, "rent_level": {"source": "Liste"}}
    first = record_decision(service, CASE_SYSTEM, a_request(sources=sources))
    corrected = {"outcome": "granted", "inputs": {"income_eur_month": 1500.0}}
    second = supersede_decision(service, CASE_SYSTEM, first["reference"], corrected)
    decision = read_decision(service, CASE_SYSTEM, second["reference"]).decision
    assert set(decision.private.sources) == {"rent_level"}


def test_auditors_see_no_personal_part_of_a_decision(start: Callable[[], Service]) -> None:
    service = start()
    reference = record_decision(service, CASE_SYSTEM, a_request(special_circumstances="Pflege."))["reference"]
    assert read_decision(service, CASEWORKER, reference).decision.private.inputs
    seen = read_decision(service, AUDITOR, reference).decision
    assert dict(seen.private.inputs) == {}
    assert seen.private.special_circumstances is None


def test_reading_a_stored_explanation_again_is_logged_for_staff(start: Callable[[], Service]) -> None:
    service = start()
    subject = Subject(record_decision(service, CASE_SYSTEM, a_request())["reference"])
    delivered = explain_decision(service, subject, subject.reference, language="de")
    with service.database.reading() as work:
        before = work.log.tree_size()
    read_explanation(service, subject, delivered.document.id)
    read_explanation(service, AUDITOR, delivered.document.id)
    with service.database.reading() as work:
        assert work.log.tree_size() == before + 1
        assert work.log.newest(limit=1)[0].event == "explanation.read"


def test_two_case_systems_may_give_two_people_the_same_pseudonym(start: Callable[[], Service]) -> None:
    vault = start().vault
    assert vault.subject_id_for("12345", owner="case_system:a") != vault.subject_id_for("12345", owner="b")


@pytest.mark.parametrize(
    "content", [b"\xff" * 32, "schlüssel".encode(), b"changeme", b"cGxhY2Vob2xkZXItcGxhY2Vob2xkZXItcGxhY2Vob2w="]
)
def test_server_keys_that_are_none_are_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "server.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SettingsError):
        read_server_key(path)


def test_placeholders_are_refused_outside_the_demo_all_at_once() -> None:
    with pytest.raises(SettingsError) as refusal:
        load_settings({"EXPLAINER_SURPRISE": "1"})
    for name in ("SURPRISE", "SERVER_KEY_FILE", "CITY_NAME", "BASE_URL"):
        assert f"EXPLAINER_{name}" in str(refusal.value)


def test_settings_come_from_a_file_and_the_environment_goes_first(tmp_path: Path) -> None:
    file = tmp_path / "settings.env"
    file.write_text(
        "EXPLAINER_CITY_NAME=Neustadt\nEXPLAINER_PORT=8100\nEXPLAINER_BASE_URL=https://k.neustadt.example/\n"
    )
    settings = load_settings(
        {
            "EXPLAINER_SETTINGS_FILE": str(file),
            "EXPLAINER_PORT": "8200",
            "EXPLAINER_SERVER_KEY_FILE": "server.key",
            "EXPLAINER_PACKAGE_FOLDERS": "/srv/a:/srv/b",
        }
    )
    assert (settings.city_name, settings.port) == ("Neustadt", 8200)
    assert settings.base_url == "https://k.neustadt.example"
    assert [str(folder) for folder in settings.package_folders] == ["/srv/a", "/srv/b"]


def test_a_model_that_cannot_be_prepared_rests_and_the_others_go_on(
    start: Callable[[], Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(_package: object, _cache: object) -> ExplainedModel:
        raise UnsupportedModelError("too deep", slug="wohngeld")

    monkeypatch.setattr(ExplainedModel, "prepare", refuses)
    service = start()
    assert service.usable_packages == {}
    with pytest.raises(UnsupportedModelError):
        service.model("wohngeld")
    assert service.failures["wohngeld"].code == "model_not_supported"
