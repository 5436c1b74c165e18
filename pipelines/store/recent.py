"""What was made and sent lately: for cooldowns and storms, and for digests and drills."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, func, or_, select, update

from pipelines.store.schema import alerts, deliveries, incident_events, incidents, places

#: An alert is sent at most this long after it was made, as far as a cooldown looks.
_SLOWEST_S: Final = 3600.0


def sent(connection: Connection, since_s: float) -> dict[tuple[str, str, str], tuple[float, int]]:
    """(recipient, camera, rule) -> when an alert of it was last really sent, since then, and the level."""
    rows = connection.execute(
        select(alerts.c.recipient, incidents.c.camera, incidents.c.rule, alerts.c.sent_s, alerts.c.severity)
        .join(incidents, incidents.c.incident_id == alerts.c.incident_id)
        .where(alerts.c.created_s > since_s - _SLOWEST_S, alerts.c.sent_s > since_s, alerts.c.purpose == "incident")
        .order_by(alerts.c.sent_s)
    )
    return {(row.recipient, row.camera, row.rule): (row.sent_s, row.severity) for row in rows}


def made(connection: Connection, since_s: float) -> dict[str, int]:
    """Recipient -> how many alerts of incidents were made for them since then."""
    rows = connection.execute(
        select(alerts.c.recipient, func.count())
        .where(alerts.c.created_s > since_s, or_(alerts.c.purpose == "incident", alerts.c.purpose.startswith("step-")))
        .group_by(alerts.c.recipient)
    )
    return {row[0]: row[1] for row in rows}


def waiting_for_digest(connection: Connection, before_s: float) -> list[str]:
    """Recipients who have an alert that has waited since before then."""
    rows = connection.scalars(
        select(alerts.c.recipient)
        .where(alerts.c.digest == "", alerts.c.created_s <= before_s)
        .group_by(alerts.c.recipient)
        .order_by(alerts.c.recipient)
    )
    return list(rows)


def take_into_digest(connection: Connection, recipient: str, limit: int) -> list[dict[str, Any]]:
    """The alerts of one recipient that wait, gravest first, as nobody else can take them now: `alert_id, incident_id,
    severity, event_s`, and the `body` of each incident's newest event."""
    mine = (
        select(alerts.c.alert_id, alerts.c.incident_id, alerts.c.severity, alerts.c.event_s)
        .where(alerts.c.digest == "", alerts.c.recipient == recipient)
        .order_by(alerts.c.severity, alerts.c.created_s, alerts.c.alert_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = [dict(row._mapping) for row in connection.execute(mine)]
    ids = [row["incident_id"] for row in rows]
    events = connection.execute(
        select(incident_events.c.incident_id, incident_events.c.body)
        .where(incident_events.c.incident_id.in_(ids))
        .order_by(incident_events.c.revision)
    )
    bodies = {row.incident_id: row.body for row in events if row.body["type"].startswith("incident.")}
    return [row | {"body": bodies[row["incident_id"]]} for row in rows]


def put_into_digest(connection: Connection, alert_ids: list[str], digest: str) -> None:
    """These alerts are told by that digest's alert."""
    connection.execute(update(alerts).where(alerts.c.alert_id.in_(alert_ids)).values(digest=digest))


def drill_seen(connection: Connection, incident_id: str) -> bool | None:
    """Whether a drill of this id was stored; None: none ever was."""
    of_kind = select(places.c.kind).where(places.c.kind == "drill").limit(1)
    if connection.scalar(of_kind) is None:
        return None
    return connection.scalar(select(incidents.c.incident_id).where(incidents.c.incident_id == incident_id)) is not None


def arrivals(connection: Connection, incident_id: str) -> list[tuple[str, str, str, float | None]]:
    """Of an incident's deliveries: `(recipient, channel, state, delay_s)`."""
    rows = connection.execute(select(deliveries).where(deliveries.c.incident_id == incident_id))
    return [
        (row.recipient, row.channel, row.state, None if row.finished_s is None else row.finished_s - row.event_s)
        for row in rows
    ]
