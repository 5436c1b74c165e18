"""Sends what the outbox holds for one channel: at least once, in order per incident, and none of another channel's business.

One loop leases deliveries and writes down how they ended, both in one transaction per turn; the channel's workers do
the sending beside it. So while messages are quick a turn holds many of them. What a killed sender had sent and not recorded
its journal tells whoever takes over. Leases say that their sender lives, not how long a message may take: the loop renews
those of what is still to be sent. These transactions wait for no disk: what a power cut takes of them is sent again.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from pipelines.alerting.channels.base import Channel, Message, NotDelivered, Pictures, Undeliverable
from pipelines.alerting.journal import Journal, Lines
from pipelines.alerting.messages import Letters, why_of
from pipelines.clock import Clock
from pipelines.errors import Unavailable
from pipelines.logs import fields
from pipelines.metrics import Metrics
from pipelines.store import outbox, receipts
from pipelines.store.database import Database
from pipelines.store.outbox import Leased
from pipelines.store.receipts import Outcome, Result

_log = logging.getLogger(__name__)

#: How often to look for what other processes put in, and for what is due again.
_LOOK_EVERY_S: Final = 0.5
#: So many are leased for each worker, that none is idle while a turn is written down.
_LEASED_PER_WORKER: Final = 16
_GATHER_S: Final = 0.01
#: A lease that has less than this part of its time left is renewed; with less than half of that, nothing is begun on it.
_RENEW_AT: Final = 0.6

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
    """One channel's sender in one process; any number of processes may have one. Without a `journal` what a killed one had
    sent and not recorded is sent again."""

    database: Database
    channel: Channel
    owner: str
    clock: Clock
    metrics: Metrics
    letters: Letters
    pictures: Pictures | None = None
    journal: Journal | None = None
    retries: Retries = field(default_factory=Retries)
    lease_s: float = 30.0
    chance: Callable[[], float] = random.random
    _results: queue.SimpleQueue[Result] = field(default_factory=queue.SimpleQueue, init=False)
    _untried: queue.SimpleQueue[int] = field(default_factory=queue.SimpleQueue, init=False)
    _wake: threading.Event = field(default_factory=threading.Event, init=False)
    _work: queue.SimpleQueue[Leased | None] = field(default_factory=queue.SimpleQueue, init=False)
    #: What is leased and has not ended, with the end of its lease. Only the loop adds and removes.
    _mine: dict[int, float] = field(default_factory=dict, init=False)
    _lines: Lines | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.journal is not None:
            self._lines = self.journal.open(self.channel.name)

    def wake(self) -> None:
        """Something may be due now."""
        self._wake.set()

    def run(self, stop: threading.Event) -> None:
        """Send until `stop`; then finish what is under way and give back the rest."""
        workers = [
            threading.Thread(target=self._send_on, name=f"send-{self.channel.name}-{number}")
            for number in range(self.channel.workers)
        ]
        for worker in workers:
            worker.start()
        try:
            while not stop.is_set():
                try:
                    busy = self.run_once()
                except Unavailable as error:
                    _log.warning(
                        "sending waits for the store", extra=fields(channel=self.channel.name, reason=str(error))
                    )
                    self.clock.wait(stop, 1.0)
                    continue
                if not busy:
                    self._wake.wait(_LOOK_EVERY_S)
                elif len(self._mine) > 2 * self.channel.workers:
                    # The workers have enough to do: a turn that waits for more results writes them at one cost.
                    self.clock.wait(stop, _GATHER_S)
                self._wake.clear()
        finally:
            for delivery in _drained(self._work):
                if delivery is not None:
                    self._untried.put(delivery.delivery_id)
            for _ in workers:
                self._work.put(None)
            for worker in workers:
                worker.join()
            self._record_last()
            self.channel.close()

    def run_once(self) -> bool:
        """One turn: record what ended, renew leases, take more, hand it to the workers. False: there was nothing to do."""
        ended, untried = _drained(self._results), _drained(self._untried)
        over = {*untried, *(result.delivery_id for result in ended)}
        now_s = self.clock.now_s()
        kept = [delivery_id for delivery_id in self._mine if delivery_id not in over]
        ageing = [one for one in kept if self._mine[one] - now_s < _RENEW_AT * self.lease_s]
        room = self.channel.workers * _LEASED_PER_WORKER - len(kept)
        leased: list[Leased] = []
        try:
            if not over and not ageing:
                with self.database.read() as connection:
                    if room <= 0 or not outbox.anything_due(connection, self.channel.name, now_s):
                        return False
            with self.database.write(durable=False) as connection:
                # Others may have been writing for long.
                now_s = self.clock.now_s()
                receipts.finish(connection, ended, self.owner, now_s)
                outbox.give_back(connection, untried, self.owner)
                renewed = outbox.renew(connection, ageing, self.owner, now_s=now_s, lease_s=self.lease_s)
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
        for delivery_id in over:
            self._mine.pop(delivery_id, None)
        # One that another sender has taken has no lease any more: it is not begun, and its receipt still counts.
        self._mine.update((one, now_s + self.lease_s if one in renewed else 0.0) for one in ageing)
        self._mine.update((delivery.delivery_id, delivery.lease_until_s) for delivery in leased)
        self._forget(ended)
        self._hand_out(leased)
        return bool(leased or over or ageing)

    def _record_last(self) -> None:
        ended = _drained(self._results)
        try:
            with self.database.write() as connection:
                receipts.finish(connection, ended, self.owner, self.clock.now_s())
                outbox.give_back(connection, _drained(self._untried), self.owner)
            self._forget(ended)
        except Unavailable as error:
            _log.error("the last receipts wait in the journal, if there is one", extra=fields(reason=str(error)))
        if self._lines is not None:
            self._lines.close()

    def _forget(self, ended: list[Result]) -> None:
        """These are in the store: the journal need not hold them."""
        if self._lines is not None:
            self._lines.stored(result.delivery_id for result in ended)

    def _hand_out(self, leased: list[Leased]) -> None:
        """To the workers; but what another sender had already sent when it died is only written down."""
        left: dict[str, dict[tuple[int, int], str]] = {}
        for delivery in leased:
            owner = delivery.left_by
            if owner is not None and self.journal is not None:
                if owner not in left:
                    left[owner] = self.journal.left(owner, self.channel.name)
                receipt = left[owner].get((delivery.delivery_id, delivery.attempt - 1))
                if receipt is not None:
                    began = (self.clock.now_s(), self.clock.monotonic_s())
                    detail = f"{receipt} (in the journal of {owner}, which died)"
                    self._done(delivery, "sent", detail, began=began)
                    self._wake.set()
                    continue
            self._work.put(delivery)

    def _send_on(self) -> None:
        """A worker: send one after the other. A channel that raises what it must not is a fault of ours, and no reason to
        stop telling people."""
        while (delivery := self._work.get()) is not None:
            began = (self.clock.now_s(), self.clock.monotonic_s())
            try:
                self._try(delivery, began)
            except Exception as error:  # noqa: BLE001
                _log.error("a channel failed", extra=fields(channel=self.channel.name), exc_info=error)
                self._failed(delivery, f"the channel failed: {type(error).__name__}", began=began)
            self._wake.set()

    def _try(self, delivery: Leased, began: tuple[float, float]) -> None:
        """Send one, and put the result where the loop finds it."""
        if began[0] > self._mine.get(delivery.delivery_id, 0.0) - self.lease_s * _RENEW_AT / 2:
            # It was not renewed in time, and another sender may soon take it: not ours to send any more.
            self._untried.put(delivery.delivery_id)
            return
        try:
            receipt = self.channel.send(self._message(delivery))
            if self._lines is not None:
                self._lines.sent(delivery.delivery_id, delivery.attempt, receipt)
        except Undeliverable as error:
            self._done(delivery, "dead", str(error), began=began)
        except NotDelivered as error:
            self._failed(delivery, str(error), began=began, after_s=error.after_s or 0.0)
        else:
            self._done(delivery, "sent", receipt, began=began)
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

    def _failed(self, delivery: Leased, reason: str, *, began: tuple[float, float], after_s: float = 0.0) -> None:
        if delivery.attempt >= self.retries.tries:
            self._done(delivery, "dead", f"{reason} (after {delivery.attempt} tries)", began=began)
            return
        wait_s = max(self.retries.wait_s(delivery.attempt, self.chance()), after_s)
        self._done(delivery, "failed", reason, began=began, next_attempt_s=self.clock.now_s() + wait_s)

    def _done(
        self,
        delivery: Leased,
        outcome: Outcome,
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


def _drained(waiting: queue.SimpleQueue[T]) -> list[T]:
    found: list[T] = []
    while not waiting.empty():
        found.append(waiting.get())
    return found
