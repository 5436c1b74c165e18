"""The configuration as people and records may see it: no secrets."""

from __future__ import annotations

import re
from typing import Any

from pipelines.config.faults import MASK, SECRET_KEYS, mask_credentials
from pipelines.config.schema import Config

_QUERY = re.compile(r"(?i)([?&](?:[^=&\s]*(?:password|passwd|pwd|secret|token|key|auth)[^=&\s]*)=)[^&\s]*")


def without_secrets(config: Config) -> dict[str, Any]:
    """The resolved configuration as plain JSON values under its YAML names; what would give access is `***`."""
    values = config.model_dump(mode="json", by_alias=True)
    masked: dict[str, Any] = _mask(values)
    return masked


def mask_url(url: str) -> str:
    """An address without user, password, and what a query calls a password, key or token."""
    return _QUERY.sub(rf"\1{MASK}", mask_credentials(url))


def _mask(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: MASK if key in SECRET_KEYS and value else _mask(value) for key, value in values.items()}
    if isinstance(values, list):
        return [_mask(value) for value in values]
    return mask_url(values) if isinstance(values, str) else values
