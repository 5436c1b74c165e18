"""Turns messages of the bus into the record: incident, alerts and outbox in one transaction, then the acknowledgement.

Any number of dispatchers work on one group. Whatever dies between the commit and the acknowledgement is delivered again
and changes nothing the second time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from pipelines.alerting.policy import Policy
from pipelines.alerting.routing import plan
from pipelines.alerting.telling import Batch, circumstances
from pipelines.clock import Clock
from pipelines.errors import Unavailable
from pipelines.events.bus import Consumer, Delivery
from pipelines.events.envelope import EnvelopeError, Event
from pipelines.logs import fields
from pipelines.metrics import Metrics
from pipelines.store import incidents, threads
from pipelines.store.database import Database, Refused
from pipelines.store.incidents import Notice
from pipelines.store.threads import Thread

_log = logging.getLogger(__name__)

_BATCH: Final = 128
_BLOCK_S: Final = 1.0
#: An entry that was handed out so often and never acknowledged kills its dispatchers, or the store refuses it.
MAX_ATTEMPTS: Final = 5


@dataclass(slots=True)
class Dispatcher:
    """`stored()` is called after each commit that made deliveries, to wake the senders of this process; `lost(entry, reason)`
    before a message that cannot be handled is laid aside."""

    consumer: Consumer
    database: Database
    policy: Policy
    clock: Clock
    metrics: Metrics
    stored: Callable[[], None] = lambda: None
    lost: Callable[[str, str], None] = lambda entry, reason: None
    _bus: tuple[bool, str] = field(default=(False, "has not read yet"), init=False)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`; while bus or store are away, try again with growing pauses. Nothing is lost meanwhile."""
        pause_s = 0.2
        while not stop.is_set():
            try:
                self.run_once(stop)
                pause_s = 0.2
            except Unavailable as error:
                self._bus = (False, str(error))
                _log.warning("the dispatcher waits", extra=fields(reason=str(error)))
                self.clock.wait(stop, pause_s)
                pause_s = min(pause_s * 2, 5.0)

    def run_once(self, stop: threading.Event | None = None) -> int:
        """Read one batch, store it, acknowledge it; returns how many entries were done with.

        Raises: Unavailable: bus or store are away; what was read stays unacknowledged and comes again.
        """
        deliveries = self.consumer.read(_BATCH, _BLOCK_S)
        self._bus = (True, "ok")
        if not deliveries:
            return 0
        good: list[tuple[Delivery, Notice]] = []
        for delivery in deliveries:
            try:
                if delivery.attempts > MAX_ATTEMPTS:
                    raise EnvelopeError(f"handed out {delivery.attempts} times and never done")
                good.append((delivery, incidents.notice_of(Event.from_json(delivery.body))))
            except EnvelopeError as error:
                self.lost(delivery.entry_id, str(error))
                self.consumer.dead_letter(delivery, str(error))
        done = self._store_patiently(good, stop or threading.Event())
        self.consumer.acknowledge([delivery.entry_id for delivery, _ in done])
        return len(deliveries)

    def bus_check(self) -> tuple[bool, str]:
        """For /readyz: how the last read went."""
        return self._bus

    def _store_patiently(
        self, good: Sequence[tuple[Delivery, Notice]], stop: threading.Event
    ) -> Sequence[tuple[Delivery, Notice]]:
        """Store a batch, waiting while the store is away; returns what is stored. What the store refuses is left to come
        again, and is dead-lettered when it came too often."""
        while True:
            try:
                with self.metrics.stage("store"):
                    self._store([notice for _, notice in good])
                return good
            except Refused as error:
                if len(good) > 1:
                    break
                entry, reason = good[0][0].entry_id, str(error)
                _log.error("the store refuses a message", extra=fields(entry=entry, reason=reason))
                return []
            except Unavailable as error:
                _log.warning("the dispatcher waits for the store", extra=fields(reason=str(error)))
                if self.clock.wait(stop, 0.5):
                    raise
        return [pair for one in good for pair in self._store_patiently([one], stop)]

    def _store(self, notices: Sequence[Notice]) -> None:
        if not notices:
            return
        now_s = self.clock.now_s()
        batch = Batch()
        with self.database.write() as connection:
            changes = incidents.apply(connection, notices, now_s)
            known = sorted({change.notice.incident_id for change in changes if change.known.revision >= 0})
            before = threads.locked(connection, known) if known else {}
            around = circumstances(connection, self.policy, now_s)
            after: dict[str, Thread] = {}
            for change, telling in plan(changes, self.policy, around, before, now_s):
                notice = change.notice
                batch.add(
                    telling.plans,
                    incident_id=notice.incident_id,
                    severity=notice.severity,
                    event_id=notice.event.id,
                    event_s=notice.time_s,
                    revision=notice.revision,
                    test=notice.test,
                )
                if telling.thread is not None:
                    after[notice.incident_id] = telling.thread
            threads.put(connection, [one for one in after.values() if one.incident_id not in before])
            threads.save(connection, [one for one in after.values() if one.incident_id in before])
            told = batch.write(connection, now_s)
        if told:
            self.stored()
