"""Every error the service raises, as one tree grouped by who can mend it.

::

    KlarbescheidError                    (models.errors; has a stable ``code``, never HTTP, never translated text)
    ├─ InvalidInputError                 the caller can mend it: every problem at once (models.errors)
    ├─ NotFoundError                     DecisionNotFoundError, ExplanationNotFoundError, RegisterEntryNotFoundError,
    │                                    LogTileNotFoundError
    ├─ ConflictError                     IdempotencyConflictError, ScoreMismatchError, TransitionNotAllowedError,
    │                                    ErasureForbiddenError
    ├─ AccessRefusedError                BadAccessCodeError, NotSignedInError, NotAllowedError, CsrfError
    ├─ UntrustworthyExplanationError     AdditivityError, CounterfactualError, ChecklistError: we refuse to show it
    ├─ ModelUnusableError                the city's data officer can mend it (models.errors)
    ├─ VerificationError                 proofs, signatures and formats that do not hold
    ├─ SealingError                      ErasedError
    ├─ TracesNotTakenError               the collector did not acknowledge; ask again
    ├─ LogIntegrityError                 fatal: stop appending, page someone
    └─ SettingsError                     the administrator can mend it before start

HTTP status and page text are decided in two tables at the edge: ``explainer/api/problem_details.py`` and
``public_pages/error_pages.py``.
"""

from datetime import date, datetime
from typing import ClassVar

from models.errors import KlarbescheidError


class NotFoundError(KlarbescheidError):
    """What was asked for does not exist, or not for this caller."""

    code: ClassVar[str] = "not_found"


class DecisionNotFoundError(NotFoundError):
    """No decision with this reference."""

    code: ClassVar[str] = "decision_not_found"


class ExplanationNotFoundError(NotFoundError):
    """No explanation with this number."""

    code: ClassVar[str] = "explanation_not_found"


class RegisterEntryNotFoundError(NotFoundError):
    """No register entry with this name, or not in this version."""

    code: ClassVar[str] = "register_entry_not_found"


class LogTileNotFoundError(NotFoundError):
    """The log does not reach as far as the tile asked for."""

    code: ClassVar[str] = "log_tile_not_found"


class ConflictError(KlarbescheidError):
    """The request contradicts what is already recorded."""

    code: ClassVar[str] = "conflict"


class IdempotencyConflictError(ConflictError):
    """The same Idempotency-Key came with another body."""

    code: ClassVar[str] = "idempotency_key_reused"


class ScoreMismatchError(ConflictError):
    """The case system used a score that the stored model version does not reproduce."""

    code: ClassVar[str] = "score_mismatch"


class TransitionNotAllowedError(ConflictError):
    """The decision is not in a state that allows this step."""

    code: ClassVar[str] = "transition_not_allowed"


class ErasureForbiddenError(ConflictError):
    """A law demands that the data be kept for now; the sentence names it."""

    code: ClassVar[str] = "erasure_forbidden"


class AccessRefusedError(KlarbescheidError):
    """The caller may not have this; the sentence never says more than that."""

    code: ClassVar[str] = "access_refused"


class BadAccessCodeError(AccessRefusedError):
    """Reference unknown or access code wrong: deliberately one answer for both."""

    code: ClassVar[str] = "reference_or_code_wrong"


class NotSignedInError(AccessRefusedError):
    """No valid key, token or session was sent."""

    code: ClassVar[str] = "not_signed_in"


class NotAllowedError(AccessRefusedError):
    """Signed in, but without the role this needs."""

    code: ClassVar[str] = "not_allowed"


class CsrfError(AccessRefusedError):
    """A form came without the token of its own page."""

    code: ClassVar[str] = "form_expired"


class UntrustworthyExplanationError(KlarbescheidError):
    """An explanation failed its own checks and is not shown; a caseworker answers instead.

    Attributes:
        answer_by: Until when a person answers; set where the refusal is recorded.
    """

    code: ClassVar[str] = "explanation_refused"
    answer_by: date | None = None


class AdditivityError(UntrustworthyExplanationError):
    """Contributions and expected value do not add up to the model's score."""

    code: ClassVar[str] = "contributions_do_not_add_up"


class CounterfactualError(UntrustworthyExplanationError):
    """A counterfactual does not change the outcome when re-run through model and rules."""

    code: ClassVar[str] = "counterfactual_does_not_hold"


class ChecklistError(UntrustworthyExplanationError):
    """A required item of the legal checklist is not met by the rendered document."""

    code: ClassVar[str] = "checklist_not_met"


class VerificationError(KlarbescheidError):
    """Something that should be provable is not."""

    code: ClassVar[str] = "verification_failed"


class MalformedNoteError(VerificationError):
    """Not a C2SP signed note."""

    code: ClassVar[str] = "malformed_note"


class MalformedCheckpointError(VerificationError):
    """Not a C2SP checkpoint."""

    code: ClassVar[str] = "malformed_checkpoint"


class MalformedTileError(VerificationError):
    """Not a C2SP tile, bundle or tile path."""

    code: ClassVar[str] = "malformed_tile"


class MalformedProofError(VerificationError):
    """Not a C2SP tlog-proof."""

    code: ClassVar[str] = "malformed_proof"


class MalformedLeafError(VerificationError):
    """Bytes that are not one of our log entries."""

    code: ClassVar[str] = "malformed_leaf"


class BadSignatureError(VerificationError):
    """No signature by a known key holds."""

    code: ClassVar[str] = "bad_signature"


class BadInclusionProofError(VerificationError):
    """The entry is not proven to be in the tree."""

    code: ClassVar[str] = "bad_inclusion_proof"


class BadConsistencyProofError(VerificationError):
    """The newer tree is not proven to contain the older one."""

    code: ClassVar[str] = "bad_consistency_proof"


class LeafTooLargeError(VerificationError):
    """A log entry may hold at most 65,535 bytes."""

    code: ClassVar[str] = "leaf_too_large"


class SealingError(KlarbescheidError):
    """Sealed data could not be opened or closed."""

    code: ClassVar[str] = "sealing_failed"


class ErasedError(SealingError):
    """The key was destroyed: the data is erased, the proof remains.

    Attributes:
        erased_at: When; None where that is not known.
    """

    code: ClassVar[str] = "erased"
    erased_at: datetime | None = None

    @classmethod
    def on(cls, erased_at: datetime) -> "ErasedError":
        """The error for data of which it is known when (UTC) they were erased."""
        error = cls(f"The data were erased on {erased_at.date()}; the log still proves what was recorded.")
        error.erased_at = erased_at
        return error


class TracesNotTakenError(KlarbescheidError):
    """The collector of traces did not acknowledge what was done with a person's data."""

    code: ClassVar[str] = "traces_not_taken"


class LogIntegrityError(KlarbescheidError):
    """The log contradicts itself: nothing more may be appended."""

    code: ClassVar[str] = "log_integrity"


class SettingsError(KlarbescheidError):
    """A setting is missing, unknown or a placeholder."""

    code: ClassVar[str] = "settings"
