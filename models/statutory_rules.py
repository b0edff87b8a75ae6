"""Statutory rules: conditions that the law itself sets, declared in the card and evaluated without running any code.

The grammar of a condition, as it stands in ``card.yaml``::

    condition  = {greater: [expression, expression]} | {greater_or_equal: …} | {less: …} | {less_or_equal: …}
               | {equal: …} | {all: [condition, …]} | {any: [condition, …]} | {not: condition}
    expression = number | {feature: name} | {sum: [expression, …]} | {product: [expression, …]}

Arithmetic is 64-bit floating point in the order written. Categories count by their position, booleans as 0 and 1.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator

from models.features import Feature, to_row
from models.names import Slug
from models.words import Text, Words

Numbers = NDArray[np.float64]

Comparator = Literal["greater", "greater_or_equal", "less", "less_or_equal", "equal"]

_COMPARISONS: Mapping[str, Callable[[Numbers, Numbers], NDArray[np.bool_]]] = {
    "greater": np.greater,
    "greater_or_equal": np.greater_equal,
    "less": np.less,
    "less_or_equal": np.less_equal,
    "equal": np.equal,
}

MAX_DEPTH = 20
"""Deeper nested conditions are refused: nobody could check them by reading."""


@dataclass(frozen=True)
class FeatureValue:
    """The value of one feature."""

    name: str


@dataclass(frozen=True)
class Sum:
    """All parts added up, from the first to the last."""

    parts: "tuple[Expression, ...]"


@dataclass(frozen=True)
class Product:
    """All parts multiplied, from the first to the last."""

    parts: "tuple[Expression, ...]"


Expression = float | FeatureValue | Sum | Product


@dataclass(frozen=True)
class Comparison:
    """Two expressions compared."""

    comparator: Comparator
    left: Expression
    right: Expression


@dataclass(frozen=True)
class AllOf:
    """True where every part is true."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True)
class AnyOf:
    """True where at least one part is true."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True)
class Not:
    """True where the part is false."""

    part: "Condition"


Condition = Comparison | AllOf | AnyOf | Not


def parse_condition(data: object, depth: int = 0) -> Condition:
    """Read a condition as it stands in a card.

    Args:
        data: Parsed YAML or JSON, or a condition that is already read.
        depth: How deeply it is nested; callers leave it out.

    Returns:
        The condition.

    Raises:
        ValueError: If it does not follow the grammar; the sentence says where.
    """
    if isinstance(data, Condition):
        return data
    word, content = _word_and_content(data, "a condition", depth)
    if word in ("all", "any"):
        parts = tuple(parse_condition(part, depth + 1) for part in _items(content, word))
        return AllOf(parts) if word == "all" else AnyOf(parts)
    if word == "not":
        return Not(parse_condition(content, depth + 1))
    for comparator in get_args(Comparator):
        if word == comparator:
            sides = [parse_expression(side, depth + 1) for side in _items(content, word)]
            if len(sides) != 2:  # noqa: PLR2004 - a comparison has two sides
                raise ValueError(f"'{word}' compares two expressions, not {len(sides)}")
            return Comparison(comparator, sides[0], sides[1])
    known = ", ".join([*get_args(Comparator), "all", "any", "not"])
    raise ValueError(f"'{word}' is no condition; known are {known}")


def parse_expression(data: object, depth: int = 0) -> Expression:
    """Read an expression as it stands in a card; arguments and errors as :func:`parse_condition`."""
    if isinstance(data, (int, float)) and not isinstance(data, bool):
        number = float(data)
        if not math.isfinite(number):
            raise ValueError("numbers in a condition must be finite")
        return number
    word, content = _word_and_content(data, "an expression", depth)
    if word == "feature":
        if not isinstance(content, str):
            raise ValueError("'feature' names one feature")
        return FeatureValue(content)
    if word in ("sum", "product"):
        parts = tuple(parse_expression(part, depth + 1) for part in _items(content, word))
        return Sum(parts) if word == "sum" else Product(parts)
    raise ValueError(f"'{word}' is no expression; known are a number, feature, sum, product")


def condition_as_data(condition: Condition) -> dict[str, Any]:
    """Write a condition the way a card holds it; the inverse of :func:`parse_condition`."""
    match condition:
        case Comparison():
            return {condition.comparator: [_expression_as_data(side) for side in (condition.left, condition.right)]}
        case AllOf():
            return {"all": [condition_as_data(part) for part in condition.parts]}
        case AnyOf():
            return {"any": [condition_as_data(part) for part in condition.parts]}
        case Not():
            return {"not": condition_as_data(condition.part)}


class StatutoryRule(BaseModel):
    """A condition of the law that decides a case whatever the score says.

    Attributes:
        id: Stable name of the rule.
        when: Whether it is checked before a score is made or after.
        condition: When it applies.
        outcome: Id of the outcome it leads to.
        citation: Where the law says so, in the language of the law.
        sentence: What the rule says, as a plain sentence.
        label: What the rule is called, as a noun.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Slug
    when: Literal["before_score", "after_score"]
    condition: Annotated[
        Condition, PlainValidator(parse_condition), PlainSerializer(condition_as_data, return_type=dict[str, Any])
    ]
    outcome: Slug
    citation: Text
    sentence: Words
    label: Words

    @property
    def feature_names(self) -> frozenset[str]:
        """Names of all features the condition reads."""
        return frozenset(_names_in(self.condition))


def fired(rule: StatutoryRule, features: Sequence[Feature], inputs: Mapping[str, object]) -> bool:
    """Say whether a rule applies to one case.

    Args:
        rule: The rule.
        features: The card's features.
        inputs: Feature name to value, all features of the card.

    Returns:
        True if it applies.

    Raises:
        InvalidInputError: If the inputs are not valid.
    """
    return bool(fired_on_rows(rule, features, to_row(features, inputs)[np.newaxis])[0])


def fired_on_rows(rule: StatutoryRule, features: Sequence[Feature], rows: Numbers) -> NDArray[np.bool_]:
    """Say for many cases at once whether a rule applies.

    Args:
        rule: The rule.
        features: The card's features.
        rows: Raw rows, shape (n_rows, n_features), in the order of the features.

    Returns:
        Shape (n_rows,).
    """
    columns = {feature.name: rows[:, index] for index, feature in enumerate(features)}
    return np.broadcast_to(_evaluate(rule.condition, columns), (len(rows),)).copy()


def _evaluate(condition: Condition, columns: Mapping[str, Numbers]) -> NDArray[np.bool_]:
    match condition:
        case Comparison():
            compare = _COMPARISONS[condition.comparator]
            return np.asarray(compare(_calculate(condition.left, columns), _calculate(condition.right, columns)))
        case AllOf():
            return np.asarray(np.all(np.broadcast_arrays(*(_evaluate(p, columns) for p in condition.parts)), axis=0))
        case AnyOf():
            return np.asarray(np.any(np.broadcast_arrays(*(_evaluate(p, columns) for p in condition.parts)), axis=0))
        case Not():
            return ~_evaluate(condition.part, columns)


def _calculate(expression: Expression, columns: Mapping[str, Numbers]) -> Numbers:
    match expression:
        case FeatureValue():
            return columns[expression.name]
        case Sum():
            total = np.zeros(())
            for part in expression.parts:
                total = total + _calculate(part, columns)
            return total
        case Product():
            product = np.ones(())
            for part in expression.parts:
                product = product * _calculate(part, columns)
            return product
        case _:
            return np.array(expression, dtype=np.float64)


def _expression_as_data(expression: Expression) -> float | dict[str, Any]:
    match expression:
        case FeatureValue():
            return {"feature": expression.name}
        case Sum():
            return {"sum": [_expression_as_data(part) for part in expression.parts]}
        case Product():
            return {"product": [_expression_as_data(part) for part in expression.parts]}
        case _:
            return expression


def _names_in(part: Condition | Expression) -> Iterator[str]:
    match part:
        case FeatureValue():
            yield part.name
        case Comparison():
            yield from _names_in(part.left)
            yield from _names_in(part.right)
        case Not():
            yield from _names_in(part.part)
        case AllOf() | AnyOf() | Sum() | Product():
            for inner in part.parts:
                yield from _names_in(inner)
        case _:
            return


def _word_and_content(data: object, what: str, depth: int) -> tuple[str, object]:
    if depth > MAX_DEPTH:
        raise ValueError(f"conditions may be nested {MAX_DEPTH} deep at most")
    if not isinstance(data, Mapping) or len(data) != 1:
        raise ValueError(f"{what} is written as one word and its content, such as {{greater: [a, b]}}")
    ((word, content),) = data.items()
    return str(word), content


def _items(content: object, word: str) -> Sequence[object]:
    if not isinstance(content, (list, tuple)) or not content:
        raise ValueError(f"'{word}' needs a list with at least one entry")
    return content
