"""One algorithm's public record, made from the facts its model package proves."""

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import rfc8785
from pydantic import BaseModel, ConfigDict, Field

from explainer.register.overview import Overview
from models.card import ModelCard
from models.evaluation import Evaluation
from models.words import Words

if TYPE_CHECKING:
    from models.package import ModelPackage


class BackgroundFacts(BaseModel):
    """The comparison group of the explanations, described without any of its rows.

    Attributes:
        name: Its name within the package.
        rows: Number of rows.
        total_weight: Sum of the rows' weights.
        sha256: Fingerprint (hex).
        origin: Where the rows come from, in plain words.
        mean_score_gap: Mean score of the background minus that of the population, in the score unit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    rows: int
    total_weight: float
    sha256: str
    origin: Words
    mean_score_gap: float


def _is_absent(part: object) -> bool:
    return part is None


class RegisterEntry(BaseModel):
    """What the public may know about one algorithm; every published version is kept.

    Attributes:
        card: Purpose, role, law, people, features, rules and limits.
        model_sha256: Identity of the model package that runs.
        evaluation: How good it is, in counts.
        background: What explanations compare with.
        overview: What weighs most in the model; None where it was not computed, as in entries of earlier versions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    card: ModelCard
    model_sha256: str
    evaluation: Evaluation
    background: BackgroundFacts
    # Left out where there is none, so that the bytes of entries published before are what they were.
    overview: Overview | None = Field(default=None, exclude_if=_is_absent)

    def canonical_bytes(self) -> bytes:
        """RFC 8785 bytes: what a published version is, and what its checksum is of."""
        # JSON numbers read back from text, so that 1 and 1.0 cannot make two versions of the same entry.
        content: Any = json.loads(self.model_dump_json(by_alias=True))
        return rfc8785.dumps(content)

    def digest(self) -> str:
        """SHA-256 (hex) of the canonical bytes."""
        return sha256(self.canonical_bytes()).hexdigest()


def entry_of(package: "ModelPackage", overview: Overview | None) -> RegisterEntry:
    """Make the register entry of a verified package.

    Args:
        package: A package that passed its verification.
        overview: Of the same package, or None where it is not computed.

    Returns:
        The entry; publishing it is a step of its own.
    """
    background = package.background
    return RegisterEntry(
        card=package.card,
        model_sha256=package.sha256,
        evaluation=package.evaluation,
        background=BackgroundFacts(
            name=background.name,
            rows=len(background.rows),
            total_weight=float(background.weights.sum()),
            sha256=background.sha256,
            origin=background.origin,
            mean_score_gap=background.mean_score_gap,
        ),
        overview=overview,
    )
