"""Reads XGBoost's own files (``Booster.save_model`` as ``.json`` or ``.ubj``), without XGBoost.

Format: the JSON schema of XGBoost's documentation ("Introduction to Model IO"); what it leaves open was read in
``src/tree/tree_model.cc`` and ``src/objective`` of version 3.2.
"""

import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from models.conversion.source_trees import Leaf, Question, SourceEnsemble, SourceTree
from models.conversion.ubjson import read_ubjson
from models.errors import MalformedPackageError, UnsupportedModelError
from models.links import Link

_LINKS: Mapping[str, Link] = {
    "binary:logistic": "logistic",
    "reg:logistic": "logistic",
    "multi:softprob": "softmax",
    "multi:softmax": "softmax",
    "reg:squarederror": "identity",
    "reg:absoluteerror": "identity",
    "reg:pseudohubererror": "identity",
    "reg:quantileerror": "identity",
    "count:poisson": "exp",
    "reg:gamma": "exp",
    "reg:tweedie": "exp",
}
_MOST_SURE = 1e-7


def read_xgboost(content: bytes) -> SourceEnsemble:
    """Read an XGBoost model.

    Args:
        content: The file, JSON or UBJSON.

    Returns:
        Its trees.

    Raises:
        MalformedPackageError: If it is no such file.
        UnsupportedModelError: If the model is of a kind that cannot be read exactly.
    """
    try:
        # UBJSON has a type mark where JSON has a quotation mark or white space.
        is_json = content.lstrip()[1:].lstrip()[:1] == b'"'
        data = json.loads(content) if is_json else read_ubjson(content)
        return _read(data["learner"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise MalformedPackageError(
            f"The file is not a complete XGBoost model ({str(error)[:100]}): save the model again with "
            "model.save_model('model.json')."
        ) from error


def _read(learner: Mapping[str, Any]) -> SourceEnsemble:
    objective = learner["objective"]["name"]
    link = _LINKS.get(objective)
    if link is None:
        raise UnsupportedModelError(
            f"XGBoost models with the objective '{str(objective)[:60]}' are not read. Read are: {', '.join(_LINKS)}."
        )
    booster = learner["gradient_booster"]
    if booster["name"] not in ("gbtree", "dart"):
        raise UnsupportedModelError(
            f"XGBoost models with the booster '{str(booster['name'])[:40]}' are not read, only 'gbtree' and 'dart'."
        )
    model = (booster["gbtree"] if booster["name"] == "dart" else booster)["model"]
    trees, outputs = model["trees"], model["tree_info"]
    weights = booster["weight_drop"] if booster["name"] == "dart" else [1.0] * len(trees)
    parameters = learner["learner_model_param"]
    n_outputs = max(1, int(parameters["num_class"]), int(parameters.get("num_target", 1)))
    names = tuple(learner.get("feature_names") or ())
    return SourceEnsemble(
        trees=tuple(_tree(*tree) for tree in zip(trees, outputs, weights, strict=True)),
        link=link,
        base_values=_base_values(str(parameters["base_score"]), link, n_outputs),
        n_columns=int(parameters["num_feature"]),
        column_names=names,
        category_values=_category_values((model.get("cats") or {}).get("enc") or []),
    )


def _category_values(encodings: Sequence[Mapping[str, Any]]) -> dict[int, Sequence[str]] | None:
    """What the categories of a data frame are called, by column: texts one behind the other, or numbers (since 3.1)."""
    found: dict[int, Sequence[str]] = {}
    for column, encoding in enumerate(encodings):
        values = encoding["values"]
        if "offsets" in encoding:
            letters = bytes(int(value) & 0xFF for value in values)
            texts = [letters[start:end].decode("utf-8") for start, end in pairwise(encoding["offsets"])]
        else:
            texts = [f"{value:.15g}" for value in values]
        if texts:
            found[column] = texts
    return found or None


def _base_values(stored: str, link: Link, n_outputs: int) -> tuple[float, ...]:
    """Base scores stand in the score's unit, for one output or for each, and are added before the link."""
    scores = [_of_32_bits(part) for part in stored.strip("[]").split(",")]
    if len(scores) == 1:
        scores *= n_outputs
    if len(scores) != n_outputs:
        raise MalformedPackageError(f"The file has {len(scores)} base scores for {n_outputs} outputs.")
    return tuple(_before_link(score, link) for score in scores)


def _before_link(score: float, link: Link) -> float:
    if link == "logistic":
        share = min(max(score, _MOST_SURE), 1 - _MOST_SURE)
        return math.log(share / (1 - share))
    return math.log(score) if link == "exp" else score


def _of_32_bits(number: float | str) -> float:
    """JSON holds the shortest digits that tell 32-bit numbers apart; as a 64-bit number they lie beside the number."""
    return float(np.float32(number))


def _tree(tree: Mapping[str, Any], output: int, weight: float) -> SourceTree:
    if int(tree["tree_param"].get("size_leaf_vector", 1)) > 1:
        raise UnsupportedModelError(
            "XGBoost trees whose leaves hold several numbers are not read: train with "
            "multi_strategy='one_output_per_tree'."
        )
    sets = _sets(tree)
    left, right, conditions = tree["left_children"], tree["right_children"], tree["split_conditions"]
    nodes: list[Question | Leaf] = []
    for node, child in enumerate(left):
        if child == -1:
            nodes.append(((int(output), weight * _of_32_bits(conditions[node])),))
            continue
        column, missing_left = int(tree["split_indices"][node]), bool(tree["default_left"][node])
        if node in sets:
            # Members go right.
            nodes.append(
                Question(column=column, kind="one_of", members=sets[node], yes=int(right[node]), no=int(child),
                         missing_yes=not missing_left)
            )  # fmt: skip
        else:
            nodes.append(
                Question(column=column, kind="below", threshold=_of_32_bits(conditions[node]), yes=int(child),
                         no=int(right[node]), missing_yes=missing_left)
            )  # fmt: skip
    return tuple(nodes)


def _sets(tree: Mapping[str, Any]) -> dict[int, tuple[int, ...]]:
    categories: Sequence[int] = tree.get("categories") or []
    return {
        int(node): tuple(sorted(int(value) for value in categories[int(start) : int(start) + int(size)]))
        for node, start, size in zip(
            tree.get("categories_nodes") or [],
            tree.get("categories_segments") or [],
            tree.get("categories_sizes") or [],
            strict=True,
        )
    }
