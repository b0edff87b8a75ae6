"""Verifies a whole log, or one receipt, from outside: nothing here trusts the service that serves them.

This one file can be handed out: it needs Python 3.11 and ``cryptography`` and nothing else of this project. That it
shares no code with what makes the log is on purpose: a mistake there is not repeated here. Formats: RFC 6962 §2.1,
C2SP signed-note, tlog-checkpoint, tlog-tiles and tlog-proof. ::

    python verify.py https://city.example/log 'city.example/log+1a2b3c4d+AQID…' --old checkpoint-of-last-year
    python verify.py bundle.zip 'city.example/log+1a2b3c4d+AQID…'

An auditor who keeps the checkpoints seen before (``--old``) also notices a log that was cut off or rewritten.
"""

import argparse
import base64
import binascii
import io
import json
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import file_digest, sha256
from http.client import HTTPException
from pathlib import Path
from urllib.request import Request, urlopen

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Fetch = Callable[[str], bytes]
"""Gives the bytes served under a path such as ``checkpoint`` or ``tile/0/000``; raises OSError when there are none."""

OpenFile = Callable[[str], io.BufferedReader | io.BytesIO]
"""Opens a file of an unpacked or zipped bundle; raises OSError when there is none."""

SUMS_FILE = "SHA256SUMS"
"""A bundle lists here the SHA-256 of every other file in it."""

NDJSON_FILE = "entries.ndjson"
"""A bundle's list of all entries, one JSON object a line."""

_WIDTH = 256
_HASH = 32
_KEY_ID = 4
_ED25519 = b"\x01"
_MAX_SIGNATURES = 100
_MAX_ANSWER = _WIDTH * (65_535 + 2)
_TIMEOUT_SECONDS = 60.0
_PROOF_HEADER = "c2sp.org/tlog-proof@v1"
_COMMIT_DOMAIN = b"klarbescheid/v1 commit\x00"
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_SUM_LINE = re.compile(r"([0-9a-f]{64})  ([^\n]+)", re.ASCII)


class NotVerifiedError(Exception):
    """Something does not hold; the sentence says what and where."""


@dataclass(frozen=True)
class SignedCheckpoint:
    """What a log signed, after the signature was checked.

    Attributes:
        origin: Name of the log.
        tree_size: Number of entries.
        root_hash: 32-byte root hash over them.
    """

    origin: str
    tree_size: int
    root_hash: bytes


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
        NotVerifiedError: If anything does not hold; the sentence says what and where.
    """
    checkpoint = open_checkpoint(_fetch(fetch, "checkpoint"), vkey)
    old = open_checkpoint(old_checkpoint, vkey) if old_checkpoint is not None else None
    if old is not None:
        _refuse_shrunk_log(old, checkpoint)
    size = checkpoint.tree_size
    hashes: list[bytes] = []
    for index, width in _tiles_of(size):
        hashes += [leaf_hash(leaf) for leaf in _entries(fetch, index, width)]
    if root_of(hashes) != checkpoint.root_hash:
        raise NotVerifiedError(_where_entries_differ(fetch, checkpoint, hashes))
    if old is not None and root_of(hashes[: old.tree_size]) != old.root_hash:
        raise NotVerifiedError(
            f"The history was rewritten: the first {old.tree_size} entries are not those of the older checkpoint."
        )
    _compare_tiles(fetch, hashes)
    return VerifiedLog(size, checkpoint.root_hash, len(hashes))


def verify_receipt(leaf: bytes, proof_text: bytes | str, vkey: str) -> SignedCheckpoint:
    """Check one entry against its ``.tlog-proof`` receipt, without asking the log.

    Args:
        leaf: The bytes of the entry.
        proof_text: Content of the receipt.
        vkey: Verifier key of the log; several separated by spaces.

    Returns:
        The verified checkpoint that contains the entry.

    Raises:
        NotVerifiedError: If the receipt does not prove this entry.
    """
    head, separator, note = _text(proof_text).partition("\n\n")
    lines = head.split("\n")
    if not separator or lines.pop(0) != _PROOF_HEADER:
        raise NotVerifiedError(f"A receipt begins with {_PROOF_HEADER} and has an empty line before the checkpoint.")
    if lines and lines[0].startswith("extra "):
        _base64(lines.pop(0).removeprefix("extra "))
    if not lines or not lines[0].startswith("index "):
        raise NotVerifiedError("The receipt does not say which index it proves.")
    index = _number(lines.pop(0).removeprefix("index "))
    checkpoint = open_checkpoint(note, vkey)
    _check_inclusion(leaf_hash(leaf), index, [_base64(line) for line in lines], checkpoint)
    return checkpoint


def verify_disclosure(leaf: bytes, disclosure: bytes) -> str:
    """Check that an entry committed to a value that was disclosed later.

    Args:
        leaf: The bytes of the entry.
        disclosure: JSON with ``field``, ``salt`` (64 hexadecimal digits) and ``canonical_value`` (the RFC 8785 text).

    Returns:
        Name of the field.

    Raises:
        NotVerifiedError: If the entry commits to another value, or to none.
    """
    try:
        shown, entry = json.loads(disclosure), json.loads(leaf)
        field, value = str(shown["field"]), str(shown["canonical_value"]).encode()
        salt, committed = bytes.fromhex(shown["salt"]), entry["c"].get(field)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotVerifiedError("The disclosed value or the entry cannot be read.") from error
    if len(salt) != _HASH or sha256(_COMMIT_DOMAIN + salt + field.encode() + b"\x00" + value).hexdigest() != committed:
        raise NotVerifiedError(f"The entry commits to another value of {field}, or to none.")
    return field


def verify_bundle(open_file: OpenFile, vkey: str) -> int:
    """Check what a bundle holds besides the log: checksums, the list of entries, receipts and disclosed values.

    Args:
        open_file: Opens files of the bundle.
        vkey: Verifier key of the log; several separated by spaces.

    Returns:
        How many files were checked.

    Raises:
        NotVerifiedError: If a file is missing or changed, a receipt proves nothing, or a disclosed value is another.
    """
    fetch = file_fetcher(open_file)
    sums = _sums(_text(_fetch(fetch, SUMS_FILE)))
    for path, expected in sums.items():
        try:
            with closing(open_file(path)) as file:
                found = file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise NotVerifiedError(f"The bundle does not hold {path}: {error}.") from error
        if found != expected:
            raise NotVerifiedError(f"The file {path} is not the one that {SUMS_FILE} lists.")
        folder, slash, name = path.rpartition("/")
        if name == "receipt.tlog-proof":
            verify_receipt(_fetch(fetch, f"{folder}{slash}entry.json"), _fetch(fetch, path), vkey)
        if name.startswith("disclosed-"):
            verify_disclosure(_fetch(fetch, f"{folder}{slash}entry.json"), _fetch(fetch, path))
    if NDJSON_FILE in sums:
        _compare_lines(fetch, open_checkpoint(_fetch(fetch, "checkpoint"), vkey).tree_size, sums[NDJSON_FILE])
    return len(sums)


def ndjson_line(index: int, leaf: bytes) -> bytes:
    """One line of a bundle's ``entries.ndjson``: the bytes that were signed in, with their position and hash."""
    return b'{"index":%d,"leaf":%b,"leaf_hash":"%b"}\n' % (index, leaf, leaf_hash(leaf).hex().encode())


def open_checkpoint(note: bytes | str, vkey: str) -> SignedCheckpoint:
    """Verify a signed checkpoint and read it: unknown signatures are ignored, one by a known key must hold.

    Args:
        note: The signed note.
        vkey: Verifier keys of the log, separated by spaces.

    Returns:
        The checkpoint, now trustworthy.

    Raises:
        NotVerifiedError: If this is no checkpoint, or no trusted key of the log it names signed it.
    """
    keys = [_read_vkey(one) for one in vkey.split()]
    head, separator, tail = _text(note).rpartition("\n\n")
    lines, signatures = head.split("\n"), tail.split("\n")
    if not separator or signatures.pop() != "" or not 0 < len(signatures) <= _MAX_SIGNATURES:
        raise NotVerifiedError("A checkpoint is text, an empty line and signature lines, each ended by a newline.")
    if len(lines) < 3 or not all(lines):  # noqa: PLR2004 - origin, size, root
        raise NotVerifiedError("A checkpoint has a line each for origin, tree size and root hash, and no empty one.")
    if not keys:
        raise NotVerifiedError("Without a verifier key nothing can be verified.")
    signed = False
    for line in signatures:
        name, key_id, signature = _signature_of(line)
        for key_name, known_id, key in keys:
            if (name, key_id) == (key_name, known_id):
                _check_signature(key, signature, f"{head}\n", name)
                signed = signed or name == lines[0]
    if not signed:
        raise NotVerifiedError(f"No key that you trust of the log {lines[0]} has signed this checkpoint.")
    root = _base64(lines[2])
    if len(root) != _HASH:
        raise NotVerifiedError("The root hash of the checkpoint has not 32 bytes.")
    return SignedCheckpoint(lines[0], _number(lines[1]), root)


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 || leaf), RFC 6962 §2.1."""
    return sha256(b"\x00" + leaf).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Root hash over leaf hashes, RFC 6962 §2.1: neighbours are paired, an odd last one is carried up unchanged."""
    level = list(hashes)
    while len(level) > 1:
        last = level[-1:] if len(level) % 2 else []
        level = [sha256(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)] + last
    return level[0] if level else sha256(b"").digest()


def _check_inclusion(hashed: bytes, index: int, proof: Sequence[bytes], checkpoint: SignedCheckpoint) -> None:
    """RFC 6962 §2.1.1, followed from the root down: which sibling belongs where, then hashed from the leaf up."""
    start, end, sides = 0, checkpoint.tree_size, []
    if not 0 <= index < end:
        raise NotVerifiedError(f"A tree of {end} entries has no entry number {index}.")
    while end - start > 1:
        split = start + (1 << (end - start - 1).bit_length() - 1)
        sides.append(index < split)
        start, end = (start, split) if index < split else (split, end)
    if len(sides) != len(proof) or any(len(sibling) != _HASH for sibling in proof):
        raise NotVerifiedError("The proof has another length than the path from the entry to the root.")
    for sibling_is_right, sibling in zip(reversed(sides), proof, strict=True):
        hashed = sha256(b"\x01" + (hashed + sibling if sibling_is_right else sibling + hashed)).digest()
    if hashed != checkpoint.root_hash:
        raise NotVerifiedError(f"Entry {index} is not in the tree of {checkpoint.tree_size} entries that was signed.")


def _read_vkey(vkey: str) -> tuple[str, bytes, Ed25519PublicKey]:
    name, _, rest = vkey.partition("+")
    key_id, _, encoded = rest.partition("+")
    key = _base64(encoded)
    expected = sha256(name.encode("utf-8", "replace") + b"\n" + key).digest()[:_KEY_ID]
    if not name or len(key) != 1 + _HASH or key[:1] != _ED25519 or key_id != expected.hex():
        raise NotVerifiedError("A verifier key is name+keyid+key with an Ed25519 key and the id that belongs to it.")
    return name, expected, Ed25519PublicKey.from_public_bytes(key[1:])


def _signature_of(line: str) -> tuple[str, bytes, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    data = _base64(encoded)
    if dash != "\u2014" or not name or len(data) <= _KEY_ID:
        raise NotVerifiedError("A signature line is a dash, a key name and Base64 of key id and signature.")
    return name, data[:_KEY_ID], data[_KEY_ID:]


def _check_signature(key: Ed25519PublicKey, signature: bytes, text: str, name: str) -> None:
    try:
        key.verify(signature, text.encode())
    except InvalidSignature as error:
        raise NotVerifiedError(f"The signature of {name} does not belong to this text.") from error


def _text(content: bytes | str) -> str:
    try:
        return content.decode() if isinstance(content, bytes) else content.encode().decode()
    except UnicodeError as error:
        raise NotVerifiedError("The text is not UTF-8.") from error


def _base64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotVerifiedError("A part that must be Base64 is not.") from error
    if base64.b64encode(data).decode() != text:
        raise NotVerifiedError("Base64 is not written in its one spelling.")
    return data


def _number(text: str) -> int:
    if _NUMBER.fullmatch(text) is None or int(text) >= 2**63:
        raise NotVerifiedError(
            "This is not a number in decimal digits without leading zeros, or it is beyond 2^63 - 1."
        )
    return int(text)


def _tiles_of(count: int) -> Iterator[tuple[int, int]]:
    """Number and width of every tile of a level with so many hashes (or of every bundle of so many entries)."""
    for index in range(-(-count // _WIDTH)):
        yield index, min(_WIDTH, count - index * _WIDTH)


def _path(level: int | str, index: int, width: int) -> str:
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [f"x{digits[i : i + 3]}" for i in range(0, len(digits) - 3, 3)] + [digits[-3:]]
    return f"tile/{level}/{'/'.join(groups)}" + (f".p/{width}" if width < _WIDTH else "")


def _fetch(fetch: Fetch, path: str) -> bytes:
    try:
        return fetch(path)
    except OSError as error:
        raise NotVerifiedError(f"The log does not deliver {path}: {error}.") from error


def _fetch_tile(fetch: Fetch, level: int | str, index: int, width: int) -> tuple[bytes, int]:
    """Content and width: a log may have replaced a partial tile by the full one in the meantime (C2SP tlog-tiles)."""
    if width < _WIDTH:
        try:
            return fetch(_path(level, index, width)), width
        except OSError:
            pass
    return _fetch(fetch, _path(level, index, _WIDTH)), _WIDTH


def _entries(fetch: Fetch, index: int, wanted: int) -> list[bytes]:
    bundle, width = _fetch_tile(fetch, "entries", index, wanted)
    leaves: list[bytes] = []
    position = 0
    while position < len(bundle):
        start = position + 2
        end = start + int.from_bytes(bundle[position:start], "big")
        if end > len(bundle):
            raise NotVerifiedError("The entry bundle is cut off in the middle of an entry.")
        leaves.append(bundle[start:end])
        position = end
    if len(leaves) != width:
        raise NotVerifiedError(f"The entry bundle holds {len(leaves)} entries instead of {width}.")
    return leaves[:wanted]


def _hashes(fetch: Fetch, level: int, index: int, wanted: int) -> list[bytes]:
    tile, width = _fetch_tile(fetch, level, index, wanted)
    if len(tile) != width * _HASH:
        raise NotVerifiedError(f"A tile of {width} hashes has {width * _HASH} bytes, this one has {len(tile)}.")
    return [tile[i : i + _HASH] for i in range(0, wanted * _HASH, _HASH)]


def _sums(text: str) -> dict[str, str]:
    sums: dict[str, str] = {}
    for line in text.splitlines():
        match = _SUM_LINE.fullmatch(line)
        if match is None or ".." in match[2] or match[2].startswith("/"):
            raise NotVerifiedError(f"{SUMS_FILE} holds a line that is no checksum of a file in this bundle.")
        sums[match[2]] = match[1]
    return sums


def _compare_lines(fetch: Fetch, tree_size: int, expected: str) -> None:
    """The list of entries is easy to read and unsigned, so it must be what the signed entries give."""
    digest = sha256()
    for index, width in _tiles_of(tree_size):
        for place, leaf in enumerate(_entries(fetch, index, width)):
            digest.update(ndjson_line(index * _WIDTH + place, leaf))
    if digest.hexdigest() != expected:
        raise NotVerifiedError(f"The file {NDJSON_FILE} does not list the entries that were signed.")


def _refuse_shrunk_log(old: SignedCheckpoint, new: SignedCheckpoint) -> None:
    if old.origin != new.origin:
        raise NotVerifiedError(f"The older checkpoint is of the log {old.origin}, the newer of the log {new.origin}.")
    if new.tree_size < old.tree_size:
        raise NotVerifiedError(f"The log shrank from {old.tree_size} to {new.tree_size} entries.")


def _where_entries_differ(fetch: Fetch, checkpoint: SignedCheckpoint, hashes: Sequence[bytes]) -> str:
    """Name the entries at fault, which the served tiles can tell if they still add up to the signed root hash."""
    signed: list[bytes] = []
    try:
        for index, width in _tiles_of(checkpoint.tree_size):
            signed += _hashes(fetch, 0, index, width)
    except NotVerifiedError:
        signed = []
    if signed and root_of(signed) == checkpoint.root_hash:
        changed = next(i for i, (ours, theirs) in enumerate(zip(hashes, signed, strict=True)) if ours != theirs)
        return f"Entry {changed} is not the entry that was signed."
    return f"The {checkpoint.tree_size} entries do not add up to the signed root hash."


def _compare_tiles(fetch: Fetch, leaf_hashes: Sequence[bytes]) -> None:
    level, expected = 0, list(leaf_hashes)
    while expected:
        for index, width in _tiles_of(len(expected)):
            if _hashes(fetch, level, index, width) != expected[index * _WIDTH :][:width]:
                raise NotVerifiedError(
                    f"The tile {_path(level, index, width)} does not fit the entries; proofs made of it would fail."
                )
        full = len(expected) - len(expected) % _WIDTH
        level, expected = level + 1, [root_of(expected[i : i + _WIDTH]) for i in range(0, full, _WIDTH)]


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


def file_fetcher(open_file: OpenFile) -> Fetch:
    """Read a log from files."""

    def fetch(path: str) -> bytes:
        with closing(open_file(path)) as file:
            return file.read()

    return fetch


def folder_opener(folder: Path) -> OpenFile:
    """Open files of an unpacked bundle or of a log that is kept as files."""
    return lambda path: (folder / path).open("rb")


def zip_opener(file: Path) -> OpenFile:
    """Open files of a bundle as it was sent; damage to the zip itself shows as a file that cannot be read."""

    def open_file(path: str) -> io.BytesIO:
        try:
            with zipfile.ZipFile(file) as bundle:
                return io.BytesIO(bundle.read(path))
        except (zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError, RuntimeError) as error:
            raise OSError(f"the zip file does not give it ({error})") from error

    return open_file


def opener_for(place: str) -> OpenFile | None:
    """How to open the files of a folder or zip file; None for an address."""
    if place.startswith(("http://", "https://")):
        return None
    return zip_opener(Path(place)) if Path(place).is_file() else folder_opener(Path(place))


def fetcher_for(place: str, *, token: str | None = None) -> Fetch:
    """Read a log from wherever it is.

    Args:
        place: Address that begins with ``http://`` or ``https://``, a zip file, or a folder with the log's files.
        token: Auditor token for logs whose entries are not public.

    Returns:
        The fetcher.
    """
    open_file = opener_for(place)
    return url_fetcher(place.rstrip("/"), token=token) if open_file is None else file_fetcher(open_file)


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify a log from the command line.

    Args:
        arguments: Command line without the program's name; the process's own by default.

    Returns:
        0 when everything holds, 1 when something does not.
    """
    parser = argparse.ArgumentParser(prog="python verify.py", description="Verify a log.")
    parser.add_argument("log", metavar="LOG", help="address of the log, a folder with its files, or a bundle's zip")
    parser.add_argument("vkey", metavar="VKEY", help="verifier key of the log")
    parser.add_argument("--old", metavar="FILE", type=Path, help="signed checkpoint kept from an earlier visit")
    parser.add_argument("--token-file", metavar="FILE", type=Path, help="file with an auditor token")
    options = parser.parse_args(arguments)
    try:
        token = options.token_file.read_text(encoding="utf-8").strip() if options.token_file else None
        old_checkpoint = options.old.read_bytes() if options.old else None
    except OSError as error:
        parser.error(f"{error.filename} cannot be read: {error.strerror}")
    open_file = opener_for(options.log)
    try:
        verified = verify_log(fetcher_for(options.log, token=token), options.vkey, old_checkpoint)
        files = verify_bundle(open_file, options.vkey) if open_file is not None and is_bundle(open_file) else 0
    except NotVerifiedError as error:
        sys.stderr.write(f"NOT VERIFIED: {error}\n")
        return 1
    sys.stdout.write(
        f"Verified: all {verified.entries_checked} entries are under the signed root hash {verified.root_hash.hex()}.\n"
    )
    if files:
        sys.stdout.write(f"Verified: the {files} files of the bundle, its receipts and its disclosed values.\n")
    if old_checkpoint is None:
        sys.stdout.write("Keep this checkpoint: only with it can the next visit notice a log that was cut off.\n")
    return 0


def is_bundle(open_file: OpenFile) -> bool:
    """Whether there is a list of checksums, and so more than the log itself."""
    try:
        open_file(SUMS_FILE).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
