"""What time asks for: limits that ran out, shifts that began, quiet hours that ended, digests, alerts that reached nobody.

Any number of dispatchers run it on one store. When something is due stands in the store, so a restart forgets nothing; each
step is taken in a transaction that first locks what it is about, so it is taken once.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pipelines.alerting import alarms, digest, drill
from pipelines.alerting.life import State, states_before
from pipelines.alerting.policy import Policy
from pipelines.alerting.routing import Plan, advance, alert_id, begin, plan
from pipelines.alerting.telling import Batch, circumstances, names_of
from pipelines.clock import Clock
from pipelines.errors import GatewatchError, Unavailable
from pipelines.events.envelope import Event, rfc3339
from pipelines.logs import fields
from pipelines.metrics import Metrics
from pipelines.store import incidents, outbox, receipts, recent, threads
from pipelines.store.database import Database, Transaction
from pipelines.store.incidents import notice_of
from pipelines.store.outbox import NewAlert, NewDelivery
from pipelines.store.threads import SYSTEM, Thread

_log = logging.getLogger(__name__)

#: How often to look: an escalation is at most this late.
_LOOK_EVERY_S: Final = 0.25
_BATCH: Final = 50
_DIGEST_HOLDS: Final = 500
_DRILLS_BACK_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Site:
    """What alarms say of where they come from. `publish` shows an alarm to whoever watches the bus; the store has it
    already."""

    name: str = "Gatewatch"
    config_version: str = "-"
    publish: Callable[[Event], None] = lambda event: None


@dataclass(slots=True)
class Escalation:
    """`stored()` is called after each commit that made deliveries, to wake the senders of this process."""

    database: Database
    policy: Policy
    clock: Clock
    metrics: Metrics
    stored: Callable[[], None] = lambda: None
    site: Site = Site()
    _judged: set[str] = field(default_factory=set, init=False)
    _began_s: float | None = field(default=None, init=False)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`; while the store is away, try again."""
        while not stop.is_set():
            try:
                while self.run_once() and not stop.is_set():
                    pass
            except Unavailable as error:
                _log.warning("escalation waits for the store", extra=fields(reason=str(error)))
                self.clock.wait(stop, 1.0)
            except GatewatchError as error:
                _log.error("escalation could not do everything", extra=fields(reason=str(error)))
                self.clock.wait(stop, 1.0)
            self.clock.wait(stop, _LOOK_EVERY_S)

    def run_once(self) -> bool:
        """Do what is due now; False: nothing was. Raises Unavailable."""
        now_s = self.clock.now_s()
        with self.database.read() as connection:
            due = threads.due(connection, now_s, _BATCH)
            unreached = self._unreached(connection, now_s)
            storm = self.policy.storm
            digests = [] if storm is None else recent.waiting_for_digest(connection, now_s - storm.gather_s)
        told = bool(due) and self._take_steps(due, now_s)
        for recipient in digests:
            told |= self._send_digest(recipient, now_s)
        if unreached:
            told |= self._alarm(now_s)
        told |= self._judge_drills(now_s)
        if told:
            self.stored()
        return bool(due or digests or unreached)

    def raise_alarm(self, connection: Transaction, event: Event, now_s: float) -> bool:
        """Store an incident of our own and tell of it, in the caller's transaction; False: it was there already."""
        changes = incidents.apply(connection, [notice_of(event)], now_s)
        batch, made = Batch(), []
        for change, telling in plan(changes, self.policy, circumstances(connection, self.policy, now_s), {}, now_s):
            notice = change.notice
            _add(batch, telling.plans, notice.incident_id, notice.severity, event.id, now_s, notice.revision)
            if telling.thread is not None:
                # It never raises an alarm about itself.
                made.append(replace(telling.thread, alarmed_s=now_s))
        threads.put(connection, made)
        batch.write(connection, now_s)
        return bool(changes)

    def message_lost(self, entry: str, reason: str) -> None:
        """A message of the bus is about to be laid aside: what it said, nobody will hear. Raises Unavailable."""
        now_s = self.clock.now_s()
        event = alarms.message_lost(now_s, entry, reason, self.site.config_version, self.site.name)
        with self.database.write() as connection:
            new = self.raise_alarm(connection, event, now_s)
        if new:
            self.stored()
            self._show(event)

    def _unreached(self, connection: Transaction, now_s: float) -> bool:
        return bool(threads.unreached(connection, now_s - self.policy.reach_within_s, 1))

    def _take_steps(self, due: list[str], now_s: float) -> bool:
        answered: list[Thread] = []
        batch = Batch()
        with self.database.write() as connection:
            incidents.lock(connection, due)
            changed: list[Thread] = []
            for thread in threads.locked(connection, due).values():
                if thread.due_s is None or thread.due_s > now_s:
                    continue  # another dispatcher was here, or a person
                if thread.acknowledged_s is not None:
                    answered.append(thread)
                    changed.append(replace(thread, due_s=None))
                elif thread.step < 0:
                    changed.append(self._begin(connection, batch, thread, now_s))
                else:
                    changed.append(self._advance(connection, batch, thread, now_s))
            threads.save(connection, changed)
            told = batch.write(connection, now_s)
        for thread in answered:
            assert thread.acknowledged_s is not None
            since_s = thread.created_s if thread.sent_s is None else thread.sent_s
            self.metrics.alert_acknowledge.observe(max(0.0, thread.acknowledged_s - since_s))
        return told

    def _begin(self, connection: Transaction, batch: Batch, thread: Thread, now_s: float) -> Thread:
        """Quiet hours are over: it is told now."""
        notice = notice_of(Event.from_json(json.dumps(threads.newest_event(connection, thread.incident_id))))
        telling = begin(notice, self.policy, circumstances(connection, self.policy, now_s), thread, now_s)
        _add(batch, telling.plans, notice.incident_id, notice.severity, notice.event.id, notice.time_s, notice.revision)
        after = telling.thread or thread
        return after if after.due_s is None or after.due_s > now_s else replace(after, due_s=None)

    def _advance(self, connection: Transaction, batch: Batch, thread: Thread, now_s: float) -> Thread:
        told = threads.alerts_of(connection, thread.incident_id)
        action, plans, after = advance(thread, frozenset(told.values()), self.policy, now_s)
        if not action:
            return after
        body = threads.newest_event(connection, thread.incident_id)
        event_id, waited = str(body["id"]), names_of(self.policy, list(told.values()))
        if action == "escalated":
            body = _escalated(body, after.step, waited, now_s - (thread.told_s or thread.created_s), now_s)
            event_id = body["id"]
            incidents.add_event(connection, body, now_s)
        revision = int(body["data"]["revision"])
        _add(batch, plans, thread.incident_id, thread.severity, event_id, now_s, revision)
        to = ", ".join(names_of(self.policy, [one.recipient for one in plans]))
        threads.log(
            connection,
            thread.incident_id,
            action,
            before=thread.state,
            after=after.state,
            who=SYSTEM,
            now_s=now_s,
            note=f"to {to}" if to else f"not answered by {', '.join(waited)}",
        )
        if action in (State.ESCALATED, State.EXPIRED):
            moved = State(action)
            before = [state for state in states_before(moved) if state is not State.ACKNOWLEDGED]
            receipts.move(connection, sorted(told), before, moved, now_s=now_s, who=SYSTEM, note="not answered in time")
        return after

    def _send_digest(self, recipient: str, now_s: float) -> bool:
        storm, person = self.policy.storm, self.policy.staff.people.get(recipient)
        assert storm is not None
        with self.database.write() as connection:
            gathered = recent.take_into_digest(connection, recipient, _DIGEST_HOLDS)
            if not gathered:
                return False
            window_s = now_s - min(one["event_s"] for one in gathered)
            body = digest.body_of(gathered, recipient, now_s, max(storm.gather_s, window_s))
            subject = str(body["subject"])
            alert = alert_id(subject, recipient, "digest")
            recent.put_into_digest(connection, [one["alert_id"] for one in gathered], alert)
            incidents.add_event(connection, body, now_s)
            event_s = min(one["event_s"] for one in gathered)
            made = NewAlert(alert, subject, recipient, "digest", body["data"]["severity"], False, event_s)
            deliveries = [
                NewDelivery(alert, subject, recipient, channel, alert, str(body["id"]), event_s)
                for channel in (person.channels if person is not None else ())
            ]
            outbox.put(connection, [made], deliveries, now_s)
        return bool(deliveries)

    def _alarm(self, now_s: float) -> bool:
        """An alert that reached nobody is itself an alarm. One for all of them in a while; none about an alarm."""
        with self.database.write() as connection:
            late = threads.unreached(connection, now_s - self.policy.reach_within_s, 10_000)
            incidents.lock(connection, late)
            late = [
                one.incident_id
                for one in threads.locked(connection, late).values()
                if one.sent_s is None and one.alarmed_s is None
            ]
            threads.alarmed(connection, late, now_s)
            if not late:
                return False
            event = alarms.unreached(now_s, len(late), late[0], self.site.config_version, self.site.name)
            new = self.raise_alarm(connection, event, now_s)
        _log.error("alerts reached nobody", extra=fields(alerts=len(late), incident=late[0]))
        if new:
            self._show(event)
        return new

    def _judge_drills(self, now_s: float) -> bool:
        """Whether the drills of the last hour arrived everywhere in time; one that did not is an alarm."""
        if self._began_s is None:
            self._began_s = now_s
        policy, told = self.policy, False
        if policy.drill is None:
            return False
        until_s = now_s - policy.drill_within_s
        for start_s in drill.starts(policy.drill, until_s - _DRILLS_BACK_S, until_s):
            drill_id = drill.id_of(start_s)
            if drill_id in self._judged:
                continue
            self._judged.add(drill_id)
            with self.database.read() as connection:
                seen = recent.drill_seen(connection, drill_id)
                arrivals = recent.arrivals(connection, drill_id)
            if seen is None and start_s < self._began_s:
                continue  # a new site: nothing was there that could have made one
            for channel, delay_s in drill.delays(arrivals).items():
                self.metrics.drill_delay.labels(channel=channel).set(delay_s)
            missing = drill.missing(policy.recipients, arrivals)
            if not missing:
                continue
            event = alarms.drill_failed(drill_id, now_s, missing, self.site.config_version, self.site.name)
            with self.database.write() as connection:
                new = self.raise_alarm(connection, event, now_s)
            if new:
                _log.error("a drill did not arrive", extra=fields(missing=missing))
                self._show(event)
                told = True
        return told

    def _show(self, event: Event) -> None:
        try:
            self.site.publish(event)
        except Unavailable as error:
            _log.warning("the alarm is not on the bus, only in the record", extra=fields(reason=str(error)))


def _add(
    batch: Batch,
    plans: tuple[Plan, ...],
    incident_id: str,
    severity: int,
    event_id: str,
    event_s: float,
    revision: int,
) -> None:
    batch.add(
        plans,
        incident_id=incident_id,
        severity=severity,
        event_id=event_id,
        event_s=event_s,
        revision=revision,
    )


def _escalated(body: dict[str, Any], step: int, waited: list[str], waited_s: float, now_s: float) -> dict[str, Any]:
    """The incident's newest envelope as it is told to the next step: who did not answer, and for how long."""
    data = body["data"]
    return {
        **body,
        "id": f"{body['subject']}:step-{step}:{data['revision']}",
        "type": "alert.escalated",
        "source": "/alerts/escalation",
        "time": rfc3339(now_s),
        "data": {**data, "details": {"unanswered_by": waited, "waited_s": round(waited_s, 3)}},
    }
