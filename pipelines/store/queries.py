"""Reading the record. Lists of incidents are in `listing`, what they may ask for in `filters`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, exists, select, tuple_, update

from pipelines.errors import BadInput
from pipelines.store import threads
from pipelines.store.filters import IncidentFilter
from pipelines.store.listing import list_incidents
from pipelines.store.paging import Page, after, check_limit, paged
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

#: Questions about many incidents are asked here too, wherever they are answered.
__all__ = [
    "AlertFilter",
    "IncidentFilter",
    "Page",
    "dead_deliveries",
    "deliveries_of",
    "list_alerts",
    "list_incidents",
    "resend",
    "show_incident",
    "tries_of",
    "write_audit",
]


@dataclass(frozen=True, slots=True)
class AlertFilter:
    since_s: float | None = None
    until_s: float | None = None
    state: str | None = None
    recipient: str | None = None
    incident_id: str | None = None
    cameras: frozenset[str] | None = None  # only incidents of these: what the one who asks may see


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
        seen = incidents.c.camera.in_(sorted(wanted.cameras))
        conditions.append(exists().where(incidents.c.incident_id == table.incident_id, seen))
    check_limit(limit)
    columns = (table.created_s, table.alert_id)
    if (last := after(cursor)) is not None:
        # The first part alone narrows the index; the pair decides.
        conditions += [table.created_s <= last[0], tuple_(*columns) < tuple_(*last)]
    statement = select(alerts).where(and_(True, *conditions)).order_by(*(column.desc() for column in columns))
    rows = [_plain(row) for row in connection.execute(statement.limit(limit + 1))]
    return paged(rows, ("created_s", "alert_id"), limit)


def show_incident(connection: Connection, incident_id: str) -> dict[str, Any] | None:
    """One incident with its events, alerts, their deliveries (each with its `receipts` and its `delay_s` from the event, None
    until it has ended) and transitions, verdicts, thread and what happened to it (`log`); None: there is none.

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
            "deliveries": [
                row | {"delay_s": _delay_s(row), "receipts": tries_of(connection, row["delivery_id"])}
                for row in _rows(connection, deliveries, deliveries.c.alert_id == alert["alert_id"], "delivery_id")
            ],
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


def _delay_s(row: Mapping[str, Any]) -> float | None:
    return None if row["finished_s"] is None else round(row["finished_s"] - row["event_s"], 3)


def tries_of(connection: Connection, delivery_id: int) -> list[dict[str, Any]]:
    """Each try of one delivery: the receipts."""
    return _rows(connection, attempts, attempts.c.delivery_id == delivery_id, "attempt_id")


def _rows(connection: Connection, table: Table, condition: ColumnElement[bool], order: str) -> list[dict[str, Any]]:
    return [_plain(row) for row in connection.execute(select(table).where(condition).order_by(table.c[order]))]


def _plain(row: Any) -> dict[str, Any]:
    mapping: Mapping[str, Any] = row._mapping
    return dict(mapping)
