"""What only the whole file shows: names that do not exist, shapes that cannot be, schedules that say nothing.

Everything here reads the plain values, of which any part may be wrong in itself; that was reported already, so a part
that cannot be read is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from pipelines.config import addresses, alerting_checks, calendars, channel_checks, retention
from pipelines.config.cameras import CrowdingRule, GroundPoint, ParkingRule, Rule, ZoneModel
from pipelines.config.document import Document
from pipelines.config.explain import rule_kinds
from pipelines.config.faults import Fault, Place, one_of, shown
from pipelines.config.polygons import MIN_AREA, Point, ground_faults, polygon_faults
from pipelines.config.quantities import format_seconds

_T = TypeVar("_T")
_RULE: Final[TypeAdapter[Rule]] = TypeAdapter(Rule)
_GROUND: Final = TypeAdapter(list[GroundPoint])
_ZONE: Final = TypeAdapter(ZoneModel)
_MASK: Final = TypeAdapter(list[tuple[float, float]])


def check(document: Document) -> list[Fault]:
    """Every fault that the schema cannot see."""
    values = _mapping(document.values)
    faults = list(calendars.check(document, values))
    faults += addresses.check(document, values)
    faults += retention.check(document, values)
    faults += channel_checks.check(document, values)
    faults += alerting_checks.check(document, values, rule_kinds())
    for camera_id, camera in _mapping(values.get("cameras")).items():
        faults += camera_faults(document, ("cameras", camera_id), _mapping(camera))
    return faults


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _valid(adapter: TypeAdapter[_T], value: Any) -> _T | None:
    try:
        return adapter.validate_python(value)
    except ValidationError:
        return None


def camera_faults(document: Document, place: Place, camera: dict[str, Any]) -> Iterator[Fault]:
    """Those of the ground, masks, zones and rules of one camera, which stands at `place`."""
    ground = _valid(_GROUND, camera.get("ground", []))
    if ground:
        at = (*place, "ground")
        for message in ground_faults([point.picture for point in ground], [point.metres for point in ground]):
            yield Fault(document.key_line(at), at, message)
    for index, mask in enumerate(_list(camera.get("masks"))):
        yield from _polygon(document, (*place, "masks", index), _valid(_MASK, mask), 0.0)
    zones = _mapping(camera.get("zones"))
    for name, zone in zones.items():
        valid = _valid(_ZONE, zone)
        yield from _polygon(document, (*place, "zones", name, "polygon"), valid.polygon if valid else None, MIN_AREA)
    yield from _rules(document, place, camera, has_ground=camera.get("ground") != [] and "ground" in camera)


def _polygon(document: Document, place: Place, points: list[Point] | None, min_area: float) -> Iterator[Fault]:
    if points is not None and len(points) >= 3:
        for message in polygon_faults(points, min_area):
            yield Fault(document.line(place), place, message)


def _rules(document: Document, camera: Place, values: dict[str, Any], has_ground: bool) -> Iterator[Fault]:
    zones = _mapping(values.get("zones"))
    seen: dict[str, int] = {}
    for index, raw in enumerate(_list(values.get("rules"))):
        place: Place = (*camera, "rules", index)
        zone = _mapping(raw).get("zone")
        at = (*place, "zone")
        if isinstance(zone, str) and at not in document.unread and zone not in zones:
            allowed = one_of(zones, None if at in document.expanded else zone)
            yield Fault(document.line(at), at, "unknown zone", document.got(at), allowed)
        rule = _valid(_RULE, raw)
        if rule is None:
            # Without a known kind the schema cannot say which keys the rule needs; every kind needs a zone.
            if isinstance(raw, dict) and "zone" not in raw and raw.get("kind") not in rule_kinds():
                yield Fault(document.line(place), at, "this key is needed")
            continue
        for number, name in enumerate(getattr(rule, "exclude", [])):
            if name not in zones:
                inner = (*place, "exclude", number)
                yield Fault(document.line(inner), inner, "unknown zone", document.got(inner), one_of(zones, name))
        yield from _numbers(document, place, rule, has_ground)
        rule_id = rule.rule_id(rule.kind)
        if rule_id in seen:
            line = document.line((*camera, "rules", seen[rule_id]))
            message = f"two rules are called {shown(rule_id)}, the first in line {line}; give one of them an id"
            yield Fault(document.line(place), (*place, "id"), message)
        seen.setdefault(rule_id, index)


def _numbers(document: Document, place: Place, rule: Rule, has_ground: bool) -> Iterator[Fault]:
    if isinstance(rule, ParkingRule) and rule.warn_after is not None and rule.warn_after >= rule.after:
        at = (*place, "warn_after")
        yield Fault(
            document.line(at),
            at,
            "must be shorter than after",
            document.got(at),
            f"less than {format_seconds(rule.after)}",
        )
    if isinstance(rule, CrowdingRule):
        if rule.people is None and rule.density is None and rule.gathering is None:
            yield Fault(document.line(place), place, "crowding needs people or density (or both)")
        if (rule.gathering is None) != (rule.expected is None):
            given, other = ("gathering", "expected") if rule.expected is None else ("expected", "gathering")
            yield Fault(document.line((*place, given)), (*place, given), f"{given} means nothing without {other}")
        if rule.density is not None and not has_ground:
            at = (*place, "density")
            yield Fault(document.line(at), at, "density needs the camera's ground points: add ground with four or more")
