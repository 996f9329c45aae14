"""The JSON Schema of the rules file, made from its types: ``rules.schema.json``."""

import json
from typing import Any

from balance_alerting.rules import Ruleset

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_text() -> str:
    """Return the schema as it lies beside this file."""
    schema: dict[str, Any] = {"$schema": _DIALECT} | Ruleset.model_json_schema()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
