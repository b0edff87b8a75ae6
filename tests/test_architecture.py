"""The house: who may import whom, how large a room is, and what it is called."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("explainer", "models", "public_pages")
LARGEST_MODULE = 400
HANDED_OUT_ALONE = {"explainer/transparency_log/verify.py": 600}
"""One file by promise, so it may be larger."""
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "manager", "handler", "misc"}
HEAVY = ("shap", "sklearn", "pandas", "pyarrow", "numba", "lightgbm", "scipy", "opentelemetry.sdk")


def modules() -> list[Path]:
    return [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]


def test_import_rules_hold() -> None:
    result = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout


def test_import_rules_catch_a_wrong_arrow(tmp_path: Path) -> None:
    """The broken twin: a core module that imports SQLAlchemy is reported."""
    for package in PACKAGES:
        subprocess.run(["cp", "-r", ROOT / package, tmp_path / package], check=True)
    subprocess.run(["cp", ROOT / "pyproject.toml", tmp_path], check=True)
    wrong = tmp_path / "explainer" / "decisions" / "decision.py"
    wrong.write_text(wrong.read_text() + "\nimport sqlalchemy\n")
    result = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert result.returncode != 0
    assert "sqlalchemy" in result.stdout


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_too_large_or_has_a_name_that_says_nothing(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= HANDED_OUT_ALONE.get(
        path.relative_to(ROOT).as_posix(), LARGEST_MODULE
    )
    assert path.stem not in NAMES_THAT_SAY_NOTHING


def test_package_markers_are_empty() -> None:
    filled = [path for path in modules() if path.name == "__init__.py" and path.read_text().strip()]
    assert filled == []


def test_nothing_unpickles() -> None:
    suspicious = {"pickle", "dill", "joblib", "cloudpickle", "marshal", "shelve"}
    found = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [(path.name, name) for name in names if name.split(".")[0] in suspicious]
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant), path
                assert node.value.value is False, path
    assert found == []


def test_the_serving_process_imports_nothing_heavy() -> None:
    program = f"import sys, explainer.app, explainer.cli;print([name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_bundled_model_is_explained_without_numba() -> None:
    """Only a model that needs a compiled method pays for loading it; the broken twin below asks for one."""
    assert "numba" not in loaded_after_preparing(many_rows=False)
    assert "numba" in loaded_after_preparing(many_rows=True)


def loaded_after_preparing(*, many_rows: bool) -> str:
    program = f"""
import sys
from explainer.attribution_methods.choose import prepare_method
from explainer.use_cases.explained_model import ExplainedModel
from models.catalogue import bundled_packages_folder
from models.package import load_package
model = ExplainedModel.prepare(load_package(bundled_packages_folder() / "wohngeld"))
background = model.package.background
if {many_rows}:
    prepare_method(model.package.forest, background.rows, background.weights, many_rows=True)
model.computer.contributions_of(background.rows[:1])
print("numba" if "numba" in sys.modules else "")
"""
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return result.stdout
