"""How good a model is, in counts: measured once per version on cases it did not learn from."""

import math
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.errors import MalformedPackageError
from models.wilson import wilson_interval
from models.words import Text, Words

SMALLEST_PUBLISHED_GROUP = 10
"""Results of fewer cases than this are not published, and say so."""

INTERVAL_ROUNDING = 1.0
"""How far the ends of an interval may lie from Wilson's, per 100: they and the count may be whole numbers."""

Share = Annotated[float, Field(ge=0, le=1)]
Per100 = Annotated[float, Field(ge=0, le=100)]
Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Confusion(_Part):
    """What the score said at the threshold, against what was really so.

    Attributes:
        favourable_confirmed: At or above the threshold, and really favourable.
        favourable_wrong: At or above the threshold, but really not favourable.
        unfavourable_confirmed: Below the threshold, and really not favourable.
        unfavourable_wrong: Below the threshold, but really favourable.
    """

    favourable_confirmed: Count
    favourable_wrong: Count
    unfavourable_confirmed: Count
    unfavourable_wrong: Count

    @property
    def total(self) -> int:
        """All cases."""
        return self.agreeing + self.favourable_wrong + self.unfavourable_wrong

    @property
    def agreeing(self) -> int:
        """Cases in which the score was right."""
        return self.favourable_confirmed + self.unfavourable_confirmed


class CalibrationBin(_Part):
    """Of 100 cases with such a score, how many really were favourable.

    Attributes:
        low: Lowest score of the bin, in the score unit, included.
        high: Highest score of the bin, excluded; included only in the last bin.
        n: Evaluated cases; None where there were fewer than 10.
        favourable_per_100: None where there were fewer than 10 cases.
        interval: 95 % Wilson interval of that count, per 100; None where there were fewer than 10 cases.
    """

    low: float
    high: float
    n: Count | None
    favourable_per_100: Per100 | None
    interval: tuple[Per100, Per100] | None

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        _refuse_small_groups(self.n, self.favourable_per_100, self.interval)
        return self

    @model_validator(mode="after")
    def _check_interval(self) -> Self:
        if self.n is None or self.favourable_per_100 is None or self.interval is None:
            return self
        wanted = [100 * end for end in wilson_interval(round(self.favourable_per_100 * self.n / 100), self.n)]
        if any(abs(end - right) > INTERVAL_ROUNDING for end, right in zip(self.interval, wanted, strict=True)):
            raise ValueError(
                f"the 95 % Wilson interval of {self.favourable_per_100:g} out of 100, counted in {self.n} cases, runs "
                f"from {wanted[0]:.1f} to {wanted[1]:.1f}"
            )
        if not self.interval[0] <= self.favourable_per_100 <= self.interval[1]:
            raise ValueError("the interval must hold the count")
        return self


class GroupResult(_Part):
    """How the model did for one group of cases.

    Attributes:
        feature: Feature that makes the group.
        group: Whom it holds, in words.
        n: Evaluated cases; None where there were fewer than 10.
        agreement: Share of cases in which the score was right at the threshold.
        favourable: Share of cases that really were favourable.
        scored_favourable: Share of cases at or above the threshold.
        wrongly_unfavourable: Of the cases that really were favourable, the share below the threshold.
        reason: Why the numbers are missing, where they are.
    """

    feature: Text
    group: Words
    n: Count | None = None
    agreement: Share | None = None
    favourable: Share | None = None
    scored_favourable: Share | None = None
    wrongly_unfavourable: Share | None = None
    reason: Words | None = None

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        _refuse_small_groups(self.n, self.agreement, self.favourable, self.scored_favourable, self.wrongly_unfavourable)
        if (self.n is None) != (self.reason is not None):
            raise ValueError("a group without numbers says why, and only such a group")
        return self


class Evaluation(_Part):
    """One evaluation of one model version. What was not measured, or cannot be for this kind of model, is left out.

    Attributes:
        schema_name: Version of this format.
        model_version: Version that was evaluated, as in the card.
        as_of: Day of the evaluation.
        n: Evaluated cases, none of which the model learned from; 0 while nobody has counted, and then there are no
            results.
        threshold: The card's threshold; none for several classes.
        accuracy: Share of cases in which the outcome that follows from the score was right.
        auc: Probability that a favourable case scores higher than an unfavourable one.
        confusion: The counts behind the accuracy, where there is a threshold.
        calibration: Bins of scores without gap, from 0 to 1 for probabilities.
        mean_absolute_error: How far the score was off on average, in the score unit.
        groups: Results per group.
        about: What was compared with what; what these numbers do not say.
    """

    schema_name: Literal["evaluation/1"]
    model_version: Text
    as_of: date
    n: Count
    threshold: float | None = None
    accuracy: Share | None = None
    auc: Share | None = None
    confusion: Confusion | None = None
    calibration: tuple[CalibrationBin, ...] = ()
    mean_absolute_error: Annotated[float, Field(ge=0)] | None = Field(
        default=None, exclude_if=lambda error: error is None
    )
    groups: tuple[GroupResult, ...]
    about: Words

    @property
    def is_done(self) -> bool:
        """Whether anybody has counted yet."""
        return self.n > 0

    def _check_nothing_is_said(self) -> Self:
        results = (self.accuracy, self.auc, self.confusion, self.mean_absolute_error)
        if self.calibration or self.groups or any(result is not None for result in results):
            raise ValueError("without evaluated cases ('n' is 0) there are no results")
        return self

    def bin_for(self, score: float) -> CalibrationBin | None:
        """Find what is known about cases with such a score.

        Args:
            score: In the score unit.

        Returns:
            The bin, or None where fewer than 10 such cases were evaluated.

        Raises:
            ValueError: If the score is no number.
        """
        if math.isnan(score):
            raise ValueError("A score is a number.")
        if not self.calibration or not self.calibration[0].low <= score <= self.calibration[-1].high:
            return None
        found = next((part for part in self.calibration if score < part.high), self.calibration[-1])
        return None if found.n is None else found

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if not self.is_done:
            return self._check_nothing_is_said()
        if self.n < SMALLEST_PUBLISHED_GROUP:
            raise ValueError(f"results of fewer than {SMALLEST_PUBLISHED_GROUP} cases must be left out")
        if self.accuracy is None and self.mean_absolute_error is None:
            raise ValueError("at least one of 'accuracy' and 'mean_absolute_error' is needed")
        if self.confusion is not None:
            if self.confusion.total != self.n:
                raise ValueError("the four counts of 'confusion' do not add up to 'n'")
            if self.accuracy is None or round(self.confusion.agreeing / self.n, 4) != round(self.accuracy, 4):
                raise ValueError("'accuracy' does not follow from 'confusion'")
        if self.threshold is None and (self.confusion is not None or self.auc is not None or self.calibration):
            raise ValueError("'confusion', 'auc' and 'calibration' belong to scores with a threshold")
        if any(part.low >= part.high for part in self.calibration):
            raise ValueError("the bins of 'calibration' must rise")
        if any(part.low != before.high for before, part in zip(self.calibration, self.calibration[1:], strict=False)):
            raise ValueError("the bins of 'calibration' must join without gap")
        return self


def parse_evaluation(content: bytes, name: str = "evaluation.json") -> Evaluation:
    """Read an evaluation.

    Args:
        content: JSON, UTF-8.
        name: What error sentences call the file.

    Returns:
        The checked evaluation.

    Raises:
        MalformedPackageError: If it breaks any rule; names every problem.
    """
    try:
        return Evaluation.model_validate_json(content)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc']) or name}: {problem['msg'].removeprefix('Value error, ')}."
            for problem in error.errors()
        ]
        raise MalformedPackageError(
            f"{name} has {len(problems)} problem(s): " + " ".join(problems), problems=problems
        ) from None


def _refuse_small_groups(n: int | None, *numbers: object) -> None:
    if n is not None and n < SMALLEST_PUBLISHED_GROUP:
        raise ValueError(f"results of fewer than {SMALLEST_PUBLISHED_GROUP} cases must be left out")
    if n is None and any(number is not None for number in numbers):
        raise ValueError("results without the number of cases must be left out")
    if n is not None and all(number is None for number in numbers):
        raise ValueError("the results are missing")
