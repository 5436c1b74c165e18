"""Looking over the bus's shoulder: every event from now on, without being a member of any group."""

from __future__ import annotations

import redis

from pipelines.errors import Unavailable
from pipelines.events.connection import mapped
from pipelines.events.envelope import EnvelopeError, Event
from pipelines.events.streams import STREAM


class EventTail:
    """Reads what is new since the last call. It acknowledges nothing and holds nothing back from being trimmed."""

    def __init__(self, client: redis.Redis, stream: str = STREAM) -> None:
        self._client = client
        self._stream = stream
        self._last = "0-0"

    def read(self) -> list[Event]:
        """The new events in order; empty while the bus is away."""
        try:
            with mapped("the bus cannot be read"):
                entries = self._client.xrange(self._stream, min=f"({self._last}", count=1000)
        except Unavailable:
            return []
        events: list[Event] = []
        assert isinstance(entries, list)
        for entry_id, values in entries:
            assert isinstance(entry_id, bytes)
            assert values is not None
            self._last = entry_id.decode()
            try:
                events.append(Event.from_json(values[b"event"]))
            except (EnvelopeError, KeyError):
                continue  # not ours to judge: the dispatcher dead-letters it
        return events
