"""The outbox: what was decided to be sent, written with the decision, and leased by one sender at a time.

How a try ended is written down by `pipelines.store.receipts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, exists, func, select, update

from pipelines.store.many import insert_many, or_ignore
from pipelines.store.schema import alerts, deliveries, incident_events


@dataclass(frozen=True, slots=True)
class NewAlert:
    alert_id: str
    incident_id: str
    recipient: str
    purpose: str
    severity: int
    test: bool
    event_s: float
    gathered: bool = False  # it waits for a digest


@dataclass(frozen=True, slots=True)
class NewDelivery:
    alert_id: str
    incident_id: str
    recipient: str
    channel: str
    idempotency_key: str
    event_id: str
    event_s: float


@dataclass(frozen=True, slots=True)
class Leased:
    """A delivery that is ours until `lease_until_s`. `attempt` counts from 1; `body` is the event's envelope. `left_by`: a
    sender that had it leased, and neither finished nor gave it back."""

    delivery_id: int
    alert_id: str
    incident_id: str
    recipient: str
    purpose: str
    test: bool
    idempotency_key: str
    event_s: float
    attempt: int
    lease_until_s: float
    body: Mapping[str, Any]
    left_by: str | None = None


def put(connection: Connection, made: Sequence[NewAlert], told: Sequence[NewDelivery], now_s: float) -> None:
    """Add alerts and deliveries; those that are there already stay as they are."""
    if made:
        rows = [
            {
                "alert_id": alert.alert_id,
                "incident_id": alert.incident_id,
                "recipient": alert.recipient,
                "purpose": alert.purpose,
                "state": "pending",
                "severity": alert.severity,
                "test": alert.test,
                "event_s": alert.event_s,
                "created_s": now_s,
                "digest": "" if alert.gathered else None,
            }
            for alert in made
        ]
        insert_many(connection, alerts, rows, or_ignore)
    if told:
        rows = [
            {
                "alert_id": delivery.alert_id,
                "incident_id": delivery.incident_id,
                "recipient": delivery.recipient,
                "channel": delivery.channel,
                "idempotency_key": delivery.idempotency_key,
                "event_id": delivery.event_id,
                "event_s": delivery.event_s,
                "state": "ready",
                "attempts": 0,
                "next_attempt_s": 0.0,
                "lease_until_s": 0.0,
                "created_s": now_s,
                "reason": "",
            }
            for delivery in told
        ]
        insert_many(connection, deliveries, rows, or_ignore)


def _due(channel: str, now_s: float) -> Any:
    """Ready, not leased, and first in its incident's line on this channel."""
    earlier = deliveries.alias("earlier")
    return and_(
        deliveries.c.state == "ready",
        deliveries.c.channel == channel,
        deliveries.c.next_attempt_s <= now_s,
        deliveries.c.lease_until_s <= now_s,
        ~exists().where(
            earlier.c.state == "ready",
            earlier.c.incident_id == deliveries.c.incident_id,
            earlier.c.channel == deliveries.c.channel,
            earlier.c.recipient == deliveries.c.recipient,
            earlier.c.delivery_id < deliveries.c.delivery_id,
        ),
    )


def anything_due(connection: Connection, channel: str, now_s: float) -> bool:
    """Whether `claim` would find something; only reads."""
    return connection.execute(select(deliveries.c.delivery_id).where(_due(channel, now_s)).limit(1)).first() is not None


def claim(
    connection: Connection, channel: str, *, owner: str, now_s: float, lease_s: float, limit: int
) -> list[Leased]:
    """Lease at most `limit` due deliveries of `channel`; a lease that ran out (its sender died) is claimed like new."""
    chosen = (
        select(deliveries.c.delivery_id, deliveries.c.lease_owner)
        .where(_due(channel, now_s))
        .order_by(deliveries.c.delivery_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    before: dict[int, str | None] = {row[0]: row[1] for row in connection.execute(chosen)}
    if not before:
        return []
    ids = list(before)
    connection.execute(
        update(deliveries)
        .where(deliveries.c.delivery_id.in_(ids))
        .values(attempts=deliveries.c.attempts + 1, lease_owner=owner, lease_until_s=now_s + lease_s)
    )
    rows = connection.execute(
        select(
            deliveries.c.delivery_id,
            deliveries.c.alert_id,
            deliveries.c.incident_id,
            deliveries.c.recipient,
            alerts.c.purpose,
            alerts.c.test,
            deliveries.c.idempotency_key,
            deliveries.c.event_s,
            deliveries.c.attempts,
            deliveries.c.lease_until_s,
            incident_events.c.body,
        )
        .join(alerts, alerts.c.alert_id == deliveries.c.alert_id)
        .join(incident_events, incident_events.c.event_id == deliveries.c.event_id)
        .where(deliveries.c.delivery_id.in_(ids))
        .order_by(deliveries.c.delivery_id)
    )
    return [Leased(*row, before[row.delivery_id]) for row in rows]


def renew(connection: Connection, delivery_ids: Sequence[int], owner: str, *, now_s: float, lease_s: float) -> set[int]:
    """Lease what is still `owner`'s for longer; returns which that is. What ran out and was not taken is still theirs."""
    if not delivery_ids:
        return set()
    in_order(connection, delivery_ids)
    rows = connection.scalars(
        update(deliveries)
        .where(
            deliveries.c.delivery_id.in_(delivery_ids),
            deliveries.c.lease_owner == owner,
            deliveries.c.state == "ready",
        )
        .values(lease_until_s=now_s + lease_s)
        .returning(deliveries.c.delivery_id)
    )
    return set(rows)


def in_order(connection: Connection, delivery_ids: Sequence[int]) -> None:
    """Take these rows in one order for all: two senders then never wait for each other. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        mine = select(deliveries.c.delivery_id).where(deliveries.c.delivery_id.in_(delivery_ids))
        connection.execute(mine.order_by(deliveries.c.delivery_id).with_for_update())


def give_back(connection: Connection, delivery_ids: Sequence[int], owner: str) -> None:
    """End leases whose delivery was not tried."""
    if delivery_ids:
        connection.execute(
            update(deliveries)
            .where(
                deliveries.c.delivery_id.in_(delivery_ids),
                deliveries.c.lease_owner == owner,
                deliveries.c.state == "ready",
            )
            .values(lease_until_s=0.0, lease_owner=None, attempts=deliveries.c.attempts - 1)
        )


def waiting(connection: Connection) -> int:
    """Deliveries that are neither sent nor dead."""
    return connection.scalar(select(func.count()).select_from(deliveries).where(deliveries.c.state == "ready")) or 0
