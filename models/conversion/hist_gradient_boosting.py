"""Reads scikit-learn's histogram gradient boosting, which stock exporters cannot write or write wrongly.

skl2onnx 1.20 fails on its numbers with NumPy 2, reads its categories as numbers and forgets the exponential of counts.
scikit-learn has no public access to the trees; what is used here was read in version 1.9
(``sklearn/ensemble/_hist_gradient_boosting/{gradient_boosting,predictor}.py``, ``_predictor.pyx``).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.conversion.source_trees import Leaf, Question, SourceEnsemble, SourceTree
from models.errors import UnsupportedModelError
from models.links import Link

_EXPONENTIAL = ("poisson", "gamma")
_BITS = 32


def is_hist_gradient_boosting(model: Any) -> bool:
    """Whether a scikit-learn model is one of the two."""
    return type(model).__name__ in ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")


def read_hist_gradient_boosting(model: Any) -> SourceEnsemble:
    """Read the trees of a fitted model.

    Args:
        model: ``HistGradientBoostingClassifier`` or ``HistGradientBoostingRegressor``.

    Returns:
        Its trees.

    Raises:
        UnsupportedModelError: If the installed scikit-learn keeps them otherwise.
    """
    try:
        return _read(model)
    except (AttributeError, IndexError, KeyError, ValueError) as error:
        raise UnsupportedModelError(
            "The installed scikit-learn keeps the trees of histogram gradient boosting in another way than those that "
            f"are read ({str(error)[:100]}): use scikit-learn 1.8 or 1.9 here."
        ) from error


def _read(model: Any) -> SourceEnsemble:
    n_columns = int(model.n_features_in_)
    columns, values = _columns(model, n_columns)
    trees = tuple(
        _tree(predictor, output, columns, values)
        for iteration in model._predictors  # noqa: SLF001 - see above
        for output, predictor in enumerate(iteration)
    )
    baseline = np.asarray(model._baseline_prediction, dtype=np.float64).ravel()  # noqa: SLF001
    named = {column: tuple(map(str, known)) for column, known in values.items() if known.dtype.kind not in "fiub"}
    return SourceEnsemble(
        trees=trees,
        link=_link_of(model, len(baseline)),
        base_values=tuple(baseline.tolist()),
        n_columns=n_columns,
        column_names=tuple(str(name) for name in getattr(model, "feature_names_in_", ())),
        category_values=named or None,
    )


def _link_of(model: Any, n_outputs: int) -> Link:
    if hasattr(model, "classes_"):
        return "logistic" if n_outputs == 1 else "softmax"
    return "exp" if model.loss in _EXPONENTIAL else "identity"


def _columns(model: Any, n_columns: int) -> tuple[list[int], dict[int, np.ndarray[Any, Any]]]:
    """Give the input column of each column of the trees, and what the categories of an input column are."""
    if model.is_categorical_ is None:
        return list(range(n_columns)), {}
    categorical = np.flatnonzero(model.is_categorical_).tolist()
    others = np.flatnonzero(~np.asarray(model.is_categorical_)).tolist()
    # The model's own encoder puts categories in front and numbers them from 0.
    encoder = model._preprocessor.named_transformers_["encoder"]  # noqa: SLF001
    known = dict(zip(categorical, map(np.asarray, encoder.categories_), strict=True))
    return [*categorical, *others], known


def _tree(predictor: Any, output: int, columns: Sequence[int], values: dict[int, np.ndarray[Any, Any]]) -> SourceTree:
    nodes: list[Question | Leaf] = []
    for node in predictor.nodes:
        if node["is_leaf"]:
            nodes.append(((output, float(node["value"])),))
            continue
        column, missing_yes = columns[int(node["feature_idx"])], bool(node["missing_go_to_left"])
        yes, no = int(node["left"]), int(node["right"])
        if node["is_categorical"]:
            members = _members(predictor.raw_left_cat_bitsets[int(node["bitset_idx"])], values[column])
            nodes.append(
                Question(column=column, kind="one_of", members=members, yes=yes, no=no, missing_yes=missing_yes,
                         unknown_yes=missing_yes)
            )  # fmt: skip
        else:
            nodes.append(
                Question(column=column, kind="at_most", threshold=float(node["num_threshold"]), yes=yes, no=no,
                         missing_yes=missing_yes)
            )  # fmt: skip
    return tuple(nodes)


def _members(words: Sequence[int], known: np.ndarray[Any, Any]) -> tuple[int, ...]:
    """Give the numbers of a set of categories; where categories are numbers themselves, those."""
    numbers = [_BITS * place + bit for place, word in enumerate(words) for bit in range(_BITS) if int(word) >> bit & 1]
    inside = [number for number in numbers if number < len(known)]
    if known.dtype.kind in "fiub":
        return tuple(int(known[number]) for number in inside if np.isfinite(known[number]))
    return tuple(inside)
