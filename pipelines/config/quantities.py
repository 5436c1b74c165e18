"""Quantities in YAML: `90s`, `3m`, `7d`, `20GiB`; plain numbers are seconds or bytes."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES: Final = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12} | {
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_QUANTITY: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*")


def _parse(value: Any, units: dict[str, float], example: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"expected a quantity such as {example}")
    if isinstance(value, int | float):
        if value < 0:
            raise ValueError(f"must not be negative; expected a quantity such as {example}")
        return float(value)
    match = _QUANTITY.fullmatch(value)
    if match is None or match[2] not in units:
        raise ValueError(f"{value!r} is not a quantity; expected a number with one of {', '.join(units)}, such as {example}")
    return float(match[1]) * units[match[2]]


def parse_seconds(value: Any) -> float:
    """`90s` -> 90.0. Raises ValueError with what is allowed."""
    return _parse(value, _SECONDS, "90s")


def parse_bytes(value: Any) -> int:
    """`20GiB` -> 21474836480. Raises ValueError with what is allowed."""
    return int(_parse(value, dict(_BYTES), "20GiB"))


Seconds = Annotated[float, BeforeValidator(parse_seconds)]
Bytes = Annotated[int, BeforeValidator(parse_bytes)]
