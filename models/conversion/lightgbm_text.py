"""Reads LightGBM's own text files (``Booster.save_model``), without LightGBM.

The format is described nowhere but in LightGBM's source: ``src/io/tree.cpp`` (``Tree::ToString``,
``NumericalDecision``, ``CategoricalDecision`` in ``include/LightGBM/tree.h``) and ``src/boosting/gbdt_model_text.cpp``.
"""

import json
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from models.conversion.source_trees import Leaf, Question, SourceEnsemble, SourceTree
from models.errors import MalformedPackageError, UnsupportedModelError
from models.links import Link

_LINKS: Mapping[str, Link] = {
    "binary": "logistic",
    "cross_entropy": "logistic",
    "multiclass": "softmax",
    "multiclassova": "logistic",
    "regression": "identity",
    "regression_l1": "identity",
    "huber": "identity",
    "fair": "identity",
    "quantile": "identity",
    "mape": "identity",
    "poisson": "exp",
    "gamma": "exp",
    "tweedie": "exp",
}
_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_MISSING_IS_ZERO, _MISSING_IS_NAN = 1, 2
_BITS = 32


def looks_like_lightgbm(content: bytes) -> bool:
    """Whether a file begins as LightGBM's text files do."""
    return content.lstrip()[:5] == b"tree\n" or content.lstrip()[:6] == b"tree\r\n"


def read_lightgbm(content: bytes) -> SourceEnsemble:
    """Read a LightGBM model.

    Args:
        content: The text file.

    Returns:
        Its trees.

    Raises:
        MalformedPackageError: If it is no such file.
        UnsupportedModelError: If the model is of a kind that cannot be read exactly.
    """
    try:
        return _read(content.decode("utf-8").replace("\r\n", "\n"))
    except (KeyError, IndexError, ValueError, RecursionError) as error:
        raise MalformedPackageError(
            f"The file is not a complete LightGBM text file ({str(error)[:100]}): save the model again with "
            "booster.save_model('model.txt')."
        ) from error


def _read(text: str) -> SourceEnsemble:
    before, is_complete, _ = text.partition("\nend of trees")
    head, *blocks = re.split(r"\n(?=Tree=\d+\n)", before)
    header = _fields(head)
    if not is_complete or len(header["tree_sizes"].split(" ")) != len(blocks):
        raise ValueError("trees are missing at its end")
    n_outputs = int(header["num_tree_per_iteration"])
    link, scale = _link_of(header, n_outputs)
    if "average_output" in head.splitlines():
        scale /= len(blocks) / n_outputs
    trees = tuple(_tree(_fields(block), number % n_outputs, scale) for number, block in enumerate(blocks))
    names = header["feature_names"].split(" ")
    return SourceEnsemble(
        trees=trees,
        link=link,
        base_values=(0.0,) * n_outputs,
        n_columns=int(header["max_feature_idx"]) + 1,
        column_names=tuple(names),
        category_values=_category_values(text, header["feature_infos"].split(" ")),
    )


def _fields(block: str) -> dict[str, str]:
    return dict(line.split("=", maxsplit=1) for line in block.splitlines() if "=" in line)


def _link_of(header: Mapping[str, str], n_outputs: int) -> tuple[Link, float]:
    """Give the link, and what sums are multiplied by before it."""
    objective, *settings = header.get("objective", "regression").split(" ")
    parameters = dict(setting.split(":", maxsplit=1) for setting in settings if ":" in setting)
    link = _LINKS.get(objective)
    if link is None or "sqrt" in settings:
        raise UnsupportedModelError(
            f"LightGBM models with the objective '{header.get('objective', '')[:60]}' are not read. Read are: "
            f"{', '.join(_LINKS)}."
        )
    if (link == "softmax" or objective == "multiclassova") != (n_outputs > 1):
        raise MalformedPackageError("The number of trees in each round does not fit the objective.")
    return link, float(parameters.get("sigmoid", 1.0)) if link == "logistic" else 1.0


def _category_values(text: str, infos: Sequence[str]) -> dict[int, Sequence[str]] | None:
    """What pandas called the categories, by column: the file lists them in the order of the categorical columns."""
    found = re.search(r"^pandas_categorical:(\[.*\])$", text, flags=re.MULTILINE)
    listed = json.loads(found.group(1)) if found else []
    if not listed:
        return None
    # A column of numbers has its range in brackets; one that no tree uses says "none" and could be either.
    columns = [place for place, info in enumerate(infos) if not info.startswith("[") and info != "none"]
    if len(columns) != len(listed):
        raise UnsupportedModelError(
            "One of the model's categorical columns is never used, so that the file does not say which categories "
            "belong to which column. Train without this column, or give categories as whole numbers."
        )
    return {column: [str(value) for value in values] for column, values in zip(columns, listed, strict=True)}


def _tree(fields: Mapping[str, str], output: int, scale: float) -> SourceTree:
    if fields.get("is_linear", "0") != "0":
        raise UnsupportedModelError("LightGBM trees with linear models in their leaves are not read.")
    values = [float(value) for value in fields["leaf_value"].split(" ")]
    leaves: list[Leaf] = [((output, scale * value),) for value in values]
    n_inner = int(fields["num_leaves"]) - 1
    if n_inner != len(leaves) - 1:
        raise MalformedPackageError("A tree does not have as many leaves as it says.")
    if n_inner == 0:
        return (leaves[0],)
    sets = _sets(fields)
    lists = {name: fields[name].split(" ") for name in ("split_feature", "threshold", "decision_type")}
    children = {name: [int(child) for child in fields[name].split(" ")] for name in ("left_child", "right_child")}

    def position(child: int) -> int:
        # Leaves have negative numbers, from -1 on, and stand behind the inner nodes.
        return child if child >= 0 else n_inner + ~child

    questions = [
        _question(
            int(lists["split_feature"][node]),
            lists["threshold"][node],
            int(lists["decision_type"][node]),
            sets,
            (position(children["left_child"][node]), position(children["right_child"][node])),
        )
        for node in range(n_inner)
    ]
    return (*questions, *leaves)


def _question(
    column: int, threshold: str, decision: int, sets: Sequence[tuple[int, ...]], children: tuple[int, int]
) -> Question:
    yes, no = children
    if decision & _CATEGORICAL:
        members = sets[int(threshold)]
        return Question(column=column, kind="one_of", members=members, yes=yes, no=no, missing_yes=False)
    limit, default_left, missing = float(threshold), bool(decision & _DEFAULT_LEFT), (decision >> 2) & 3
    if missing == _MISSING_IS_ZERO and default_left != (limit >= 0):
        raise UnsupportedModelError(
            "The model was trained with zero_as_missing, and zeros take another way than their size says. Train it "
            "with missing values left empty."
        )
    # Where no missing values were seen in training, LightGBM takes a missing value for 0.
    missing_yes = default_left if missing == _MISSING_IS_NAN else limit >= 0
    return Question(column=column, kind="at_most", threshold=limit, yes=yes, no=no, missing_yes=missing_yes)


def _sets(fields: Mapping[str, str]) -> list[tuple[int, ...]]:
    if int(fields.get("num_cat", "0")) == 0:
        return []
    boundaries = [int(value) for value in fields["cat_boundaries"].split(" ")]
    words = [int(value) for value in fields["cat_threshold"].split(" ")]
    return [
        tuple(
            _BITS * place + bit
            for place, word in enumerate(words[first:last])
            for bit in range(_BITS)
            if word >> bit & 1
        )
        for first, last in pairwise(boundaries)
    ]
