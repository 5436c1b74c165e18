"""The consumers' side of the bus: members of a group that read, acknowledge, take over and lay aside.

Each group gets every entry at least once: an entry leaves only after its acknowledgement, and the stream is trimmed only
behind what every group has acknowledged.
"""

from __future__ import annotations

import logging
from typing import Any

import redis

from pipelines.clock import Clock, SystemClock
from pipelines.errors import Unavailable
from pipelines.events.bus import Delivery
from pipelines.events.connection import mapped
from pipelines.events.scripts import DEAD_LETTER, LEAVE, REPLAY, TRIM_ONLY
from pipelines.events.streams import DEAD_LENGTH, STREAM, dead_stream
from pipelines.logs import fields

_log = logging.getLogger(__name__)


class RedisConsumer:
    """One member of a consumer group. The group is made on first use, from the stream's beginning.

    `name` must be this process's own (host, process, something random): a name that returns after a crash would hide
    entries that nobody handles any more. What a member left unacknowledged for `claim_idle_s` is taken over by the
    others, with `attempts` raised.
    """

    def __init__(
        self,
        client: redis.Redis,
        group: str,
        name: str,
        clock: Clock | None = None,
        *,
        stream: str = STREAM,
        claim_idle_s: float = 30.0,
        trim_every_s: float = 1.0,
    ) -> None:
        self._client = client
        self._group, self._name, self._stream = group, name, stream
        self._clock = clock or SystemClock()
        self._claim_idle_s = claim_idle_s
        self._trim_every_s = trim_every_s
        self._trim = client.register_script(TRIM_ONLY)
        self._dead = client.register_script(DEAD_LETTER)
        self._leave = client.register_script(LEAVE)
        self._claimed_at_s = self._trimmed_at_s = float("-inf")
        self._claim_from = "0-0"
        self._known = False

    def read(self, limit: int, block_s: float) -> list[Delivery]:
        """Abandoned entries first, else new ones; empty after `block_s`. Raises Unavailable when the bus is away."""
        try:
            with mapped("the bus cannot be read"):
                self._ensure_group()
                found = self._claim_abandoned() or self._read_new(limit, block_s)
                if not found:
                    self._trim_sometimes()  # behind what was acknowledged last
                return found
        except Unavailable as error:
            if "NOGROUP" in str(error):
                # The server came back without its data: make the group again and read from the beginning.
                self._known = False
                _log.warning("the bus lost the consumer group, it is made again", extra=fields(group=self._group))
                return []
            raise

    def acknowledge(self, entry_ids: list[str]) -> None:
        with mapped("the bus takes no acknowledgement"):
            if entry_ids:
                self._client.xack(self._stream, self._group, *entry_ids)
            self._trim_sometimes()

    def dead_letter(self, delivery: Delivery, reason: str) -> None:
        _log.error("a message cannot be handled", extra=fields(entry=delivery.entry_id, reason=reason))
        with mapped("the bus takes no dead letter"):
            self._dead(
                keys=[self._stream, dead_stream(self._stream)],
                args=[self._group, delivery.entry_id, delivery.body, reason, delivery.attempts, DEAD_LENGTH],
            )

    def leave(self) -> None:
        """Forget this member if it holds nothing; called at a clean end."""
        with mapped("the bus is away"):
            if self._known:
                self._leave(keys=[self._stream], args=[self._group, self._name])

    def pending(self) -> int:
        """Messages that this group has not yet acknowledged, delivered or not. Raises Unavailable."""
        with mapped("the bus cannot be read"):
            if not self._client.exists(self._stream):
                return 0
            for group in self._client.xinfo_groups(self._stream):
                if group["name"].decode() == self._group:
                    # `lag` is none when entries were deleted by hand: then the length is the honest upper bound.
                    lag = group.get("lag")
                    if lag is None:
                        return int(self._client.xlen(self._stream))
                    return int(lag) + int(group["pending"])
            return int(self._client.xlen(self._stream))

    def _ensure_group(self) -> None:
        if self._known:
            return
        try:
            self._client.xgroup_create(self._stream, self._group, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._known = True

    def _claim_abandoned(self) -> list[Delivery]:
        """At most one: an entry that kills its dispatchers must not take its neighbours' attempts with it."""
        now_s = self._clock.monotonic_s()
        if self._claim_from == "0-0" and now_s - self._claimed_at_s < self._claim_idle_s / 4:
            return []
        self._claimed_at_s = now_s
        answer: Any = self._client.xautoclaim(
            self._stream,
            self._group,
            self._name,
            min_idle_time=int(self._claim_idle_s * 1000),
            start_id=self._claim_from,
            count=1,
        )
        self._claim_from = answer[0].decode()
        for entry_id, values in answer[1]:
            if values:
                pending: Any = self._client.xpending_range(
                    self._stream, self._group, min=entry_id, max=entry_id, count=1
                )
                attempts = int(pending[0]["times_delivered"]) if pending else 2
                _log.warning("took over a message that another dispatcher left", extra=fields(attempts=attempts))
                return [self._delivery(entry_id, values, attempts)]
        return []

    def _read_new(self, limit: int, block_s: float) -> list[Delivery]:
        answer: Any = self._client.xreadgroup(
            self._group, self._name, {self._stream: ">"}, count=limit, block=max(1, int(block_s * 1000))
        )
        return [self._delivery(entry_id, values, 1) for _, entries in answer or [] for entry_id, values in entries]

    def _delivery(self, entry_id: bytes, values: dict[bytes, bytes], attempts: int) -> Delivery:
        return Delivery(entry_id.decode(), values.get(b"event", b""), attempts)

    def _trim_sometimes(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._trimmed_at_s >= self._trim_every_s:
            self._trimmed_at_s = now_s
            self._trim(keys=[self._stream])


def dead_letters(client: redis.Redis, stream: str = STREAM, limit: int = 100) -> list[dict[str, str]]:
    """What was laid aside, newest first: `entry, reason, attempts, group, event`. Raises Unavailable."""
    with mapped("the bus cannot be read"):
        entries: Any = client.xrevrange(dead_stream(stream), count=limit)
    return [{name.decode(): value.decode(errors="replace") for name, value in values.items()} for _, values in entries]


def replay(client: redis.Redis, entries: list[str] | None, stream: str = STREAM) -> list[str]:
    """Put messages that were laid aside (all of them with None) on the stream again; returns which, by their former entry.
    Raises Unavailable."""
    if entries == []:
        return []
    with mapped("the bus takes no messages back"):
        again: Any = client.register_script(REPLAY)(keys=[stream, dead_stream(stream)], args=entries or [])
    return [entry.decode() for entry in again]
