"""How tries to send ended: the receipts, and what they mean for deliveries, alerts and threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, bindparam, case, exists, select, update

from pipelines.store.many import insert_many, or_fail
from pipelines.store.outbox import in_order
from pipelines.store.schema import alert_transitions, alerts, attempts, deliveries, threads
from pipelines.store.threads import SYSTEM

Outcome = Literal["sent", "failed", "dead"]


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


def finish(connection: Connection, results: Sequence[Result], owner: str, now_s: float) -> None:
    """Write down how tries ended, and what that means for their alerts. A lease that was lost meanwhile changes nothing
    but a success: what was sent was sent, whoever holds the lease now."""
    if not results:
        return
    insert_many(
        connection,
        attempts,
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
        or_fail,
    )
    delivered = sorted(result.delivery_id for result in results if result.outcome == "sent")
    if delivered:
        in_order(connection, delivered)
        connection.execute(
            update(deliveries)
            .where(deliveries.c.delivery_id.in_(delivered), deliveries.c.state == "ready")
            .values(state="sent", reason="", finished_s=now_s, lease_owner=None, lease_until_s=0.0)
        )
    rest = [
        {
            "id": result.delivery_id,
            "new_state": "ready" if result.outcome == "failed" else "dead",
            "new_reason": result.detail,
            "again_s": result.next_attempt_s,
            "end_s": None if result.outcome == "failed" else now_s,
        }
        # In one order for all: two senders then never wait for each other.
        for result in sorted(results, key=lambda result: result.delivery_id)
        if result.outcome != "sent"
    ]
    if rest:
        connection.execute(
            update(deliveries)
            .where(
                deliveries.c.delivery_id == bindparam("id"),
                deliveries.c.state == "ready",
                deliveries.c.lease_owner == owner,
            )
            .values(
                state=bindparam("new_state"),
                reason=bindparam("new_reason"),
                next_attempt_s=bindparam("again_s"),
                finished_s=bindparam("end_s"),
                lease_owner=None,
                lease_until_s=0.0,
            ),
            rest,
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
    unsent = threads.c.incident_id.in_(told) & threads.c.sent_s.is_(None)
    if connection.dialect.name == "postgresql":
        mine = select(threads.c.incident_id).where(unsent)
        connection.execute(mine.order_by(threads.c.incident_id).with_for_update())
    waiting = threads.c.state.in_(("pending", "failed"))
    connection.execute(
        update(threads).where(unsent).values(sent_s=now_s, state=case((waiting, "sent"), else_=threads.c.state))
    )


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
            insert_many(
                connection,
                alert_transitions,
                [
                    {"alert_id": alert, "from_state": state, "to_state": then, "at_s": now_s, "who": who, "note": note}
                    for alert in rows
                ],
                or_fail,
            )
            moved += rows
        alert_ids = [alert for alert in alert_ids if alert not in rows]
    return moved
