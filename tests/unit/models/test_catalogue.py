from pathlib import Path

import pytest

from models.catalogue import Catalogue, bundled_packages_folder
from models.errors import MalformedPackageError, ModelFileChangedError, ModelNotFoundError
from models.package import write_manifest
from tests.unit.models.tree_models import copy_of_wohngeld


def give_version(folder: Path, version: str) -> None:
    """Make a copy another version, in card and evaluation alike, and approve the result."""
    for name in ("card.yaml", "evaluation.json"):
        content = (folder / name).read_text("utf-8")
        (folder / name).write_text(content.replace("2026.1", version), encoding="utf-8")
    write_manifest(folder)


def test_bundled_packages_are_usable() -> None:
    catalogue = Catalogue.load([bundled_packages_folder()])
    assert "wohngeld" in catalogue.packages
    assert dict(catalogue.failures) == {}


def test_one_broken_package_never_stops_the_others(tmp_path: Path) -> None:
    copy_of_wohngeld(tmp_path)
    broken = copy_of_wohngeld(tmp_path, "broken")
    (broken / "model.onnx").write_bytes(b"changed")
    catalogue = Catalogue.load([tmp_path])
    assert set(catalogue.packages) == {"wohngeld"}
    for _ in range(2):
        with pytest.raises(ModelFileChangedError, match=r"model\.onnx"):
            catalogue.get("broken")
    assert catalogue.get("wohngeld").card.slug == "wohngeld"


def test_an_unknown_model_is_told_from_a_broken_one() -> None:
    catalogue = Catalogue.load([bundled_packages_folder()])
    with pytest.raises(ModelNotFoundError, match="wohngeld"):
        catalogue.get("\x1bnone" * 100)


def test_a_package_that_lost_its_manifest_is_reported(tmp_path: Path) -> None:
    (copy_of_wohngeld(tmp_path) / "MANIFEST.json").unlink()
    with pytest.raises(ModelFileChangedError, match="MANIFEST"):
        Catalogue.load([tmp_path]).get("wohngeld")


def test_older_versions_stay_beside_the_current_one(tmp_path: Path) -> None:
    current = copy_of_wohngeld(tmp_path)
    give_version(current, "2026.2")
    copy_of_wohngeld(tmp_path, "wohngeld@2026.1")
    catalogue = Catalogue.load([tmp_path])
    old = Catalogue.load([bundled_packages_folder()]).get("wohngeld")
    assert catalogue.get("wohngeld").card.version == "2026.2"
    assert catalogue.get_version("wohngeld", old.sha256).card.version == "2026.1"
    with pytest.raises(ModelNotFoundError, match="not in the version"):
        catalogue.get_version("wohngeld", "0" * 64)


def test_an_older_version_never_stands_in_for_a_broken_one(tmp_path: Path) -> None:
    current = copy_of_wohngeld(tmp_path)
    (current / "card.yaml").write_bytes(b"")
    copy_of_wohngeld(tmp_path, "wohngeld@2026.1")
    catalogue = Catalogue.load([tmp_path])
    with pytest.raises(ModelFileChangedError):
        catalogue.get("wohngeld")
    old = Catalogue.load([bundled_packages_folder()]).get("wohngeld")
    assert catalogue.get_version("wohngeld", old.sha256).sha256 == old.sha256


@pytest.mark.parametrize("name", ["other", "wohngeld@2020.1"])
def test_a_folder_is_named_after_what_it_holds(tmp_path: Path, name: str) -> None:
    copy_of_wohngeld(tmp_path, name)
    with pytest.raises(MalformedPackageError, match="rename"):
        raise Catalogue.load([tmp_path]).failures[name]


def test_the_same_model_twice_is_refused(tmp_path: Path) -> None:
    copy_of_wohngeld(tmp_path)
    catalogue = Catalogue.load([bundled_packages_folder(), tmp_path])
    with pytest.raises(MalformedPackageError, match="twice"):
        catalogue.get("wohngeld")
    assert "wohngeld" not in catalogue.packages


def test_a_folder_that_is_itself_a_package_counts_and_a_missing_one_does_not(tmp_path: Path) -> None:
    folder = copy_of_wohngeld(tmp_path)
    assert set(Catalogue.load([folder, tmp_path / "nowhere"]).packages) == {"wohngeld"}
