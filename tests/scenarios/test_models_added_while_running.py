"""A running service takes in a package that was added, verified first; decisions made before keep their version."""

import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx

from explainer.demo.run_demo import demo_settings
from explainer.use_cases.grant_access import add_case_system
from models.catalogue import bundled_packages_folder
from models.manifest import write_manifest
from tests.api.test_record_decision import a_request
from tests.demo_city import free_port, serving

WOHNGELD = bundled_packages_folder() / "wohngeld"


def write_version(workplace: Path, version: str, *, scores_are_right: bool = True) -> Path:
    """Copy the bundled package as another version, built aside as ``explainer models add`` does."""
    folder = Path(shutil.copytree(WOHNGELD, workplace / version, ignore=shutil.ignore_patterns("data", "__pycache__")))
    for name in ("card.yaml", "evaluation.json"):
        path = folder / name
        path.write_text(path.read_text(encoding="utf-8").replace("2026.1", version), encoding="utf-8")
    if not scores_are_right:
        card = folder / "card.yaml"
        card.write_text(
            card.read_text(encoding="utf-8").replace("additive_unit: log_odds", "additive_unit: score"), "utf-8"
        )
    write_manifest(folder)
    return folder


def put_in_place(folder: Path, packages: Path, old_version: str) -> None:
    (packages / "wohngeld").rename(packages / f"wohngeld@{old_version}")
    folder.rename(packages / "wohngeld")


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline, "nothing happened within a minute"
        time.sleep(0.2)


def test_an_added_version_scores_new_cases_and_explains_no_old_ones(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    write_version(tmp_path, "2026.1").rename(packages / "wohngeld")
    settings = demo_settings(tmp_path / "city", port=free_port()).model_copy(
        update={"package_folders": (packages,), "use_bundled_packages": False, "look_for_models_seconds": 1}
    )
    with ExitStack() as stack:
        service = stack.enter_context(serving(settings))
        key = add_case_system(service, "test")
        client = stack.enter_context(
            httpx.Client(base_url=settings.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=30)
        )
        before = client.post("/api/v1/decisions", json=a_request()).json()
        assert before["model"]["version"] == "2026.1"

        put_in_place(write_version(tmp_path, "2026.2", scores_are_right=False), packages, "2026.1")
        wait_until(lambda: any("wohngeld" in name for name in service.failures))
        assert client.post("/api/v1/decisions", json=a_request()).json()["model"]["version"] == "2026.1"

        shutil.rmtree(packages / "wohngeld")
        write_version(tmp_path, "2026.3").rename(packages / "wohngeld")
        wait_until(lambda: service.catalogue.packages["wohngeld"].card.version == "2026.3")
        after = client.post("/api/v1/decisions", json=a_request()).json()
        assert after["model"]["version"] == "2026.3"
        for recorded, version in ((before, "2026.1"), (after, "2026.3")):
            explained = httpx.post(
                f"{settings.base_url}/api/v1/decisions/{recorded['reference']}/explanations",
                json={"language": "en"},
                headers={"Authorization": f"AccessCode {recorded['access_code']}"},
                timeout=30,
            ).json()
            assert explained["model"] == {**recorded["model"], "slug": "wohngeld"}
            assert explained["model"]["version"] == version
        wait_until(lambda: client.get("/api/v1/register/wohngeld").json()["entry"]["card"]["version"] == "2026.3")
