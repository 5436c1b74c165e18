"""The JSON Schema of the configuration, as editors complete and check from it (yaml-language-server)."""

from __future__ import annotations

from typing import Any, Final

from pipelines.config.quantities import written
from pipelines.config.schema import Config

#: A number may also be written as a variable; editors see the text, the loader sees the number.
_VARIABLE: Final = {"type": "string", "pattern": r"^\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}$"}


def editor_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) with every key described, closed mappings, choices, patterns and examples."""
    schema: dict[str, Any] = _open_to_variables(Config.model_json_schema(by_alias=True))
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Gatewatch configuration"
    schema["description"] = "One site: its cameras, what must not happen there, and who is told."
    return schema


def _open_to_variables(node: Any) -> Any:
    if isinstance(node, list):
        return [_open_to_variables(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {
        key: _open_to_variables(value) for key, value in node.items() if key != "title" or not isinstance(value, str)
    }
    if "x-quantity" in node and "default" in node:
        node["default"] = written(node)
    node.pop("x-quantity", None)
    if "patternProperties" in node:
        node["additionalProperties"] = False
    if node.get("type") in {"integer", "number", "boolean"}:
        about = {key: node.pop(key) for key in ("description", "default", "examples") if key in node}
        return {**about, "anyOf": [node, _VARIABLE]}
    return node
