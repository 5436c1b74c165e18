"""What templates can say about an event: its numbers as words, in the site's language and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from pipelines.alerting.vocabulary import UNTOLD, duration, words_for
from pipelines.wording import Language, word


@dataclass(frozen=True, slots=True)
class Manner:
    """How a site speaks. `link` is an address with `{id}` in it, or None."""

    language: Language = "en"
    timezone: str = "UTC"
    site: str = ""
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One finding: `label` 停留, `text` 3分20秒 (value and unit), `name` and `value` as in the event."""

    name: str
    label: str
    text: str
    value: Any


@dataclass(frozen=True, slots=True)
class Facts:
    """One event in words. Texts are empty where there is nothing to say; times are local to the site."""

    id: str
    kind: str
    kind_name: str
    phase: str
    phase_name: str
    level: int
    level_name: str
    camera: str
    camera_name: str
    zone: str
    drill: bool
    test: bool
    since: str
    time: str
    closed: str
    lasted: str
    reason: str
    evidence: tuple[Evidence, ...]
    sentence: str
    action: str
    link: str


def facts_of(event: Mapping[str, Any], manner: Manner) -> Facts:
    """The facts of an event's envelope (as `Event.to_dict` gives it)."""
    data = event["data"]
    language, kind, phase = manner.language, str(data["kind"]), str(data.get("phase", ""))
    # What concerns the site as a whole (an alert that reached nobody, a full disk) names no camera.
    camera = "" if data["camera"] in ("", "-") else str(data["camera"])
    since_s, closed_s = data.get("first_seen_s"), data.get("closed_s")
    end_s = data["time_s"] if closed_s is None else closed_s
    reason = data.get("close_reason") or ""
    found = {name: one for name, one in data.get("evidence", {}).items() if _is_quantity(one)}
    own = found.get("in_words_zh" if language == "zh-CN" else "in_words_en", {"value": ""})
    action = words_for(language, "action.closed" if phase == "closed" else f"action.{kind}")
    return Facts(
        id=str(data["incident_id"]),
        kind=kind,
        kind_name=word(language, f"kind.{kind}"),
        phase=phase,
        phase_name=word(language, f"phase.{phase}"),
        level=int(data["severity"]),
        level_name=word(language, f"severity.{data['severity']}"),
        camera=camera,
        camera_name=str(data.get("camera_name") or camera) if camera else "",
        zone=str(data.get("zone") or ""),
        drill=data.get("drill") is True,
        test=event["type"] == "alert.test",
        since=_local(since_s, manner),
        time=_local(data["time_s"], manner),
        closed=_local(closed_s, manner),
        lasted="" if since_s is None else duration(language, end_s - since_s),
        reason=(words_for(language, f"reason.{reason}") or str(reason)) if reason else "",
        evidence=tuple(
            _evidence(name, one, language) for name, one in found.items() if name not in UNTOLD and one["value"] != ""
        ),
        sentence=str(own["value"]),
        action=action or words_for(language, "action.other") or "",
        link="" if manner.link is None else manner.link.replace("{id}", quote(str(data["incident_id"]), safe="")),
    )


def _is_quantity(one: Any) -> bool:
    return isinstance(one, dict) and "value" in one and "unit" in one


def _local(time_s: float | None, manner: Manner) -> str:
    if time_s is None:
        return ""
    return f"{datetime.fromtimestamp(time_s, ZoneInfo(manner.timezone)):%Y-%m-%d %H:%M:%S}"


def _evidence(name: str, one: Mapping[str, Any], language: Language) -> Evidence:
    value, unit = one["value"], str(one["unit"])
    label = words_for(language, f"evidence.{name}") or name.replace("_", " ")
    return Evidence(name, label, _told(value, unit, language), value)


def _told(value: Any, unit: str, language: Language) -> str:
    if isinstance(value, str):
        return words_for(language, f"value.{value}") or value
    if not isinstance(value, int | float) or isinstance(value, bool):
        return str(value)
    if unit == "s":
        return duration(language, value)
    if unit == "s ago":
        ago = words_for(language, "unit.s ago") or ""
        return f"{duration(language, value)}{'' if language == 'zh-CN' else ' '}{ago}"
    number = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    told = words_for(language, f"unit.{unit}") or unit
    return f"{number}{'' if language == 'zh-CN' and told != unit else ' '}{told}".rstrip()
