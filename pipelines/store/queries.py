"""Reading the record: lists with filters, a page at a time by key (never by offset), newest first."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, and_, func, or_, select, tuple_, update

from pipelines.errors import BadInput
from pipelines.store import hours, threads
from pipelines.store.schema import (
    alert_transitions,
    alerts,
    attempts,
    audit,
    deliveries,
    incident_events,
    incidents,
    verdicts,
)

_LONGEST_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """None: whatever. `state` is `open` or `closed`; `text` is looked for in id, camera name, zone and rule. `weekday` (1 is
    Monday) and `hour` are those on the clock of `timezone` when the incident opened."""

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


@dataclass(frozen=True, slots=True)
class AlertFilter:
    since_s: float | None = None
    until_s: float | None = None
    state: str | None = None
    recipient: str | None = None
    incident_id: str | None = None
    cameras: frozenset[str] | None = None  # only incidents of these: what the one who asks may see


@dataclass(frozen=True, slots=True)
class Page:
    """`cursor` asks for the next page; None: this was the last."""

    rows: list[dict[str, Any]]
    cursor: str | None


def list_incidents(connection: Connection, wanted: IncidentFilter, limit: int = 50, cursor: str | None = None) -> Page:
    """Incidents of record by the time they opened. Raises BadInput: the cursor is not one of ours."""
    key = ("opened_s", "incident_id")
    _check_limit(limit)
    if not wanted.by_clock:
        return _page(connection, incidents, key, conditions_of(wanted), limit=limit, cursor=cursor)
    first_s, last_s = time_of(connection, wanted)
    rows: list[dict[str, Any]] = []
    if first_s is not None and last_s is not None:
        until_s = math.nextafter(last_s, math.inf)
        if cursor is not None:
            until_s = min(until_s, math.nextafter(_opened_cursor(cursor)[0], math.inf))
        for begin_s, end_s in hours.newest_first(first_s, until_s, wanted.weekday, wanted.hour, wanted.timezone):
            part = replace(wanted, since_s=begin_s, until_s=end_s)
            # One more than a page holds says that there is another.
            left = limit + 1 - len(rows)
            rows += _rows_of_page(connection, incidents, key, conditions_of(part), limit=left, cursor=cursor)
            if len(rows) > limit:
                break
    return _paged(rows, key, limit)


def time_of(connection: Connection, wanted: IncidentFilter) -> tuple[float | None, float | None]:
    """When the first and the last incident in the asked time opened, whatever else is asked."""
    opened = incidents.c.opened_s
    asked = conditions_of(IncidentFilter(since_s=wanted.since_s, until_s=wanted.until_s))
    return connection.scalar(select(func.min(opened)).where(*asked)), connection.scalar(
        select(func.max(opened)).where(*asked)
    )


def conditions_of(wanted: IncidentFilter) -> list[ColumnElement[bool]]:
    """What a row of `incidents` must be to pass; not what the clock showed (`weekday`, `hour`)."""
    table = incidents.c
    conditions: list[ColumnElement[bool]] = []
    if wanted.since_s is not None:
        conditions.append(table.opened_s >= wanted.since_s)
    if wanted.until_s is not None:
        conditions.append(table.opened_s < wanted.until_s)
    for name in ("camera", "zone", "kind", "rule"):
        if (value := getattr(wanted, name)) is not None:
            conditions.append(table[name] == value)
    if wanted.cameras is not None:
        conditions.append(table.camera.in_(sorted(wanted.cameras)))
    if wanted.severity is not None:
        conditions.append(table.severity <= wanted.severity)
    if wanted.level is not None:
        conditions.append(table.severity == wanted.level)
    if wanted.state is not None:
        conditions.append(table.closed_s.is_(None) if wanted.state == "open" else table.closed_s.is_not(None))
    if wanted.verdict is not None:
        conditions.append(table.verdict.is_(None) if wanted.verdict == "none" else table.verdict == wanted.verdict)
    if wanted.text is not None:
        looked_in = (table.incident_id, table.camera_name, table.camera, table.zone, table.rule)
        conditions.append(
            or_(*(func.lower(column).contains(wanted.text.lower(), autoescape=True) for column in looked_in))
        )
    if not wanted.drills:
        conditions.append(table.drill.is_(False))
    return conditions


def list_alerts(connection: Connection, wanted: AlertFilter, limit: int = 50, cursor: str | None = None) -> Page:
    """Alerts by the time they were made. Raises BadInput: the cursor is not one of ours."""
    table = alerts.c
    conditions: list[ColumnElement[bool]] = []
    if wanted.since_s is not None:
        conditions.append(table.created_s >= wanted.since_s)
    if wanted.until_s is not None:
        conditions.append(table.created_s < wanted.until_s)
    for name in ("state", "recipient", "incident_id"):
        if (value := getattr(wanted, name)) is not None:
            conditions.append(table[name] == value)
    if wanted.cameras is not None:
        seen = select(incidents.c.incident_id).where(incidents.c.camera.in_(sorted(wanted.cameras)))
        conditions.append(table.incident_id.in_(seen))
    _check_limit(limit)
    return _page(connection, alerts, ("created_s", "alert_id"), conditions, limit=limit, cursor=cursor)


def show_incident(connection: Connection, incident_id: str) -> dict[str, Any] | None:
    """One incident with its events, alerts, their deliveries and transitions, verdicts, thread and what happened to it (`log`);
    None: there is none.

    The beginning of an id is enough when only one incident begins so. Raises BadInput when several do.
    """
    table = incidents.c.incident_id
    rows = connection.execute(select(incidents).where(table == incident_id)).all()
    if not rows:
        rows = connection.execute(
            select(incidents).where(table.startswith(incident_id, autoescape=True)).limit(2)
        ).all()
    if len(rows) > 1:
        raise BadInput(f"several incidents begin with {incident_id!r}: give more of the id")
    if not rows:
        return None
    found = _plain(rows[0])
    name = found["incident_id"]
    found["events"] = _rows(connection, incident_events, incident_events.c.incident_id == name, "revision")
    found["alerts"] = [
        alert
        | {
            "deliveries": _rows(connection, deliveries, deliveries.c.alert_id == alert["alert_id"], "delivery_id"),
            "transitions": _rows(
                connection, alert_transitions, alert_transitions.c.alert_id == alert["alert_id"], "transition_id"
            ),
        }
        for alert in _rows(connection, alerts, alerts.c.incident_id == name, "created_s")
    ]
    found["verdicts"] = _rows(connection, verdicts, verdicts.c.incident_id == name, "verdict_id")
    thread = threads.get(connection, name)
    found["thread"] = None if thread is None else asdict(thread)
    found["log"] = threads.history(connection, name)
    return found


def deliveries_of(connection: Connection, incident_id: str) -> list[dict[str, Any]]:
    """Every delivery of an incident (or a test), oldest first, each with its number of tries."""
    return _rows(connection, deliveries, deliveries.c.incident_id == incident_id, "delivery_id")


def dead_deliveries(connection: Connection, limit: int = 100) -> list[dict[str, Any]]:
    """What will not be tried again, newest first, with the reason."""
    rows = connection.execute(
        select(deliveries).where(deliveries.c.state == "dead").order_by(deliveries.c.delivery_id.desc()).limit(limit)
    )
    return [_plain(row) for row in rows]


def write_audit(
    connection: Connection, *, now_s: float, who: str, action: str, subject: str, detail: Mapping[str, Any]
) -> None:
    """Who did what to what; `detail` plain JSON values. Rows are added, never changed."""
    connection.execute(audit.insert().values(at_s=now_s, who=who, action=action, subject=subject, detail=dict(detail)))


def resend(connection: Connection, delivery_ids: list[int] | None, *, now_s: float, who: str) -> list[int]:
    """Dead deliveries (all of them with None) are to be tried again from the first try; returns which. In the audit."""
    conditions = [deliveries.c.state == "dead"]
    if delivery_ids is not None:
        conditions.append(deliveries.c.delivery_id.in_(delivery_ids))
    again = list(
        connection.scalars(
            update(deliveries)
            .where(*conditions)
            .values(state="ready", attempts=0, next_attempt_s=0.0, lease_until_s=0.0, finished_s=None)
            .returning(deliveries.c.delivery_id)
        )
    )
    for delivery_id in again:
        connection.execute(
            audit.insert().values(at_s=now_s, who=who, action="resend", subject=f"delivery {delivery_id}", detail={})
        )
    return sorted(again)


def tries_of(connection: Connection, delivery_id: int) -> list[dict[str, Any]]:
    """Each try of one delivery: the receipts."""
    return _rows(connection, attempts, attempts.c.delivery_id == delivery_id, "attempt_id")


def _page(
    connection: Connection,
    table: Table,
    key: tuple[str, str],
    conditions: list[ColumnElement[bool]],
    *,
    limit: int,
    cursor: str | None,
) -> Page:
    return _paged(_rows_of_page(connection, table, key, conditions, limit=limit + 1, cursor=cursor), key, limit)


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= _LONGEST_PAGE:
        raise BadInput(f"a page holds 1..{_LONGEST_PAGE} rows, not {limit}")


def _rows_of_page(
    connection: Connection,
    table: Table,
    key: tuple[str, str],
    conditions: list[ColumnElement[bool]],
    *,
    limit: int,
    cursor: str | None,
) -> list[dict[str, Any]]:
    columns = [table.c[name] for name in key]
    if cursor is not None:
        time_s, name = _opened_cursor(cursor)
        # The first part alone narrows the index; the pair decides.
        conditions = [*conditions, columns[0] <= time_s, tuple_(*columns) < tuple_(time_s, name)]
    statement = select(table).where(and_(True, *conditions)).order_by(*(column.desc() for column in columns))
    return [_plain(row) for row in connection.execute(statement.limit(limit))]


def _paged(rows: list[dict[str, Any]], key: tuple[str, str], limit: int) -> Page:
    """`rows` has one more than a page holds when there is another page."""
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(rows[:limit], None if last is None else _cursor(last[key[0]], last[key[1]]))


def _cursor(time_s: float, name: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([time_s, name]).encode()).decode().rstrip("=")


def _opened_cursor(cursor: str) -> tuple[float, str]:
    try:
        time_s, name = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if isinstance(name, str):
            return float(time_s), name
    except (ValueError, TypeError, binascii.Error):
        pass
    raise BadInput(f"{cursor!r} is not a cursor that a list has given")


def _rows(connection: Connection, table: Table, condition: ColumnElement[bool], order: str) -> list[dict[str, Any]]:
    return [_plain(row) for row in connection.execute(select(table).where(condition).order_by(table.c[order]))]


def _plain(row: Any) -> dict[str, Any]:
    mapping: Mapping[str, Any] = row._mapping
    return dict(mapping)
