"""A service whose log does not fit its memory says so everywhere, answers what needs no entry, and records nothing."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from explainer.app import application_of, build_service
from explainer.demo.run_demo import demo_settings
from explainer.use_cases.callers import CaseSystem
from explainer.use_cases.grant_access import add_case_system
from explainer.use_cases.record_decision import record_decision
from explainer.use_cases.service import Service
from tests.api.test_record_decision import a_request
from tests.event_loops import in_a_loop_of_its_own


@pytest.fixture(scope="module")
def put_back(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str, str]]:
    """A city whose database was put back to a moment before its last decision."""
    folder = tmp_path_factory.mktemp("put_back") / "city"
    settings = demo_settings(folder, port=8000)
    service = build_service(settings)
    api_key = add_case_system(service, "Fachverfahren")
    first = record_decision(service, CaseSystem("key-1", "Fachverfahren"), a_request())
    service.database.dispose()
    database = folder / "klarbescheid.db"
    shutil.copy(database, folder / "copy")
    service = build_service(settings)
    record_decision(service, CaseSystem("key-1", "Fachverfahren"), a_request())
    service.database.dispose()
    shutil.copy(folder / "copy", database)
    for left in ("klarbescheid.db-wal", "klarbescheid.db-shm"):
        Path(folder / left).unlink(missing_ok=True)
    service = build_service(settings)
    yield service, api_key, first["access_code"] + " " + first["reference"]
    service.database.dispose()


def ask(service: Service, method: str, path: str, **request: object) -> httpx.Response:
    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(app=application_of(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            return await client.request(method, path, **request)  # type: ignore[arg-type]

    return in_a_loop_of_its_own(answer())


def test_health_and_readiness_say_that_the_log_is_read_only_and_why(put_back: tuple[Service, str, str]) -> None:
    service, _, _ = put_back
    health, ready = ask(service, "GET", "/healthz"), ask(service, "GET", "/readyz")
    assert (health.status_code, ready.status_code) == (200, 503)
    for answer in (health.json(), ready.json()):
        assert answer["status"] == "read_only"
        assert "an older database was put back" in answer["log_problem"]
        assert "explainer restore" in answer["log_problem"]
        assert str(service.settings.data_folder) not in answer["log_problem"]


def test_explanations_and_decisions_are_refused_with_an_honest_problem(put_back: tuple[Service, str, str]) -> None:
    service, api_key, letter = put_back
    code, reference = letter.split()
    asked = ask(
        service,
        "POST",
        f"/api/v1/decisions/{reference}/explanations",
        json={"language": "de"},
        headers={"Authorization": f"AccessCode {code}"},
    )
    recorded = ask(
        service, "POST", "/api/v1/decisions", json=a_request(), headers={"Authorization": f"Bearer {api_key}"}
    )
    for answer in (asked, recorded):
        assert answer.status_code == 503
        assert answer.json()["type"] == "log_read_only"
        assert "older database" in answer.json()["detail"]


@pytest.mark.parametrize(("language", "said"), [("de", "Wir erklären im Moment nichts"), ("en", "We explain nothing")])
def test_a_person_reads_in_plain_words_that_nothing_is_explained(
    put_back: tuple[Service, str, str], language: str, said: str
) -> None:
    service, _, letter = put_back
    code, reference = letter.split()
    page = ask(service, "POST", f"/{language}/why", data={"reference": reference, "code": code})
    assert page.status_code == 503
    assert said in page.text


def test_what_needs_no_log_entry_is_still_answered(put_back: tuple[Service, str, str]) -> None:
    service, _, _ = put_back
    for path in ("/de/register", "/de/register/wohngeld", "/log/checkpoint", "/log/keys"):
        assert ask(service, "GET", path).status_code == 200


def test_the_operator_is_told_at_the_start(
    put_back: tuple[Service, str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.CRITICAL):
        build_service(put_back[0].settings).database.dispose()
    assert any("THE LOG IS READ-ONLY" in record.message for record in caplog.records)


def test_an_untouched_city_is_not_read_only(tmp_path: Path) -> None:
    """The broken twin: the same steps without the old copy."""
    settings = demo_settings(tmp_path / "city", port=8000)
    for _ in range(2):
        service = build_service(settings)
        record_decision(service, CaseSystem("key-1", "Fachverfahren"), a_request())
        assert service.database.read_only_reason is None
        service.database.dispose()
