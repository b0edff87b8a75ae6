"""How a program treats its details in general: numbers over the whole comparison group, never about one person.

A published version of an entry holds the overview of the model it describes, so pages read it and compute nothing.
"""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

OVERVIEW_METHOD = "overview/1"
"""Changes with what is computed for an overview; a published one of another version is computed again."""

DIGITS = 6
"""Numbers are rounded to 1e-6, so that the same model gives the same bytes on every machine."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MeanScore(_Part):
    """What the mean score would be if everybody in the comparison group had one value of one feature.

    Attributes:
        value: The value as case systems send it; None where it is missing.
        score: Weighted mean, in the card's score unit.
    """

    value: bool | int | float | str | None
    score: float


class FeatureOverview(_Part):
    """What one feature does over the comparison group.

    Attributes:
        feature: Its name.
        importance: Weighted mean |contribution|, in the additive unit.
        share: Its part of the sum of all importances, from 0 to 1.
        strength: Its importance measured by the same cut-offs as single contributions.
        direction: Whether higher values raise or lower the score or now this, now that; ``none`` for categories, and
            where the feature does nothing.
        mean_scores: Partial dependence, in the order of the values; empty for all but the strongest features.
    """

    feature: str
    importance: float = Field(ge=0)
    share: float = Field(ge=0, le=1)
    strength: Literal["strong", "clear", "slight", "negligible"]
    direction: Literal["rising", "falling", "mixed", "none"]
    mean_scores: tuple[MeanScore, ...] = ()


def _is_absent(part: object) -> bool:
    return part is None


class Overview(_Part):
    """What weighs most in a program, and how its number changes with it; or why nobody computes that.

    Of several classes all are looked at: importances are means over the classes, and there are neither directions nor
    partial dependences, because there is no one number.

    Attributes:
        method: Version of the computation; another one lets it be computed again.
        rows: Rows of the background whose contributions were looked at; 0 where none were.
        additive_unit: Unit of ``importance``.
        score_unit: Unit of ``mean_scores``.
        features: All features, strongest first.
        none_because: Why there are none; absent exactly where there are some.
    """

    method: str
    rows: int = Field(ge=0)
    additive_unit: str
    score_unit: str
    features: tuple[FeatureOverview, ...] = ()
    none_because: Literal["takes_too_long"] | None = Field(default=None, exclude_if=_is_absent)

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if bool(self.features) == (self.none_because is not None):
            raise ValueError("either there are features, or a reason why there are none")
        sizes = [-feature.importance for feature in self.features]
        if sizes != sorted(sizes):
            raise ValueError("the strongest feature comes first")
        if len({feature.feature for feature in self.features}) != len(self.features):
            raise ValueError("a feature is listed twice")
        return self
