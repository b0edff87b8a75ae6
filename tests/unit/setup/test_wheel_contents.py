"""What a wheel would hold, asked of hatchling itself without building one."""

from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
PACKAGES = ("explainer", "models", "public_pages")


@pytest.fixture(scope="module")
def wheel_files() -> set[str]:
    """Paths inside the wheel."""
    wheel = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is installed by make")
    builder = wheel.WheelBuilder(str(PROJECT))
    with builder.config.set_build_data({"artifacts": [], "force_include": {}, "build_hooks": []}):
        return {str(file.distribution_path) for file in builder.recurse_included_files()}


def test_wheel_holds_every_file_of_the_three_packages(wheel_files: set[str]) -> None:
    """Model cards, ONNX files, templates, languages, migrations, laws and fetched front-end files, not only modules."""
    wanted = {
        path.relative_to(PROJECT).as_posix()
        for package in PACKAGES
        for path in (PROJECT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted - wheel_files == set()


def test_wheel_holds_nothing_else(wheel_files: set[str]) -> None:
    assert {Path(name).parts[0] for name in wheel_files} == set(PACKAGES)


def test_wheel_holds_the_fetched_files_though_git_ignores_them(wheel_files: set[str]) -> None:
    assert "public_pages/static/vendor/kern.min.css" in wheel_files
    assert "public_pages/static/vendor/assets.json" in wheel_files
