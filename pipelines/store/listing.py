"""Lists of incidents, newest first: nearly any filter in a few milliseconds, however many incidents there are.

`places` (a trigger keeps it) knows which cameras, rules and levels there are at all: hundreds, each a stretch of one index
in which incidents lie by time. A filter picks some of them, and a page is what is newest in those, read from the end of
each stretch. What is common needs not even that: the newest thousand incidents hold a page of it.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    bindparam,
    case,
    cast,
    func,
    literal,
    select,
    true,
    tuple_,
)

from pipelines.store import hours
from pipelines.store.filters import (
    SHORTEST_ID,
    IncidentFilter,
    conditions_of,
    id_begins,
    in_named_place,
    places_of,
    time_conditions,
)
from pipelines.store.paging import Key, Page, after, check_limit, paged
from pipelines.store.schema import incidents

_KEY: Final = ("opened_s", "incident_id")
#: What a filter can ask of a row.
_ASKED: Final = ("camera", "zone", "kind", "rule", "severity", "verdict", "drill", "closed_s")
#: So many of the newest are looked through first, unless so few places are asked for.
_GLANCE: Final = 1000
_FEW_PLACES: Final = 40
#: Of what is no more than this, all are looked at.
_FEW: Final = 2000
_DAY_S: Final = 86_400
#: So far back is looked in turn, where all stretches are read at once.
_SPANS_S: Final = (7 * 86_400.0, 56 * 86_400.0, 448 * 86_400.0, math.inf)
_WEEK_S: Final = 7 * _DAY_S
#: From a Monday long ago, so that whole numbers are cut off downwards.
_LONG_AGO_S: Final = 100_000 * _WEEK_S + 3 * _DAY_S


def list_incidents(connection: Connection, wanted: IncidentFilter, limit: int = 50, cursor: str | None = None) -> Page:
    """Incidents of record by the time they opened. Raises BadInput: the cursor is not one of ours."""
    check_limit(limit)
    # One more than a page holds says that there is another.
    return paged(_newest(connection, wanted, limit + 1, after(cursor)), _KEY, limit)


def time_of(connection: Connection, wanted: IncidentFilter) -> tuple[float | None, float | None]:
    """When the first and the last incident in the asked time opened, whatever else is asked."""
    asked, opened = time_conditions(wanted), incidents.c.opened_s
    return connection.scalar(select(func.min(opened)).where(*asked)), connection.scalar(
        select(func.max(opened)).where(*asked)
    )


def _newest(connection: Connection, wanted: IncidentFilter, count: int, last: Key | None) -> list[dict[str, Any]]:
    """The first `count` rows after `last`."""
    if wanted.by_clock:
        first_s, last_s = time_of(connection, wanted)
        if first_s is None or last_s is None:
            return []
        until_s = math.nextafter(last_s if last is None else min(last[0], last_s), math.inf)
        wanted = replace(wanted, since_s=first_s, until_s=until_s)
    rare = _rare(wanted)
    if not wanted.by_place and not rare:
        return _by_time(connection, wanted, count, last)
    stretches = connection.execute(places_of(wanted)).all() if wanted.by_place else []
    if wanted.by_place and not stretches and wanted.text is None:
        return []
    if len(stretches) > _FEW_PLACES:
        glanced = _part(wanted, last).order_by(*_newest_first(incidents.c)).limit(_GLANCE)
        found = _among(connection, glanced, wanted, count)
        if len(found) >= count:
            return _rows(connection, found, count)
    for condition in rare:
        if (part := _all_of(connection, condition, wanted, last)) is not None:
            return _rows(connection, _among(connection, part, wanted, count), count)
    if not wanted.by_place:
        return _by_time(connection, wanted, count, last)
    found = _by_place(connection, wanted, stretches, count, last)
    if wanted.text is not None and len(wanted.text) >= SHORTEST_ID:
        found += _by_id(connection, wanted, wanted.text, count, last)
    return _rows(connection, found, count)


def _rare(wanted: IncidentFilter) -> list[ColumnElement[bool]]:
    """Conditions that have an index to themselves."""
    table = incidents.c
    found: list[ColumnElement[bool]] = [table.closed_s.is_(None)] if wanted.state == "open" else []
    return [*found, table.verdict == wanted.verdict] if wanted.verdict not in (None, "none") else found


def _by_time(connection: Connection, wanted: IncidentFilter, count: int, last: Key | None) -> list[dict[str, Any]]:
    if not wanted.by_clock:
        return _plain(connection, [*conditions_of(wanted), *_after(last)], count)
    rows: list[dict[str, Any]] = []
    assert wanted.since_s is not None
    assert wanted.until_s is not None
    spans = hours.newest_first(wanted.since_s, wanted.until_s, wanted.weekday, wanted.hour, wanted.timezone)
    for begin_s, end_s in spans:
        part = replace(wanted, since_s=begin_s, until_s=end_s)
        rows += _plain(connection, [*conditions_of(part), *_after(last)], count - len(rows))
        if len(rows) == count:
            break
    return rows


def _plain(connection: Connection, conditions: Sequence[ColumnElement[bool]], count: int) -> list[dict[str, Any]]:
    chosen = select(incidents).where(*conditions).order_by(*_newest_first(incidents.c)).limit(count)
    return [dict(row._mapping) for row in connection.execute(chosen)]


def _part(wanted: IncidentFilter, last: Key | None, *conditions: ColumnElement[bool]) -> Select[Any]:
    """Of rows in the asked time, what a filter can ask of them."""
    columns = [incidents.c[name] for name in (*_KEY, *_ASKED)]
    return select(*columns).where(*time_conditions(wanted), *_after(last), *conditions)


def _all_of(
    connection: Connection, condition: ColumnElement[bool], wanted: IncidentFilter, last: Key | None
) -> Select[Any] | None:
    """All rows with `condition`, if they are few."""
    part = _part(wanted, last, condition).limit(_FEW)
    return part if (connection.scalar(select(func.count()).select_from(part.subquery())) or 0) < _FEW else None


def _among(connection: Connection, part: Select[Any], wanted: IncidentFilter, count: int) -> list[Key]:
    """The newest of `part` that pass. Its limit keeps databases from looking elsewhere."""
    table = part.subquery("part").c
    conditions = [*conditions_of(wanted, table), *_clock(connection, wanted, table)]
    return _keys(connection, table, conditions, count)


def _keys(connection: Connection, table: Any, conditions: Sequence[ColumnElement[bool]], count: int) -> list[Key]:
    chosen = select(*(table[name] for name in _KEY)).where(*conditions).order_by(*_newest_first(table))
    return [(row[0], row[1]) for row in connection.execute(chosen.limit(count))]


def _by_place(
    connection: Connection, wanted: IncidentFilter, stretches: Sequence[Any], count: int, last: Key | None
) -> list[Key]:
    """The newest of each stretch, and of those the newest."""
    table = incidents.c
    # What a stretch is made of needs not be asked again of each row.
    rest = replace(wanted, camera=None, cameras=None, rule=None, severity=None, level=None, text=None)
    conditions = [*conditions_of(rest), *_clock(connection, wanted, table), *_after(last)]
    if wanted.text is not None:
        conditions.append(in_named_place(wanted.text))
    if connection.dialect.name == "sqlite":
        return _in_turn(connection, stretches, conditions, count)
    if last is None and wanted.until_s is None:
        newest_s = time_of(connection, wanted)[1]
    else:
        newest_s = min(
            last[0] if last is not None else math.inf, math.inf if wanted.until_s is None else wanted.until_s
        )
    found: list[Key] = []
    for span_s in _SPANS_S:
        since_s = -math.inf if newest_s is None else newest_s - span_s
        found = _at_once(connection, wanted, [*conditions, table.opened_s >= since_s], count)
        # What is missing is older than what was looked at.
        if len(found) == count or since_s <= (wanted.since_s or -math.inf):
            break
    return found


def _at_once(
    connection: Connection, wanted: IncidentFilter, conditions: Sequence[ColumnElement[bool]], count: int
) -> list[Key]:
    """PostgreSQL is asked for the newest of all stretches together."""
    table = incidents.c
    stretch = places_of(wanted).subquery("stretch")
    here = [table[name] == stretch.c[name] for name in ("camera", "rule", "severity")]
    newest = select(*(table[name] for name in _KEY)).where(*here, *conditions).order_by(*_newest_first(table))
    of_each = newest.limit(count).lateral("newest")
    chosen = select(of_each).select_from(stretch.join(of_each, true()))
    return [(row[0], row[1]) for row in connection.execute(chosen.order_by(*_newest_first(of_each.c)).limit(count))]


def _in_turn(
    connection: Connection, stretches: Sequence[Any], conditions: Sequence[ColumnElement[bool]], count: int
) -> list[Key]:
    """SQLite is asked for each stretch by itself, only for what is newer than the last that there is room for: a few
    microseconds each, which SQLAlchemy would make ten times as many."""
    table = incidents.c
    here = [table[name] == bindparam(f"its_{name}") for name in ("camera", "rule", "severity")]
    newest = select(*(table[name] for name in _KEY)).where(*here, table.opened_s >= bindparam("from_s"), *conditions)
    compiled = newest.order_by(*_newest_first(table)).limit(count).compile(connection)
    sql, names = str(compiled), compiled.positiontup or []
    first: dict[str, Any] = dict.fromkeys(("its_camera", "its_rule", "its_severity")) | {"from_s": -math.inf}
    values = dict(compiled.construct_params(first))
    cursor = connection.connection.cursor()
    found: list[Key] = []
    for values["its_camera"], values["its_rule"], values["its_severity"] in stretches:
        cursor.execute(sql, [values[name] for name in names])
        if new := cursor.fetchall():
            found = heapq.nlargest(count, [*found, *((row[0], row[1]) for row in new)])
            if len(found) == count:
                values["from_s"] = found[-1][0]
    cursor.close()
    return found


def _by_id(connection: Connection, wanted: IncidentFilter, text: str, count: int, last: Key | None) -> list[Key]:
    """Those whose id begins with `text`."""
    rest = replace(wanted, text=None)
    part = _all_of(connection, id_begins(text), IncidentFilter(), None)
    if part is not None:
        table = part.subquery("part").c
        conditions = [*conditions_of(rest, table), *_clock(connection, rest, table), *_after(last, table)]
        return _keys(connection, table, conditions, count)
    conditions = [*conditions_of(rest), *_clock(connection, rest, incidents.c), *_after(last), id_begins(text)]
    return _keys(connection, incidents.c, conditions, count)


def _rows(connection: Connection, keys: Sequence[Key], count: int) -> list[dict[str, Any]]:
    """The newest `count`, whole; sorted by the database, as its pages are."""
    names = list({name for _, name in keys})
    if not names:
        return []
    chosen = select(incidents).where(incidents.c.incident_id.in_(names)).order_by(*_newest_first(incidents.c))
    return [dict(row._mapping) for row in connection.execute(chosen)][:count]


def _newest_first(table: Any) -> list[ColumnElement[Any]]:
    return [table[name].desc() for name in _KEY]


def _after(last: Key | None, table: Any = incidents.c) -> list[ColumnElement[bool]]:
    # The first part alone narrows the index; the pair decides.
    if last is None:
        return []
    return [table.opened_s <= last[0], tuple_(*(table[name] for name in _KEY)) < tuple_(*last)]


def _clock(connection: Connection, wanted: IncidentFilter, table: Any) -> list[ColumnElement[bool]]:
    """That the clock showed what is asked: arithmetic, with the offset from UTC that it had at the time."""
    if not wanted.by_clock or wanted.since_s is None or wanted.until_s is None:
        return []
    (_, first), *more = hours.offsets(wanted.since_s, wanted.until_s, wanted.timezone)
    ahead_s: Any = literal(float(first))
    if more:
        ahead_s = case(
            *((table.opened_s >= from_s, float(offset)) for from_s, offset in reversed(more)), else_=float(first)
        )
    local_s: Any = table.opened_s + ahead_s + float(_LONG_AGO_S)
    if connection.dialect.name != "sqlite":
        local_s = func.floor(local_s)  # its cast rounds, SQLite's cuts off
    place_s: Any = cast(local_s, BigInteger) % _WEEK_S
    if wanted.weekday is None:
        place_s = place_s % _DAY_S
    begin_s = 0 if wanted.weekday is None else (wanted.weekday - 1) * _DAY_S
    length_s = _DAY_S if wanted.hour is None else 3600
    begin_s += 0 if wanted.hour is None else wanted.hour * 3600
    return [place_s >= begin_s, place_s < begin_s + length_s]
