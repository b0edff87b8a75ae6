"""Reads CatBoost models: its JSON files by ourselves, its binary files through CatBoost, which writes them as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from models.conversion.source_trees import Leaf, Question, SourceEnsemble, SourceTree
from models.errors import MalformedPackageError, UnsupportedModelError
from models.links import Link

_LINKS: Mapping[str, Link] = {
    "Logloss": "logistic",
    "CrossEntropy": "logistic",
    "MultiClass": "softmax",
    "MultiClassOneVsAll": "logistic",
    "RMSE": "identity",
    "MAE": "identity",
    "Quantile": "identity",
    "MAPE": "identity",
    "Huber": "identity",
    "LogCosh": "identity",
    "Poisson": "exp",
    "Tweedie": "exp",
}
_MOST_DEEP = 16


def read_catboost(content: bytes) -> SourceEnsemble:
    """Read a binary CatBoost file; needs the extra ``catboost``.

    Args:
        content: A ``.cbm`` file.

    Returns:
        Its trees.

    Raises:
        UnsupportedModelError: If CatBoost is not installed, or the model is of a kind that is not read.
        MalformedPackageError: If it is no such file.
    """
    try:
        import catboost  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise UnsupportedModelError(
            "Reading CatBoost's binary files needs CatBoost: pip install 'klarbescheid[catboost]'. Or save the model "
            "where it was trained with model.save_model('model.json', format='json') and add that file."
        ) from error
    with TemporaryDirectory() as folder:
        binary, readable = Path(folder) / "model.cbm", Path(folder) / "model.json"
        binary.write_bytes(content)
        model = catboost.CatBoost()
        try:
            model.load_model(str(binary))
            model.save_model(str(readable), format="json")
        except catboost.CatBoostError as error:
            reason = (str(error).splitlines() or ["no reason given"])[0][:200]
            raise MalformedPackageError(f"CatBoost cannot read the file: {reason}.") from error
        return read_catboost_json(readable.read_bytes())


def looks_like_catboost(data: Any) -> bool:
    """Whether parsed JSON is a CatBoost model."""
    return isinstance(data, dict) and "features_info" in data and "scale_and_bias" in data


def read_catboost_json(content: bytes) -> SourceEnsemble:
    """Read a CatBoost model saved as JSON.

    Args:
        content: The file.

    Returns:
        Its trees.

    Raises:
        UnsupportedModelError: If the model is of a kind that is not read.
        MalformedPackageError: If it is no such file.
    """
    try:
        return _read(json.loads(content))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise MalformedPackageError(
            f"The file is not a complete CatBoost model ({str(error)[:100]}): save it again with "
            "model.save_model('model.json', format='json')."
        ) from error


def _read(data: Mapping[str, Any]) -> SourceEnsemble:
    loss = str(data["model_info"]["params"]["loss_function"]["type"])
    link = _LINKS.get(loss)
    if link is None:
        raise UnsupportedModelError(
            f"CatBoost models with the loss '{loss[:60]}' are not read. Read are: {', '.join(_LINKS)}."
        )
    info = data["features_info"]
    if info.get("categorical_features"):
        raise UnsupportedModelError(
            "CatBoost replaces categories by statistics of its training data, which only CatBoost can compute. Encode "
            "them before training, for example one column of 0 and 1 for each category."
        )
    if "oblivious_trees" not in data:
        raise UnsupportedModelError(
            "Only CatBoost's symmetric trees are read: train with grow_policy='SymmetricTree', or save the model as "
            "ONNX with model.save_model('model.onnx', format='onnx')."
        )
    features = sorted(info["float_features"], key=lambda feature: int(feature["flat_feature_index"]))
    scale, biases = data["scale_and_bias"]
    biases = [float(bias) for bias in (biases if isinstance(biases, list) else [biases])]
    missing = {
        int(feature["feature_index"]): feature.get("nan_value_treatment", "AsIs") == "AsTrue" for feature in features
    }
    names = tuple(str(feature.get("feature_id") or place) for place, feature in enumerate(features))
    return SourceEnsemble(
        trees=tuple(_tree(tree, float(scale), len(biases), missing) for tree in data["oblivious_trees"]),
        link=link,
        base_values=tuple(biases),
        n_columns=len(features),
        column_names=names,
    )


def _tree(tree: Mapping[str, Any], scale: float, n_outputs: int, missing: Mapping[int, bool]) -> SourceTree:
    """Unfold a symmetric tree: each level asks one question; a leaf's number has its answers as bits, first lowest."""
    splits: Sequence[Mapping[str, Any]] = tree.get("splits") or []
    if len(splits) > _MOST_DEEP:
        raise UnsupportedModelError(f"Trees deeper than {_MOST_DEEP} are not read.")
    strange = {split["split_type"] for split in splits} - {"FloatFeature"}
    if strange:
        raise UnsupportedModelError(f"CatBoost trees with splits of the kind {min(strange)[:40]} are not read.")
    values = [scale * float(value) for value in tree["leaf_values"]]
    if len(values) != n_outputs << len(splits):
        raise MalformedPackageError("A tree does not have as many leaves as its splits make.")
    nodes: list[Question | Leaf] = []

    def unfold(level: int, number: int) -> int:
        here = len(nodes)
        if level == len(splits):
            own = values[number * n_outputs : (number + 1) * n_outputs]
            nodes.append(tuple(enumerate(own)))
            return here
        split = splits[level]
        column = int(split["float_feature_index"])
        nodes.append(())  # replaced when its children are known
        yes = unfold(level + 1, number)
        no = unfold(level + 1, number | 1 << level)
        nodes[here] = Question(
            column=column, kind="at_most", threshold=float(split["border"]), yes=yes, no=no,
            missing_yes=not missing[column],
        )  # fmt: skip
        return here

    unfold(0, 0)
    return tuple(nodes)
