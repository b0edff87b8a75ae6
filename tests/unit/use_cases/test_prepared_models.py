"""Models that are prepared when first needed are verified like all others, once, and refused like all others."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from explainer.app import build_service
from explainer.demo.run_demo import demo_settings
from explainer.settings import Settings
from explainer.use_cases.check_health import readiness
from explainer.use_cases.explained_model import ExplainedModel
from explainer.use_cases.prepared_models import PreparedModels
from explainer.use_cases.record_decision import record_decision
from explainer.use_cases.service import Service
from models import package as packages
from models.catalogue import Catalogue, bundled_packages_folder
from models.errors import ModelFileChangedError, ModelScoresDifferError, ModelUnusableError
from models.manifest import write_manifest
from models.package import ModelPackage
from tests.api.test_record_decision import a_request
from tests.unit.use_cases.test_kept_documents import CASE_SYSTEM


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundled_packages_folder() / "wohngeld", tmp_path / "packages" / "wohngeld"))


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Packages that were verified, in their order."""
    seen: list[str] = []
    load = packages.load_package

    def noting(folder: Path) -> ModelPackage:
        seen.append(folder.name)
        return load(folder)

    monkeypatch.setattr(packages, "load_package", noting)
    return seen


def settings_for(tmp_path: Path) -> Settings:
    changes = {
        "load_models": "when_needed",
        "package_folders": (tmp_path / "packages",),
        "use_bundled_packages": False,
    }
    return demo_settings(tmp_path / "city", port=8000).model_copy(update=changes)


@pytest.fixture
def service(tmp_path: Path, package: Path) -> Iterator[Service]:
    """A service that has published its register before and was started again."""
    assert package.is_dir()
    build_service(settings_for(tmp_path)).database.dispose()
    started = build_service(settings_for(tmp_path))
    yield started
    started.database.dispose()


def give_wrong_reference(package: Path) -> None:
    """Approve a package whose original scored otherwise: only verification can find out."""
    with np.load(package / "reference.npz") as kept:
        rows, scores = kept["rows"], kept["scores"]
    np.savez(package / "reference.npz", rows=rows, scores=np.clip(scores + 0.01, 0, 1))
    write_manifest(package)


def test_a_start_with_nothing_new_verifies_nothing_and_the_first_number_does(
    verified: list[str], service: Service
) -> None:
    verified.clear()
    assert set(service.usable_packages) == {"wohngeld"}
    assert readiness(service).models == {"wohngeld": "usable"}
    assert verified == []
    for _ in range(2):
        record_decision(service, CASE_SYSTEM, a_request())
    assert verified == ["wohngeld"]


def test_threads_that_need_a_model_at_once_prepare_it_once(verified: list[str], service: Service) -> None:
    verified.clear()
    with ThreadPoolExecutor(8) as threads:
        models = list(threads.map(service.model, ["wohngeld"] * 8))
    assert all(model is models[0] for model in models)
    assert verified == ["wohngeld"]


def test_a_new_model_is_verified_before_it_is_published(tmp_path: Path, package: Path) -> None:
    give_wrong_reference(package)
    service = build_service(settings_for(tmp_path))
    assert service.usable_packages == {}
    with service.database.reading() as work:
        assert work.publications.latest("wohngeld") is None
        assert work.log.last_of("model.refused") is not None
    service.database.dispose()


def test_a_model_refused_when_first_needed_is_told_everywhere_and_not_tried_again(
    tmp_path: Path, package: Path, verified: list[str], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same files, but the runtime of this machine gives other scores than the original."""
    del tmp_path, package
    verified.clear()
    score = packages.OnnxModel.score
    monkeypatch.setattr(packages.OnnxModel, "score", lambda model, rows: score(model, rows) + 0.01)
    for _ in range(2):
        with pytest.raises(ModelScoresDifferError):
            record_decision(service, CASE_SYSTEM, a_request())
    assert verified == ["wohngeld"]
    assert service.usable_packages == {}
    assert readiness(service).models == {"wohngeld": "model_scores_differ"}
    with service.database.reading() as work:
        refused = work.log.newest(limit=10, event="model.refused")
    assert len(refused) == 1


def test_files_exchanged_while_the_service_runs_are_never_used(package: Path, service: Service) -> None:
    content = (package / "card.yaml").read_text(encoding="utf-8")
    (package / "card.yaml").write_text(content + "# another card\n", encoding="utf-8")
    write_manifest(package)
    with pytest.raises(ModelFileChangedError, match="start it again"):
        service.model("wohngeld")


def test_a_refused_version_cannot_be_looked_up(tmp_path: Path, package: Path) -> None:
    give_wrong_reference(package)
    listed = Catalogue.load([package]).versions
    refused: dict[tuple[str, str], ModelUnusableError] = {}
    called: list[None] = []
    models = PreparedModels(listed, tmp_path / "tables", refused, lambda: called.append(None))
    key = next(iter(models))
    for _ in range(2):
        with pytest.raises(ModelScoresDifferError):
            models[key]
    assert set(refused) == {key}
    assert called == [None]
    with pytest.raises(KeyError):
        models["wohngeld", "0" * 64]


def test_the_service_looks_up_prepared_models(service: Service) -> None:
    assert isinstance(service.model("wohngeld"), ExplainedModel)
