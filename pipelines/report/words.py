"""The words of the sheet, both languages side by side in `words.json`: `{"key": {"zh-CN": ..., "en": ...}}`."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from pipelines.wording import Language


@cache
def vocabulary() -> dict[str, dict[str, str]]:
    """Key -> language -> text."""
    found: dict[str, dict[str, str]] = json.loads(
        files("pipelines.report").joinpath("words.json").read_text(encoding="utf-8")
    )
    return found


def text(language: Language, key: str, **values: object) -> str:
    """`{name}` in it is filled in. Raises KeyError for a key that is nowhere: no name of the code is shown to people."""
    found = vocabulary()[key][language]
    for name, value in values.items():
        found = found.replace(f"{{{name}}}", str(value))
    return found
