"""What happened in a few hours, for the sheet of a shift. Spans are [from_s, until_s) in UTC seconds; `cameras` None: all."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, select

from pipelines.store.schema import deliveries, incidents, snoozes, thread_log, threads

#: No sheet is longer than what a person reads; how many there were is told by the counts.
MOST: Final = 300
#: A limit that ran out in this shift may belong to an incident of the one before.
_BEFORE_S: Final = 86_400.0
_INCIDENT: Final = (
    *("incident_id", "kind", "severity", "camera", "camera_name", "zone", "opened_s", "closed_s", "drill", "verdict"),
)
_THREAD: Final = (
    *("state", "silenced", "created_s", "acknowledged_s", "acknowledged_by", "on_site_s", "on_site_by"),
    "closed_by",
)


def _seen(cameras: Collection[str] | None) -> list[ColumnElement[bool]]:
    return [] if cameras is None else [incidents.c.camera.in_(sorted(cameras))]


def _opened(from_s: float, until_s: float) -> list[ColumnElement[bool]]:
    return [incidents.c.opened_s >= from_s, incidents.c.opened_s < until_s]


def counts(
    connection: Connection, from_s: float, until_s: float, cameras: Collection[str] | None
) -> list[dict[str, Any]]:
    """How many incidents opened, by `kind`, `severity` and `drill`."""
    keys = (incidents.c.kind, incidents.c.severity, incidents.c.drill)
    asked = select(*keys, func.count().label("incidents")).where(*_opened(from_s, until_s), *_seen(cameras))
    return [dict(row._mapping) for row in connection.execute(asked.group_by(*keys).order_by(*keys))]


def grave(
    connection: Connection, from_s: float, until_s: float, cameras: Collection[str] | None
) -> list[dict[str, Any]]:
    """Incidents of level 1 and 2 that opened, oldest first, with their threads (null: nobody is told)."""
    asked = (*_opened(from_s, until_s), incidents.c.severity <= 2, *_seen(cameras))
    return _listed(connection, asked, inner=False)


def unanswered(connection: Connection, cameras: Collection[str] | None) -> list[dict[str, Any]]:
    """Incidents whose thread nobody has closed yet, whenever they opened, oldest first."""
    return _listed(connection, (threads.c.closed_s.is_(None), *_seen(cameras)), inner=True)


def _listed(connection: Connection, asked: tuple[ColumnElement[bool], ...], *, inner: bool) -> list[dict[str, Any]]:
    together = incidents.join(threads, threads.c.incident_id == incidents.c.incident_id, isouter=not inner)
    columns = (*(incidents.c[name] for name in _INCIDENT), *(threads.c[name] for name in _THREAD))
    closed = threads.c.closed_s.label("answered_s")
    chosen = select(*columns, closed).select_from(together).where(*asked)
    rows = connection.execute(chosen.order_by(incidents.c.opened_s, incidents.c.incident_id).limit(MOST))
    return [dict(row._mapping) for row in rows]


def missed(
    connection: Connection, from_s: float, until_s: float, cameras: Collection[str] | None
) -> list[dict[str, Any]]:
    """Limits that ran out unanswered: each incident once, with `at_s` the first time, `times` how often, and `note`."""
    line = thread_log.c
    asked = (
        select(
            *(line.incident_id, line.at_s, line.note),
            *(incidents.c[name] for name in ("kind", "severity", "camera_name", "drill")),
        )
        .join(incidents, incidents.c.incident_id == line.incident_id)
        .where(
            *_opened(from_s - _BEFORE_S, until_s),
            line.action.in_(("escalated", "expired")),
            line.at_s >= from_s,
            line.at_s < until_s,
            *_seen(cameras),
        )
        .order_by(line.log_id)
    )
    found: dict[str, dict[str, Any]] = {}
    for row in connection.execute(asked):
        first = found.setdefault(row.incident_id, dict(row._mapping) | {"times": 0})
        first["times"] += 1
        first["note"] = row.note
    return sorted(found.values(), key=lambda one: float(one["at_s"]))[:MOST]


def dead(
    connection: Connection, from_s: float, until_s: float, cameras: Collection[str] | None
) -> list[dict[str, Any]]:
    """Deliveries that will not be tried again and gave up in that time, with the reason."""
    row = deliveries.c
    asked = select(row.delivery_id, row.recipient, row.channel, row.reason, row.finished_s, row.incident_id).where(
        row.state == "dead", row.finished_s >= from_s, row.finished_s < until_s
    )
    if cameras is not None:
        asked = asked.join(incidents, incidents.c.incident_id == row.incident_id).where(*_seen(cameras))
    return [dict(one._mapping) for one in connection.execute(asked.order_by(row.delivery_id).limit(MOST))]


def snoozed(
    connection: Connection, from_s: float, until_s: float, cameras: Collection[str] | None
) -> list[dict[str, Any]]:
    """Rules that told nobody for a part of that time, oldest first; `ended_s` null: not ended by hand."""
    row = snoozes.c
    asked = [row.from_s < until_s, row.until_s > from_s, (row.ended_s.is_(None)) | (row.ended_s > from_s)]
    if cameras is not None:
        asked.append(row.camera.in_(sorted(cameras)))
    rows = connection.execute(select(snoozes).where(*asked).order_by(row.snooze_id).limit(MOST))
    return [dict(one._mapping) for one in rows]
