"""Cards for tests: the bundled one as plain data to change, and small ones made to measure."""

import json
from typing import Any

import yaml

from models.card import ModelCard
from tests.unit.models.tree_models import WOHNGELD


def card_data() -> dict[str, Any]:
    """Give the bundled card as data, fresh each time."""
    data: dict[str, Any] = yaml.safe_load((WOHNGELD / "card.yaml").read_text("utf-8"))
    return data


def card_bytes(data: dict[str, Any]) -> bytes:
    """Write changed data as a card."""
    # Through JSON, so that data used twice is written twice: cards may not hold YAML aliases.
    plain = json.loads(json.dumps(data, default=str))
    return yaml.safe_dump(plain, allow_unicode=True, sort_keys=False).encode()


def feature_data(name: str = "x", kind: str = "number", **more: Any) -> dict[str, Any]:
    """Give a feature with nothing special about it."""
    words = {"de": f"Ihr Wert {name}", "en": f"Your value {name}"}
    public = {"de": f"Wert {name}", "en": f"Value {name}"}
    own = {"name": name, "label": words, "kind": kind, "source": words}
    return {**own, "public_label": public, "public_source": public, **more}


def card_with_features(features: list[dict[str, Any]]) -> ModelCard:
    """Give a valid card over other features, without rules."""
    return ModelCard.model_validate({**card_data(), "rules": [], "features": features})


def card_with_numbers(count: int) -> ModelCard:
    """Give a valid card over number features called x0, x1 and so on."""
    return card_with_features([feature_data(f"x{index}") for index in range(count)])
