"""The JSON Schema of ``card.yaml``, published as ``docs/reference/card.schema.json`` for editors."""

import json

from models.card import ModelCard


def card_schema_text() -> str:
    """Write the schema.

    Returns:
        JSON Schema 2020-12, indented, with a line break at its end.
    """
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Klarbescheid model card",
        **{key: value for key, value in ModelCard.model_json_schema().items() if key != "title"},
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
