"""The manifest of a package: which files it is made of, and their SHA-256. Its own hash is the package's identity.

It covers every file that scoring, explaining or showing a model reads. Training material (``train.py``, ``data/``,
``README.md``) may lie beside them without being covered: the running service never opens it. Anything else that is
not listed is refused.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from models.errors import MalformedPackageError, ModelFileChangedError

MANIFEST = "MANIFEST.json"
CARD = "card.yaml"
MODEL = "model.onnx"
SCORECARD = "scorecard.yaml"
TERMS = "terms.json"
BACKGROUND = "background.npz"
REFERENCE = "reference.npz"
EVALUATION = "evaluation.json"

COMMON_FILES = (BACKGROUND, CARD, EVALUATION, REFERENCE)
"""Every manifest lists these and one of MODEL_FILES."""

MODEL_FILES = (MODEL, SCORECARD, TERMS)
"""What can hold the model itself; which file it is says what kind of model."""

TRAINING_MATERIAL = frozenset({"README.md", "train.py", "data", "__pycache__"})
"""May lie in the folder without being covered."""

FORMAT = "klarbescheid-package/1"


@dataclass(frozen=True)
class VerifiedFiles:
    """The bytes of a package, each checked against the manifest after it was read.

    Attributes:
        sha256: Identity of the package: SHA-256 (hex) of the manifest's bytes.
        contents: File name to bytes.
    """

    sha256: str
    contents: Mapping[str, bytes]

    @property
    def model_file(self) -> str:
        """Name of the file that holds the model."""
        return next(name for name in MODEL_FILES if name in self.contents)


def write_manifest(folder: Path) -> str:
    """Write the manifest for the files as they are now.

    Args:
        folder: The package.

    Returns:
        The package's identity: SHA-256 (hex) of the manifest's bytes.

    Raises:
        MalformedPackageError: If a file is missing, or there is more than one model.
    """
    held = [name for name in MODEL_FILES if (folder / name).exists()]
    if len(held) > 1:
        raise MalformedPackageError(f"A package holds one model, this one holds {' and '.join(held)}.")
    hashes = {name: sha256(_read(folder / name)).hexdigest() for name in (*COMMON_FILES, *(held or [MODEL]))}
    content = (json.dumps({"format": FORMAT, "files": hashes}, indent=2, sort_keys=True) + "\n").encode()
    (folder / MANIFEST).write_bytes(content)
    return sha256(content).hexdigest()


def read_verified(folder: Path) -> VerifiedFiles:
    """Read all files of a package and check them against its manifest.

    Args:
        folder: The package.

    Returns:
        Exactly the bytes that were checked; callers read no file again.

    Raises:
        ModelFileChangedError: If a file is missing, added or changed; names every such file.
        MalformedPackageError: If the manifest or a file cannot be read.
    """
    if not (folder / MANIFEST).is_file():
        raise ModelFileChangedError(f"The model package '{folder.name}' has no {MANIFEST}: restore the approved files.")
    manifest = _read(folder / MANIFEST)
    hashes = _parse(manifest)
    problems = [f"'{name}' is not listed in {MANIFEST}." for name in _unlisted(folder, hashes)]
    contents = {}
    for name, expected in hashes.items():
        path = folder / name
        if path.is_symlink() or not path.is_file():
            problems.append(f"'{name}' is missing.")
            continue
        contents[name] = _read(path)
        found = sha256(contents[name]).hexdigest()
        if found != expected:
            problems.append(f"'{name}' was changed: its SHA-256 is {found[:16]}…, {MANIFEST} says {expected[:16]}….")
    if problems:
        raise ModelFileChangedError(
            f"The files of the model package '{folder.name}' are not the ones that were approved. {' '.join(problems)}"
            " Restore the approved files, or have the changed package checked and its manifest written anew."
        )
    return VerifiedFiles(sha256=sha256(manifest).hexdigest(), contents=contents)


def _parse(content: bytes) -> Mapping[str, str]:
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise MalformedPackageError(f"{MANIFEST} is not JSON.") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT or set(manifest) != {"format", "files"}:
        raise MalformedPackageError(f"{MANIFEST} is not of the format {FORMAT}.")
    files = manifest["files"]
    if not isinstance(files, dict) or set(files) not in [{*COMMON_FILES, model} for model in MODEL_FILES]:
        raise MalformedPackageError(
            f"{MANIFEST} must list exactly these files: {', '.join(COMMON_FILES)}, and one of {', '.join(MODEL_FILES)}."
        )
    if not all(isinstance(value, str) for value in files.values()):
        raise MalformedPackageError(f"{MANIFEST} must give a SHA-256 for each file.")
    return files


def _unlisted(folder: Path, listed: Iterable[str]) -> list[str]:
    known = {MANIFEST, *listed, *TRAINING_MATERIAL}
    try:
        return sorted(ascii(path.name)[1:-1][:80] for path in folder.iterdir() if path.name not in known)
    except OSError as error:
        raise MalformedPackageError(f"The folder '{folder.name}' cannot be read: {error.strerror}.") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MalformedPackageError(f"'{path.name}' cannot be read: {error.strerror}.") from error
