"""Replaying an explanation: an honest one holds, and whatever was tampered with is named."""

# ruff: noqa: S608 - tables and columns are this file's own constants

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from explainer.app import build_service
from explainer.cli import app
from explainer.demo.run_demo import demo_settings
from explainer.errors import ErasedError, ExplanationNotFoundError
from explainer.narration.text_version import text_version
from explainer.settings import Settings
from explainer.use_cases.callers import CaseSystem, Staff, Subject
from explainer.use_cases.explain_decision import explain_decision
from explainer.use_cases.record_decision import record_decision
from explainer.use_cases.replay_explanation import Replay, ids_to_replay, replay_explanation
from explainer.use_cases.service import Service
from models.catalogue import bundled_packages_folder
from tests.api.test_record_decision import a_request

CASE_SYSTEM = CaseSystem("case-system", "Fachverfahren")
AUDITOR = Staff("staff-9", "auditor", frozenset({"auditor"}))


@dataclass
class City:
    """A small city with one decision and its explanations; it can be closed and opened again."""

    settings: Settings
    service: Service
    reference: str = ""
    explanation: str = ""

    @property
    def database(self) -> Path:
        return Path(self.settings.database_url.removeprefix("sqlite:///"))

    def change(self, statement: str, *values: bytes | str | int | None) -> None:
        """Change rows as somebody with the file can, triggers or not."""
        self.service.database.dispose()
        with sqlite3.connect(self.database) as connection:
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                connection.execute(f'DROP TRIGGER "{name}"')
            assert connection.execute(statement, values).rowcount > 0, statement
        connection.close()

    def value(self, table: str, column: str) -> bytes | str | int | None:
        with sqlite3.connect(self.database) as connection:
            found = connection.execute(
                f'SELECT "{column}" FROM {table} WHERE {WHERE[table]}', self.keys(table)
            ).fetchone()
        connection.close()
        value: bytes | str | int | None = found[0]
        return value

    def keys(self, table: str) -> tuple[str, ...]:
        return {"explanation": (self.explanation,), "decision": (self.reference,)}.get(table, (self.explanation,))


OF_EXPLANATION = "SELECT {} FROM explanation WHERE id = ?"
WHERE = {
    "explanation": "id = ?",
    "decision": "reference = ?",
    "kept_document": f"id = ({OF_EXPLANATION.format('kept_id')})",
    "log_entry": f"entry_id = ({OF_EXPLANATION.format('log_entry_id')})",
    "log_sealed": f"entry_id = ({OF_EXPLANATION.format('log_entry_id')})",
    "log_leaf": f"seq = (SELECT seq FROM log_entry WHERE entry_id = ({OF_EXPLANATION.format('log_entry_id')}))",
}


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    packages = tmp_path / "packages"
    shutil.copytree(bundled_packages_folder(), packages)
    settings = demo_settings(tmp_path / "city", port=8000).model_copy(
        update={"use_bundled_packages": False, "package_folders": (packages,)}
    )
    city = City(settings, build_service(settings))
    city.reference = record_decision(city.service, CASE_SYSTEM, a_request())["reference"]
    delivered = explain_decision(city.service, Subject(city.reference), city.reference, language="de")
    city.explanation = delivered.id
    yield city
    city.service.database.dispose()


def failed(replay: Replay) -> str:
    """The check that failed; the ones before it held."""
    assert not replay.holds
    assert [one.holds for one in replay.findings] == [True] * (len(replay.findings) - 1) + [False]
    assert replay.findings[-1].sentence
    return replay.findings[-1].check


def test_an_honest_explanation_holds_and_names_engine_texts_and_tolerance(city: City) -> None:
    replay = replay_explanation(city.service, city.explanation)
    assert replay.holds, replay.findings
    assert [one.check for one in replay.findings] == ["bytes", "log", "records", "numbers"]
    assert replay.engine_then == replay.engine_now
    assert replay.engine_then
    assert replay.texts_then == replay.texts_now == text_version()
    assert "allowed are" in replay.findings[-1].sentence


def test_every_audience_language_and_kind_of_case_holds(city: City) -> None:
    caseworker = Staff("staff-1", "caseworker", frozenset({"caseworker"}))
    for language in ("de", "en"):
        for staff in (caseworker, AUDITOR):
            explain_decision(
                city.service,
                staff,
                city.reference,
                language=language,
                purpose="Prüfung",
                legal_basis="§ 1",  # type: ignore[arg-type]
            )
    found = ids_to_replay(city.service, city.reference)
    assert len(found) == 5
    assert all(replay_explanation(city.service, one).holds for one in found)
    assert ids_to_replay(city.service, city.explanation) == (city.explanation,)


def test_replaying_is_logged(city: City) -> None:
    with city.service.database.reading() as work:
        before = work.log.tree_size()
    replay_explanation(city.service, city.explanation)
    with city.service.database.reading() as work:
        assert work.log.tree_size() == before + 1
        [newest] = work.log.newest(limit=1)
    assert newest.event == "explanation.read"


def test_what_is_not_there_is_said(city: City) -> None:
    with pytest.raises(ExplanationNotFoundError):
        ids_to_replay(city.service, "x")
    with pytest.raises(ExplanationNotFoundError):
        replay_explanation(city.service, "x")


TAMPERED_COLUMNS = {
    "explanation": (
        "decision_reference",
        "model_slug",
        "audience",
        "language",
        "produced_at",
        "key_id",
        "kept_id",
        "said_day",
        "said_time",
        "log_entry_id",
        "asked_by",
    ),
    "kept_document": ("decision_reference", "audience", "language", "key_id", "sealed"),
    "log_entry": ("event",),
    "log_leaf": ("leaf",),
    "log_sealed": ("key_id", "sealed"),
    "decision": (
        "model_slug",
        "model_version",
        "model_sha256",
        "register_version",
        "decided_by",
        "model_outcome",
        "outcome",
        "diverted",
        "decided_at",
        "key_id",
        "sealed",
        "sealed_numbers",
    ),
}


def another(value: bytes | str | int | None) -> bytes | str | int:
    """Another value of the same kind, which the reader of the column still takes."""
    match value:
        case bytes():
            return value[:-1] + bytes([value[-1] ^ 1])
        case int():
            return 1 - value if value in (0, 1) else value + 1
        case None:
            return "asserted"
        case str() if value[:2] == "20":
            return value.replace("2026", "2025")
        case "person":
            return "model"
        case _:
            return value[:-1] + ("0" if value[-1] != "0" else "1")


@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table, columns in TAMPERED_COLUMNS.items() for column in columns]
)
def test_every_field_that_was_tampered_with_is_noticed(city: City, table: str, column: str) -> None:
    before = city.value(table, column)
    after = another(before)
    assert after != before
    city.change(f'UPDATE {table} SET "{column}" = ? WHERE {WHERE[table]}', after, *city.keys(table))
    # Under the name of a key that does not exist the record looks erased, which is said at once.
    with suppress(ErasedError):
        failed(replay_explanation(city.service, city.explanation))


@pytest.mark.parametrize("table", ["kept_document", "log_sealed", "log_leaf", "decision"])
def test_a_missing_row_is_noticed(city: City, table: str) -> None:
    city.change(f"DELETE FROM {table} WHERE {WHERE[table]}", *city.keys(table))
    replay = replay_explanation(city.service, city.explanation)
    failed(replay)


def test_a_forged_text_with_its_digest_forged_too_is_noticed_by_the_log(city: City) -> None:
    """Somebody who has the keys as well writes another document and its SHA-256; the log entry cannot be rewritten."""
    other = record_decision(city.service, CASE_SYSTEM, a_request())["reference"]
    forged = explain_decision(city.service, Subject(other), other, language="de")
    city.change(
        "UPDATE explanation SET kept_id = (SELECT kept_id FROM explanation WHERE id = ?1), "
        "key_id = (SELECT key_id FROM explanation WHERE id = ?1) WHERE id = ?2",
        forged.id,
        city.explanation,
    )
    assert failed(replay_explanation(city.service, city.explanation)) in ("bytes", "log")


def reopened(city: City) -> Service:
    city.service.database.dispose()
    return build_service(city.settings)


def test_a_changed_model_file_is_noticed(city: City) -> None:
    [model] = city.settings.package_folders[0].glob("wohngeld/model.onnx")
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(bytes(content))
    service = reopened(city)
    try:
        assert failed(replay_explanation(service, city.explanation)) == "numbers"
    finally:
        service.database.dispose()


def test_a_model_that_computes_other_numbers_is_noticed(city: City) -> None:
    """The broken twin: the version is the right one, but its engine gives the first detail a tenth more."""
    [key] = city.service.explained_versions
    model = city.service.explained_versions[key]

    class Twin:
        package = model.package

        def __getattr__(self, name: str) -> object:
            return getattr(model, name)

        def numbers_for(self, inputs: dict[str, object]) -> object:
            numbers = model.numbers_for(inputs)  # type: ignore[arg-type]
            scored = numbers.score_numbers
            assert scored is not None
            first, second, *others = scored.attribution.contributions
            moved = replace(scored.attribution, contributions=(first + 0.1, second - 0.1, *others))
            return replace(numbers, score_numbers=replace(scored, attribution=moved))

    service = replace(city.service, explained_versions={key: Twin()})  # type: ignore[dict-item]
    replay = replay_explanation(service, city.explanation)
    assert failed(replay) == "numbers"
    assert replay.findings[-1].sentence.count("Contribution of") == 2


def test_the_command_ends_with_1_where_something_does_not_hold(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "DEMO": "true",
        "DATA_FOLDER": city.settings.data_folder,
        "DATABASE_URL": city.settings.database_url,
        "USE_BUNDLED_PACKAGES": "false",
        "PACKAGE_FOLDERS": city.settings.package_folders[0],
        "BASE_URL": city.settings.base_url,
        **({"LOG_ORIGIN": city.settings.log_origin} if city.settings.log_origin else {}),
    }.items():
        monkeypatch.setenv(f"EXPLAINER_{name}", str(value))
    held = CliRunner().invoke(app, ["replay", city.explanation, city.reference])
    assert held.exit_code == 0, held.output
    assert held.output.count(": holds") == 1, "the same explanation is replayed once"
    assert "templates: " in held.output
    city.change("UPDATE explanation SET said_day = ?", "gestern")
    broken = CliRunner().invoke(app, ["replay", city.explanation, "--json"])
    assert broken.exit_code == 1
    [said] = json.loads(broken.output)
    assert said["holds"] is False
    bundle = CliRunner().invoke(app, ["log", "bundle", str(city.settings.data_folder / "out.zip"), "--json"])
    assert bundle.exit_code == 0, bundle.output
    assert json.loads(bundle.stdout)["tree_size"] > 0
