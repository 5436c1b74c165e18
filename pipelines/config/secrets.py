"""Every secret that a configuration holds, so that logs can mask them wherever they turn up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from pipelines.config.faults import SECRET_KEYS
from pipelines.config.schema import Config

_SHORTEST_TOKEN: Final = 8


def secrets(config: Config) -> list[str]:
    """Passwords inside addresses (as written and decoded) and values of keys that hold a secret, each once."""
    return sorted(set(_found(config.model_dump(mode="json", by_alias=True))))


def _found(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _found(inner, key if key in SECRET_KEYS else name)
    elif isinstance(value, list):
        for inner in value:
            yield from _found(inner, key)
    elif isinstance(value, str) and value:
        if key in SECRET_KEYS:
            yield value
        if key == "address":
            yield from tokens(value)
        elif "://" in value:
            yield from _password(value)


def tokens(address: str) -> Iterator[str]:
    """The parts of an address whose parts are secrets, as they turn up alone in errors; not what looks like a host."""
    for part in re.split(r"[/@:?&=]", address.partition("://")[2]):
        if len(part) >= _SHORTEST_TOKEN and "." not in part:
            yield part
            yield unquote(part)


def _password(address: str) -> Iterator[str]:
    try:
        password = urlsplit(address).password
    except ValueError:
        return
    if password:
        yield password
        yield unquote(password)
