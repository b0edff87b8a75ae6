"""Signed notes (C2SP signed-note) with Ed25519 keys: text that carries the signatures of one or more keys.

::

    text, every line ended by a newline
    <empty line>
    — <key name> <Base64 of 4 bytes key id and the signature>
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from explainer.errors import BadSignatureError, MalformedNoteError
from explainer.transparency_log.strict_base64 import decode_base64, encode_base64

MAX_NOTE_SIZE = 1_000_000
"""Larger notes are refused unread; 16 signatures of any kind fit many times over."""

MAX_SIGNATURES = 100
"""More signature lines than this are refused."""

_ED25519 = 0x01
_KEY_ID_SIZE = 4
_PUBLIC_KEY_SIZE = 32
_CONTROL_CHARACTER = re.compile("[\x00-\x09\x0b-\x1f]")
_SIGNATURE_MARK = "\u2014 "


@dataclass(frozen=True)
class NoteSignature:
    """One signature line.

    Attributes:
        name: Name of the key.
        key_id: 4 bytes that tell keys of one name apart.
        signature: What the key made of the text; 64 bytes for Ed25519.
    """

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        """The line, without its newline."""
        return f"{_SIGNATURE_MARK}{self.name} {encode_base64(self.key_id + self.signature)}"


@dataclass(frozen=True)
class SignedNote:
    """A note as it was read; its text means nothing until a signature has been verified.

    Attributes:
        text: The signed text, with its final newline.
        signatures: All signature lines, known keys or not.
    """

    text: str
    signatures: tuple[NoteSignature, ...]

    def __str__(self) -> str:
        """The whole note."""
        return f"{self.text}\n" + "".join(f"{signature}\n" for signature in self.signatures)


@dataclass(frozen=True)
class OpenedNote:
    """A note of which at least one signature by a known key holds.

    Attributes:
        text: The signed text, with its final newline.
        key_names: Names of the known keys that signed it.
    """

    text: str
    key_names: frozenset[str]


class NoteVerifier:
    """Public half of a note key.

    Args:
        name: Name of the key; for a log its origin.
        public_key: Ed25519 public key.
    """

    def __init__(self, name: str, public_key: Ed25519PublicKey) -> None:
        if not is_key_name(name):
            raise MalformedNoteError("A key name must be UTF-8 text, not empty, without spaces and plus signs.")
        self.name = name
        self._public_key = public_key
        self._encoded = bytes([_ED25519]) + public_key.public_bytes_raw()
        self.key_id = sha256(name.encode() + b"\n" + self._encoded).digest()[:_KEY_ID_SIZE]

    @property
    def vkey(self) -> str:
        """Text form to hand out: ``name+keyid+key``."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(self._encoded)}"

    @classmethod
    def from_vkey(cls, vkey: str) -> "NoteVerifier":
        """Read a verifier key from its text form.

        Args:
            vkey: ``name+keyid+key``, as :attr:`vkey` gives it.

        Returns:
            The verifier.

        Raises:
            MalformedNoteError: If the text is no verifier key, of another kind, or its id belongs to another key.
        """
        parts = vkey.split("+", 2)
        if len(parts) != 3:  # noqa: PLR2004 - name, id and key
            raise MalformedNoteError("A verifier key has three parts joined by plus signs: name+keyid+key.")
        try:
            encoded = decode_base64(parts[2])
        except ValueError as error:
            raise MalformedNoteError("The last part of the verifier key is not Base64.") from error
        if len(encoded) != 1 + _PUBLIC_KEY_SIZE or encoded[0] != _ED25519:
            raise MalformedNoteError("The verifier key is not an Ed25519 key; other kinds are not supported.")
        verifier = cls(parts[0], Ed25519PublicKey.from_public_bytes(encoded[1:]))
        if verifier.vkey != vkey:
            raise MalformedNoteError("The id in the verifier key does not belong to its name and key.")
        return verifier

    def accepts(self, text: str, signature: bytes) -> bool:
        """Whether this key made this signature over this text."""
        try:
            self._public_key.verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


class NoteSigner:
    """Private half of a note key.

    Args:
        name: Name of the key; for a log its origin.
        private_key: Ed25519 private key.
    """

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        self.verifier = NoteVerifier(name, private_key.public_key())
        self._private_key = private_key

    @property
    def name(self) -> str:
        """Name of the key."""
        return self.verifier.name

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that stand before this key's signatures."""
        return self.verifier.key_id

    @property
    def vkey(self) -> str:
        """Text form of the public half: ``name+keyid+key``."""
        return self.verifier.vkey

    def sign(self, text: str) -> NoteSignature:
        """Sign a text that ends with a newline."""
        return NoteSignature(self.name, self.key_id, self._private_key.sign(text.encode()))


def sign_note(text: str, signers: Sequence[NoteSigner]) -> str:
    """Make a note.

    Args:
        text: Text that ends with a newline and holds no other control characters.
        signers: At least one key.

    Returns:
        The note with one line per signer.

    Raises:
        MalformedNoteError: If the text cannot be the text of a note.
    """
    _checked_characters(text)
    note = str(SignedNote(text, tuple(signer.sign(text) for signer in signers)))
    if parse_note(note).text != text:
        raise MalformedNoteError("The text of a note must end with a newline.")
    return note


def parse_note(note: bytes | str) -> SignedNote:
    """Split a note into text and signature lines without verifying anything.

    Args:
        note: The note as bytes or text.

    Returns:
        Text and signatures.

    Raises:
        MalformedNoteError: If this is not a signed note.
    """
    content = _checked_characters(note)
    head, separator, tail = content.rpartition("\n\n")
    if not separator or not tail.endswith("\n"):
        raise MalformedNoteError("A note is text, an empty line and signature lines, each ended by a newline.")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise MalformedNoteError(f"A note may carry at most {MAX_SIGNATURES} signatures, this one has {len(lines)}.")
    return SignedNote(f"{head}\n", tuple(_parse_signature(line) for line in lines))


def open_note(note: bytes | str, verifiers: Sequence[NoteVerifier]) -> OpenedNote:
    """Verify a note: signatures of unknown keys are ignored, at least one known key must have signed.

    Args:
        note: The note as bytes or text.
        verifiers: The keys that are trusted.

    Returns:
        The text, now trustworthy, and which keys signed it.

    Raises:
        MalformedNoteError: If this is not a signed note.
        BadSignatureError: If a known key's signature does not hold, or no known key signed.
    """
    parsed = parse_note(note)
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    names: set[str] = set()
    for signature in parsed.signatures:
        verifier = known.get((signature.name, signature.key_id))
        if verifier is None:
            continue
        if not verifier.accepts(parsed.text, signature.signature):
            raise BadSignatureError(f"The signature of {signature.name} does not belong to this text.")
        names.add(signature.name)
    if not names:
        raise BadSignatureError("No key that you trust has signed this note.")
    return OpenedNote(parsed.text, frozenset(names))


def is_key_name(name: str) -> bool:
    """Whether a text may name a key: not empty, UTF-8, no Unicode spaces, no plus sign, no control characters."""
    return name != "" and not any(
        sign == "+" or sign.isspace() or sign < " " or "\ud800" <= sign <= "\udfff" for sign in name
    )


def _checked_characters(note: bytes | str) -> str:
    if len(note) > MAX_NOTE_SIZE:
        raise MalformedNoteError(f"A note may have at most {MAX_NOTE_SIZE} bytes.")
    try:
        content = note.decode() if isinstance(note, bytes) else note.encode().decode()
    except UnicodeError as error:
        raise MalformedNoteError("A note must be UTF-8 text.") from error
    if _CONTROL_CHARACTER.search(content):
        raise MalformedNoteError("A note must not contain control characters other than newlines.")
    return content


def _parse_signature(line: str) -> NoteSignature:
    if not line.startswith(_SIGNATURE_MARK):
        _refuse_signature_line()
    name, space, encoded = line.removeprefix(_SIGNATURE_MARK).partition(" ")
    try:
        data = decode_base64(encoded)
    except ValueError:
        data = b""
    if not space or not is_key_name(name) or len(data) <= _KEY_ID_SIZE:
        _refuse_signature_line()
    return NoteSignature(name, data[:_KEY_ID_SIZE], data[_KEY_ID_SIZE:])


def _refuse_signature_line() -> NoReturn:
    raise MalformedNoteError("A signature line is a dash, a key name and Base64 of key id and signature.")
