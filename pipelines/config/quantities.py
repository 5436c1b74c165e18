"""Quantities in YAML: `90s`, `3m`, `7d`, `20GiB`; plain numbers are seconds or bytes."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES: Final = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12} | {
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_QUANTITY: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*", re.ASCII)
_MAX: Final = 2**60


class QuantityError(ValueError):
    """Not a quantity; `allowed` says what would be one. The value itself is not in the message: it may be a secret."""

    def __init__(self, message: str, allowed: str) -> None:
        super().__init__(f"{message}; allowed: {allowed}")
        self.message = message
        self.allowed = allowed


def _parse(value: Any, units: dict[str, float], what: str, example: str) -> float:
    allowed = f"a number with one of {', '.join(units)}, such as {example}"
    number: float | None = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    elif isinstance(value, str):
        match = _QUANTITY.fullmatch(value)
        if match is not None and match[2] in units:
            number = float(match[1]) * units[match[2]]
    if number is None or not 0 <= number <= _MAX:
        raise QuantityError(f"expected {what}", allowed)
    return number


def parse_seconds(value: Any) -> float:
    """`90s` -> 90.0. Raises QuantityError (a ValueError) with what is allowed."""
    return _parse(value, _SECONDS, "a duration", "90s")


def parse_bytes(value: Any) -> int:
    """`20GiB` -> 21474836480. Raises QuantityError (a ValueError) with what is allowed."""
    return int(_parse(value, dict(_BYTES), "a size", "20GiB"))


def format_seconds(seconds: float) -> str:
    """The largest unit that divides it: 180.0 -> `3m`. What `parse_seconds` reads back."""
    milliseconds = round(seconds * 1000)
    if milliseconds / 1000 != seconds:
        return f"{seconds:.9f}s"
    for unit, size in reversed(_SECONDS.items()):
        if milliseconds and milliseconds % round(size * 1000) == 0 and unit != "w":
            return f"{milliseconds // round(size * 1000)}{unit}"
    return "0s"


def format_bytes(size: int) -> str:
    """The largest binary unit that divides it: 53687091200 -> `50GiB`."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return f"{size}B"


def written(schema: dict[str, Any]) -> Any:
    """The default in a JSON Schema of ours as a person would write it: 30.0 -> `30s` where a duration is meant."""
    default = schema.get("default")
    if "x-quantity" not in schema or not isinstance(default, int | float):
        return default
    return format_seconds(default) if schema["x-quantity"] == "90s" else format_bytes(int(default))


def _schema(units: dict[str, Any], example: str) -> WithJsonSchema:
    text = {"type": "string", "pattern": rf"^\s*[0-9]+(\.[0-9]+)?\s*({'|'.join(units)})\s*$", "examples": [example]}
    return WithJsonSchema({"anyOf": [text, {"type": "number", "minimum": 0}], "x-quantity": example})


Seconds = Annotated[
    float,
    BeforeValidator(parse_seconds),
    PlainSerializer(format_seconds, return_type=str, when_used="json"),
    _schema(_SECONDS, "90s"),
]
Bytes = Annotated[
    int,
    BeforeValidator(parse_bytes),
    PlainSerializer(format_bytes, return_type=str, when_used="json"),
    _schema(_BYTES, "20GiB"),
]
