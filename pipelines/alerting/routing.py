"""Who is told what, as a pure function: an event, what was known before it, and the site's policy."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pipelines.store.incidents import Change, Notice

#: The recipient while the configuration names no people: whoever sits in the control room.
CONTROL_ROOM: Final = "control-room"

#: Fixed for good: alert ids are derived from it, and receivers know alerts by them.
_NAMESPACE: Final = uuid.UUID("5f0c9f0e-6e0b-4c5e-9a0f-2f6f0d1f7a11")


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody, and the channels that reach them."""

    name: str
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """What the configuration says about telling. `warnings`: also tell `incident.warned`."""

    recipients: tuple[Recipient, ...]
    warnings: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """One message to one recipient through one channel. `first`: it makes the alert; else it follows up."""

    recipient: str
    purpose: str
    channel: str
    first: bool


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the store knew when the events came. `snoozed` maps (camera, rule) to the number of the snooze."""

    snoozed: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def silence(self, notice: Notice) -> str:
        """Why nobody is to be told, or nothing. Level 1 is never silenced, and neither is a test."""
        if notice.test or notice.severity == 1:
            return ""
        number = self.snoozed.get((notice.camera, notice.rule))
        return "" if number is None else f"snooze {number}"


def route(change: Change, policy: Policy, around: Circumstances = Circumstances()) -> tuple[Plan, ...]:
    """What `change` asks to be sent.

    An incident is told when it is first heard of, followed up when it gets more severe and when it closes; other
    updates change the record only. A warning is told once and only if the policy says so; a test is told to everybody.
    """
    notice, known = change.notice, change.known
    if not known.alerts and around.silence(notice):
        return ()
    if notice.test:
        purpose = "test"
    elif notice.phase == "warned":
        if not policy.warnings:
            return ()
        purpose = "warning"
    elif notice.of_record:
        purpose = "incident"
    else:
        return ()
    plans: list[Plan] = []
    for recipient in policy.recipients:
        first = (recipient.name, purpose) not in known.alerts
        worse = known.severity is not None and notice.severity < known.severity
        if first or (purpose == "incident" and (worse or notice.phase == "closed")):
            plans += [Plan(recipient.name, purpose, channel, first) for channel in recipient.channels]
    return tuple(plans)


def alert_id(incident_id: str, recipient: str, purpose: str) -> str:
    """The alert's id: the same three always give the same, whichever dispatcher asks."""
    return str(uuid.uuid5(_NAMESPACE, "\n".join((incident_id, recipient, purpose))))


def plan(
    changes: Sequence[Change], policy: Policy, around: Circumstances = Circumstances()
) -> list[tuple[Change, tuple[Plan, ...]]]:
    """`route` over a batch in which a later change may follow up on an alert that an earlier one makes."""
    made: dict[str, frozenset[tuple[str, str]]] = {}
    planned: list[tuple[Change, tuple[Plan, ...]]] = []
    for change in changes:
        incident_id = change.notice.incident_id
        known = change.known
        seen = Change(change.notice, replace(known, alerts=known.alerts | made.get(incident_id, frozenset())))
        plans = route(seen, policy, around)
        made[incident_id] = seen.known.alerts | {(plan.recipient, plan.purpose) for plan in plans}
        planned.append((change, plans))
    return planned
