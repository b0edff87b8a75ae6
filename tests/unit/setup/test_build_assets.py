"""The front-end files: made once, made again when something changed, and never half."""

import json
import shutil
from pathlib import Path

import pytest

import build_assets
from build_assets import PACKAGES, VENDOR_FOLDER, AssetBuildError

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with our lock file and nothing fetched yet."""
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copyfile(PROJECT / name, tmp_path / name)
    return tmp_path


class SmallRegistry:
    """Puts a few bytes where each file of each package would be, and counts how often it was asked."""

    def __init__(self, *, without: str = "") -> None:
        self.without = without
        self.asked = 0

    def fetch(self, folder: Path) -> None:
        self.asked += 1
        for package in PACKAGES:
            for name in (*package.files, package.licence_file):
                path = folder / "node_modules" / package.name / name
                path.parent.mkdir(parents=True, exist_ok=True)
                if name != self.without:
                    path.write_text(f"{package.name} {name}", encoding="utf-8")


def test_second_build_fetches_nothing(project: Path) -> None:
    registry = SmallRegistry()
    assert build_assets.build(project, registry.fetch) is True
    assert build_assets.build(project, registry.fetch) is False
    assert registry.asked == 1


def test_changed_lock_file_is_built_anew(project: Path) -> None:
    registry = SmallRegistry()
    build_assets.build(project, registry.fetch)
    lock = project / "package-lock.json"
    lock.write_text(lock.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert not build_assets.is_fresh(project)
    assert build_assets.build(project, registry.fetch) is True


@pytest.mark.parametrize("name", ["kern.min.css", "THIRD-PARTY.txt", "licences/htmx.org.txt", "assets.json"])
def test_lost_file_is_built_anew(project: Path, name: str) -> None:
    registry = SmallRegistry()
    build_assets.build(project, registry.fetch)
    (project / VENDOR_FOLDER / name).unlink()
    assert build_assets.build(project, registry.fetch) is True
    assert (project / VENDOR_FOLDER / name).is_file()


def test_file_changed_by_hand_is_built_anew(project: Path) -> None:
    registry = SmallRegistry()
    build_assets.build(project, registry.fetch)
    (project / VENDOR_FOLDER / "htmx.min.js").write_text("alert(1)", encoding="utf-8")
    assert build_assets.build(project, registry.fetch) is True
    assert "alert" not in (project / VENDOR_FOLDER / "htmx.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": 3, "inputs_sha256": 4}', '{"files": {}}'])
def test_damaged_manifest_counts_as_not_fresh(project: Path, text: str) -> None:
    build_assets.build(project, SmallRegistry().fetch)
    (project / VENDOR_FOLDER / "assets.json").write_text(text, encoding="utf-8")
    assert not build_assets.is_fresh(project)


def test_file_that_a_package_no_longer_holds_is_named_and_nothing_is_replaced(project: Path) -> None:
    build_assets.build(project, SmallRegistry().fetch)
    (project / VENDOR_FOLDER / "assets.json").unlink()
    with pytest.raises(AssetBuildError, match=r"htmx\.org/dist/htmx\.min\.js"):
        build_assets.build(project, SmallRegistry(without="dist/htmx.min.js").fetch)
    assert (project / VENDOR_FOLDER / "htmx.min.js").is_file()


def test_licence_that_nobody_accepted_stops_the_build(project: Path) -> None:
    lock = json.loads((project / "package-lock.json").read_text(encoding="utf-8"))
    lock["packages"]["node_modules/htmx.org"]["license"] = "SEE LICENSE IN terms.txt"
    (project / "package-lock.json").write_text(json.dumps(lock), encoding="utf-8")
    registry = SmallRegistry()
    with pytest.raises(AssetBuildError, match=r"htmx\.org is now under SEE LICENSE"):
        build_assets.build(project, registry.fetch)
    assert registry.asked == 0


def test_lock_file_without_a_package_says_what_to_do(project: Path) -> None:
    (project / "package-lock.json").write_text('{"packages": {}}', encoding="utf-8")
    with pytest.raises(AssetBuildError, match="make lock"):
        build_assets.build(project, SmallRegistry().fetch)


def test_missing_npm_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(AssetBuildError, match="make assets"):
        build_assets.fetch_with_npm(tmp_path)


@pytest.mark.parametrize("answer", ["echo 6.14.18", "echo rubbish", "exit 127"])
def test_npm_that_is_too_old_or_does_not_run_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str
) -> None:
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\n{answer}\n", encoding="utf-8")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    assert build_assets.find_npm() is None


def test_listing_names_every_package_with_version_and_licence(project: Path) -> None:
    build_assets.build(project, SmallRegistry().fetch)
    listing = (project / VENDOR_FOLDER / "THIRD-PARTY.txt").read_text(encoding="utf-8")
    wanted = json.loads((project / "package.json").read_text(encoding="utf-8"))["dependencies"]
    for package in PACKAGES:
        assert f"{package.name} {wanted[package.name]}: {package.licence}" in listing
        assert (project / VENDOR_FOLDER / package.licence_copy).is_file()


def test_every_package_of_the_lock_is_in_the_list_and_the_other_way_round() -> None:
    wanted = json.loads((PROJECT / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert set(wanted) == {package.name for package in PACKAGES}


def test_style_sheet_asks_for_no_file_of_its_own() -> None:
    """KERN's fonts are not shipped, so its style sheet must not ask for them."""
    style_sheet = PROJECT / VENDOR_FOLDER / "kern.min.css"
    assert build_assets.is_fresh(PROJECT), "run `make assets`"
    text = style_sheet.read_text(encoding="utf-8")
    assert text.count("url(") == text.count('url("data:') + text.count("url(data:") + text.count("url('data:")
    assert "@import" not in text


class TestHatchHook:
    """What hatchling gets told; needs hatchling, which `make` installs."""

    @pytest.fixture
    def hook(self, project: Path) -> object:
        pytest.importorskip("hatchling", reason="hatchling is installed by make")
        import hatch_build

        shutil.copyfile(PROJECT / "build_assets.py", project / "build_assets.py")
        return hatch_build.FrontEndAssetsHook(str(project), {}, None, None, str(project), "wheel")  # type: ignore[arg-type]

    def test_asks_for_nothing_where_npm_is_there(self, hook: object) -> None:
        if build_assets.find_npm() is None:
            pytest.skip("there is no npm on this machine")
        assert hook.dependencies() == []  # type: ignore[attr-defined]

    def test_asks_for_npm_as_a_wheel_where_there_is_none(
        self, hook: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
        monkeypatch.setattr("sys.executable", str(tmp_path / "nothing" / "python"))
        assert hook.dependencies() == [build_assets.NODE_REQUIREMENT]  # type: ignore[attr-defined]

    def test_asks_for_nothing_where_the_files_are_fresh(
        self, hook: object, project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        build_assets.build(project, SmallRegistry().fetch)
        monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
        monkeypatch.setattr("sys.executable", str(tmp_path / "nothing" / "python"))
        assert hook.dependencies() == []  # type: ignore[attr-defined]
