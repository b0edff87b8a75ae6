"""Verifies a whole log, or one receipt, from outside: nothing here trusts the service that serves them.

Anybody may run it; it needs this package's pure neighbours and ``cryptography``, no database and no web framework::

    python -m explainer.transparency_log.verify https://city.example/log 'city.example/log+1a2b3c4d+AQID…'

An auditor who keeps the checkpoints seen before (``--old``) also notices a log that was cut off or rewritten.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.request import Request, urlopen

from explainer.errors import (
    BadConsistencyProofError,
    BadInclusionProofError,
    BadSignatureError,
    VerificationError,
)
from explainer.transparency_log.checkpoint import Checkpoint, open_checkpoint
from explainer.transparency_log.merkle import leaf_hash, root_of
from explainer.transparency_log.proof_file import ProofFile
from explainer.transparency_log.signed_note import NoteVerifier
from explainer.transparency_log.tiles import (
    MAX_LEAF_SIZE,
    TILE_WIDTH,
    TilePath,
    decode_entries,
    decode_hashes,
    entry_bundle_paths,
    hash_tile_paths,
)

Fetch = Callable[[str], bytes]
"""Gives the bytes served under a path such as ``checkpoint`` or ``tile/0/000``; raises OSError when there are none."""

_MAX_ANSWER = TILE_WIDTH * (MAX_LEAF_SIZE + 2)
_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class VerifiedLog:
    """What was proven about a log.

    Attributes:
        tree_size: Number of entries under the signed checkpoint.
        root_hash: 32-byte root hash, recomputed from the entries and equal to the signed one.
        entries_checked: Entries that were read and hashed.
    """

    tree_size: int
    root_hash: bytes
    entries_checked: int


def read_vkeys(vkeys: str) -> list[NoteVerifier]:
    """Read verifier keys separated by white space; there are several while a log key is being replaced.

    Args:
        vkeys: Text forms ``name+keyid+key``.

    Returns:
        At least one verifier.

    Raises:
        MalformedNoteError: If one of them is no verifier key.
        BadSignatureError: If there is none.
    """
    verifiers = [NoteVerifier.from_vkey(vkey) for vkey in vkeys.split()]
    if not verifiers:
        raise BadSignatureError("Without a verifier key nothing can be verified.")
    return verifiers


def verify_log(fetch: Fetch, vkey: str, old_checkpoint: bytes | str | None = None) -> VerifiedLog:
    """Read the whole log and check every hash of it.

    The signature of the checkpoint is checked, every entry is read, the root hash is recomputed from them and compared
    with the signed one, every tile that the log serves for this size is compared with the entries, and the entries
    under an older checkpoint must be the same as then.

    Args:
        fetch: Reads what the log serves.
        vkey: Verifier key of the log, obtained some other way than from the log itself; several separated by spaces.
        old_checkpoint: A signed checkpoint kept from an earlier visit.

    Returns:
        What was proven.

    Raises:
        VerificationError: If anything does not hold; the sentence says what and where.
    """
    verifiers = read_vkeys(vkey)
    checkpoint = open_checkpoint(_fetch(fetch, "checkpoint"), verifiers)
    old = open_checkpoint(old_checkpoint, verifiers) if old_checkpoint is not None else None
    if old is not None:
        _refuse_shrunk_log(old, checkpoint)
    hashes: list[bytes] = []
    for bundle in entry_bundle_paths(checkpoint.tree_size):
        hashes += [leaf_hash(leaf) for leaf in _fetch_entries(fetch, bundle)]
    if root_of(hashes) != checkpoint.root_hash:
        raise BadInclusionProofError(_where_entries_differ(fetch, checkpoint, hashes))
    if old is not None and root_of(hashes[: old.tree_size]) != old.root_hash:
        raise BadConsistencyProofError(
            f"The history was rewritten: the first {old.tree_size} entries are not those of the older checkpoint."
        )
    _compare_tiles(fetch, checkpoint.tree_size, hashes)
    return VerifiedLog(checkpoint.tree_size, checkpoint.root_hash, len(hashes))


def verify_receipt(leaf: bytes, proof_text: bytes | str, vkey: str) -> Checkpoint:
    """Check one entry against its ``.tlog-proof`` receipt, without asking the log.

    Args:
        leaf: The bytes of the entry.
        proof_text: Content of the receipt.
        vkey: Verifier key of the log; several separated by spaces.

    Returns:
        The verified checkpoint that contains the entry.

    Raises:
        VerificationError: If the receipt does not prove this entry.
    """
    return ProofFile.parse(proof_text).verify(leaf, read_vkeys(vkey))


def folder_fetcher(folder: Path) -> Fetch:
    """Read a log from a folder, such as an unpacked bundle."""
    return lambda path: (folder / path).read_bytes()


def url_fetcher(address: str, *, token: str | None = None) -> Fetch:
    """Read a log over HTTP.

    Args:
        address: Address of the log, ``http://`` or ``https://``, without a slash at the end.
        token: Auditor token for logs whose entries are not public.

    Returns:
        The fetcher.
    """

    def fetch(path: str) -> bytes:
        request = Request(f"{address}/{path}")  # noqa: S310 - the caller has checked that the scheme is HTTP
        if token is not None:
            # Unredirected: the token must not follow a redirect to another host.
            request.add_unredirected_header("Authorization", f"Bearer {token}")
        try:
            with urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - as above
                content: bytes = answer.read(_MAX_ANSWER + 1)
        except HTTPException as error:
            raise OSError(f"the answer is not proper HTTP ({error})") from error
        if len(content) > _MAX_ANSWER:
            raise OSError("the answer is larger than any tile can be")
        return content

    return fetch


def _fetch(fetch: Fetch, path: str) -> bytes:
    try:
        return fetch(path)
    except OSError as error:
        raise VerificationError(f"The log does not deliver {path}: {error}.") from error


def _fetch_tile(fetch: Fetch, path: TilePath) -> tuple[bytes, int]:
    """Content and width: a log may have replaced a partial tile by the full one in the meantime (C2SP tlog-tiles)."""
    if path.is_full:
        return _fetch(fetch, str(path)), path.width
    try:
        return fetch(str(path)), path.width
    except OSError:
        return _fetch(fetch, str(TilePath(path.level, path.index))), TILE_WIDTH


def _fetch_entries(fetch: Fetch, path: TilePath) -> list[bytes]:
    return decode_entries(*_fetch_tile(fetch, path))[: path.width]


def _fetch_hashes(fetch: Fetch, path: TilePath) -> list[bytes]:
    return decode_hashes(*_fetch_tile(fetch, path))[: path.width]


def _refuse_shrunk_log(old: Checkpoint, new: Checkpoint) -> None:
    if old.origin != new.origin:
        raise BadConsistencyProofError(
            f"The older checkpoint is of the log {old.origin}, the newer of the log {new.origin}."
        )
    if new.tree_size < old.tree_size:
        raise BadConsistencyProofError(f"The log shrank from {old.tree_size} to {new.tree_size} entries.")


def _where_entries_differ(fetch: Fetch, checkpoint: Checkpoint, hashes: Sequence[bytes]) -> str:
    """Name the entries at fault, which the served tiles can tell if they still add up to the signed root hash."""
    signed: list[bytes] = []
    try:
        for path in hash_tile_paths(checkpoint.tree_size):
            if path.level == 0:
                signed += _fetch_hashes(fetch, path)
    except VerificationError:
        signed = []
    if signed and root_of(signed) == checkpoint.root_hash:
        changed = next(i for i, (ours, theirs) in enumerate(zip(hashes, signed, strict=True)) if ours != theirs)
        return f"Entry {changed} is not the entry that was signed."
    return f"The {checkpoint.tree_size} entries do not add up to the signed root hash."


def _compare_tiles(fetch: Fetch, tree_size: int, leaf_hashes: Sequence[bytes]) -> None:
    level, expected = 0, leaf_hashes
    for path in hash_tile_paths(tree_size):
        if path.level != level:
            full = len(expected) - len(expected) % TILE_WIDTH
            expected = [root_of(expected[i : i + TILE_WIDTH]) for i in range(0, full, TILE_WIDTH)]
            level = path.level
        served = _fetch_hashes(fetch, path)
        if served != list(expected[path.start : path.end]):
            raise BadInclusionProofError(f"The tile {path} does not fit the entries; proofs made of it would fail.")


def fetcher_for(place: str, *, token: str | None = None) -> Fetch:
    """Read a log from wherever it is.

    Args:
        place: Address that begins with ``http://`` or ``https://``, or a folder with the log's files.
        token: Auditor token for logs whose entries are not public.

    Returns:
        The fetcher.
    """
    if place.startswith(("http://", "https://")):
        return url_fetcher(place.rstrip("/"), token=token)
    return folder_fetcher(Path(place))


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify a log from the command line.

    Args:
        arguments: Command line without the program's name; the process's own by default.

    Returns:
        0 when everything holds, 1 when something does not.
    """
    parser = argparse.ArgumentParser(prog="python -m explainer.transparency_log.verify", description="Verify a log.")
    parser.add_argument("log", metavar="URL_OR_FOLDER", help="address of the log, or a folder with its files")
    parser.add_argument("vkey", metavar="VKEY", help="verifier key of the log")
    parser.add_argument("--old", metavar="FILE", type=Path, help="signed checkpoint kept from an earlier visit")
    parser.add_argument("--token-file", metavar="FILE", type=Path, help="file with an auditor token")
    options = parser.parse_args(arguments)
    try:
        token = options.token_file.read_text(encoding="utf-8").strip() if options.token_file else None
        old_checkpoint = options.old.read_bytes() if options.old else None
    except OSError as error:
        parser.error(f"{error.filename} cannot be read: {error.strerror}")
    try:
        verified = verify_log(fetcher_for(options.log, token=token), options.vkey, old_checkpoint)
    except VerificationError as error:
        sys.stderr.write(f"NOT VERIFIED: {error}\n")
        return 1
    sys.stdout.write(
        f"Verified: all {verified.entries_checked} entries are under the signed root hash {verified.root_hash.hex()}.\n"
    )
    if old_checkpoint is None:
        sys.stdout.write("Keep this checkpoint: only with it can the next visit notice a log that was cut off.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
