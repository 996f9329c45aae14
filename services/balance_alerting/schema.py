"""The JSON Schema of the rules file, made from its types: ``rules.schema.json``."""

import json
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from balance_alerting.figures import written
from balance_alerting.rules import Ruleset

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Schema(GenerateJsonSchema):
    """Says defaults as they would be written in the file."""

    def encode_default(self, dft: Any) -> Any:
        """Return a default; that of a part is the part with all of its own."""
        if isinstance(dft, timedelta):
            return written(dft)
        return {} if isinstance(dft, BaseModel) else super().encode_default(dft)


def schema_text() -> str:
    """Return the schema as it lies beside this file."""
    made = Ruleset.model_json_schema(schema_generator=_Schema)
    schema: dict[str, Any] = {"$schema": _DIALECT} | made
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
