"""Which incidents are meant, and what that is in SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Boolean, ColumnElement, Connection, Select, and_, exists, func, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import InternalTraversal

from pipelines.store.schema import incidents, places

#: The beginning of an id is looked for from so many characters on: less of it fits anything.
SHORTEST_ID: Final = 4
_LAST_CHARACTER: Final = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """None: whatever. `state` is `open` or `closed`; `text` is looked for in camera, its names, zone and rule, and is the
    beginning of an id. `weekday` (1 is Monday) and `hour` are those on the clock of `timezone` when the incident opened."""

    since_s: float | None = None
    until_s: float | None = None
    camera: str | None = None
    zone: str | None = None
    kind: str | None = None
    severity: int | None = None  # this level or more severe
    state: str | None = None
    verdict: str | None = None  # "none": not judged yet
    text: str | None = None
    drills: bool = True
    cameras: frozenset[str] | None = None  # only of these: what the one who asks may see
    rule: str | None = None
    level: int | None = None  # exactly this one
    weekday: int | None = None
    hour: int | None = None
    timezone: str = "UTC"

    @property
    def by_clock(self) -> bool:
        return self.weekday is not None or self.hour is not None

    @property
    def by_place(self) -> bool:
        """Whether it asks for something that `places` knows."""
        names = ("camera", "zone", "kind", "severity", "text", "cameras", "rule", "level")
        return any(getattr(self, name) is not None for name in names)


def conditions_of(wanted: IncidentFilter, table: Any = incidents.c) -> list[ColumnElement[bool]]:
    """What a row of `incidents` must be to pass; not what the clock showed (`weekday`, `hour`). `table`: the columns of a
    part of it."""
    conditions = [*time_conditions(wanted, table), *_common(table, wanted)]
    if wanted.state is not None:
        conditions.append(table.closed_s.is_(None) if wanted.state == "open" else table.closed_s.is_not(None))
    if wanted.verdict is not None:
        conditions.append(table.verdict.is_(None) if wanted.verdict == "none" else table.verdict == wanted.verdict)
    if wanted.text is not None:
        named = in_named_place(wanted.text, table)
        conditions.append(or_(named, id_begins(wanted.text, table)) if len(wanted.text) >= SHORTEST_ID else named)
    if not wanted.drills:
        conditions.append(table.drill.is_(False))
    return conditions


def time_conditions(wanted: IncidentFilter, table: Any = incidents.c) -> list[ColumnElement[bool]]:
    """When it opened."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.since_s is not None:
        conditions.append(table.opened_s >= wanted.since_s)
    if wanted.until_s is not None:
        conditions.append(table.opened_s < wanted.until_s)
    return conditions


def places_of(wanted: IncidentFilter) -> Select[Any]:
    """Camera, rule and level of each place that incidents which pass can be of: few, however many incidents there are."""
    conditions = _common(places.c, wanted)
    if wanted.text is not None:
        conditions.append(in_named_place(wanted.text, places.c))
    return select(places.c.camera, places.c.rule, places.c.severity).where(and_(True, *conditions)).distinct()


def named_places(connection: Connection, text: str) -> set[tuple[str, str, str, str]]:
    """Camera, zone, rule and kind of each place in whose names `text` is."""
    columns = (places.c.camera, places.c.zone, places.c.rule, places.c.kind)
    return {(row[0], row[1], row[2], row[3]) for row in connection.execute(select(*columns).where(_names(text)))}


def in_named_place(text: str, table: Any = incidents.c) -> ColumnElement[bool]:
    """A row of `incidents` (or `places`) of a place in whose names `text` is: under whatever name its camera had then."""
    other = places.alias("named").c
    same = [other[name] == table[name] for name in ("camera", "rule", "zone", "kind")]
    return exists().where(*same, _names(text, other))


class Begins(ColumnElement[bool]):
    """An id that begins so, in a form for which each database uses an index: SQLite compares bytes."""

    inherit_cache = True
    _traverse_internals = [  # noqa: RUF012 (SQLAlchemy's)
        ("as_range", InternalTraversal.dp_clauseelement),
        ("as_like", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, name: ColumnElement[str], part: str) -> None:
        self.type = Boolean()
        self.as_range = (name >= part) & (name < part + _LAST_CHARACTER)
        self.as_like = name.startswith(part, autoescape=True)

    def self_group(self, against: Any = None) -> Begins:
        """As it is: SQLAlchemy would write `= 1` behind it, for which SQLite has no index."""
        return self


@compiles(Begins, "sqlite")
def _in_sqlite(element: Begins, compiler: Any, **options: Any) -> str:
    return f"({compiler.process(element.as_range, **options)})"


@compiles(Begins)
def _elsewhere(element: Begins, compiler: Any, **options: Any) -> str:
    return f"({compiler.process(element.as_like, **options)})"


def id_begins(text: str, table: Any = incidents.c) -> ColumnElement[bool]:
    """As written, or in small letters, as ids are made."""
    return or_(*(Begins(table.incident_id, part) for part in sorted({text, text.lower()})))


def _names(text: str, table: Any = places.c) -> ColumnElement[bool]:
    looked_in = (table.camera_name, table.camera, table.zone, table.rule)
    return or_(*(func.lower(column).contains(text.lower(), autoescape=True) for column in looked_in))


def _common(table: Any, wanted: IncidentFilter) -> list[ColumnElement[bool]]:
    """What rows of `incidents` and of `places` both have."""
    conditions: list[ColumnElement[bool]] = []
    for name in ("camera", "zone", "kind", "rule"):
        if (value := getattr(wanted, name)) is not None:
            conditions.append(table[name] == value)
    if wanted.cameras is not None:
        conditions.append(table.camera.in_(sorted(wanted.cameras)))
    if wanted.severity is not None:
        conditions.append(table.severity <= wanted.severity)
    if wanted.level is not None:
        conditions.append(table.severity == wanted.level)
    return conditions
