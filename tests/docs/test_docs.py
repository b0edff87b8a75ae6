"""The documents hold: everything that exists is described, and everything that is described exists."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

import explainer.app  # noqa: F401 -- loads every module that declares an error or a route
from explainer.api import decisions, explanations, health, log, register
from explainer.api.problem_details import STATUS_OF, status_and_title
from explainer.cli import app as command_line
from explainer.explanations.strength import DEFAULT_CUTOFFS
from explainer.settings import SETTINGS_FILE, Settings
from explainer.transparency_log.log_entry import COMMITTED_FIELDS, LogEvent
from models.errors import KlarbescheidError
from models.manifest import COMMON_FILES, MODEL_FILES
from tests.unit.transparency_log.memory_log import MemoryLog, leaves, signer

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "models").rglob("*.md")])
OURS = ("explainer", "models", "public_pages")
SECTIONS = ("Context", "Decision", "Consequences", "Confirmation")

# Spelt in two parts, so that this file does not hold what it looks for.
MACHINE_PATHS = tuple(f"/{folder}/" for folder in ("work", "tmp", "root", "home", "Users"))
REGISTRY_HOSTS = tuple(
    ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"))
)


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def rows_of(path: Path) -> dict[str, str]:
    """Table rows of a page by each term in backticks in their first cell; the first row of a term counts."""
    rows: dict[str, str] = {}
    for line in text_of(path).splitlines():
        if line.startswith("| `"):
            first, _, rest = line.removeprefix("|").partition(" | ")
            for term in re.findall(r"`([^`]+)`", first):
                rows.setdefault(term, rest)
    return rows


def prose_of(path: Path) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```", "", text_of(path), flags=re.DOTALL | re.MULTILINE)


def anchors_of(path: Path) -> set[str]:
    """Anchors of a page's headings, made as code hosting sites make them."""
    headings = re.findall(r"^#+ (.+)$", prose_of(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken_links(path: Path) -> list[str]:
    """Relative links of a page that lead to no file, or to no heading of it."""
    broken = []
    found = re.findall(r"\]\(([^)\s]+)\)", prose_of(path)) + re.findall(
        r"^\[[^\]]+\]: (\S+)$", prose_of(path), re.MULTILINE
    )
    for link in found:
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors_of(target)):
            broken.append(link)
    return broken


def our_errors(error: type[KlarbescheidError] = KlarbescheidError) -> Iterator[type[KlarbescheidError]]:
    if error.__module__.startswith(OURS):
        yield error
    for child in error.__subclasses__():
        yield from our_errors(child)


def commands(command: Any, words: tuple[str, ...] = ("explainer",)) -> Iterator[tuple[str, Any]]:
    children: dict[str, Any] = getattr(command, "commands", {})
    if not children:
        yield " ".join(words), command
    for name, child in children.items():
        yield from commands(child, (*words, name))


def api_routes() -> set[str]:
    return {
        f"{method} {route.path}".replace(":path}", "}")
        for part in (decisions, explanations, health, log, register)
        for route in part.router.routes
        for method in route.methods
    }


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    row = rows_of(REFERENCE / "settings.md")[f"EXPLAINER_{name.upper()}"]
    assert row.startswith(f"`{Settings.model_fields[name].default}` |")


def test_no_setting_is_documented_that_does_not_exist() -> None:
    documented = {name for page in PAGES for name in re.findall(r"EXPLAINER_[A-Z_]+[A-Z]", text_of(page))}
    assert documented <= {SETTINGS_FILE, *(f"EXPLAINER_{name.upper()}" for name in Settings.model_fields)}


@pytest.mark.parametrize("error", list(our_errors()))
def test_every_error_code_is_documented_with_its_status(error: type[KlarbescheidError]) -> None:
    row = rows_of(REFERENCE / "errors.md")[error.code]
    if any(ancestor in STATUS_OF for ancestor in error.__mro__):
        assert row.startswith(f"{status_and_title(error.__new__(error))[0]} |")


@pytest.mark.parametrize(("name", "command"), [*commands(typer.main.get_command(command_line))])
def test_every_command_is_documented_with_its_options(name: str, command: Any) -> None:
    row = next(line for line in text_of(REFERENCE / "command-line.md").splitlines() if line.startswith(f"| `{name}"))
    for parameter in command.params:
        assert parameter.param_type_name == "argument" or any(option in row for option in parameter.opts), (
            parameter.name
        )


def test_no_command_is_documented_that_does_not_exist() -> None:
    known = [name for name, _ in commands(typer.main.get_command(command_line))]
    groups = {name.rsplit(" ", 1)[0] for name in known if name.count(" ") > 1}
    for page in PAGES:
        for called in re.findall(r"(?:`|^|bin/)(explainer(?: [a-z][a-z-]+)+)", text_of(page), flags=re.MULTILINE):
            assert called.startswith(tuple(known)) or called in groups, f"{page.name}: {called}"


def test_every_call_of_the_api_is_documented_and_no_other() -> None:
    rows = rows_of(REFERENCE / "http-api.md")
    assert {call for call in rows if call.startswith(("GET ", "POST "))} == api_routes()


def test_the_log_format_lists_every_event_and_every_committed_field() -> None:
    rows = rows_of(REFERENCE / "log-format.md")
    assert {event.value for event in LogEvent} <= set(rows)
    assert all(f"`{field}`" in text_of(REFERENCE / "log-format.md") for field in COMMITTED_FIELDS)


def test_the_cut_offs_that_are_published_are_the_ones_that_are_used() -> None:
    rows = rows_of(REFERENCE / "strength-words.md")
    for name in ("strong", "clear", "slight"):
        assert rows[name].startswith(f"from {getattr(DEFAULT_CUTOFFS, name)} |")


def test_the_model_package_lists_every_file_that_the_manifest_covers() -> None:
    assert {*COMMON_FILES, *MODEL_FILES, "MANIFEST.json"} <= set(rows_of(REFERENCE / "model-package.md"))


def test_every_make_target_in_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), flags=re.MULTILINE))
    for page in PAGES:
        called = set(re.findall(r"(?:`|^)make ([a-z][a-z-]+)", text_of(page), flags=re.MULTILINE))
        assert called <= targets, page.name
    assert {"run", "test"} <= set(re.findall(r"^make ([a-z-]+)$", text_of(ROOT / "README.md"), flags=re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_broken_link_would_be_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A heading\n\n[x](other.md) [y](#a-heading) [z](#another) ![p](p.png) [web](https://c2sp.org)\n")
    assert broken_links(page) == ["other.md", "#another", "p.png"]


def test_every_page_can_be_reached_from_the_start() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)\s#]+\.md)(?:#[^)]*)?\)", prose_of(page))
        waiting += [(page.parent / link).resolve() for link in links if "://" not in link]
    assert {page for page in PAGES if page.is_relative_to(DOCS)} <= reached


@pytest.mark.parametrize("record", DECISIONS, ids=lambda record: record.stem)
def test_every_decision_record_names_a_file_that_enforces_it(record: Path) -> None:
    headings = re.findall(r"^## (.+)$", text_of(record), flags=re.MULTILINE)
    assert tuple(headings) == SECTIONS
    confirmation = text_of(record).partition("## Confirmation")[2]
    named = re.findall(r"`([\w./-]+/[\w./-]+|[\w-]+\.\w+)`", confirmation)
    assert any(name.startswith("tests/") for name in named)
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_decision_records_are_numbered_without_gaps_and_listed() -> None:
    assert [record.name[:4] for record in DECISIONS] == [f"{number:04d}" for number in range(1, len(DECISIONS) + 1)]
    listed = re.findall(r"\]\(([^)]+)\) ", text_of(DOCS / "decisions" / "README.md"))
    assert {record.name for record in DECISIONS} <= set(listed)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_path_of_some_machine_or_a_registry(page: Path) -> None:
    assert [part for part in (*MACHINE_PATHS, *REGISTRY_HOSTS) if part in text_of(page)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_a_page_names_exists(page: Path) -> None:
    """Paths in backticks that begin with one of our folders are checked."""
    named = re.findall(r"`((?:explainer|models|public_pages|tests|docs)/[\w./-]+\w)`", text_of(page))
    made_at_set_up = "public_pages/static/vendor"
    assert [name for name in named if not (ROOT / name).exists() and not name.startswith(made_at_set_up)] == []


def test_the_changelog_has_the_version_of_the_project() -> None:
    version = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]["version"]
    changelog = text_of(ROOT / "CHANGELOG.md")
    assert "## [Unreleased]" in changelog
    assert re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, flags=re.MULTILINE)


class TestTheVerifierInTheDocuments:
    """The program in docs/how-to/verify-the-log.md that shares nothing with ours."""

    @pytest.fixture
    def program(self, tmp_path: Path) -> Path:
        blocks = re.findall(
            r"^```python\n(.*?)^```", text_of(DOCS / "how-to" / "verify-the-log.md"), re.DOTALL | re.MULTILINE
        )
        program = tmp_path / "check_log.py"
        program.write_text(next(block for block in blocks if "check_log.py" in block), encoding="utf-8")
        return program

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for name, content in MemoryLog(leaves(600)).served().items():
            target = tmp_path / "log" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return tmp_path / "log"

    def run(self, program: Path, folder: Path, vkey: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", program, folder, vkey], capture_output=True, text=True, check=False
        )

    def test_accepts_our_log(self, program: Path, folder: Path) -> None:
        assert "explainer" not in program.read_text(encoding="utf-8")
        result = self.run(program, folder, signer(1).vkey)
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith("All 600 entries")

    def test_refuses_one_flipped_bit(self, program: Path, folder: Path) -> None:
        bundle = folder / "tile" / "entries" / "001"
        content = bytearray(bundle.read_bytes())
        content[10] ^= 1
        bundle.write_bytes(bytes(content))
        assert self.run(program, folder, signer(1).vkey).returncode != 0

    def test_refuses_another_size_and_another_key(self, program: Path, folder: Path) -> None:
        assert self.run(program, folder, signer(2).vkey).returncode != 0
        checkpoint = folder / "checkpoint"
        checkpoint.write_bytes(checkpoint.read_bytes().replace(b"\n600\n", b"\n599\n"))
        assert self.run(program, folder, signer(1).vkey).returncode != 0
