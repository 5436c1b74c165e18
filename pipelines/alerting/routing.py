"""Who is told what, as pure functions: an event or a limit that ran out, what was known before it, and the site's policy."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pipelines.alerting.duty import Recipient
from pipelines.alerting.life import UNANSWERED, State
from pipelines.alerting.policy import CONTROL_ROOM, Policy, Reached, Route
from pipelines.store.incidents import Change, Notice
from pipelines.store.threads import Thread

__all__ = ["CONTROL_ROOM", "Plan", "Policy", "Recipient", "alert_id", "plan", "route"]

#: Fixed for good: alert ids are derived from it, and receivers know alerts by them.
_NAMESPACE: Final = uuid.UUID("5f0c9f0e-6e0b-4c5e-9a0f-2f6f0d1f7a11")
#: The purpose of alerts that tell of an incident: of the first step (and of a shift that begins), and of later steps.
INCIDENT: Final = "incident"
STEP: Final = "step-"
#: The kind of the incident that only tries the chain: to everybody at once, and nobody has to answer.
DRILL: Final = "drill"


@dataclass(frozen=True, slots=True)
class Plan:
    """One message to one recipient through one channel. `first`: it makes the alert; else it follows up. `gathered`: it
    waits for a digest, and nothing is sent now."""

    recipient: str
    purpose: str
    channel: str
    first: bool
    gathered: bool = False


@dataclass(frozen=True, slots=True)
class Telling:
    """What is to be sent, and the incident's thread as it is from now on (None: as it was, or it has none)."""

    plans: tuple[Plan, ...] = ()
    thread: Thread | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the store knew when the events came.

    `snoozed` maps (camera, rule) to the number of the snooze; `sent` (recipient, camera, rule) to when an alert of it was
    last really sent and of which level; `lately` a recipient to how many alerts were made for them in the storm's window.
    """

    snoozed: Mapping[tuple[str, str], int] = field(default_factory=dict)
    sent: Mapping[tuple[str, str, str], tuple[float, int]] = field(default_factory=dict)
    lately: Mapping[str, int] = field(default_factory=dict)

    def snooze_of(self, notice: Notice) -> str:
        """Why nobody is to be told, or nothing. Level 1 is never silenced, and neither is a test."""
        if notice.test or notice.severity == 1:
            return ""
        number = self.snoozed.get((notice.camera, notice.rule))
        return "" if number is None else f"snooze {number}"

    def cools(self, notice: Notice, recipient: str, cooldown_s: float, now_s: float) -> bool:
        """Whether they were told of the same rule, of this level or a graver one, within the cooldown."""
        sent_s, severity = self.sent.get((recipient, notice.camera, notice.rule), (float("-inf"), 4))
        return notice.severity > 1 and notice.severity >= severity and now_s - sent_s < cooldown_s


def route(
    change: Change,
    policy: Policy,
    around: Circumstances = Circumstances(),
    thread: Thread | None = None,
    now_s: float = 0.0,
) -> Telling:
    """What `change` asks to be sent.

    An incident is told when it is first heard of, followed up when it gets more severe and when it closes; other
    updates change the record only. A warning is told once and only if the policy says so; a test and a drill are told to
    everybody.
    """
    notice, known = change.notice, change.known
    if notice.test or (notice.drill and notice.kind == DRILL):
        purpose = "test" if notice.test else DRILL
        return Telling(_first(purpose, policy.recipients, known.alerts))
    if notice.phase == "warned":
        return Telling(_warning(change, policy, around, now_s))
    if not notice.of_record:
        return Telling()
    told = frozenset(pair for pair in known.alerts if is_of_incident(pair[1]))
    if thread is None and told:
        # Stored before there were threads: it goes on as it was.
        thread = Thread(notice.incident_id, State.SENT, known.severity or notice.severity, step=0)
        return Telling(_follow_up(change, policy, around, told, thread))
    if thread is None or (thread.step < 0 and notice.phase != "closed"):
        return begin(notice, policy, around, thread, now_s)
    if thread.step < 0:
        return Telling()
    plans = _follow_up(change, policy, around, told, thread)
    if notice.severity >= thread.severity:
        return Telling(plans)
    worse = replace(thread, severity=notice.severity)
    if notice.phase != "closed":
        more, worse = _widen(notice, policy, told, worse, now_s)
        plans += more
    return Telling(plans, worse)


def begin(notice: Notice, policy: Policy, around: Circumstances, thread: Thread | None, now_s: float) -> Telling:
    """Tell of an incident that nobody was told of. It may stay so, and then the thread says why."""
    way = policy.route_of(notice, now_s)
    why = around.snooze_of(notice) or (f"exempt: {way.exempt}" if way.exempt else "")
    reached, due_s = None, None
    if not why:
        reached = _reach(policy, way, notice.severity, now_s)
        if reached is None:
            asleep = bool(policy.recipients)
            why = "quiet hours" if asleep else "nobody is named"
            due_s = policy.wakes_s(way.chain, notice.severity, now_s) if asleep else None
    people = () if reached is None else reached.people
    awake = tuple(one for one in people if not around.cools(notice, one.name, way.cooldown_s, now_s))
    if people and not awake:
        why = "cooldown"
    made = thread or Thread(notice.incident_id, State.PENDING, notice.severity, created_s=now_s)
    made = replace(made, chain=way.chain, severity=min(made.severity, notice.severity))
    if why or reached is None:
        return Telling((), replace(made, silenced=why, due_s=due_s))
    made = replace(
        made, step=reached.step, silenced="", due_s=reached.look_s, deadline_s=reached.deadline_s, told_s=now_s
    )
    if made.state not in UNANSWERED:
        made = replace(made, due_s=None, deadline_s=None)  # answered before anybody was told
    return Telling(_gather(_first(INCIDENT, awake, frozenset()), policy, around, notice.severity), made)


def advance(thread: Thread, told: frozenset[str], policy: Policy, now_s: float) -> tuple[str, tuple[Plan, ...], Thread]:
    """What a thread that is due asks for: `(action, plans, thread)` with the action `shift` (others came on duty, and are
    told), `escalated`, `expired` (nobody is left to tell) or nothing. `told` are those who have an alert of it."""
    steps = policy.steps(thread.chain)
    if thread.deadline_s is not None and now_s < thread.deadline_s and thread.step < len(steps):
        names = steps[thread.step].tell
        people = policy.staff.named(names, now_s)
        fresh = tuple(one for one in people if one.name not in told and one.hears(thread.severity, now_s))
        look_s = policy.staff.shift_ends_s(names, now_s, thread.deadline_s - now_s)
        after = replace(thread, due_s=thread.deadline_s if look_s is None else look_s)
        return "shift" if fresh else "", _first(INCIDENT, fresh, frozenset()), after
    reached = policy.reach(thread.chain, thread.step, thread.severity, now_s)
    if reached is None:
        return "expired", (), replace(thread, state=State.EXPIRED, due_s=None)
    after = replace(
        thread,
        state=State.ESCALATED,
        step=reached.step,
        due_s=reached.look_s,
        deadline_s=reached.deadline_s,
    )
    return "escalated", _first(f"{STEP}{reached.step}", reached.people, frozenset()), after


def is_of_incident(purpose: str) -> bool:
    """Whether alerts of this purpose are answered by a person."""
    return purpose == INCIDENT or purpose.startswith(STEP)


def alert_id(incident_id: str, recipient: str, purpose: str) -> str:
    """The alert's id: the same three always give the same, whichever dispatcher asks."""
    return str(uuid.uuid5(_NAMESPACE, "\n".join((incident_id, recipient, purpose))))


def plan(
    changes: Sequence[Change],
    policy: Policy,
    around: Circumstances = Circumstances(),
    threads: Mapping[str, Thread] | None = None,
    now_s: float = 0.0,
) -> list[tuple[Change, Telling]]:
    """`route` over a batch in which a later change may follow up on an alert that an earlier one makes."""
    made: dict[str, frozenset[tuple[str, str]]] = {}
    newest = dict(threads or {})
    lately = dict(around.lately)
    around = replace(around, lately=lately)
    planned: list[tuple[Change, Telling]] = []
    for change in changes:
        incident_id = change.notice.incident_id
        known = change.known
        seen = Change(change.notice, replace(known, alerts=known.alerts | made.get(incident_id, frozenset())))
        telling = route(seen, policy, around, newest.get(incident_id), now_s)
        if telling.thread is not None:
            newest[incident_id] = telling.thread
        firsts = {(plan.recipient, plan.purpose) for plan in telling.plans if plan.first}
        for recipient, _ in firsts:
            lately[recipient] = lately.get(recipient, 0) + 1
        made[incident_id] = seen.known.alerts | firsts
        planned.append((change, telling))
    return planned


def _reach(policy: Policy, way: Route, severity: int, now_s: float) -> Reached | None:
    """The first step that comes to somebody. When nobody is on duty in the whole chain: everybody who hears, as its last
    step; but quiet hours are kept."""
    reached = policy.reach(way.chain, -1, severity, now_s)
    if reached is not None or policy.only_quiet(way.chain, now_s):
        return reached
    return policy.anybody(way.chain, severity, now_s)


def _widen(
    notice: Notice, policy: Policy, told: frozenset[tuple[str, str]], thread: Thread, now_s: float
) -> tuple[tuple[Plan, ...], Thread]:
    """It got graver: whoever the graver level's route begins with and has not been told is told now, and while nobody has
    answered the graver level's limit counts from now."""
    way = policy.route_of(notice, now_s)
    reached = None if way.exempt else _reach(policy, way, notice.severity, now_s)
    if reached is None:
        return (), thread
    names = {recipient for recipient, _ in told}
    fresh = tuple(one for one in reached.people if one.name not in names)
    if thread.state in UNANSWERED:
        deadline_s = min(reached.deadline_s, thread.deadline_s or reached.deadline_s)
        same = way.chain == thread.chain
        thread = replace(
            thread,
            chain=way.chain,
            step=thread.step if same else reached.step,
            deadline_s=deadline_s,
            due_s=min(deadline_s, reached.look_s),
        )
    return _first(INCIDENT, fresh, frozenset()), thread


def _warning(change: Change, policy: Policy, around: Circumstances, now_s: float) -> tuple[Plan, ...]:
    notice = change.notice
    if not policy.warnings or around.snooze_of(notice):
        return ()
    way = policy.route_of(notice, now_s)
    reached = None if way.exempt else policy.reach(way.chain, -1, notice.severity, now_s)
    return () if reached is None else _first("warning", reached.people, change.known.alerts)


def _first(purpose: str, people: Sequence[Recipient], told: frozenset[tuple[str, str]]) -> tuple[Plan, ...]:
    return tuple(
        Plan(person.name, purpose, channel, True)
        for person in people
        if (person.name, purpose) not in told
        for channel in person.channels
    )


def _follow_up(
    change: Change, policy: Policy, around: Circumstances, told: frozenset[tuple[str, str]], thread: Thread
) -> tuple[Plan, ...]:
    """To everybody who was told: that it got more severe, or that it is over. Each hears it once, on their first alert."""
    worse = change.notice.severity < thread.severity
    if not worse and change.notice.phase != "closed":
        return ()
    people = policy.staff.people
    once = dict(sorted(told, key=lambda pair: pair[1], reverse=True))
    return tuple(
        Plan(recipient, once[recipient], channel, False)
        for recipient in sorted(once)
        # In a storm the end of each would be a storm again.
        if recipient in people and (worse or not _stormy(policy, around, recipient, thread.severity))
        for channel in people[recipient].channels
    )


def _stormy(policy: Policy, around: Circumstances, recipient: str, severity: int) -> bool:
    storm = policy.storm
    return storm is not None and severity > 1 and around.lately.get(recipient, 0) >= storm.more_than


def _gather(plans: tuple[Plan, ...], policy: Policy, around: Circumstances, severity: int) -> tuple[Plan, ...]:
    """In a storm, what would be one more message waits for a digest."""
    return tuple(
        replace(plan, gathered=True) if _stormy(policy, around, plan.recipient, severity) else plan for plan in plans
    )
