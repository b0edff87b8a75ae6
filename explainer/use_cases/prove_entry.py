"""One entry with the proof that it is in the log, step by step, and held against a checkpoint the reader brings."""

from dataclasses import dataclass
from datetime import datetime

from explainer.errors import LogTileNotFoundError, VerificationError
from explainer.transparency_log.checkpoint import Checkpoint, open_checkpoint
from explainer.transparency_log.log_entry import LogEntry, parse_leaf
from explainer.transparency_log.merkle import leaf_hash, verify_consistency
from explainer.transparency_log.proof_file import ProofFile
from explainer.transparency_log.proof_steps import ProofStep, proof_steps
from explainer.transparency_log.signed_note import NoteVerifier, parse_note
from explainer.transparency_log.tree import Tree
from explainer.use_cases.callers import CASEWORK_ROLES, LOG_ROLES, Caller, require_role
from explainer.use_cases.note_log_reading import note_log_reading
from explainer.use_cases.service import Service
from explainer.use_cases.stores import UnitOfWork


@dataclass(frozen=True, kw_only=True)
class BroughtCheckpoint:
    """What came of holding the log against a checkpoint that a reader kept.

    Attributes:
        checkpoint: The checkpoint; None where its text or signature does not hold.
        proof: Hashes of the consistency proof.
        problem: What does not hold, in one English sentence; None when all does.
    """

    checkpoint: Checkpoint | None
    proof: tuple[bytes, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class ProvenEntry:
    """One entry and its proof; that it does not hold is a result, not an error.

    Attributes:
        index: Position in the log.
        at: When (UTC).
        event: What happened, as the list of entries has it.
        leaf: The bytes that were signed in.
        entry: What they say; None where they cannot be read, because somebody changed them.
        leaf_hash: 32 bytes, computed from the leaf now.
        steps: From the leaf hash towards the root.
        computed_root: Where the steps lead.
        checkpoint: The newest one, its signature checked.
        note: Its text.
        key_id: Id of the key that signed it, hexadecimal.
        brought: What came of the reader's own checkpoint, or None.
    """

    index: int
    at: datetime
    event: str
    leaf: bytes
    entry: LogEntry | None
    leaf_hash: bytes
    steps: tuple[ProofStep, ...]
    computed_root: bytes
    checkpoint: Checkpoint
    note: str
    key_id: str
    brought: BroughtCheckpoint | None = None

    @property
    def holds(self) -> bool:
        """Whether the steps lead to the signed root hash."""
        return self.computed_root == self.checkpoint.root_hash

    @property
    def receipt(self) -> str:
        """The same proof as a ``.tlog-proof`` file (C2SP)."""
        return ProofFile(self.index, tuple(step.sibling for step in self.steps), self.note).format()


def prove_entry(service: Service, caller: Caller, index: int, brought: str | None = None) -> ProvenEntry:
    """Read one entry and prove it; the reading is logged once per person and hour.

    Args:
        service: The installation.
        caller: An auditor, administrator or caseworker.
        index: Position in the log.
        brought: Text of a checkpoint that the reader kept, or None.

    Returns:
        The entry with its proof.

    Raises:
        LogTileNotFoundError: If the log has no such entry, or it was pruned after its time.
        NotAllowedError: For everybody else.
    """
    staff = require_role(caller, *LOG_ROLES, *CASEWORK_ROLES)
    note_log_reading(service, staff, "entry")
    verifier = NoteVerifier.from_vkey(service.log_vkey)
    with service.database.reading() as work:
        note = work.log.checkpoint()
        checkpoint = open_checkpoint(note, [verifier])
        records = work.log.records([index]) if 0 <= index < checkpoint.tree_size else ()
        if not records:
            raise LogTileNotFoundError("The log has no entry with this number.")
        proof = Tree(work.log.tiles(), checkpoint.tree_size).inclusion_proof(index)
        held = None if brought is None else _held_against(work, checkpoint, brought, verifier)
    hashed = leaf_hash(records[0].leaf)
    steps = proof_steps(hashed, index, checkpoint.tree_size, proof)
    return ProvenEntry(
        index=index,
        at=records[0].at,
        event=records[0].event,
        leaf=records[0].leaf,
        entry=_read(records[0].leaf),
        leaf_hash=hashed,
        steps=steps,
        computed_root=steps[-1].result if steps else hashed,
        checkpoint=checkpoint,
        note=note,
        key_id=verifier.key_id.hex(),
        brought=held,
    )


def _held_against(work: UnitOfWork, newest: Checkpoint, brought: str, verifier: NoteVerifier) -> BroughtCheckpoint:
    try:
        old = open_checkpoint(_as_signed(brought), [verifier])
    except VerificationError as error:
        return BroughtCheckpoint(checkpoint=None, problem=str(error))
    proof: tuple[bytes, ...] = ()
    try:
        if old.tree_size <= newest.tree_size:
            proof = tuple(Tree(work.log.tiles(), newest.tree_size).consistency_proof(old.tree_size))
        verify_consistency(old.tree_size, old.root_hash, newest.tree_size, newest.root_hash, proof)
    except VerificationError as error:
        return BroughtCheckpoint(checkpoint=old, proof=proof, problem=str(error))
    return BroughtCheckpoint(checkpoint=old, proof=proof)


def _as_signed(typed: str) -> str:
    """A form sends other line ends, and who copies text may lose the last one; neither is part of what was signed."""
    lines = typed.replace("\r\n", "\n").strip("\n ") + "\n"
    return str(parse_note(lines))


def _read(leaf: bytes) -> LogEntry | None:
    try:
        return parse_leaf(leaf)
    except VerificationError:
        return None
