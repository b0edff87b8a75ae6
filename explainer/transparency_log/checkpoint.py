"""Checkpoints (C2SP tlog-checkpoint): the signed state of the log as origin, tree size and root hash."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from explainer.errors import BadSignatureError, MalformedCheckpointError, MalformedNoteError
from explainer.transparency_log.merkle import HASH_SIZE
from explainer.transparency_log.signed_note import NoteSigner, NoteVerifier, open_note, sign_note
from explainer.transparency_log.strict_base64 import decode_base64, encode_base64

MAX_TREE_SIZE = 2**63 - 1
"""Sizes beyond this are refused; no reader has to count further than 63 bits."""

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_MIN_LINES = 3


@dataclass(frozen=True)
class Checkpoint:
    """State of a log.

    Attributes:
        origin: Unique name of the log.
        tree_size: Number of entries.
        root_hash: 32-byte RFC 6962 root hash over them.
        extension_lines: Further lines that other logs may add; we never write any.
    """

    origin: str
    tree_size: int
    root_hash: bytes
    extension_lines: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.origin or not all(self.extension_lines):
            raise MalformedCheckpointError("No line of a checkpoint may be empty.")
        if any("\n" in line for line in (self.origin, *self.extension_lines)):
            raise MalformedCheckpointError("A line of a checkpoint must not contain a newline.")
        if not 0 <= self.tree_size <= MAX_TREE_SIZE:
            raise MalformedCheckpointError("The tree size of a checkpoint must be between 0 and 2^63 - 1.")
        if len(self.root_hash) != HASH_SIZE:
            raise MalformedCheckpointError(f"A root hash has {HASH_SIZE} bytes, this one has {len(self.root_hash)}.")

    def format(self) -> str:
        """The text that is signed, every line ended by a newline."""
        lines = (self.origin, str(self.tree_size), encode_base64(self.root_hash), *self.extension_lines)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read the text of a checkpoint; whether it may be trusted is for :func:`open_checkpoint` to say.

        Args:
            text: Text of a signed note, every line ended by a newline.

        Returns:
            The checkpoint.

        Raises:
            MalformedCheckpointError: If the text is no checkpoint.
        """
        lines = text.split("\n")
        if lines.pop() != "" or len(lines) < _MIN_LINES:
            raise MalformedCheckpointError(
                "A checkpoint has a line each for origin, tree size and root hash, all ended by a newline."
            )
        origin, size, root, *extension_lines = lines
        return cls(origin, parse_decimal(size, MalformedCheckpointError), _parse_root(root), tuple(extension_lines))


def parse_decimal(text: str, error: type[Exception]) -> int:
    """Read a number in its one decimal spelling, without sign, spaces or leading zeros.

    Args:
        text: The digits.
        error: What to raise.

    Returns:
        The number, at most 2^63 - 1.
    """
    if _DECIMAL.fullmatch(text) is None or int(text) > MAX_TREE_SIZE:
        raise error("This is not a number in decimal digits without leading zeros, or it is beyond 2^63 - 1.")
    return int(text)


def _parse_root(text: str) -> bytes:
    try:
        return decode_base64(text)
    except ValueError as error:
        raise MalformedCheckpointError("The root hash of the checkpoint is not Base64.") from error


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[NoteSigner]) -> str:
    """Sign a checkpoint. The caller vouches that it is consistent with every checkpoint signed before.

    Args:
        checkpoint: State of the log.
        signers: Keys of the log, named as its origin; more than one while a key is being replaced.

    Returns:
        The signed note.

    Raises:
        MalformedCheckpointError: If a key has another name than the log, or the origin cannot stand in a note.
    """
    if not signers or any(signer.name != checkpoint.origin for signer in signers):
        raise MalformedCheckpointError(f"Only keys named {checkpoint.origin} may sign this checkpoint.")
    try:
        return sign_note(checkpoint.format(), signers)
    except MalformedNoteError as error:
        raise MalformedCheckpointError(f"The checkpoint cannot be written as a signed note. {error}") from error


def open_checkpoint(note: bytes | str, verifiers: Sequence[NoteVerifier]) -> Checkpoint:
    """Verify a signed checkpoint and read it.

    Args:
        note: The signed note.
        verifiers: Trusted keys of the log, named as its origin.

    Returns:
        The checkpoint, now trustworthy.

    Raises:
        MalformedNoteError: If this is not a signed note.
        BadSignatureError: If no trusted key of the log it names signed it.
        MalformedCheckpointError: If the signed text is no checkpoint.
    """
    opened = open_note(note, verifiers)
    checkpoint = Checkpoint.parse(opened.text)
    if checkpoint.origin not in opened.key_names:
        raise BadSignatureError(f"The checkpoint is of the log {checkpoint.origin}, but no key of that log signed it.")
    return checkpoint
