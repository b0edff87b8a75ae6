"""``explainer explain``: one explanation on the terminal, by the use case of the API, and logged like it."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from explainer.cli import app
from explainer.explanations.document import ExplanationDocument
from models.features import from_row
from models.package import load_package
from tests.exported_packages import write_export

WHY = ["--purpose", "Prüfung", "--legal-basis", "§ 25 SGB X"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("command")
    package = load_package(write_export(folder / "packages", "lightgbm_binary", actionable=(2,)))
    inputs = from_row(package.card.features, package.reference.rows[0])
    (folder / "inputs.json").write_text(json.dumps(inputs), encoding="utf-8")
    (folder / "server.key").write_text(base64.b64encode(bytes(range(32))).decode(), encoding="utf-8")
    (folder / "server.key").chmod(0o600)
    return folder


def run(folder: Path, *arguments: str) -> Any:
    settings = {
        "EXPLAINER_DATABASE_URL": f"sqlite:///{folder / 'city.db'}",
        "EXPLAINER_DATA_FOLDER": str(folder / "data"),
        "EXPLAINER_CITY_NAME": "Neustadt",
        "EXPLAINER_BASE_URL": "https://city.example",
        "EXPLAINER_LOG_ORIGIN": "city.example/log",
        "EXPLAINER_SERVER_KEY_FILE": str(folder / "server.key"),
        "EXPLAINER_PACKAGE_FOLDERS": str(folder / "packages"),
        "EXPLAINER_USE_BUNDLED_PACKAGES": "false",
        "COLUMNS": "110",
    }
    # In a thread of its own: the command runs an event loop, and another test's browser may have left one here.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(CliRunner().invoke, app, ["explain", *arguments], env=settings).result()


@pytest.mark.parametrize(("language", "unit"), [("de", "Log-Odds"), ("en", "log-odds")])
def test_text_and_bars_stand_on_the_terminal(folder: Path, language: str, unit: str) -> None:
    answer = run(folder, "exported", str(folder / "inputs.json"), "--language", language, *WHY)
    assert answer.exit_code == 0, answer.output
    as_json = run(folder, "exported", str(folder / "inputs.json"), "--language", language, "--json", *WHY)
    document = ExplanationDocument.model_validate_json(as_json.stdout)
    lines = answer.stdout.splitlines()
    for one in document.contributions:
        (bar,) = (line for line in lines if one.label in line and "│" in line and line.rstrip().endswith(unit))
        left, right = bar.split("│")
        assert ("█" in left) == (one.contribution < 0)
        assert any(sign in right for sign in "█▏▎▍▌▋▊▉") == (one.contribution > 0)
        assert one.value_text in left
    told = " ".join(answer.stdout.split())
    for section in document.text.sections:
        assert section.heading in told
        for paragraph in section.paragraphs:
            # Each delivery has a number of its own.
            assert document.id in paragraph or " ".join(paragraph.split())[:60] in told


def test_longer_bars_count_more(folder: Path) -> None:
    answer = run(folder, "exported", str(folder / "inputs.json"), *WHY)
    document = json.loads(run(folder, "exported", str(folder / "inputs.json"), "--json", *WHY).stdout)
    sizes = [
        sum(line.count(sign) for sign in "█▏▎▍▌▋▊▉")
        for one in document["contributions"]
        for line in answer.stdout.splitlines()
        if one["label"] in line and line.rstrip().endswith("Log-Odds") and "│" in line
    ]
    assert sizes[0] == 14
    assert sizes == sorted(sizes, reverse=True)


def test_every_problem_is_a_line_of_its_own(folder: Path) -> None:
    (folder / "wrong.json").write_text('{"n0": "much", "n2": null, "n99": 1}', encoding="utf-8")
    answer = run(folder, "exported", str(folder / "wrong.json"))
    assert answer.exit_code == 1
    lines = answer.stderr.splitlines()
    assert all(line.startswith("Error: ") for line in lines)
    for said in ("purpose", "legal basis", "'n0' must be a number", "'n2' is missing", "'n99'"):
        assert sum(said in line for line in lines) >= 1, said
    found = json.loads(run(folder, "exported", str(folder / "wrong.json"), "--json").stdout)["errors"]
    assert len(found) == len(lines)
    assert {"/purpose", "/inputs/n0", "/inputs/n99"} <= {one["pointer"] for one in found}


@pytest.mark.parametrize(
    ("content", "said"), [("{", "not JSON"), ("[1]", "one object"), ('{"n0": 1, "n0": 2}', "twice")]
)
def test_a_file_that_is_no_inputs_is_refused_with_a_sentence(folder: Path, content: str, said: str) -> None:
    (folder / "broken.json").write_text(content, encoding="utf-8")
    answer = run(folder, "exported", str(folder / "broken.json"), *WHY)
    assert answer.exit_code == 1
    assert said in str(answer.exception)
