"""The right to analyse a camera, also while Redis is away."""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

from pipelines.errors import Unavailable


class RedisLease(Protocol):
    """`pipelines.events.lease.CameraLease`."""

    def acquire(self) -> bool: ...

    def release(self) -> None: ...


class HeldLease:
    """A lease that its holder keeps through an outage of Redis: nobody else can take it meanwhile.

    Who never had it does not get it while Redis is away: two workers on one camera would double every incident.
    """

    def __init__(self, lease: RedisLease) -> None:
        self._lease = lease
        self._held = False

    def hold(self) -> bool:
        """Take or renew; the last answer while Redis is away."""
        with suppress(Unavailable):
            self._held = self._lease.acquire()
        return self._held

    def release(self) -> None:
        """Let go, so that another worker need not wait for the lease to run out."""
        self._held = False
        with suppress(Unavailable):  # it then runs out by itself
            self._lease.release()
