"""One camera, one worker: a lease in Redis that its holder renews and nobody else can take or end."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterable
from typing import Final

import redis

from pipelines.events.connection import mapped

#: Short, because a killed worker's cameras wait for it; a living one renews every two seconds.
DEFAULT_TTL_S: Final = 6.0

#: KEYS lease. ARGV owner, ttl_ms. Free or our own: take it (again).
_TAKE: Final = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

_RELEASE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


def process_name() -> str:
    """A name for this run of this process, for leases and consumer groups: host, process id, something random."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


class CameraLeases:
    """The leases of one worker's cameras. Every method raises Unavailable when Redis is away.

    All of them are asked for in one round trip, because a server that syncs each write to its disk does so once per
    round trip: 60 leases one by one kept it busy for a third of a second, and incidents waited behind them.

    Acquire again about every third of `ttl_s`. A holder that cannot for `ttl_s` must expect another to have the camera; the
    answer tells it when Redis is back. A server that lost its data (the key is gone) gives the lease back to whoever asks
    first.
    """

    def __init__(self, client: redis.Redis, owner: str, ttl_s: float = DEFAULT_TTL_S) -> None:
        self._client = client
        self._owner = owner
        self._ttl_ms = int(ttl_s * 1000)
        self._take = client.register_script(_TAKE)
        self._drop = client.register_script(_RELEASE)

    def acquire(self, camera_ids: Iterable[str]) -> dict[str, bool]:
        """Take or renew. False: another worker has that camera (see `holder`)."""
        wanted = list(camera_ids)
        with mapped("the cameras' leases cannot be taken"):
            together = self._client.pipeline(transaction=False)
            for camera_id in wanted:
                self._take(keys=[_key(camera_id)], args=[self._owner, self._ttl_ms], client=together)
            answers = together.execute()
        return {camera_id: bool(answer) for camera_id, answer in zip(wanted, answers, strict=True)}

    def release(self, camera_id: str) -> None:
        """Let go if it is still ours; never ends another's lease."""
        with mapped("the camera's lease cannot be released"):
            self._drop(keys=[_key(camera_id)], args=[self._owner])

    def holder(self, camera_id: str) -> str | None:
        """Who has the camera now."""
        with mapped("the camera's lease cannot be read"):
            value = self._client.get(_key(camera_id))
        return value.decode() if isinstance(value, bytes) else None


def _key(camera_id: str) -> str:
    return f"gatewatch:lease:camera:{camera_id}"
