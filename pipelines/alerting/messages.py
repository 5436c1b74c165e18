"""What a message says to people: one line in the site's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipelines.wording import Language, word

_TEST: Final[Mapping[str, str]] = {"zh-CN": "测试报警，无需处理", "en": "test alert, nothing happened"}
_DRILL: Final[Mapping[str, str]] = {"zh-CN": "【演练】", "en": "[drill] "}


def text_of(event: Mapping[str, Any], language: Language) -> str:
    """One line: level, kind, phase, camera, zone and the evidence in numbers."""
    data = event["data"]
    if event["type"] == "alert.test":
        return f"{_TEST[language]} ({data['incident_id']})"
    evidence = ", ".join(
        f"{name} {_number(item['value'])} {item['unit']}".rstrip()
        for name, item in data.get("evidence", {}).items()
        if isinstance(item, dict) and "value" in item and "unit" in item
    )
    parts = [
        word(language, f"severity.{data['severity']}"),
        word(language, f"kind.{data['kind']}"),
        word(language, f"phase.{data['phase']}"),
        f"{data.get('camera_name') or data['camera']} / {data.get('zone', '')}",
    ]
    line = " · ".join(parts) + (f" · {evidence}" if evidence else "")
    return (_DRILL[language] if data.get("drill") else "") + line


def _number(value: object) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
