"""The configuration as people and records may see it: no secrets."""

from __future__ import annotations

from typing import Any

import yaml

from pipelines.config.faults import MASK, SECRET_KEYS, mask_credentials
from pipelines.config.schema import Config


def without_secrets(config: Config) -> dict[str, Any]:
    """The resolved configuration as plain JSON values under its YAML names; what would give access is `***`."""
    values = config.model_dump(mode="json", by_alias=True)
    masked: dict[str, Any] = _mask(values)
    return masked


def _mask(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _hidden(value) if key in SECRET_KEYS and value else _mask(value) for key, value in values.items()}
    if isinstance(values, list):
        return [_mask(value) for value in values]
    return mask_credentials(values) if isinstance(values, str) else values


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return dict.fromkeys(value, MASK)
    scheme, separator, _ = str(value).partition("://")
    return f"{scheme}://{MASK}" if separator else MASK


def as_yaml(config: Config) -> str:
    """The same as YAML text, in the order of the schema."""
    text: str = yaml.safe_dump(without_secrets(config), sort_keys=False, allow_unicode=True, default_flow_style=None)
    return text
