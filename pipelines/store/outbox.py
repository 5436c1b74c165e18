"""The outbox: what was decided to be sent, written with the decision, leased by one sender at a time, finished once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, and_, bindparam, exists, func, insert, select, update

from pipelines.store.incidents import insert_or_ignore
from pipelines.store.schema import alert_transitions, alerts, attempts, deliveries, incident_events, threads
from pipelines.store.threads import SYSTEM

Outcome = Literal["sent", "failed", "dead"]


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
    """A delivery that is ours until `lease_until_s`. `attempt` counts from 1; `body` is the event's envelope."""

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


@dataclass(frozen=True, slots=True)
class Result:
    """How a try ended. `failed` is tried again at `next_attempt_s`; `dead` is not."""

    delivery_id: int
    alert_id: str
    outcome: Outcome
    detail: str
    started_s: float
    duration_s: float
    next_attempt_s: float = 0.0


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
        connection.execute(insert_or_ignore(connection, alerts), rows)
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
        connection.execute(insert_or_ignore(connection, deliveries), rows)


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
        select(deliveries.c.delivery_id)
        .where(_due(channel, now_s))
        .order_by(deliveries.c.delivery_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(connection.scalars(chosen))
    if not ids:
        return []
    connection.execute(
        update(deliveries)
        .where(deliveries.c.delivery_id.in_(ids))
        .values(attempts=deliveries.c.attempts + 1, lease_owner=owner, lease_until_s=now_s + lease_s)
    )
    rows = connection.execute(
        select(deliveries, alerts.c.purpose, alerts.c.test, incident_events.c.body)
        .join(alerts, alerts.c.alert_id == deliveries.c.alert_id)
        .join(incident_events, incident_events.c.event_id == deliveries.c.event_id)
        .where(deliveries.c.delivery_id.in_(ids))
        .order_by(deliveries.c.delivery_id)
    )
    return [
        Leased(
            delivery_id=row.delivery_id,
            alert_id=row.alert_id,
            incident_id=row.incident_id,
            recipient=row.recipient,
            purpose=row.purpose,
            test=row.test,
            idempotency_key=row.idempotency_key,
            event_s=row.event_s,
            attempt=row.attempts,
            lease_until_s=row.lease_until_s,
            body=row.body,
        )
        for row in rows
    ]


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


def finish(connection: Connection, results: Sequence[Result], owner: str, now_s: float) -> None:
    """Write down how tries ended, and what that means for their alerts. A lease that was lost meanwhile changes nothing
    but a success: what was sent was sent, whoever holds the lease now."""
    if not results:
        return
    connection.execute(
        insert(attempts),
        [
            {
                "delivery_id": result.delivery_id,
                "started_s": result.started_s,
                "duration_s": result.duration_s,
                "outcome": result.outcome,
                "detail": result.detail,
            }
            for result in results
        ],
    )
    for outcome in ("sent", "failed", "dead"):
        rows = [
            {
                "id": result.delivery_id,
                "new_state": "ready" if outcome == "failed" else outcome,
                "new_reason": "" if outcome == "sent" else result.detail,
                "again_s": result.next_attempt_s,
                "end_s": None if outcome == "failed" else now_s,
            }
            # In one order for all: two senders then never wait for each other.
            for result in sorted(results, key=lambda result: result.delivery_id)
            if result.outcome == outcome
        ]
        if not rows:
            continue
        condition = [deliveries.c.delivery_id == bindparam("id"), deliveries.c.state == "ready"]
        if outcome != "sent":
            condition.append(deliveries.c.lease_owner == owner)
        connection.execute(
            update(deliveries)
            .where(*condition)
            .values(
                state=bindparam("new_state"),
                reason=bindparam("new_reason"),
                next_attempt_s=bindparam("again_s"),
                finished_s=bindparam("end_s"),
                lease_owner=None,
                lease_until_s=0.0,
            ),
            rows,
        )
    sent = {result.alert_id for result in results if result.outcome == "sent"}
    first = move(
        connection, sorted(sent), ("pending", "failed"), "sent", now_s=now_s, who=SYSTEM, note="", sent_s=now_s
    )
    if sent:
        # A digest was sent for all that it holds.
        held = list(connection.scalars(select(alerts.c.alert_id).where(alerts.c.digest.in_(sent))))
        if held:
            move(
                connection,
                held,
                ("pending", "failed"),
                "sent",
                now_s=now_s,
                who=SYSTEM,
                note="in a digest",
                sent_s=now_s,
            )
        if len(first) < len(sent):
            # Answered or escalated before the receipt came: it was sent all the same.
            late = alerts.c.alert_id.in_(sent) & alerts.c.sent_s.is_(None)
            connection.execute(update(alerts).where(late).values(sent_s=now_s))
        _threads_sent(connection, [*sent, *held], now_s)
    dead = {result.alert_id for result in results if result.outcome == "dead"} - sent
    if dead:
        hopeful = select(deliveries.c.alert_id).where(
            deliveries.c.alert_id.in_(dead), deliveries.c.state.in_(("ready", "sent"))
        )
        dead -= set(connection.scalars(hopeful))
        failed = move(
            connection, sorted(dead), ("pending",), "failed", now_s=now_s, who=SYSTEM, note="no channel got through"
        )
        _threads_failed(connection, failed)


def _threads_sent(connection: Connection, alert_ids: Sequence[str], now_s: float) -> None:
    """The first receipt of any alert is its thread's."""
    told = select(alerts.c.incident_id).where(alerts.c.alert_id.in_(alert_ids))
    unsent = threads.c.sent_s.is_(None)
    mine = select(threads.c.incident_id).where(threads.c.incident_id.in_(told), unsent)
    ids = list(connection.scalars(mine.order_by(threads.c.incident_id).with_for_update()))
    if not ids:
        return
    connection.execute(update(threads).where(threads.c.incident_id.in_(ids)).values(sent_s=now_s))
    waiting = threads.c.state.in_(("pending", "failed"))
    connection.execute(update(threads).where(threads.c.incident_id.in_(ids), waiting).values(state="sent"))


def _threads_failed(connection: Connection, alert_ids: Sequence[str]) -> None:
    """A thread has failed when none of its alerts is on its way or sent."""
    told = select(alerts.c.incident_id).where(alerts.c.alert_id.in_(alert_ids))
    other = alerts.alias("other")
    hopeless = ~exists().where(other.c.incident_id == threads.c.incident_id, other.c.state != "failed")
    connection.execute(
        update(threads)
        .where(threads.c.incident_id.in_(told), threads.c.state == "pending", hopeless)
        .values(state="failed")
    )


def move(
    connection: Connection,
    alert_ids: Sequence[str],
    before: Sequence[str],
    then: str,
    *,
    now_s: float,
    who: str,
    note: str,
    **changes: float,
) -> list[str]:
    """Alerts whose state is one of `before` become `then`, with a transition each; returns those that moved."""
    moved: list[str] = []
    if alert_ids and connection.dialect.name == "postgresql":
        # Channels finish the same alerts at the same time: in one order, they never wait for each other.
        mine = select(alerts.c.alert_id).where(alerts.c.alert_id.in_(alert_ids)).order_by(alerts.c.alert_id)
        connection.execute(mine.with_for_update())
    for state in before:
        if not alert_ids:
            break
        rows = connection.scalars(
            update(alerts)
            .where(alerts.c.alert_id.in_(alert_ids), alerts.c.state == state)
            .values(state=then, **changes)
            .returning(alerts.c.alert_id)
        ).all()
        if rows:
            connection.execute(
                insert(alert_transitions),
                [
                    {"alert_id": alert, "from_state": state, "to_state": then, "at_s": now_s, "who": who, "note": note}
                    for alert in rows
                ],
            )
            moved += rows
        alert_ids = [alert for alert in alert_ids if alert not in rows]
    return moved


def waiting(connection: Connection) -> int:
    """Deliveries that are neither sent nor dead."""
    return connection.scalar(select(func.count()).select_from(deliveries).where(deliveries.c.state == "ready")) or 0
