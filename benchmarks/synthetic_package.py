"""A whole package around a trained model: a card with generated features, background, reference and evaluation.

The law, the office and the people are those of the bundled card; only what the model reads is made up here.
"""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.trained_models import TrainedModel
from models import manifest
from models.calibration import calibration_bins
from models.card import ModelCard
from models.catalogue import bundled_packages_folder
from models.evaluation import Confusion, Evaluation
from models.words import Words

BACKGROUND_ROWS = 1_000
REFERENCE_ROWS = 200
ACTIONABLE_EVERY = 2
"""Every second feature can be changed by the person."""

THRESHOLD = 0.5
EVALUATED_ON = date(2026, 11, 1)


def write_synthetic_package(model: TrainedModel, folder: Path, *, slug: str) -> Path:
    """Write a package that our service loads like any other.

    Args:
        model: The trained model; its features are numbers.
        folder: Folder of packages; the package gets a folder of its own in it.
        slug: Name of the package.

    Returns:
        The package's folder.
    """
    package = folder / slug
    package.mkdir(parents=True)
    card = _card(model, slug)
    (package / manifest.CARD).write_text(yaml.safe_dump(card, allow_unicode=True, sort_keys=False), encoding="utf-8")
    (package / manifest.MODEL).write_bytes(model.onnx_bytes)
    background, rest = model.rows[:BACKGROUND_ROWS], slice(BACKGROUND_ROWS, None)
    np.savez(
        package / manifest.BACKGROUND,
        rows=background,
        weights=np.ones(BACKGROUND_ROWS),
        name=np.array(f"{slug}-background"),
        origin_de=np.array("Die Zeilen sind erfunden."),
        origin_en=np.array("The rows are made up."),
        mean_score_gap=np.array(model.scores[:BACKGROUND_ROWS].mean() - model.scores.mean()),
    )
    reference = slice(BACKGROUND_ROWS, BACKGROUND_ROWS + REFERENCE_ROWS)
    np.savez(package / manifest.REFERENCE, rows=model.rows[reference], scores=model.scores[reference])
    evaluation = _evaluation(model.scores[rest], ModelCard.model_validate(card))
    (package / manifest.EVALUATION).write_text(evaluation.model_dump_json(), encoding="utf-8")
    manifest.write_manifest(package)
    return package


def _card(model: TrainedModel, slug: str) -> dict[str, Any]:
    bundled = yaml.safe_load((bundled_packages_folder() / "wohngeld" / manifest.CARD).read_text(encoding="utf-8"))
    features = [
        _feature(place, name, model.rows[:BACKGROUND_ROWS, place]) for place, name in enumerate(model.feature_names)
    ]
    return bundled | {"slug": slug, "features": features, "rules": [], "threshold": THRESHOLD}


def _feature(place: int, name: str, values: np.ndarray) -> dict[str, Any]:
    feature = {
        "name": name,
        "label": {"de": f"Messwert {place + 1}", "en": f"Reading {place + 1}"},
        "kind": "number",
        "unit": {"de": "Punkte", "en": "points"},
        "decimals": 2,
        "source": {"de": "Antrag", "en": "application"},
    }
    if place % ACTIONABLE_EVERY == 0:
        lowest, highest = np.round(np.quantile(values, (0.01, 0.99)), 1).tolist()
        feature["actionable"] = {"direction": "either", "minimum": lowest, "maximum": highest, "step": 0.1}
    return feature


def _evaluation(scores: np.ndarray, card: ModelCard) -> Evaluation:
    # The scores are taken at their word: of 100 cases with 0.3, 30 turn out favourable.
    favourable = np.random.default_rng(3).random(len(scores)) < scores
    above = scores >= card.threshold
    confusion = Confusion(
        favourable_confirmed=int(np.sum(above & favourable)),
        favourable_wrong=int(np.sum(above & ~favourable)),
        unfavourable_confirmed=int(np.sum(~above & ~favourable)),
        unfavourable_wrong=int(np.sum(~above & favourable)),
    )
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores)] = np.arange(1, len(scores) + 1)
    n_favourable = int(favourable.sum())
    pairs = n_favourable * (len(scores) - n_favourable)
    return Evaluation(
        schema_name="evaluation/1",
        model_version=card.version,
        as_of=EVALUATED_ON,
        n=len(scores),
        threshold=card.threshold,
        accuracy=round(confusion.agreeing / len(scores), 6),
        # Mann and Whitney: the share of pairs in which the favourable case scores higher.
        auc=round(float((ranks[favourable].sum() - n_favourable * (n_favourable + 1) / 2) / pairs), 6),
        confusion=confusion,
        calibration=calibration_bins(scores, favourable, 10),
        groups=(),
        about=Words(de="Die Fälle sind erfunden.", en="The cases are made up."),
    )
