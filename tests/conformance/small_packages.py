"""Small model packages made by hand: real card, real runtime, real trees; no files."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.card import ModelCard
from models.evaluation import Evaluation
from models.features import Feature
from models.forest import Forest, read_forest
from models.onnx_model import OnnxModel
from models.package import Background, ModelPackage, Reference
from models.words import Words
from tests.conformance.small_forests import as_onnx

FILLER = {"de": "Platzhalter für Prüfungen.", "en": "Filler for tests."}
WORDS = Words(de="Angabe", en="detail")


def feature(name: str, kind: str = "number", **more: Any) -> Feature:
    """Make a feature; ``actionable`` may be given as (direction, minimum, maximum, step)."""
    action = more.pop("actionable", None)
    if action is not None:
        more["actionable"] = dict(zip(("direction", "minimum", "maximum", "step"), action, strict=True))
    categories = [{"value": value, "label": WORDS} for value in more.pop("categories", ())]
    return Feature.model_validate(
        {"name": name, "label": WORDS, "source": WORDS, "kind": kind, "categories": categories, **more}
    )


def small_card(
    features: Sequence[Feature], rules: Sequence[Mapping[str, Any]] = (), threshold: float = 0.5
) -> ModelCard:
    """Make a card whose outcomes are ``granted`` (at or above the threshold) and ``refused``."""
    outcomes = [
        {"id": name, "label": FILLER, "decided": FILLER, "suggested": FILLER, "favourable": name == "granted"}
        for name in ("granted", "refused")
    ]
    texts = (
        "name purpose why_used risk_basis department decider_role how_it_works oversight affected risks "
        "equal_treatment training_data monitoring objection_procedure not_used"
    )
    authority = {"name": FILLER, "postal_address": "Marktplatz 1", "phone": "+49 30 1234"}
    return ModelCard.model_validate(
        {
            **dict.fromkeys(texts.split(), FILLER),
            "slug": "small",
            "version": "1",
            "in_use_since": "2026-01-01",
            "status": "pilot",
            "domain": "generic",
            "area": "Musterstadt",
            "role": "sorts",
            "procedure": "sgb_x",
            "discretion": False,
            "is_ai": True,
            "risk_class": "limited",
            "legal_basis": [{"citation": "§ 1 WoGG", "text": FILLER}],
            "contact": {
                "phone": "+49 30 1234",
                "postal_address": "Marktplatz 1",
                "hours": FILLER,
                "email": "amt@example.org",
            },
            "data_protection_authority": authority,
            "market_surveillance": authority,
            "score": {"unit": "probability", "scale": 100, "label": FILLER, "meaning": FILLER},
            "additive_unit": "log_odds",
            "threshold": threshold,
            "outcomes": outcomes,
            "outcome_at_or_above": "granted",
            "outcome_below": "refused",
            "features": tuple(features),
            "rules": [
                {"citation": "§ 21 WoGG", "sentence": FILLER, "label": FILLER, "when": "before_score", **rule}
                for rule in rules
            ],
            "limits": [],
        }
    )


def small_package(
    features: Sequence[Feature],
    forest: Forest,
    background: NDArray[np.float64],
    *,
    weights: NDArray[np.float64] | None = None,
    rules: Sequence[Mapping[str, Any]] = (),
    threshold: float = 0.5,
) -> ModelPackage:
    """Make a package around a forest; onnxruntime scores, and the trees are read back from ONNX."""
    card = small_card(features, rules, threshold)
    onnx_bytes = as_onnx(forest)
    model = OnnxModel(onnx_bytes, card)
    return ModelPackage(
        card=card,
        sha256="0" * 64,
        model=model,
        reading=read_forest(onnx_bytes, card.feature_names),
        background=Background(
            rows=background,
            weights=np.ones(len(background)) if weights is None else weights,
            name="small",
            origin=WORDS,
            mean_score_gap=0.01,
            sha256="1" * 64,
        ),
        reference=Reference(rows=background, scores=model.score(background)),
        evaluation=small_evaluation(threshold),
    )


def small_evaluation(threshold: float) -> Evaluation:
    """Make an evaluation with enough cases above a score of 0.5 and too few below."""
    return Evaluation.model_validate(
        {
            "schema_name": "evaluation/1",
            "model_version": "1",
            "as_of": "2026-01-31",
            "n": 100,
            "threshold": threshold,
            "accuracy": 0.9,
            "auc": 0.95,
            "confusion": {
                "favourable_confirmed": 85,
                "favourable_wrong": 7,
                "unfavourable_confirmed": 5,
                "unfavourable_wrong": 3,
            },
            "calibration": [
                {"low": 0, "high": 0.5, "n": None, "favourable_per_100": None, "interval": None},
                {"low": 0.5, "high": 1, "n": 92, "favourable_per_100": 92.4, "interval": [85, 96.3]},
            ],
            "groups": [],
            "about": FILLER,
        }
    )
