"""Checks of the calendar, the time zone and everything that is a schedule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pipelines.config.document import Document
from pipelines.config.faults import Fault, Place, one_of
from pipelines.config.schedule import (
    GRAMMAR,
    UnknownSchedule,
    name_fault,
    needs_calendar,
    parse,
    parse_dates,
)


def check(document: Document, values: dict[str, Any]) -> Iterator[Fault]:
    """Faults of `site.timezone`, `calendar`, `schedules` and everything that is a schedule."""
    yield from _timezone(document, _section(values, "site").get("timezone"))
    calendar = _section(values, "calendar")
    for key in ("terms", "holidays", "extra_school_days"):
        dates = calendar.get(key)
        for index, text in enumerate(dates if isinstance(dates, list) else []):
            yield from _dates(document, ("calendar", key, index), text)
    named = {name: text for name, text in _section(values, "schedules").items() if isinstance(text, str)}
    for name in _section(values, "schedules"):
        message = name_fault(name)
        if message:
            yield Fault(document.key_line(("schedules", name)), ("schedules", name), message)
    for place, text in _schedules(values):
        yield from _schedule(document, place, text, named, has_terms=bool(calendar.get("terms")))


def _section(values: dict[str, Any], key: str) -> dict[str, Any]:
    found = values.get(key)
    return found if isinstance(found, dict) else {}


def _timezone(document: Document, name: Any) -> Iterator[Fault]:
    place = ("site", "timezone")
    if not isinstance(name, str) or place in document.unread:
        return
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = one_of(available_timezones(), name).rpartition(" (did you mean ")[2].removesuffix("?)")
        hint = f" (did you mean {near}?)" if len(near) < 40 and place not in document.expanded else ""
        allowed = f"an IANA name such as Asia/Shanghai{hint}"
        yield Fault(document.line(place), place, "unknown time zone", document.got(place), allowed)


def _dates(document: Document, place: Place, text: Any) -> Iterator[Fault]:
    if not isinstance(text, str):
        return
    try:
        parse_dates(text)
    except ValueError as error:
        message = "bad date" if place in document.expanded else str(error)
        yield Fault(document.line(place), place, message, document.got(place))


def _schedules(values: dict[str, Any]) -> Iterator[tuple[Place, str]]:
    for name, text in _section(values, "schedules").items():
        if isinstance(text, str):
            yield ("schedules", name), text
    for camera_id, camera in _section(values, "cameras").items():
        rules = camera.get("rules") if isinstance(camera, dict) else None
        for index, rule in enumerate(rules if isinstance(rules, list) else []):
            for key in ("schedule", "except", "expected"):
                text = rule.get(key) if isinstance(rule, dict) else None
                if isinstance(text, str):
                    yield ("cameras", camera_id, "rules", index, key), text
    yield from _of_alerts(values)


def _of_alerts(values: dict[str, Any]) -> Iterator[tuple[Place, str]]:
    for name, person in _section(values, "recipients").items():
        if isinstance(person, dict) and isinstance(person.get("quiet"), str):
            yield ("recipients", name, "quiet"), person["quiet"]
    lists: list[tuple[Place, Any]] = [
        (("rosters", name), shifts) for name, shifts in _section(values, "rosters").items()
    ]
    for place, items in [*lists, (("routes",), values.get("routes"))]:
        for number, item in enumerate(items if isinstance(items, list) else []):
            if isinstance(item, dict) and isinstance(item.get("schedule"), str):
                yield (*place, number, "schedule"), item["schedule"]
    drill = _section(values, "alerts").get("drill")
    if isinstance(drill, dict) and isinstance(drill.get("schedule"), str):
        yield ("alerts", "drill", "schedule"), drill["schedule"]


def _schedule(document: Document, place: Place, text: str, named: dict[str, str], has_terms: bool) -> Iterator[Fault]:
    line, got = document.line(place), document.got(place)
    # A schedule that another one names is judged where it stands: here it only has to exist.
    others = dict.fromkeys(named, "never") if place[0] != "schedules" else named
    try:
        parts = parse(text, others)
    except UnknownSchedule as error:
        allowed = one_of(named, None if place in document.expanded else error.name) if named else "none is defined"
        yield Fault(line, place, "unknown schedule", got, f"{GRAMMAR}, or a name from schedules: {allowed}")
    except ValueError as error:
        message = "bad schedule" if place in document.expanded else f"bad schedule: {error}"
        yield Fault(line, place, message, got, GRAMMAR)
    else:
        if needs_calendar(parts) and not has_terms:
            yield Fault(line, place, "school_days needs the school's terms: add calendar: {terms: [FIRST/LAST]}", got)
