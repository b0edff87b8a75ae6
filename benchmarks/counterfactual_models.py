"""Models B and D with what people could change in them: what our search and the peers are given alike."""

from dataclasses import dataclass

import numpy as np
import yaml
from numpy.typing import NDArray

from benchmarks.trained_models import TrainedModel, trained_model
from models import manifest
from models.card import ModelCard
from models.catalogue import bundled_packages_folder
from models.evaluation import parse_evaluation
from models.onnx_model import OnnxModel
from models.package import Background, ModelPackage, Reference
from models.words import Words

BACKGROUND_ROWS = 1_000
STEP = 0.01
"""Our search shows multiples of it; the peers may choose any number."""


@dataclass(frozen=True, kw_only=True)
class Levers:
    """What people could change in a model.

    Attributes:
        name: Name of the trained model.
        changeable: Columns that may change.
        rising: Columns of these that may only rise.
        falling: Columns of these that may only fall.
        yes_or_no: Columns that are 0 or 1.
    """

    name: str
    changeable: tuple[int, ...]
    rising: tuple[int, ...]
    falling: tuple[int, ...]
    yes_or_no: tuple[int, ...]


MODEL_B = Levers(name="boosting_300x31", changeable=tuple(range(4, 20)), rising=(4, 5), falling=(6,), yes_or_no=())
MODEL_D = Levers(
    name="boosting_315_features",
    changeable=tuple(column for column in range(135) if column % 3),
    rising=(1, 76),
    falling=(4, 77),
    yes_or_no=tuple(range(75, 315)),
)
EIGHT_LEVERS = Levers(name="boosting_300x31", changeable=tuple(range(12, 20)), rising=(), falling=(), yes_or_no=())
"""Model B for people who can change so little that often nothing helps."""


def package_with(levers: Levers) -> tuple[ModelPackage, NDArray[np.float64]]:
    """Make a package whose people may change these columns.

    Args:
        levers: The columns.

    Returns:
        The package, and rows that are neither in its background nor in the training data.
    """
    trained = trained_model(levers.name)
    background, rest = trained.rows[:BACKGROUND_ROWS], trained.rows[BACKGROUND_ROWS:]
    card = ModelCard.model_validate(_card(trained, levers, background))
    model = OnnxModel(trained.onnx_bytes, card)
    bundled = (bundled_packages_folder() / "wohngeld" / manifest.EVALUATION).read_bytes()
    package = ModelPackage(
        card=card,
        sha256="0" * 64,
        model=model,
        reading=trained.forest(),
        background=Background(
            rows=background,
            weights=np.ones(BACKGROUND_ROWS),
            name="synthetic",
            origin=Words(de="Erfunden.", en="Made up."),
            mean_score_gap=0.0,
            sha256="1" * 64,
        ),
        reference=Reference(rows=background, scores=trained.scores[:BACKGROUND_ROWS]),
        evaluation=parse_evaluation(bundled),
    )
    return package, rest


def _card(trained: TrainedModel, levers: Levers, background: NDArray[np.float64]) -> dict[str, object]:
    bundled = yaml.safe_load((bundled_packages_folder() / "wohngeld" / manifest.CARD).read_text(encoding="utf-8"))
    features = []
    for column, name in enumerate(trained.feature_names):
        words = {"de": name, "en": name}
        # The peers do nothing like telling which values may be wrong, so our search leaves that out here.
        feature: dict[str, object] = {"name": name, "label": words, "source": words, "disputable": False}
        direction = "up" if column in levers.rising else "down" if column in levers.falling else "either"
        actionable: dict[str, object] = {"direction": direction}
        if column in levers.yes_or_no:
            feature["kind"] = "boolean"
        else:
            feature |= {"kind": "number", "decimals": 2}
            values = background[:, column]
            actionable |= {"minimum": float(values.min()), "maximum": float(values.max()), "step": STEP}
        if column in levers.changeable:
            feature["actionable"] = actionable
        features.append(feature)
    return bundled | {"slug": "synthetic", "features": features, "rules": [], "threshold": 0.5}
