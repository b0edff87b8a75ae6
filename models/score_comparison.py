"""Proves that the original model, the runtime and our own reading give the same scores, or says where they differ."""

from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from models import manifest
from models.errors import ModelScoresDifferError
from models.row_tables import Reference
from models.scoring_model import Rows, Scores, ScoringModel

MOST_PERMUTED_CLASSES = 6
"""With more classes no other order of them is tried."""


@dataclass(frozen=True, kw_only=True)
class ScoreComparison:
    """How closely scores must agree, and what may be wrong where they do not.

    Attributes:
        score_tolerance: Largest difference of scores, in the score unit.
        additive_tolerance: Largest difference of additive scores, in the additive unit.
        classes: Outcome ids of the classes; empty for models with one score.
        hint: Sentence about a known trap of this model, or empty.
    """

    score_tolerance: float
    additive_tolerance: float
    classes: tuple[str, ...] = ()
    hint: str = ""

    def with_original(self, scores: Scores, reference: Reference, *, whose: str) -> None:
        """Refuse scores of the reference rows that are not the original model's.

        Args:
            scores: Ours.
            reference: The original model's.
            whose: What the error sentence calls ours.

        Raises:
            ModelScoresDifferError: Names the row that is furthest off, and a likely cause.
        """
        likely_cause = self._other_order if self.classes else self._same_shift
        hint = self.hint or likely_cause(scores, reference.scores)
        compared = _Compared(whose=whose, name=manifest.REFERENCE, classes=self.classes, hint=hint)
        compared.refuse_difference(scores, reference.scores, self.score_tolerance)

    def of_runtime_and_reading(self, model: ScoringModel, reading: ScoringModel, rows: Rows, *, name: str) -> None:
        """Refuse a reading that does not score as the runtime does, before the post transform or after it.

        Args:
            model: The runtime.
            reading: Our own reading of the same model.
            rows: Raw rows, shape (n, n_features).
            name: File the rows come from.

        Raises:
            ModelScoresDifferError: Names the row that is furthest off.
        """
        compared = _Compared(whose="the runtime's score", name=name, classes=self.classes, hint=self.hint)
        compared.refuse_difference(model.score(rows), reading.score(rows), self.score_tolerance)
        compared = replace(compared, whose="the runtime's additive score")
        compared.refuse_difference(model.additive_score(rows), reading.additive_score(rows), self.additive_tolerance)

    def _other_order(self, found: Scores, expected: Scores) -> str:
        """Say in which other order of the classes the scores would agree, if there is one."""
        if len(self.classes) > MOST_PERMUTED_CLASSES:
            return ""
        for order in permutations(range(len(self.classes))):
            if np.abs(found - expected[:, order]).max() <= self.score_tolerance:
                names = ", ".join(f"'{self.classes[column]}'" for column in order)
                return (
                    f" The scores would agree if the model's classes were {names}: the order of the classes in the"
                    f" card or in {manifest.REFERENCE} is not that of the model."
                )
        return ""

    def _same_shift(self, found: Scores, expected: Scores) -> str:
        """Say that all rows are off alike: by the same amount, or because the other outcome's probability was meant."""
        shift = found - expected
        if np.abs(found + expected - 1).max() <= self.score_tolerance:
            return (
                " Every score is 1 minus the original's: one of the two is the probability of the other outcome. The"
                " score of a model with two classes is the probability of its second class."
            )
        if not np.isfinite(shift).all() or np.ptp(shift) > 2 * self.score_tolerance:
            return ""
        return f" Every row is off by {shift.mean():.6g}: compare the model's base value or intercept."


@dataclass(frozen=True, kw_only=True)
class _Compared:
    """What is compared, for the error sentence.

    Attributes:
        whose: Whose scores are held against the others.
        name: File the rows come from.
        classes: Outcome ids of the classes; empty for models with one score.
        hint: Sentence about a likely cause, or empty.
    """

    whose: str
    name: str
    classes: tuple[str, ...]
    hint: str

    def refuse_difference(self, found: Scores, expected: Scores, tolerance: float) -> None:
        differences = np.abs(found - expected)
        # Written as "not within" so that NaN counts as a difference.
        outside = ~(differences <= tolerance)
        if not outside.any():
            return
        worst = int(np.argmax(np.where(outside, np.nan_to_num(differences, nan=np.inf), -1)))
        place = np.unravel_index(worst, outside.shape)
        which = f", class '{self.classes[place[1]]}'" if self.classes else ""
        n_rows = int(outside.reshape(len(outside), -1).any(axis=1).sum())
        raise ModelScoresDifferError(
            f"For row {place[0]} of {self.name}{which}, {self.whose} is {found[place]:.9g} instead of"
            f" {expected[place]:.9g}; {n_rows} of {len(found)} rows differ by more than {tolerance:.3g}."
            f" The model is not used.{self.hint}"
        )
