"""The history in columns: days that are over are kept as columns, what changed since is read from the rows.

`stale_days` is written by the database's own triggers, in the transaction that changes an incident, its thread or a crowd's
event: so a day's columns are used only while they say what its rows say. PostgreSQL's marks carry the transaction that made
them: writers never wait for each other, and a mark that was not seen yet outlives the summing up that did not see its row.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection, Text, and_, case, cast, delete, exists, func, insert, select, text

from pipelines.store import hours
from pipelines.store.columns import DENSITIES, VERSION, Columns, Crowd, Place, columns_from, columns_of, decode, encode
from pipelines.store.filters import SHORTEST_ID, IncidentFilter, conditions_of, id_begins, named_places
from pipelines.store.listing import list_incidents, time_of
from pipelines.store.schema import history_days, incident_events, incidents, places, stale_days, threads

_DAY_S: Final = 86_400
#: One summing up at a time: "gatewhst".
_ROLL_LOCK: Final = 0x6761746577687374

#: When a thread began, was acknowledged, somebody was there, it was closed.
Answer = tuple[float | None, float | None, float | None, float | None]


def stream(connection: Connection, wanted: IncidentFilter) -> Iterator[Columns]:
    """What the filter lets through, ascending, in portions of at most a day."""
    first_s, last_s = time_of(connection, wanted)
    if first_s is None or last_s is None:
        return
    first, last = _day(first_s), _day(last_s)
    names = None if wanted.text is None else named_places(connection, wanted.text)
    # Columns know no ids: where one begins so, the rows are asked.
    clean = () if wanted.text is not None and _is_id(connection, wanted.text) else _clean(connection, first, last)
    next_day = first
    for day, body in clean:
        yield from _live(connection, next_day, day, wanted)
        yield _passed(decode(body), wanted, names)
        next_day = day + 1
    yield from _live(connection, next_day, last + 1, wanted)


def stale(connection: Connection, limit: int = 1000) -> list[int]:
    """Days (since 1970, UTC) that have incidents and whose columns are missing, old, or of another version; oldest first."""
    marked = select(stale_days.c.day).distinct().order_by(stale_days.c.day).limit(limit)
    old = select(history_days.c.day).where(history_days.c.version != VERSION).order_by(history_days.c.day).limit(limit)
    found = set(connection.scalars(marked)) | set(connection.scalars(old))
    return sorted(found)[:limit]


def roll(connection: Connection, day: int) -> int:
    """Write down a day's columns; returns how many incidents it has. In a write transaction of its own."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ROLL_LOCK})
    # First the marks, then the rows: what is marked later is summed up again.
    seen = list(connection.scalars(select(stale_days.c.tx).where(stale_days.c.day == day)))
    columns = _gathered(connection, day * _DAY_S, (day + 1) * _DAY_S, ())
    connection.execute(delete(history_days).where(history_days.c.day == day))
    connection.execute(
        insert(history_days).values(day=day, version=VERSION, incidents=len(columns), body=encode(columns))
    )
    for begin in range(0, len(seen), 1000):
        connection.execute(
            delete(stale_days).where(stale_days.c.day == day, stale_days.c.tx.in_(seen[begin : begin + 1000]))
        )
    return len(columns)


def days(connection: Connection) -> list[int]:
    """Days that have columns, oldest first."""
    return list(connection.scalars(select(history_days.c.day).order_by(history_days.c.day)))


def differs(connection: Connection, day: int) -> bool:
    """Whether a day's columns say something else than its rows though no mark says so: that must never be."""
    marked = select(stale_days.c.day).where(stale_days.c.day == day).limit(1)
    kept = select(history_days.c.body).where(history_days.c.day == day, history_days.c.version == VERSION)
    body = connection.scalar(kept)
    if body is None or connection.execute(marked).first() is not None:
        return False
    return bytes(body) != encode(_gathered(connection, day * _DAY_S, (day + 1) * _DAY_S, ()))


def unknown_places(connection: Connection) -> int:
    """Places that incidents have and `places` has not: there must be none."""
    names = [column.name for column in places.c]
    same = [places.c[name] == incidents.c[name] for name in names]
    missing = select(*(incidents.c[name] for name in names)).where(~exists().where(*same)).distinct()
    return connection.scalar(select(func.count()).select_from(missing.subquery())) or 0


def newest_first(connection: Connection, wanted: IncidentFilter) -> Iterator[tuple[dict[str, Any], Answer]]:
    """Rows that the filter lets through with when their thread began, was acknowledged, somebody was there, it was closed.
    All of one moment; a page at a time is in memory."""
    cursor = None
    while True:
        page = list_incidents(connection, wanted, 1000, cursor)
        yield from with_answers(connection, page.rows)
        cursor = page.cursor
        if cursor is None:
            return


def with_answers(connection: Connection, rows: Sequence[dict[str, Any]]) -> list[tuple[dict[str, Any], Answer]]:
    """Rows of `incidents`, each with its thread's moments."""
    thread = threads.c
    asked = select(
        thread.incident_id, thread.created_s, thread.acknowledged_s, thread.on_site_s, thread.closed_s
    ).where(thread.incident_id.in_([row["incident_id"] for row in rows]))
    answers: dict[str, Answer] = {row[0]: (row[1], row[2], row[3], row[4]) for row in connection.execute(asked)}
    return [(row, answers.get(row["incident_id"], (None, None, None, None))) for row in rows]


def camera_names(connection: Connection, cameras: Sequence[str]) -> dict[str, str]:
    """The newest name of each camera that has incidents."""
    known = select(places.c.camera, places.c.camera_name).distinct()
    names: dict[str, list[str]] = {}
    for camera, name in connection.execute(known):
        names.setdefault(camera, []).append(name)
    found: dict[str, str] = {}
    for camera in cameras:
        several = names.get(camera, [])
        if len(several) > 1:
            several = [row["camera_name"] for row in list_incidents(connection, IncidentFilter(camera=camera), 1).rows]
        found[camera] = (several[0] if several else "") or camera
    return found


def _day(time_s: float) -> int:
    return math.floor(time_s / _DAY_S)


def _clean(connection: Connection, first: int, last: int) -> Iterator[tuple[int, bytes]]:
    """Days whose columns say what their rows say."""
    marked = set(connection.scalars(select(stale_days.c.day).distinct().where(stale_days.c.day.between(first, last))))
    days = (
        select(history_days.c.day, history_days.c.body)
        .where(history_days.c.day.between(first, last), history_days.c.version == VERSION)
        .order_by(history_days.c.day)
    )
    for day, body in connection.execution_options(yield_per=16).execute(days):
        if day not in marked:
            yield day, body


def _live(connection: Connection, day: int, until: int, wanted: IncidentFilter) -> Iterator[Columns]:
    """From the rows, for days in [day, until); empty ones are stepped over."""
    extra = conditions_of(IncidentFilter(text=wanted.text))
    opened = incidents.c.opened_s
    while day < until:
        ahead = and_(opened >= day * _DAY_S, opened < until * _DAY_S)
        next_s = connection.scalar(select(func.min(opened)).where(ahead))
        if next_s is None:
            return
        day = _day(next_s)
        yield _passed(_gathered(connection, day * _DAY_S, (day + 1) * _DAY_S, extra), wanted, None)
        day += 1


def _is_id(connection: Connection, text: str) -> bool:
    chosen = select(incidents.c.incident_id).where(id_begins(text)).limit(1)
    return len(text) >= SHORTEST_ID and connection.execute(chosen).first() is not None


def _passed(columns: Columns, wanted: IncidentFilter, names: set[tuple[str, str, str, str]] | None) -> Columns:
    """The rows that the filter lets through. `names`: places that its `text` means; None: the database was asked for it."""
    keep = np.ones(len(columns), np.bool_)
    if any(getattr(wanted, name) is not None for name in ("camera", "zone", "kind", "rule", "cameras")):
        keep &= np.array([_fits(place, wanted) for place in columns.places], np.bool_)[columns.place]
    if names is not None:
        keep &= np.array(
            [(place.camera, place.zone, place.rule, place.kind) in names for place in columns.places], np.bool_
        )[columns.place]
    if wanted.severity is not None:
        keep &= columns.severity <= wanted.severity
    if wanted.level is not None:
        keep &= columns.severity == wanted.level
    if wanted.verdict is not None:
        keep &= np.array([word == wanted.verdict for word in columns.verdicts], np.bool_)[columns.verdict]
    if not wanted.drills:
        keep &= columns.drill == 0
    if wanted.since_s is not None:
        keep &= columns.at_s >= wanted.since_s
    if wanted.until_s is not None:
        keep &= columns.at_s < wanted.until_s
    if wanted.state is not None:
        still_open = np.isnan(columns.lasted_s)
        keep &= still_open if wanted.state == "open" else ~still_open
    if wanted.by_clock and len(columns):
        keep &= _at_hours(columns, wanted)
    return columns.where(keep)


def _at_hours(columns: Columns, wanted: IncidentFilter) -> npt.NDArray[np.bool_]:
    """Whether the site's clock showed the asked weekday and hour."""
    begin_s, end_s = float(columns.at_s[0]), math.nextafter(float(columns.at_s[-1]), math.inf)
    keep = np.zeros(len(columns), np.bool_)
    for span in hours.newest_first(begin_s, end_s, wanted.weekday, wanted.hour, wanted.timezone):
        first, last = np.searchsorted(columns.at_s, span)
        keep[first:last] = True
    return keep


def _fits(place: Place, wanted: IncidentFilter) -> bool:
    return (
        (wanted.camera is None or wanted.camera == place.camera)
        and (wanted.zone is None or wanted.zone == place.zone)
        and (wanted.kind is None or wanted.kind == place.kind)
        and (wanted.rule is None or wanted.rule == place.rule)
        and (wanted.cameras is None or place.camera in wanted.cameras)
    )


def _gathered(connection: Connection, from_s: float, until_s: float, extra: Sequence[ColumnElement[bool]]) -> Columns:
    row, thread = incidents.c, threads.c
    asked = (row.opened_s >= from_s, row.opened_s < until_s, *extra)
    position = func.instr if connection.dialect.name == "sqlite" else func.strpos
    evidence = cast(row.evidence, Text)
    with_plate = case((position(evidence, '"plate"') > 0, evidence))
    statement = (
        select(
            *(row.incident_id, row.opened_s, row.camera, row.zone, row.rule, row.kind, row.severity, row.drill),
            *(row.verdict, row.closed_s, with_plate),
            *(thread.created_s, thread.sent_s, thread.acknowledged_s, thread.on_site_s, thread.closed_s),
        )
        .select_from(incidents.outerjoin(threads, thread.incident_id == row.incident_id))
        .where(*asked)
        .order_by(row.opened_s, row.incident_id)
    )
    found = connection.execute(statement).all()
    if not found:
        return columns_of((), (), ())
    (
        names,
        at_s,
        *where,
        severity,
        drill,
        verdict,
        ended_s,
        plate,
        begun_s,
        sent_s,
        acknowledged_s,
        there_s,
        closed_s,
    ) = zip(*found, strict=True)
    begin = np.array(begun_s, np.float64)
    # What has not happened is None, and then no number.
    answers = [np.array(moments, np.float64) - begin for moments in (acknowledged_s, there_s, closed_s)]
    lasted = np.array(ended_s, np.float64) - np.array(at_s, np.float64)
    typed = ((row, plate_of(evidence)) for row, evidence in enumerate(plate) if evidence)
    crowds = {name: row for row, (name, kind) in enumerate(zip(names, where[-1], strict=True)) if kind == "crowding"}
    return columns_from(
        at_s=at_s,
        places=list(zip(*where, strict=True)),
        severity=severity,
        verdicts=[word or "none" for word in verdict],
        drill=drill,
        told=[moment is not None for moment in sent_s],
        seconds=np.stack([*answers, lasted], axis=1),
        plates=[(row, text) for row, text in typed if text],
        crowds=tuple(_crowds(connection, asked, crowds)) if crowds else (),
    )


def plate_of(evidence: str) -> str:
    """The number plate that a person typed, as one writes it; empty: none, or `unknown`."""
    item = json.loads(evidence).get("plate")
    value = item.get("value") if isinstance(item, dict) else None
    if not isinstance(value, str) or value.strip().lower() in ("", "unknown"):
        return ""
    return "".join(value.split()).upper()


def _crowds(connection: Connection, asked: Sequence[ColumnElement[bool]], rows: dict[str, int]) -> Iterator[Crowd]:
    """A density stands from the message that told it until the next one; nothing is known after an open crowd's last."""
    event = incident_events.c
    density = event.body["data", "evidence", "density", "value"].as_string()
    statement = (
        select(event.incident_id, event.time_s, density, incidents.c.closed_s)
        .join(incidents, incidents.c.incident_id == event.incident_id)
        .where(*asked, incidents.c.kind == "crowding")
        .order_by(event.incident_id, event.time_s, event.revision)
    )
    told: dict[str, list[tuple[float, float | None]]] = {}
    ends_s: dict[str, float | None] = {}
    for name, time_s, value, ended_s in connection.execute(statement):
        told.setdefault(name, []).append((time_s, _number(value)))
        ends_s[name] = ended_s
    for name, moments in told.items():
        if name not in rows:
            continue
        ended_s = ends_s[name]
        known_s, above_s = 0.0, [0.0] * len(DENSITIES)
        for (at_s, value), next_s in zip(moments, [at_s for at_s, _ in moments[1:]] + [ended_s], strict=True):
            until_s = at_s if next_s is None else next_s if ended_s is None else min(next_s, ended_s)
            lasted_s = max(0.0, until_s - at_s)
            if value is not None:
                known_s += lasted_s
                above_s = [
                    sum_s + (lasted_s if value >= limit else 0.0)
                    for sum_s, limit in zip(above_s, DENSITIES, strict=True)
                ]
        if known_s:
            yield Crowd(rows[name], known_s, tuple(above_s))


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
