"""Tree ensembles as boosting libraries keep them, between their own files and ONNX."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from models.errors import ModelFeaturesMismatchError
from models.features import Feature
from models.links import Link


@dataclass(frozen=True, slots=True)
class Question:
    """An inner node.

    Attributes:
        column: Column it asks about.
        kind: ``at_most`` asks value <= threshold, ``below`` value < threshold, ``one_of`` whether it is a member.
        threshold: For the first two, 64 bits as in the library's file.
        members: For the last, whole numbers.
        yes: Position of the child if the answer is yes.
        no: Position of the child if the answer is no.
        missing_yes: Whether a missing value takes the branch of yes.
        unknown_yes: For members of named categories: whether those of the card that the library never saw answer yes.
    """

    column: int
    kind: Literal["at_most", "below", "one_of"]
    yes: int
    no: int
    missing_yes: bool
    threshold: float = 0.0
    members: tuple[int, ...] = ()
    unknown_yes: bool = False


Leaf = tuple[tuple[int, float], ...]
"""What a leaf adds: pairs of output and number."""

SourceTree = tuple[Question | Leaf, ...]
"""Nodes of one tree, the root first."""


@dataclass(frozen=True, kw_only=True)
class SourceEnsemble:
    """Trees whose leaves add up.

    Attributes:
        trees: The trees.
        link: How a score follows from the sum; for several outputs of all of them.
        base_values: Added to each output; as many as there are outputs.
        n_columns: Columns the trees may ask about.
        column_names: Names of the columns in their order; empty where the library's file has none.
        category_values: Column to what its whole numbers stand for, where the library numbered categories itself.
    """

    trees: tuple[SourceTree, ...]
    link: Link
    base_values: tuple[float, ...]
    n_columns: int
    column_names: tuple[str, ...] = ()
    category_values: Mapping[int, Sequence[str]] | None = None


def in_order_of(features: Sequence[Feature], ensemble: SourceEnsemble) -> SourceEnsemble:
    """Let an ensemble read the columns of a card: in its order, categories by their position there.

    Args:
        features: The card's features. It may list more than the ensemble reads where columns have names.
        ensemble: As the library wrote it.

    Returns:
        The same ensemble over the card's features.

    Raises:
        ModelFeaturesMismatchError: If a column or category is not in the card; names all of them.
    """
    position_of = _positions(features, ensemble)
    number_of = {
        column: _numbers_of_categories(features[position_of[column]], values)
        for column, values in (ensemble.category_values or {}).items()
    }

    def moved(node: Question) -> Question:
        position, numbers = position_of[node.column], number_of.get(node.column)
        members = node.members
        if numbers is not None:
            named = {numbers[member] for member in members if member in numbers}
            unseen = set(range(len(features[position].categories))) - set(numbers.values())
            members = tuple(sorted(named | unseen if node.unknown_yes else named))
        return replace(node, column=position, members=members)

    trees = tuple(
        tuple(moved(node) if isinstance(node, Question) else node for node in tree) for tree in ensemble.trees
    )
    names = tuple(feature.name for feature in features)
    return replace(ensemble, trees=trees, n_columns=len(features), column_names=names, category_values=None)


def _positions(features: Sequence[Feature], ensemble: SourceEnsemble) -> list[int]:
    names = [feature.name for feature in features]
    if ensemble.column_names and set(ensemble.column_names) <= set(names):
        return [names.index(name) for name in ensemble.column_names]
    if any(name in names for name in ensemble.column_names) or not _are_numbered(ensemble.column_names):
        unknown = [name for name in ensemble.column_names if name not in names]
        raise ModelFeaturesMismatchError(
            f"The model reads columns that the card does not list as features: {', '.join(unknown)[:300]}. Give the "
            "features in the card the same names."
        )
    if ensemble.n_columns != len(names):
        raise ModelFeaturesMismatchError(
            f"The model reads {ensemble.n_columns} columns without names, the card lists {len(names)} features. List "
            "them in the card in the order of the model's columns."
        )
    return list(range(len(names)))


def _are_numbered(names: Sequence[str]) -> bool:
    """Whether a library made the names up: Column_0, f0 or 0 and so on."""
    return all(name in (f"Column_{number}", f"f{number}", str(number)) for number, name in enumerate(names))


def _numbers_of_categories(feature: Feature, values: Sequence[str]) -> dict[int, int]:
    """Give for each number of the library the position in the card, or the number itself where the card has numbers."""
    if feature.kind in ("number", "integer"):
        try:
            return {number: int(value) for number, value in enumerate(values)}
        except ValueError:
            pass  # texts: refused below
    if feature.kind == "boolean":
        known = ["false", "true"]
        values = [value.lower() for value in values]
    else:
        known = [category.value for category in feature.categories]
    strange = [value for value in values if value not in known]
    if strange or feature.kind not in ("category", "boolean"):
        raise ModelFeaturesMismatchError(
            f"The model knows the categories {', '.join(values)[:200]} of '{feature.name}'; in the card it must be a "
            "category that lists all of them."
        )
    return {number: known.index(value) for number, value in enumerate(values)}
