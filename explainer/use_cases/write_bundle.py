"""The whole log as one zip file that auditors check without us.

The zip *is* the folder that C2SP tlog-tiles describes, so other people's tools read it unpacked. Beside it lie lists
for spreadsheets and notebooks, the keys, what the city discloses of single entries, a how-to and our verifier. The same
checkpoint gives the same bytes.
"""

import json
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, cast

from explainer.errors import LogIntegrityError, LogTileNotFoundError
from explainer.transparency_log import verify
from explainer.transparency_log.canonical_json import canonical_bytes
from explainer.transparency_log.checkpoint import open_checkpoint
from explainer.transparency_log.log_entry import LogEvent, parse_leaf
from explainer.transparency_log.proof_file import ProofFile
from explainer.transparency_log.signed_note import NoteVerifier
from explainer.transparency_log.tiles import TILE_WIDTH, encode_entries, entry_bundle_paths, hash_tile_paths
from explainer.transparency_log.tree import Tree
from explainer.use_cases.bundle_lists import LISTS
from explainer.use_cases.log_writing import write_log_entry
from explainer.use_cases.service import Service
from explainer.use_cases.stores import UnitOfWork

Progress = Callable[[int, int], None]
"""Told how many entries were written so far, and how many there are to write."""

_FIRST_DAY = (1980, 1, 1, 0, 0, 0)
_TEXTS = Path(verify.__file__).with_name("how_to_verify")
_HOW_TO = {"how-to-verify.de.md": _TEXTS / "de.md", "how-to-verify.en.md": _TEXTS / "en.md"}
_PASSES = 1 + len(LISTS)


@dataclass(frozen=True, kw_only=True)
class WrittenBundle:
    """What a bundle holds.

    Attributes:
        tree_size: Number of entries.
        files: Number of files.
        disclosed: Positions of the entries whose sealed part was disclosed.
    """

    tree_size: int
    files: int
    disclosed: tuple[int, ...]


def write_bundle(
    service: Service, out: Path, *, disclose: Sequence[int] = (), progress: Progress = lambda _done, _total: None
) -> WrittenBundle:
    """Write the log as it stands now; that it was handed out is its last entry.

    Args:
        service: The installation.
        out: The zip file to write; it appears only when it is complete.
        disclose: Positions of entries whose sealed part is disclosed, with the salts that prove it.
        progress: Told about the progress.

    Returns:
        What was written.

    Raises:
        LogTileNotFoundError: If an entry to disclose does not exist or is of the bundle's making.
        ErasedError: If the key of its sealed part was destroyed.
        LogIntegrityError: If the database does not hold every entry.
    """
    _note_bundle(service, disclose)
    return _write(service, out, sorted(set(disclose)), progress)


def _write(service: Service, out: Path, disclose: Sequence[int], progress: Progress) -> WrittenBundle:
    part = out.with_name(f"{out.name}.part")
    try:
        with service.database.reading() as work, _private(part) as file, zipfile.ZipFile(file, "w") as zip_file:
            bundle = _Bundle(zip_file)
            size = _write_log(service, work, bundle, progress)
            for index in disclose:
                _write_disclosed(service, work, bundle, index, size)
            for name, text in _HOW_TO.items():
                bundle.add(name, text.read_bytes())
            bundle.add("verify.py", Path(verify.__file__).read_bytes())
            files = len(bundle.sums) + 1
            bundle.add(verify.SUMS_FILE, "".join(f"{one}  {name}\n" for name, one in bundle.sums.items()).encode())
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return WrittenBundle(tree_size=size, files=files, disclosed=tuple(disclose))


class _Bundle:
    """A zip file under way, with the checksum of each file in it."""

    def __init__(self, zip_file: zipfile.ZipFile) -> None:
        self._zip = zip_file
        self.sums: dict[str, str] = {}

    def add(self, name: str, content: bytes) -> None:
        with self.open(name) as file:
            file.write(content)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        # A fixed day: the true one would make every bundle of the same log another file.
        about = zipfile.ZipInfo(name, _FIRST_DAY)
        about.compress_type = zipfile.ZIP_DEFLATED
        about.external_attr = 0o644 << 16
        with self._zip.open(about, "w", force_zip64=True) as file:
            counted = _Summed(file)
            yield cast("IO[bytes]", counted)
        self.sums[name] = counted.digest.hexdigest()


class _Summed:
    """Passes bytes on and hashes them."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._file.write(data)


def _note_bundle(service: Service, disclose: Sequence[int]) -> None:
    with service.database.writing() as work:
        purpose = f"bundle, disclosing entries {sorted(set(disclose))}" if disclose else "bundle"
        write_log_entry(service, work, LogEvent.LOG_READ, caller=None, outcome="bundle", private={"purpose": purpose})


def _write_log(service: Service, work: UnitOfWork, bundle: _Bundle, progress: Progress) -> int:
    note = work.log.checkpoint()
    size = open_checkpoint(note, [NoteVerifier.from_vkey(service.log_vkey)]).tree_size
    bundle.add("checkpoint", note.encode())
    tree = Tree(work.log.tiles(), size)
    for path in hash_tile_paths(size):
        bundle.add(str(path), tree.tile(path.level, path.index, path.width))
    for path in entry_bundle_paths(size):
        bundle.add(str(path), encode_entries([leaf for _, leaf in _leaves(work, path.start, path.end)]))
        progress(path.end, size * _PASSES)
    for number, (name, write) in enumerate(LISTS.items(), start=1):
        with bundle.open(name) as file:
            write(file, _counted(work, size, number, progress))
    keys = {"keys": [{"vkey": service.log_vkey, "from_size": 0, "to_size": None}]}
    bundle.add("keys.json", f"{json.dumps(keys, indent=2)}\n".encode())
    bundle.add("policy", f"log {service.log_vkey}\nquorum none\n".encode())
    return size


def _counted(work: UnitOfWork, size: int, number: int, progress: Progress) -> Iterator[tuple[int, bytes]]:
    for path in entry_bundle_paths(size):
        yield from _leaves(work, path.start, path.end)
        progress(number * size + path.end, size * _PASSES)


def _leaves(work: UnitOfWork, start: int, end: int) -> list[tuple[int, bytes]]:
    leaves = work.log.leaves(start, end)
    if len(leaves) != end - start or end - start > TILE_WIDTH:
        raise LogIntegrityError(f"The database holds {len(leaves)} of the entries {start} to {end - 1}.")
    return list(enumerate(leaves, start))


def _write_disclosed(service: Service, work: UnitOfWork, bundle: _Bundle, index: int, size: int) -> None:
    records = work.log.records([index]) if 0 <= index < size else ()
    sealed = work.log.sealed_part(records[0].entry_id) if records else None
    if sealed is None:
        raise LogTileNotFoundError(f"The log has no entry {index} with a sealed part, or it was erased.")
    leaf = records[0].leaf
    key_id, content = sealed
    opened = json.loads(service.vault.open(content, key_id=key_id, context=f"log:{records[0].entry_id}"))
    parse_leaf(leaf).verify_private({field: (bytes.fromhex(salt), value) for field, (salt, value) in opened.items()})
    folder = f"disclosed/{index}"
    proof = Tree(work.log.tiles(), size).inclusion_proof(index)
    bundle.add(f"{folder}/entry.json", leaf)
    bundle.add(f"{folder}/receipt.tlog-proof", ProofFile(index, tuple(proof), work.log.checkpoint()).format().encode())
    for field, (salt, value) in sorted(opened.items()):
        shown = {"field": field, "salt": salt, "canonical_value": canonical_bytes(value).decode()}
        bundle.add(f"{folder}/disclosed-{field}.json", f"{json.dumps(shown, ensure_ascii=False)}\n".encode())


@contextmanager
def _private(path: Path) -> Iterator[IO[bytes]]:
    # What was disclosed is personal: nobody else on the machine may read it.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
