"""Reads scikit-learn models saved by skops, after its audit of what would be made; needs the extra ``scikit-learn``."""

from collections.abc import Sequence
from typing import Any

import onnx
from onnx import TensorProto, helper

from models.card import ModelCard
from models.conversion.ensemble_onnx import checked_bytes, ensemble_nodes, ensemble_onnx, outputs_of
from models.conversion.hist_gradient_boosting import is_hist_gradient_boosting, read_hist_gradient_boosting
from models.conversion.source_trees import in_order_of
from models.errors import MalformedPackageError, ModelFeaturesMismatchError, UnsupportedModelError
from models.features import Feature

KNOWN_TYPES = frozenset(
    {
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        # Both stand in the encoder of histogram gradient boosting; another function would be named by itself.
        "functools.partial",
        "sklearn.utils.validation.check_array",
    }
)
"""Types that skops asks about and that only hold numbers or check a table; read in scikit-learn 1.9."""

_OPSETS = {"": 18, "ai.onnx.ml": 3}
_TABLE, _COLUMNS = "rows", "model_rows"


def read_skops(content: bytes, card: ModelCard, trusted: Sequence[str] = ()) -> bytes:
    """Read a scikit-learn model or pipeline and write it as ONNX.

    Args:
        content: A ``.skops`` file.
        card: Names the features.
        trusted: Further types that a person has looked at.

    Returns:
        The model as ONNX.

    Raises:
        UnsupportedModelError: If a library is missing, the file would make other types, or the model cannot be written
            as ONNX.
        MalformedPackageError: If it is no such file.
        ModelFeaturesMismatchError: If the model reads other columns than the card lists.
    """
    model = _audited(content, trusted)
    steps = [step for _, step in getattr(model, "steps", [])]
    last = steps[-1] if steps else model
    names = _column_names(model)
    if not is_hist_gradient_boosting(last):
        return _stock_export(model, card, names)
    if len(steps) <= 1:
        return ensemble_onnx(in_order_of(card.features, read_hist_gradient_boosting(last)))
    return _behind(_stock_export(model[:-1], card, names, in_64_bits=True), last)


def _audited(content: bytes, trusted: Sequence[str]) -> Any:
    """Load a file once it is known that it makes nothing but known types."""
    try:
        import skl2onnx  # noqa: F401, PLC0415 - an optional extra
        import skops.io  # noqa: PLC0415
    except ImportError as error:
        raise UnsupportedModelError(
            "Reading scikit-learn models needs a few libraries: pip install 'klarbescheid[scikit-learn]'."
        ) from error
    try:
        found = skops.io.get_untrusted_types(data=content)
    except Exception as error:  # skops raises whatever the zip archive and the JSON in it make go wrong
        raise MalformedPackageError(
            "The file is not a skops file: save the model with skops.io.dump(model, 'model.skops')."
        ) from error
    unknown = sorted(set(found) - KNOWN_TYPES - set(trusted))
    if unknown:
        raise UnsupportedModelError(
            f"The file would make objects of types that nobody here has looked at: {', '.join(unknown)[:600]}. Only "
            "if you know where each of them comes from and what it does, name it: "
            + " ".join(f"--trust {name}" for name in unknown)[:600]
        )
    try:
        return skops.io.loads(content, trusted=found)
    except Exception as error:
        raise MalformedPackageError(
            f"skops cannot load the file ({str(error)[:200]}): install the version of scikit-learn it was saved with."
        ) from error


def _column_names(model: Any) -> list[str]:
    """Names of the columns a model was trained with; empty where the table had none."""
    first = model.steps[0][1] if hasattr(model, "steps") else model
    return [str(name) for name in getattr(first, "feature_names_in_", ())]


def _stock_export(model: Any, card: ModelCard, names: list[str], *, in_64_bits: bool = False) -> bytes:
    from skl2onnx import to_onnx  # noqa: PLC0415 - an optional extra
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType  # noqa: PLC0415

    number_type = DoubleTensorType if in_64_bits else FloatTensorType

    by_name = bool(names) and _reads_by_name(model)
    order = _order(card.features, names, _n_columns(model))
    types = (
        _named_inputs([card.features[position] for position in order], number_type)
        if by_name
        else [(_COLUMNS, number_type([None, len(order)]))]
    )
    options = {"zipmap": False} if hasattr(model, "predict_proba") else None
    try:
        exported = to_onnx(model, initial_types=types, options=options, target_opset=_OPSETS)
    except Exception as error:  # every converter raises its own kinds
        reason = (str(error).splitlines() or [type(error).__name__])[0][:300]
        raise UnsupportedModelError(
            f"skl2onnx cannot write this model as ONNX: {reason} LightGBM, XGBoost and CatBoost models are added in "
            "their own files."
        ) from error
    if by_name:
        return checked_bytes(_with_unread_inputs(exported, card.features, {name for name, _ in types}))
    return checked_bytes(_over_the_card(exported, order, len(card.features)))


def _reads_by_name(model: Any) -> bool:
    """Whether a step chooses columns by their names, or by anything but their place."""
    first = model.steps[0][1] if hasattr(model, "steps") else model
    return hasattr(first, "transformers_")


def _n_columns(model: Any) -> int:
    first = model.steps[0][1] if hasattr(model, "steps") else model
    return int(first.n_features_in_)


def _order(features: Sequence[Feature], names: list[str], n_columns: int) -> list[int]:
    known = [feature.name for feature in features]
    if names:
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ModelFeaturesMismatchError(
                f"The model reads columns that the card does not list as features: {', '.join(unknown)[:300]}. Give "
                "the features in the card the same names."
            )
        return [known.index(name) for name in names]
    if n_columns != len(known):
        raise ModelFeaturesMismatchError(
            f"The model reads {n_columns} columns without names, the card lists {len(known)} features. List them in "
            "the card in the order of the model's columns."
        )
    return list(range(n_columns))


def _named_inputs(features: Sequence[Feature], number_type: Any) -> list[tuple[str, Any]]:
    from skl2onnx.common.data_types import StringTensorType  # noqa: PLC0415 - an optional extra

    return [
        (one.name, StringTensorType([None, 1]) if one.kind == "category" else number_type([None, 1]))
        for one in features
    ]


def _with_unread_inputs(model: onnx.ModelProto, features: Sequence[Feature], read: set[str]) -> onnx.ModelProto:
    """Add inputs for features that only rules read, so that inputs and card are the same."""
    for feature in features:
        if feature.name not in read:
            model.graph.input.append(helper.make_tensor_value_info(feature.name, TensorProto.FLOAT, [None, 1]))
    return model


def _over_the_card(model: onnx.ModelProto, order: list[int], n_features: int) -> onnx.ModelProto:
    """Let a model over its own columns read a table in the order of the card."""
    element_type = model.graph.input[0].type.tensor_type.elem_type
    del model.graph.input[:]
    model.graph.input.append(helper.make_tensor_value_info(_TABLE, element_type, [None, n_features]))
    if order == list(range(n_features)):
        step = helper.make_node("Identity", [_TABLE], [_COLUMNS])
    else:
        model.graph.initializer.append(helper.make_tensor("card_order", TensorProto.INT64, [len(order)], order))
        step = helper.make_node("Gather", [_TABLE, "card_order"], [_COLUMNS], axis=1)
    model.graph.node.insert(0, step)
    return model


def _behind(preprocessing: bytes, boosting: Any) -> bytes:
    """Put trees behind steps that stock converters write."""
    model = onnx.load_model_from_string(preprocessing)
    if len(model.graph.output) != 1:
        raise UnsupportedModelError("The steps before the trees give more than one table.")
    ensemble = read_hist_gradient_boosting(boosting)
    if ensemble.category_values:
        raise UnsupportedModelError(
            "Histogram gradient boosting with categories of its own is read without steps before it, or with an "
            "OrdinalEncoder before it."
        )
    table = model.graph.output[0].name
    del model.graph.output[:]
    # scikit-learn computes these columns in 64 bits; in 32 bits a value on a threshold could fall on its other side.
    model.graph.node.append(helper.make_node("Cast", [table], ["columns"], to=TensorProto.FLOAT))
    model.graph.node.extend(ensemble_nodes(ensemble, "columns", rounding="nearest"))
    model.graph.output.extend(outputs_of(ensemble))
    return checked_bytes(model)
