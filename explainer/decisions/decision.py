"""What the city decided, about whom, by which model version, and who decided."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Literal

Value = float | int | str | bool | None
"""One value of one feature as the case system sent it; None where it is missing and the card says what that means."""

Role = Literal["decides", "suggests", "sorts", "calculates"]
"""What a program does in a procedure."""

DecidedBy = Literal["model", "person"]


class DecisionStatus(StrEnum):
    """Where a decision stands; the only allowed steps are in ``ALLOWED_STEPS``."""

    AWAITING = "awaiting_person"
    DIVERTED = "diverted"
    DECIDED = "decided"
    SUPERSEDED = "superseded"


ALLOWED_STEPS: Mapping[DecisionStatus, frozenset[DecisionStatus]] = {
    DecisionStatus.AWAITING: frozenset({DecisionStatus.SUPERSEDED}),
    DecisionStatus.DIVERTED: frozenset({DecisionStatus.SUPERSEDED}),
    DecisionStatus.DECIDED: frozenset({DecisionStatus.SUPERSEDED}),
    DecisionStatus.SUPERSEDED: frozenset(),
}


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """Which model made the score: the explanation is built from this version, never from today's."""

    slug: str
    version: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where one value came from and as of when, as the case system states it."""

    source: str
    as_of: date | None = None


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """The remedy the decision letter names; never computed by us (a wrong notice lengthens the deadline to a year)."""

    kind: str
    text: str
    until: date | None = None


@dataclass(frozen=True, kw_only=True)
class PrivatePart:
    """Everything about a decision that is personal and therefore sealed at rest.

    Attributes:
        case_reference: The case system's own file number.
        subject_reference: The case system's pseudonym of the person, or None.
        inputs: Feature name to value.
        sources: Feature name to provenance; features without one use the card's source.
        unused_inputs: Names of data that were submitted but not used.
        reasons: The deciding person's own reasons, in their words.
        special_circumstances: What the person said the program would miss; never read by a program.
        remedy: As in the decision letter.
        score: The model's score in the card's score unit, or None when a rule decided before it.
        fired_rule: Id of the statutory rule that decided before the score, or None.
        near_threshold: Whether the score lay close to the threshold.
    """

    case_reference: str
    subject_reference: str | None
    inputs: Mapping[str, Value]
    sources: Mapping[str, Provenance] = field(default_factory=dict)
    unused_inputs: tuple[str, ...] = ()
    reasons: str | None = None
    special_circumstances: str | None = None
    remedy: Remedy | None = None
    score: float | None = None
    fired_rule: str | None = None
    near_threshold: bool = False


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One decision as it was recorded.

    Attributes:
        reference: Random, ours, never the case number.
        model: The model version that was applied.
        register_version: Version of the register entry in force when it was recorded.
        status: Where it stands.
        role: What the program did: decides, suggests, sorts or calculates.
        decided_by: ``person`` or ``model``; None while it waits for a person.
        model_outcome: Outcome id that the program arrived at by score or rule.
        outcome: Outcome id that the city decided; None while it waits for a person.
        decided_at: When the city decided; None while it waits.
        recorded_at: When it was recorded here.
        supersedes: Reference of the decision this one replaces, or None.
        private: The sealed part.
    """

    reference: str
    model: ModelVersion
    register_version: int
    status: DecisionStatus
    role: Role
    decided_by: DecidedBy | None
    model_outcome: str
    outcome: str | None
    decided_at: datetime | None
    recorded_at: datetime
    supersedes: str | None
    private: PrivatePart

    @property
    def departed(self) -> bool:
        """Whether the person decided otherwise than the program's outcome."""
        return self.outcome is not None and self.outcome != self.model_outcome

    @property
    def was_diverted(self) -> bool:
        """Whether special circumstances took the decision away from any automatic path."""
        return self.private.special_circumstances is not None
