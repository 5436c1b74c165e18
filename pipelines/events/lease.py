"""One camera, one worker: a lease in Redis that its holder renews and nobody else can take or end."""

from __future__ import annotations

import os
import secrets
import socket
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


class CameraLease:
    """Acquire, renew about every third of `ttl_s`, release. Every method raises Unavailable when Redis is away.

    A holder that cannot renew for `ttl_s` must expect another to have the camera; `renew` tells it when Redis is back.
    A server that lost its data (the key is gone) gives the lease back to whoever renews first.
    """

    def __init__(self, client: redis.Redis, camera_id: str, owner: str, ttl_s: float = DEFAULT_TTL_S) -> None:
        self._client = client
        self._key = f"gatewatch:lease:camera:{camera_id}"
        self._owner = owner
        self._ttl_ms = int(ttl_s * 1000)
        self._take = client.register_script(_TAKE)
        self._drop = client.register_script(_RELEASE)

    def acquire(self) -> bool:
        """False: another worker has the camera (see `holder`)."""
        with mapped("the camera's lease cannot be taken"):
            return bool(self._take(keys=[self._key], args=[self._owner, self._ttl_ms]))

    def renew(self) -> bool:
        """False: the lease ran out and another worker has taken the camera; stop analysing it."""
        return self.acquire()

    def release(self) -> None:
        """Let go if it is still ours; never ends another's lease."""
        with mapped("the camera's lease cannot be released"):
            self._drop(keys=[self._key], args=[self._owner])

    def holder(self) -> str | None:
        """Who has the camera now."""
        with mapped("the camera's lease cannot be read"):
            value = self._client.get(self._key)
        return value.decode() if isinstance(value, bytes) else None
