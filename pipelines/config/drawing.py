"""What an administrator draws on a camera's picture, and the changes to the file that it means.

A `Drawing` is the whole of what can be drawn and set: zones, masks, ground points and rules. Two of them, before and after,
give the changes; what is equal in both is not touched, so a `${NAME}` in the file stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pipelines.config.cameras import BullyingRule, Camera, CrowdingRule, ParkingRule, Rule, RuleBase
from pipelines.config.document import Document
from pipelines.config.edit import Change, Drop, Put, Rename
from pipelines.config.faults import Place
from pipelines.config.quantities import format_seconds

Polygon: TypeAlias = Sequence[tuple[float, float]]
#: The keys of each kind of rule that can be set on the page, in the order in which they are written.
FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "illegal_parking": ("zone", "after", "warn_after", "schedule", "except"),
    "crowding": ("zone", "people", "density", "for", "schedule", "except"),
    "possible_bullying": ("zone", "sensitivity", "cooldown", "schedule", "except"),
}
_MODELS: Final[dict[str, type[RuleBase]]] = {
    "illegal_parking": ParkingRule,
    "crowding": CrowdingRule,
    "possible_bullying": BullyingRule,
}
_WHOLE: Final = frozenset({"people"})
_NUMBERS: Final = frozenset({"density"})
_DURATIONS: Final = frozenset({"after", "warn_after", "for", "cooldown"})


@dataclass(frozen=True, slots=True)
class DrawnZone:
    """`was`: its name in the file; None: it is new."""

    name: str
    polygon: Polygon
    was: str | None = None


@dataclass(frozen=True, slots=True)
class DrawnMask:
    """`was`: its number in the file, from 0."""

    polygon: Polygon
    was: int | None = None


@dataclass(frozen=True, slots=True)
class DrawnPoint:
    """A ground point: on the picture (0..1) and in metres."""

    picture: tuple[float, float]
    metres: tuple[float, float]
    was: int | None = None


@dataclass(frozen=True, slots=True)
class DrawnRule:
    """`fields`: texts as they stand in the file, for keys of `FIELDS`; None: the key is left out."""

    kind: str
    fields: dict[str, str | None]
    was: int | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """Of one camera. What was in the file comes first, in its order; what is new after it."""

    zones: tuple[DrawnZone, ...] = ()
    masks: tuple[DrawnMask, ...] = ()
    ground: tuple[DrawnPoint, ...] = ()
    rules: tuple[DrawnRule, ...] = ()


def drawing_of(camera: Camera, camera_id: str, document: Document | None) -> Drawing:
    """What the file says now. `document` None: what is in force, whatever the file says."""
    at: Place = ("cameras", camera_id)
    return Drawing(
        tuple(DrawnZone(name, tuple(zone.polygon), name) for name, zone in camera.zones.items()),
        tuple(DrawnMask(tuple(mask), number) for number, mask in enumerate(camera.masks)),
        tuple(DrawnPoint(one.picture, one.metres, number) for number, one in enumerate(camera.ground)),
        tuple(
            DrawnRule(
                rule.kind,
                _in_force(rule) if document is None else _fields(rule, (*at, "rules", number), document),
                number,
            )
            for number, rule in enumerate(camera.rules)
        ),
    )


def defaults_of(kind: str) -> dict[str, str | None]:
    """What a rule of this kind does where the key is left out; None: nothing."""
    fields = _MODELS[kind].model_fields
    by_alias = {field.alias or name: field for name, field in fields.items()}
    return {
        key: None if key == "zone" or (value := by_alias[key].get_default()) is None else _as_text(key, value)
        for key in FIELDS[kind]
    }


def changes(camera_id: str, before: Drawing, after: Drawing) -> list[Change]:
    """In an order in which they can be made. A `was` that `before` has not counts as new."""
    at: Place = ("cameras", camera_id)
    made = list(_zones((*at, "zones"), before, after))
    masks = [([list(one) for one in mask.polygon], mask.was) for mask in after.masks]
    made += _items((*at, "masks"), [[list(one) for one in mask.polygon] for mask in before.masks], masks)
    had, points = ([(_point(one), one.was) for one in drawing.ground] for drawing in (before, after))
    made += _items((*at, "ground"), [value for value, _ in had], points)
    made += _rules((*at, "rules"), before, after)
    return made


def _point(one: DrawnPoint) -> dict[str, Any]:
    metres = [int(value) if float(value).is_integer() else value for value in one.metres]
    return {"picture": list(one.picture), "metres": metres}


def _zones(at: Place, before: Drawing, after: Drawing) -> Iterator[Change]:
    had = {zone.name: zone for zone in before.zones}
    kept = {zone.was for zone in after.zones}
    for name in had:
        if name not in kept:
            yield Drop((*at, name))
    for zone in after.zones:
        old = had.get(zone.was or "")
        if old is not None and zone.name != old.name:
            yield Rename((*at, old.name), zone.name)
    for zone in after.zones:
        old = had.get(zone.was or "")
        polygon = [list(point) for point in zone.polygon]
        if old is None:
            yield Put((*at, zone.name), {"polygon": polygon})
        elif polygon != [list(point) for point in old.polygon]:
            yield Put((*at, zone.name, "polygon"), polygon)


def _items(at: Place, had: Sequence[Any], has: Sequence[tuple[Any, int | None]]) -> Iterator[Change]:
    has = [(value, was if was in range(len(had)) else None) for value, was in has]
    kept = {was for _, was in has}
    for number in reversed(range(len(had))):
        if number not in kept:
            yield Drop((*at, number))
    for number, (value, was) in enumerate(has):
        if was is None or value != had[was]:
            yield Put((*at, number), value)


def _rules(at: Place, before: Drawing, after: Drawing) -> Iterator[Change]:
    kept = {rule.was for rule in after.rules}
    for number in reversed(range(len(before.rules))):
        if number not in kept:
            yield Drop((*at, number))
    for number, rule in enumerate(after.rules):
        if rule.was is None or rule.was not in range(len(before.rules)):
            fields = {key: _plain(key, text) for key in FIELDS[rule.kind] if (text := rule.fields.get(key)) is not None}
            yield Put((*at, number), {"kind": rule.kind} | fields)
            continue
        old = before.rules[rule.was].fields
        for key in FIELDS[rule.kind]:
            new = rule.fields.get(key)
            if new == old.get(key):
                continue
            yield Drop((*at, number, key)) if new is None else Put((*at, number, key), _plain(key, new))


def _fields(rule: Rule, at: Place, document: Document) -> dict[str, str | None]:
    values: Any = document.values
    for step in at:
        values = values[step]
    resolved = rule.model_dump(mode="json", by_alias=True)
    # As it is written, unless that is a variable: then what it stands for.
    return {
        key: None
        if values.get(key) is None
        else str(resolved[key])
        if (*at, key) in document.expanded
        else _as_text(key, values[key])
        for key in FIELDS[rule.kind]
    }


def _in_force(rule: Rule) -> dict[str, str | None]:
    resolved = rule.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return {key: None if (value := resolved.get(key)) is None else str(value) for key in FIELDS[rule.kind]}


def _as_text(key: str, value: Any) -> str:
    return format_seconds(value) if key in _DURATIONS and isinstance(value, float) else str(value)


def _plain(key: str, text: str) -> Any:
    """As it would be written without quotes; what is no number stays text, and the checker says so."""
    try:
        if key in _WHOLE:
            return int(text)
        if key in _NUMBERS:
            return float(text)
    except ValueError:
        pass
    return text


def place_on_picture(place: Place, camera_id: str) -> dict[str, Any] | None:
    """Where a fault's place is on the page: `what` (zones, masks, ground, rules), `which` (name or number), `point` or `key`.
    None: not of this camera's drawing."""
    if place[:2] != ("cameras", camera_id) or len(place) < 3 or place[2] not in ("zones", "masks", "ground", "rules"):
        return None
    what, rest = place[2], place[3:]
    found: dict[str, Any] = {"what": what, "which": rest[0] if rest else None, "point": None, "key": None}
    inner = rest[2:] if what == "zones" else rest[1:]
    if what == "rules":
        found["key"] = str(rest[1]) if len(rest) > 1 else None
    elif inner and isinstance(inner[0], int):
        found["point"] = inner[0]
    elif what == "ground" and rest:
        found["point"] = rest[0]
    return found
