"""Receipts: ``.tlog-proof`` files (C2SP tlog-proof) that prove one log entry without asking the log.

::

    c2sp.org/tlog-proof@v1
    extra <Base64>                 may be missing
    index <number>
    <Base64 of a hash>             inclusion proof, the leaf's sibling first; any number of lines
    <empty line>
    <signed checkpoint, verbatim>
"""

from collections.abc import Sequence
from dataclasses import dataclass

from explainer.errors import MalformedProofError
from explainer.transparency_log.checkpoint import Checkpoint, open_checkpoint, parse_decimal
from explainer.transparency_log.merkle import HASH_SIZE, leaf_hash, verify_inclusion
from explainer.transparency_log.signed_note import MAX_NOTE_SIZE, NoteVerifier
from explainer.transparency_log.strict_base64 import decode_base64, encode_base64

HEADER = "c2sp.org/tlog-proof@v1"
"""First line of every proof file."""

_MAX_PROOF_HASHES = 63
_EXTRA = "extra "
_INDEX = "index "


@dataclass(frozen=True)
class ProofFile:
    """A proof that one entry is in the log.

    Attributes:
        index: Index of the entry.
        proof: Inclusion proof, 32-byte hashes, the leaf's sibling first.
        checkpoint: Signed checkpoint, verbatim.
        extra: Further bytes of the application, proven by nothing; empty when there are none.
    """

    index: int
    proof: tuple[bytes, ...]
    checkpoint: str
    extra: bytes = b""

    def __post_init__(self) -> None:
        if self.index < 0:
            raise MalformedProofError("The index of an entry is counted from 0.")
        if len(self.proof) > _MAX_PROOF_HASHES or any(len(value) != HASH_SIZE for value in self.proof):
            raise MalformedProofError(f"An inclusion proof is at most {_MAX_PROOF_HASHES} hashes of {HASH_SIZE} bytes.")

    def format(self) -> str:
        """The text of the file."""
        lines = [HEADER]
        if self.extra:
            lines.append(f"{_EXTRA}{encode_base64(self.extra)}")
        lines.append(f"{_INDEX}{self.index}")
        lines += [encode_base64(value) for value in self.proof]
        return "".join(f"{line}\n" for line in lines) + "\n" + self.checkpoint

    @classmethod
    def parse(cls, text: bytes | str) -> "ProofFile":
        """Read a proof file without verifying it.

        Args:
            text: Content of the file.

        Returns:
            The proof; call :meth:`verify` before believing it.

        Raises:
            MalformedProofError: If this is not a proof file.
        """
        if len(text) > 2 * MAX_NOTE_SIZE:
            raise MalformedProofError("The proof file is too large.")
        try:
            content = text.decode() if isinstance(text, bytes) else text
        except UnicodeDecodeError as error:
            raise MalformedProofError("A proof file must be UTF-8 text.") from error
        head, separator, checkpoint = content.partition("\n\n")
        lines = head.split("\n")
        if not separator or lines.pop(0) != HEADER:
            raise MalformedProofError(f"A proof file begins with {HEADER} and has an empty line before the checkpoint.")
        extra = b""
        if lines and lines[0].startswith(_EXTRA):
            extra = _decode(lines.pop(0).removeprefix(_EXTRA))
            if not extra:
                raise MalformedProofError("A proof file without extra data leaves the extra line out.")
        if not lines or not lines[0].startswith(_INDEX):
            raise MalformedProofError("The proof file does not say which index it proves.")
        index = parse_decimal(lines.pop(0).removeprefix(_INDEX), MalformedProofError)
        return cls(index, tuple(_decode(line) for line in lines), checkpoint, extra)

    def verify(self, leaf: bytes, verifiers: Sequence[NoteVerifier]) -> Checkpoint:
        """Check that an entry is in the log that signed the checkpoint.

        Args:
            leaf: The bytes of the entry, not its hash.
            verifiers: Trusted keys of the log.

        Returns:
            The verified checkpoint.

        Raises:
            VerificationError: If the checkpoint is not signed by a trusted key or does not contain the entry.
        """
        checkpoint = open_checkpoint(self.checkpoint, verifiers)
        verify_inclusion(leaf_hash(leaf), self.index, checkpoint.tree_size, self.proof, checkpoint.root_hash)
        return checkpoint


def _decode(text: str) -> bytes:
    try:
        return decode_base64(text)
    except ValueError as error:
        raise MalformedProofError("A line of the proof file is not Base64.") from error
