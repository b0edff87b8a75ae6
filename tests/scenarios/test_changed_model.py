"""One changed byte stops one model; the rest of the service runs."""

import shutil
from pathlib import Path

import httpx
import pytest

from explainer.demo.run_demo import demo_settings
from explainer.settings import Settings
from explainer.use_cases.grant_access import add_case_system
from models.catalogue import bundled_packages_folder
from tests.api.test_record_decision import a_request
from tests.demo_city import free_port, serving


def settings_with(folder: Path, packages: Path, *, bundled: bool) -> Settings:
    base = demo_settings(folder, port=free_port())
    return base.model_copy(update={"package_folders": (packages,), "use_bundled_packages": bundled})


@pytest.mark.parametrize("file", ["model.onnx", "card.yaml", "background.npz", "reference.npz", "evaluation.json"])
def test_a_changed_byte_stops_the_model_with_a_clear_error(tmp_path: Path, file: str) -> None:
    package = tmp_path / "packages" / "wohngeld"
    shutil.copytree(bundled_packages_folder() / "wohngeld", package)
    content = bytearray((package / file).read_bytes())
    content[len(content) // 2] ^= 1
    (package / file).write_bytes(content)
    settings = settings_with(tmp_path / "city", package.parent, bundled=False)
    with serving(settings) as service:
        key = add_case_system(service, "test")
        with httpx.Client(base_url=settings.base_url, headers={"Authorization": f"Bearer {key}"}) as client:
            answer = client.post("/api/v1/decisions", json=a_request())
            assert answer.status_code == 503
            assert answer.json()["type"] == "model_file_changed"
            assert file in answer.json()["detail"]
            assert client.get("/healthz").status_code == 200
            assert client.get("/readyz").json()["models"] == {"wohngeld": "model_file_changed"}
            assert client.get("/de/register").status_code == 200
            assert client.get("/log/checkpoint").status_code == 200


def test_other_models_go_on(tmp_path: Path) -> None:
    broken = tmp_path / "packages" / "other"
    shutil.copytree(bundled_packages_folder() / "wohngeld", broken)
    (broken / "model.onnx").write_bytes(b"not a model")
    settings = settings_with(tmp_path / "city", broken.parent, bundled=True)
    with serving(settings) as service:
        key = add_case_system(service, "test")
        answer = httpx.post(
            f"{settings.base_url}/api/v1/decisions", json=a_request(), headers={"Authorization": f"Bearer {key}"}
        )
        assert answer.status_code == 201
        assert "other" in service.catalogue.failures
