"""The producer's side of the bus: on the stream, or on the disk spool while the stream takes nothing.

An event is on the stream once: the publishing script keeps the ids of what it added, so a repeated attempt (an answer
that was lost, a spool replayed after a crash) adds nothing. Events keep their order: new ones queue behind a spool that
is not empty.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import redis

from pipelines.clock import Clock, SystemClock
from pipelines.errors import Unavailable
from pipelines.events.connection import connect, mapped
from pipelines.events.envelope import Event
from pipelines.events.scripts import PUBLISH
from pipelines.events.spool import DEFAULT_MAX_BYTES, Spool
from pipelines.events.streams import DEFAULT_MAX_LENGTH, STREAM, seen_set
from pipelines.logs import fields
from pipelines.metrics import Metrics

_log = logging.getLogger(__name__)

#: Ids remembered against doubles: a day's, at most this many.
_REMEMBERED: Final = 200_000
_REMEMBERED_MS: Final = 24 * 3600 * 1000
_BATCH: Final = 64


class RedisPublisher:
    """Publishes from one process. `open()` first, `run(stop)` in a thread of its own: it empties the spool.

    `publish` never waits for a dead Redis longer than the client's time-out once: the first failure sends everything
    that follows straight to the disk until `run` has emptied it.
    """

    def __init__(
        self,
        bus: str | redis.Redis,
        spool_dir: Path,
        clock: Clock | None = None,
        *,
        metrics: Metrics | None = None,
        stream: str = STREAM,
        max_length: int = DEFAULT_MAX_LENGTH,
        spool_max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        self._client = connect(bus, 0.5) if isinstance(bus, str) else bus
        self._spool = Spool(spool_dir, spool_max_bytes)
        self._clock = clock or SystemClock()
        self._metrics = metrics
        self._stream = stream
        self._max_length = max_length
        self._script = self._client.register_script(PUBLISH)
        # Held while an event goes straight to the bus, so that no two callers overtake each other.
        self._direct = threading.Lock()
        # Held while the spool is replayed: by `run`, or by `flush` when nobody runs.
        self._replay = threading.Lock()
        self._waiting = threading.Event()

    @property
    def spooled(self) -> int:
        """Messages on disk."""
        return len(self._spool)

    def open(self) -> None:
        """Take the spool folder. Raises BadInput when another process has it."""
        self._spool.open()
        self._show()

    def close(self) -> None:
        self._spool.close()
        self._client.close()

    def publish(self, event: Event) -> None:
        """Returns when the event is on the stream or on the disk. Raises SpoolFull when neither takes it."""
        body = event.to_json().encode()
        with self._direct:
            if len(self._spool) == 0:
                try:
                    if self._send([(event.id, body)]) == 1:
                        return
                    reason = "the stream is full and its groups do not acknowledge"
                except Unavailable as error:
                    reason = str(error)
                _log.warning("events go to the disk spool", extra=fields(reason=reason))
            self._spool.append(body)
        self._show()
        self._waiting.set()

    def run_once(self) -> int:
        """Move one batch from the disk to the bus; returns how many. Raises Unavailable when the bus takes none."""
        with self._replay:
            bodies = self._spool.peek(_BATCH)
            if not bodies:
                return 0
            sent = self._send([(Event.from_json(body).id, body) for body in bodies])
            self._spool.drop(sent)
        self._show()
        if sent == 0:
            raise Unavailable("the stream is full and its groups do not acknowledge")
        return sent

    def flush(self) -> None:
        """Empty the spool now. Raises Unavailable when the bus does not take it all."""
        while self.run_once():
            pass

    def run(self, stop: threading.Event) -> None:
        """Empty the spool whenever there is something in it; pauses grow to 5 s while the bus is away."""
        pause_s = 0.1
        replayed = 0
        while not stop.is_set():
            try:
                count = self.run_once()
            except Unavailable:
                self._clock.wait(stop, pause_s * random.uniform(0.5, 1.0))
                pause_s = min(pause_s * 2, 5.0)
                continue
            pause_s = 0.1
            replayed += count
            if count == 0:
                if replayed:
                    _log.info("the bus is back, the disk spool is empty", extra=fields(replayed=replayed))
                    replayed = 0
                self._waiting.clear()
                if len(self._spool) == 0:
                    self._waiting.wait(0.5)

    def _send(self, events: Sequence[tuple[str, bytes]]) -> int:
        arguments: list[Any] = [self._max_length, _REMEMBERED, _REMEMBERED_MS]
        for event_id, body in events:
            arguments += [event_id, body]
        with mapped("the bus takes no events"):
            return int(self._script(keys=[self._stream, seen_set(self._stream)], args=arguments))

    def _show(self) -> None:
        if self._metrics is not None:
            self._metrics.spool_messages.set(len(self._spool))


def publish_now(client: redis.Redis, event: Event) -> None:
    """Put one event on the stream, without a spool. Raises Unavailable when the bus does not take it."""
    arguments: list[Any] = [DEFAULT_MAX_LENGTH, _REMEMBERED, _REMEMBERED_MS, event.id, event.to_json().encode()]
    with mapped("the bus takes no events"):
        taken = client.register_script(PUBLISH)(keys=[STREAM, seen_set()], args=arguments)
    if taken != 1:
        raise Unavailable("the stream is full and its groups do not acknowledge")
