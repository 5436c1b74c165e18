"""Pydantic's errors in the words of someone who writes YAML, each at its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipelines.config.document import Document
from pipelines.config.faults import Fault, Place, one_of
from pipelines.config.quantities import QuantityError
from pipelines.config.schema import Config

_EXPECTED: Final = {
    "string_type": "expected text; write it in quotes",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "dict_type": "expected keys with values",
    "model_type": "expected keys with values",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "path_type": "expected the path of a file or folder",
    "finite_number": "expected a number",
}
_NAMES: Final = {
    "cameras": ("a camera's id", "lower-case letters, digits and hyphens, at most 40, such as gate-north"),
    "zones": ("the name of a zone", "letters, digits, hyphens and underscores, at most 40"),
    "schedules": ("the name of a schedule", "letters, digits, hyphens and underscores, at most 40"),
    "named": ("the name of a channel", "lower-case letters, digits, hyphens and underscores, at most 40"),
    "headers": ("the name of a header", "letters, digits and hyphens, at most 60"),
    "alarm_types": ("a kind of incident", "a kind such as illegal_parking"),
    "gb_id": ("a code of GB/T 28181", "20 digits"),
    "id": ("a rule's id", "letters, digits, and : . - _, at most 80"),
    "clock": (
        "where a camera's time is read",
        "auto, off, or an http:// or https:// address without user and password",
    ),
}
_BOUNDS: Final = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def explain(error: ValidationError, document: Document, model: type[BaseModel] = Config) -> Iterator[Fault]:
    """One fault per error of validating as `model`; nothing for a value that could not be read and was reported already."""
    for detail in error.errors(include_url=False, include_input=False):
        is_key = detail["type"] == "string_pattern_mismatch" and detail["loc"][-1] == "[key]"
        place = _place(detail["loc"][:-1] if is_key else detail["loc"], document.values)
        if not any(place[:end] in document.unread for end in range(len(place) + 1)):
            yield _fault(detail, place, is_key, document, model)


def _place(loc: Place, values: Any) -> Place:
    """Pydantic's location without the tags of unions."""
    place: list[str | int] = []
    for step in loc:
        if isinstance(values, dict) and step not in values and step == values.get("kind"):
            continue
        place.append(step)
        inside = isinstance(values, dict | list)
        try:
            values = values[step] if inside else None
        except (KeyError, IndexError, TypeError):
            values = None
    return tuple(place)


def _fault(detail: ErrorDetails, place: Place, is_key: bool, document: Document, model: type[BaseModel]) -> Fault:
    kind, context = detail["type"], detail.get("ctx", {})
    line, got = document.line(place), document.got(place)
    if kind == "extra_forbidden":
        known = known_keys(place[:-1], document.values, model)
        return Fault(document.key_line(place), place, "unknown key", allowed=one_of(known, str(place[-1])))
    if kind == "missing":
        if isinstance(place[-1], int):
            return Fault(line, place[:-1], "the list is too short", document.got(place[:-1]))
        return Fault(line, place, "this key is needed")
    if kind in {"union_tag_not_found", "union_tag_invalid"}:
        at = (*place, "kind")
        known = re.findall(r"'([^']*)'", str(context.get("expected_tags", ""))) or _kinds(place)
        if kind == "union_tag_not_found" and at not in document.value_lines:
            return Fault(line, at, "this key is needed", allowed=one_of(known))
        return Fault(document.line(at), at, "unknown kind", document.got(at), one_of(known, _text(at, document)))
    if kind == "literal_error":
        known = [a or b for a, b in re.findall(r"'([^']*)'|(\d+)", str(context["expected"]))]
        return Fault(line, place, "not one of the choices", got, one_of(known, _text(place, document)))
    if kind == "string_pattern_mismatch":
        what, allowed = _NAMES[str(place[-2] if is_key else place[-1])]
        name_line = document.key_line(place) if is_key else line
        return Fault(name_line, place, f"cannot be {what}", None if is_key else got, allowed)
    if kind in {"too_short", "too_long"}:
        bound, word = ("min_length", "at least") if kind == "too_short" else ("max_length", "at most")
        return Fault(line, place, f"the list is {kind.replace('_', ' ')}", got, f"{word} {context[bound]}")
    if kind in _BOUNDS:
        bound, word = _BOUNDS[kind]
        if {"polygon", "picture", "masks"} & set(place):
            return Fault(line, place, "outside the picture", got, "0 to 1: shares of the picture's width and height")
        return Fault(line, place, "out of range", got, f"{word} {context[bound]:g}")
    original = context.get("error")
    if isinstance(original, QuantityError):
        return Fault(line, place, original.message, got, original.allowed)
    if kind == "value_error":
        # From a validator of the schema itself: its words hold no value.
        return Fault(line, place, str(original), got)
    return Fault(line, place, _EXPECTED.get(kind, f"cannot be used ({kind.replace('_', ' ')})"), got)


def _text(place: Place, document: Document) -> str | None:
    """The text at a place, to look for near names: not when it came from the environment."""
    return None if place in document.expanded else document.got(place).strip("'")


def rule_kinds() -> list[str]:
    """The kinds of rules that the schema knows."""
    return list(_schema(Config)["$defs"]["Camera"]["properties"]["rules"]["items"]["discriminator"]["mapping"])


def _kinds(place: Place) -> list[str]:
    if place[:2] != ("channels", "named"):
        return rule_kinds()
    (named,) = _schema(Config)["$defs"]["Channels"]["properties"]["named"]["patternProperties"].values()
    return list(named["discriminator"]["mapping"])


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema: it follows from the code alone and takes 10 ms to make."""
    return model.model_json_schema()


def known_keys(place: Place, values: Any, model: type[BaseModel] = Config) -> list[str]:
    """The keys that the mapping at `place` may have, from the JSON Schema."""
    schema = _schema(model)
    node: dict[str, Any] = schema
    for step in place:
        node = _resolve(node, values, schema["$defs"])
        if isinstance(step, int):
            node = node.get("items", {})
        elif step in node.get("properties", {}):
            node = node["properties"][step]
        else:
            patterns = node.get("patternProperties", {})
            node = next(iter(patterns.values()), node.get("additionalProperties") or {})
        values = values[step]
    return list(_resolve(node, values, schema["$defs"]).get("properties", {}))


def _resolve(node: dict[str, Any], values: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """Follow $ref, the non-null choice of anyOf, and the choice of oneOf that `kind` names."""
    while True:
        if "$ref" in node:
            node = definitions[node["$ref"].rpartition("/")[2]]
        elif "anyOf" in node:
            node = next((choice for choice in node["anyOf"] if choice.get("type") != "null"), {})
        elif "discriminator" in node:
            kind = values.get("kind") if isinstance(values, dict) else None
            node = {"$ref": node["discriminator"]["mapping"][kind]}
        else:
            return node
