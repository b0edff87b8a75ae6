"""Sends a checkpoint to a witness (C2SP tlog-witness, ``add-checkpoint``) and checks what it answers."""

from collections.abc import Sequence
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from explainer.errors import MalformedNoteError, VerificationError
from explainer.transparency_log.checkpoint import parse_decimal
from explainer.transparency_log.signed_note import NoteSignature, parse_note
from explainer.transparency_log.strict_base64 import encode_base64
from explainer.transparency_log.witness_policy import Witness

_PATIENCE_SECONDS = 10.0
_LONGEST_ANSWER = 16_384
_CONFLICT = 409
_UNPROCESSABLE = 422


class WitnessConflictError(VerificationError):
    """The witness has cosigned another size than we thought.

    Attributes:
        size: The newest size it has cosigned.
    """

    code = "witness_conflict"

    def __init__(self, message: str, size: int) -> None:
        super().__init__(message)
        self.size = size


class WitnessAlarmError(VerificationError):
    """The witness says that the log was rewritten."""

    code = "witness_alarm"


def add_checkpoint(witness: Witness, note: str, *, old_size: int, proof: Sequence[bytes]) -> NoteSignature:
    """Ask one witness for its cosignature.

    Args:
        witness: The witness.
        note: The signed checkpoint.
        old_size: The size this witness has cosigned last; 0 when none.
        proof: Consistency proof from that size.

    Returns:
        The cosignature, which holds.

    Raises:
        OSError: If the witness cannot be reached or refuses for a reason of its own.
        WitnessConflictError: If it has cosigned another size (HTTP 409).
        WitnessAlarmError: If the proof does not lead to what it has cosigned (HTTP 422).
        VerificationError: If its answer is no cosignature of this checkpoint.
    """
    body = "".join([f"old {old_size}\n", *(f"{encode_base64(one)}\n" for one in proof), "\n", note])
    request = Request(f"{witness.address}/add-checkpoint", data=body.encode(), method="POST")  # noqa: S310 -- HTTP only
    try:
        with urlopen(request, timeout=_PATIENCE_SECONDS) as answer:  # noqa: S310 -- the policy checked the scheme
            content = answer.read(_LONGEST_ANSWER).decode("utf-8", errors="replace")
    except HTTPError as error:
        with error:
            said = error.read(_LONGEST_ANSWER).decode("utf-8", errors="replace").strip()
        if error.code == _CONFLICT:
            size = parse_decimal(said, MalformedNoteError)
            raise WitnessConflictError(f"The witness {witness.name} has cosigned {size} entries.", size) from error
        if error.code == _UNPROCESSABLE:
            raise WitnessAlarmError(
                f"The witness {witness.name} says that this log does not continue the one it has cosigned."
            ) from error
        raise OSError(f"it answers with status {error.code}") from error
    text = parse_note(note).text
    for signature in parse_note(f"{text}\n{content}").signatures:
        if (signature.name, signature.key_id) == (witness.key_name, witness.key_id):
            witness.check(signature, text)
            return signature
    raise MalformedNoteError(f"The witness {witness.name} answered without a cosignature.")
