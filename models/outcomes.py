"""What a model's number is, and the results a case can have: the parts of a card that turn numbers into outcomes."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.names import Slug
from models.words import Words

PROBABILITY: Literal["probability"] = "probability"
"""The unit of scores that are shares from 0 to 1; every other unit is written in words."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ScoreMeaning(_Part):
    """What the number of the model is.

    Attributes:
        unit: ``probability`` for a number from 0 to 1, else the unit in words as printed behind the number, e.g.
            "euros" or "points".
        unit_one: The unit as printed behind the number 1, where the language then wants another word.
        scale: Pages show the score times this: 100 for probabilities, else 1.
        decimals: Digits printed behind the decimal point.
        label: What pages call it, e.g. "your number".
        meaning: What low and high numbers mean.
    """

    unit: Literal["probability"] | Words
    unit_one: Words | None = Field(default=None, exclude_if=lambda words: words is None)
    scale: Literal[1, 100] = 1
    decimals: int = Field(default=0, ge=0, le=6, exclude_if=lambda decimals: decimals == 0)
    label: Words
    meaning: Words

    @property
    def is_probability(self) -> bool:
        """Whether the score lies between 0 and 1."""
        return self.unit == PROBABILITY

    @property
    def unit_name(self) -> str:
        """The unit as programs read it: ``probability`` or the English words."""
        return PROBABILITY if isinstance(self.unit, str) else self.unit.en

    def unit_for(self, shown: str, language: str) -> str | None:
        """Give the unit to print behind a number.

        Args:
            shown: The number as it is printed.
            language: Language of the page.

        Returns:
            The words; None for probabilities, which are shown without a unit.
        """
        if isinstance(self.unit, str):
            return None
        words = self.unit_one if shown == "1" and self.unit_one is not None else self.unit
        return words.in_language(language)

    @model_validator(mode="after")
    def _check_scale(self) -> Self:
        if self.is_probability != (self.scale == 100):  # noqa: PLR2004 - people read 0 to 100
            raise ValueError("probabilities have the scale 100 (shown from 0 to 100), every other unit has the scale 1")
        if self.is_probability and (self.decimals or self.unit_one):
            raise ValueError("'decimals' and 'unit_one' belong to units in words only")
        return self


class Outcome(_Part):
    """One of the results a case can have.

    Attributes:
        id: Stable name.
        label: Noun, e.g. "short way".
        decided: Sentence for a case that the city has decided this way.
        suggested: Sentence that says what the program did with the case.
        favourable: Whether people want this one.
        rank: Where there are more than two outcomes, its place among them: 1 is what people want most. Left out,
            favourable outcomes come before the others and are equal among themselves.
    """

    id: Slug
    label: Words
    decided: Words
    suggested: Words
    favourable: bool
    rank: int | None = Field(default=None, ge=1, exclude_if=lambda rank: rank is None)


def outcome_problems(
    outcomes: tuple[Outcome, ...], threshold_outcomes: tuple[str | None, str | None], classes: tuple[str, ...]
) -> list[str]:
    """Find what is wrong with a card's outcomes.

    Args:
        outcomes: All of them.
        threshold_outcomes: Ids at or above and below the threshold, if the card has a threshold.
        classes: Ids in the order of the model's classes; empty if the card has a threshold.

    Returns:
        Every problem as half a sentence.
    """
    ids = [outcome.id for outcome in outcomes]
    problems = []
    if len(set(ids)) != len(ids):
        problems.append("two outcomes have the same id")
    if classes:
        if sorted(classes) != sorted(ids):
            problems.append("'outcome_of_class' must name every outcome once, in the order of the model's classes")
        if len({outcome.favourable for outcome in outcomes}) == 1:
            problems.append("at least one outcome is favourable, and at least one is not")
        return problems + _rank_problems(outcomes)
    if set(threshold_outcomes) != set(ids) or len(ids) != 2:  # noqa: PLR2004 - one on each side of the threshold
        problems.append("'outcome_at_or_above' and 'outcome_below' must name the two outcomes")
    if sum(outcome.favourable for outcome in outcomes) != 1:
        problems.append("exactly one outcome is favourable")
    if any(outcome.rank is not None for outcome in outcomes):
        problems.append("'rank' belongs to outcomes of several classes only")
    return problems


def more_favourable(outcomes: tuple[Outcome, ...], than: str) -> frozenset[str]:
    """Give the outcomes that people want more than one of them.

    Args:
        outcomes: All outcomes of a card.
        than: Id of one of them.

    Returns:
        Their ids; empty for what people want most.
    """
    place = {outcome.id: (not outcome.favourable, outcome.rank or 0) for outcome in outcomes}
    return frozenset(name for name, value in place.items() if value < place[than])


def _rank_problems(outcomes: tuple[Outcome, ...]) -> list[str]:
    given = [outcome for outcome in outcomes if outcome.rank is not None]
    if not given:
        return []
    if len(given) < len(outcomes):
        return ["either every outcome has a 'rank' or none"]
    favourable = [outcome.rank or 0 for outcome in outcomes if outcome.favourable]
    others = [outcome.rank or 0 for outcome in outcomes if not outcome.favourable]
    if favourable and others and max(favourable) >= min(others):
        return ["every favourable outcome has a smaller 'rank' than every other one"]
    return []
