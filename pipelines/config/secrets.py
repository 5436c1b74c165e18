"""Every secret that a configuration holds, so that logs can mask them wherever they turn up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from pipelines.config.faults import SECRET_KEYS
from pipelines.config.schema import Config


def secrets(config: Config) -> list[str]:
    """Passwords inside addresses (as written and decoded) and values of keys that hold a secret, each once."""
    return sorted(set(_found(config.model_dump(mode="json", by_alias=True))))


def _found(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _found(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _found(inner, key)
    elif isinstance(value, str) and value:
        if key in SECRET_KEYS:
            yield value
        if "://" in value:
            yield from _password(value)


def _password(address: str) -> Iterator[str]:
    try:
        password = urlsplit(address).password
    except ValueError:
        return
    if password:
        yield password
        yield unquote(password)
