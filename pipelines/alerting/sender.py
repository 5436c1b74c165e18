"""Sends what the outbox holds for one channel: at least once, in order per incident, and none of another channel's business.

One loop leases deliveries and writes down how they ended, both in one transaction per turn; the channel's workers do
the sending beside it. So while messages are quick a turn holds many of them, and a sender that is killed leaves
unrecorded only what was sent during its last turn.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, TypeVar

from pipelines.alerting.channels.base import Channel, Message, NotDelivered, Pictures, Undeliverable
from pipelines.alerting.messages import Letters, why_of
from pipelines.clock import Clock
from pipelines.errors import Unavailable
from pipelines.logs import fields
from pipelines.metrics import Metrics
from pipelines.store import outbox
from pipelines.store.database import Database
from pipelines.store.outbox import Leased, Result

_log = logging.getLogger(__name__)

#: How often to look for what other processes put in, and for what is due again.
_LOOK_EVERY_S: Final = 0.5
#: So many are leased for each worker, that none is idle while a turn is written down.
_LEASED_PER_WORKER: Final = 16
_GATHER_S: Final = 0.01

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Retries:
    """After the n-th failure wait `first_s * 2^(n-1)`, at most `longest_s`, of it a random half to whole; `tries` in all."""

    first_s: float = 1.0
    longest_s: float = 300.0
    tries: int = 12

    def wait_s(self, attempt: int, chance: float) -> float:
        """`chance` 0..1."""
        return float(min(self.longest_s, self.first_s * 2.0 ** min(attempt - 1, 30)) * (0.5 + chance / 2))


@dataclass(slots=True)
class Sender:
    """One channel's sender in one process; any number of processes may have one."""

    database: Database
    channel: Channel
    owner: str
    clock: Clock
    metrics: Metrics
    letters: Letters
    pictures: Pictures | None = None
    retries: Retries = field(default_factory=Retries)
    lease_s: float = 30.0
    chance: Callable[[], float] = random.random
    _results: queue.SimpleQueue[Result] = field(default_factory=queue.SimpleQueue, init=False)
    _untried: queue.SimpleQueue[int] = field(default_factory=queue.SimpleQueue, init=False)
    _wake: threading.Event = field(default_factory=threading.Event, init=False)
    _under_way: int = field(default=0, init=False)

    def wake(self) -> None:
        """Something may be due now."""
        self._wake.set()

    def run(self, stop: threading.Event) -> None:
        """Send until `stop`; then finish what is under way and give back the rest."""
        pool = ThreadPoolExecutor(self.channel.workers, thread_name_prefix=f"send-{self.channel.name}")
        try:
            while not stop.is_set():
                try:
                    busy = self.run_once(pool)
                except Unavailable as error:
                    _log.warning(
                        "sending waits for the store", extra=fields(channel=self.channel.name, reason=str(error))
                    )
                    self.clock.wait(stop, 1.0)
                    continue
                if not busy:
                    self._wake.wait(_LOOK_EVERY_S)
                elif self._under_way > 2 * self.channel.workers:
                    # The workers have enough to do: a turn that waits for more results writes them at one cost.
                    self.clock.wait(stop, _GATHER_S)
                self._wake.clear()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            self._record_last()
            self.channel.close()

    def run_once(self, pool: ThreadPoolExecutor) -> bool:
        """One turn: record what ended, lease more, hand it to the workers. False: there was nothing to do."""
        ended, untried = _drained(self._results), _drained(self._untried)
        under_way = self._under_way - len(ended) - len(untried)
        room = self.channel.workers * _LEASED_PER_WORKER - under_way
        now_s = self.clock.now_s()
        leased: list[Leased] = []
        try:
            if not ended and not untried:
                with self.database.read() as connection:
                    if room <= 0 or not outbox.anything_due(connection, self.channel.name, now_s):
                        return False
            with self.database.write() as connection:
                outbox.finish(connection, ended, self.owner, now_s)
                outbox.give_back(connection, untried, self.owner)
                if room > 0:
                    leased = outbox.claim(
                        connection, self.channel.name, owner=self.owner, now_s=now_s, lease_s=self.lease_s, limit=room
                    )
        except Unavailable:
            for result in ended:
                self._results.put(result)  # it was sent; that must still be written down
            for delivery_id in untried:
                self._untried.put(delivery_id)
            raise
        self._under_way = under_way + len(leased)
        for delivery in leased:
            pool.submit(self._try, delivery).add_done_callback(self._look(delivery))
        return bool(leased or ended or untried)

    def _record_last(self) -> None:
        try:
            with self.database.write() as connection:
                outbox.finish(connection, _drained(self._results), self.owner, self.clock.now_s())
                outbox.give_back(connection, _drained(self._untried), self.owner)
        except Unavailable as error:
            _log.error("the last receipts are lost, these messages will be sent again", extra=fields(reason=str(error)))

    def _try(self, delivery: Leased) -> None:
        """In a worker: send one, and put the result where the loop finds it."""
        started_s, began_s = self.clock.now_s(), self.clock.monotonic_s()
        if started_s > delivery.lease_until_s - self.lease_s / 2:
            # It waited behind slow ones, and another sender may soon take it: not ours to send any more.
            self._untried.put(delivery.delivery_id)
            self._wake.set()
            return
        try:
            receipt = self.channel.send(self._message(delivery))
        except Undeliverable as error:
            self._done(delivery, "dead", str(error), began=(started_s, began_s))
        except NotDelivered as error:
            self._failed(delivery, str(error), began=(started_s, began_s), after_s=error.after_s or 0.0)
        else:
            self._done(delivery, "sent", receipt, began=(started_s, began_s))
            self.metrics.alert_delay.labels(channel=self.channel.name).observe(
                max(0.0, self.clock.now_s() - delivery.event_s)
            )

    def _message(self, delivery: Leased) -> Message:
        why = why_of(delivery.purpose, delivery.body, first=delivery.idempotency_key == delivery.alert_id)
        text = self.letters.compose(why, delivery.body, delivery.recipient)
        return Message(
            alert_id=delivery.alert_id,
            idempotency_key=delivery.idempotency_key,
            recipient=delivery.recipient,
            purpose=delivery.purpose,
            test=delivery.test,
            attempt=delivery.attempt,
            text=text.line,
            event=delivery.body,
            why=why,
            title=text.title,
            body=text.body,
            language=self.letters.manner.language,
            pictures=self.pictures,
        )

    def _look(self, delivery: Leased) -> Callable[[Future[None]], None]:
        """Look how a try ended that put no result: never begun, or the channel raised what it must not. That is a fault
        of ours, and no reason to stop telling people."""

        def look(future: Future[None]) -> None:
            if future.cancelled():
                self._untried.put(delivery.delivery_id)
                return
            error = future.exception()
            if error is not None:
                _log.error("a channel failed", extra=fields(channel=self.channel.name), exc_info=error)
                began = (self.clock.now_s(), self.clock.monotonic_s())
                self._failed(delivery, f"the channel failed: {type(error).__name__}", began=began)

        return look

    def _failed(self, delivery: Leased, reason: str, *, began: tuple[float, float], after_s: float = 0.0) -> None:
        if delivery.attempt >= self.retries.tries:
            self._done(delivery, "dead", f"{reason} (after {delivery.attempt} tries)", began=began)
            return
        wait_s = max(self.retries.wait_s(delivery.attempt, self.chance()), after_s)
        self._done(delivery, "failed", reason, began=began, next_attempt_s=self.clock.now_s() + wait_s)

    def _done(
        self,
        delivery: Leased,
        outcome: outbox.Outcome,
        detail: str,
        *,
        began: tuple[float, float],
        next_attempt_s: float = 0.0,
    ) -> None:
        self.metrics.deliveries.labels(channel=self.channel.name, outcome=outcome).inc()
        if outcome != "sent":
            _log.warning(
                "a message is dead" if outcome == "dead" else "a message is tried again",
                extra=fields(
                    channel=self.channel.name, alert=delivery.alert_id, attempt=delivery.attempt, reason=detail
                ),
            )
        self._results.put(
            Result(
                delivery_id=delivery.delivery_id,
                alert_id=delivery.alert_id,
                outcome=outcome,
                detail=detail,
                started_s=began[0],
                duration_s=self.clock.monotonic_s() - began[1],
                next_attempt_s=next_attempt_s,
            )
        )
        self._wake.set()


def _drained(waiting: queue.SimpleQueue[T]) -> list[T]:
    found: list[T] = []
    while not waiting.empty():
        found.append(waiting.get())
    return found
