"""From what was planned to the rows of the store: alerts, deliveries, and what a storm or a cooldown asks of the past."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pipelines.alerting.policy import Policy
from pipelines.alerting.routing import Circumstances, Plan, alert_id
from pipelines.store import outbox, recent, snoozes
from pipelines.store.database import Transaction
from pipelines.store.outbox import NewAlert, NewDelivery


@dataclass(slots=True)
class Batch:
    """Alerts and deliveries of one transaction, to be written at once."""

    _made: dict[str, NewAlert] = field(default_factory=dict)
    _told: list[NewDelivery] = field(default_factory=list)

    def add(
        self,
        plans: Iterable[Plan],
        *,
        incident_id: str,
        severity: int,
        event_id: str,
        event_s: float,
        revision: int,
        test: bool = False,
    ) -> None:
        """What was planned about one event."""
        for planned in plans:
            alert = alert_id(incident_id, planned.recipient, planned.purpose)
            if planned.first:
                self._made[alert] = NewAlert(
                    alert_id=alert,
                    incident_id=incident_id,
                    recipient=planned.recipient,
                    purpose=planned.purpose,
                    severity=severity,
                    test=test,
                    event_s=event_s,
                    gathered=planned.gathered,
                )
            if planned.gathered:
                continue
            self._told.append(
                NewDelivery(
                    alert_id=alert,
                    incident_id=incident_id,
                    recipient=planned.recipient,
                    channel=planned.channel,
                    # The first message of an alert is known by the alert's own id, a follow-up by its revision too.
                    idempotency_key=alert if planned.first else f"{alert}:{revision}",
                    event_id=event_id,
                    event_s=event_s,
                )
            )

    def write(self, connection: Transaction, now_s: float) -> bool:
        """Put it into the store; whether there is something to send."""
        outbox.put(connection, list(self._made.values()), self._told, now_s)
        return bool(self._told)


def circumstances(connection: Transaction, policy: Policy, now_s: float) -> Circumstances:
    """What the store says about the last while, as far as this policy asks."""
    in_force = snoozes.in_force(connection, now_s)
    cooldown_s = max((one.cooldown_s for one in policy.routes), default=0.0)
    return Circumstances(
        snoozed={(row["camera"], row["rule"]): row["snooze_id"] for row in in_force},
        sent=recent.sent(connection, now_s - cooldown_s) if cooldown_s else {},
        lately={} if policy.storm is None else recent.made(connection, now_s - policy.storm.within_s),
    )


def names_of(policy: Policy, recipients: Sequence[str]) -> list[str]:
    """What people call them."""
    people = policy.staff.people
    return [(people[name].called or name) if name in people else name for name in dict.fromkeys(recipients)]
