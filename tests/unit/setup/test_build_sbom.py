"""The bill of materials lists exactly what is pinned."""

import json
import re
import shutil
from pathlib import Path

import pytest

import build_sbom
from models.catalogue import Catalogue, bundled_packages_folder

ROOT = Path(build_sbom.__file__).parent


def test_every_pinned_package_is_listed_with_its_hashes_and_a_licence() -> None:
    listed = list(build_sbom.python_packages(ROOT))
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert len(listed) == len(re.findall(r"^\S+==", lock, re.MULTILINE))
    assert sum(len(one["externalReferences"]) for one in listed) == lock.count("--hash=")
    unknown = [one["name"] for one in listed if not one["licenses"]]
    assert unknown in ([], ["colorama"]), "colorama is for Windows only"


def test_front_end_and_models_are_listed_under_the_identity_that_others_use() -> None:
    names = {one["name"]: one["hashes"][0] for one in build_sbom.front_end_packages(ROOT)}
    assert set(names) == {"@fontsource/fira-sans", "@kern-ux/native", "htmx.org"}
    assert all(re.fullmatch("[0-9a-f]{128}", one["content"]) and one["alg"] == "SHA-512" for one in names.values())
    packages = Catalogue.load([bundled_packages_folder()]).packages
    models = {one["name"]: one["hashes"][0]["content"] for one in build_sbom.model_packages(ROOT)}
    assert models == {slug: package.sha256 for slug, package in packages.items()}


def test_the_same_checkout_gives_the_same_file_and_no_two_components_share_a_reference(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert build_sbom.main([str(tmp_path / name)]) == 0
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    content = json.loads((tmp_path / "one").read_text())
    references = [one["bom-ref"] for one in content["components"]]
    assert len(references) == len(set(references))
    assert content["specVersion"] == "1.6"


def test_a_lock_file_that_pins_nothing_is_refused(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "requirements.lock").write_text("numpy>=2\n")
    with pytest.raises(ValueError, match="no pinned package"):
        build_sbom.bill_of_materials(tmp_path)
