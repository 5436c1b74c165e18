"""The right to analyse cameras, also while Redis is away."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol

from pipelines.errors import Unavailable


class RedisLeases(Protocol):
    """`pipelines.events.lease.CameraLeases`."""

    def acquire(self, camera_ids: Iterable[str]) -> dict[str, bool]: ...

    def release(self, camera_id: str) -> None: ...


class HeldLeases:
    """Leases that their holder keeps through an outage of Redis: nobody else can take them meanwhile.

    Who never had one does not get it while Redis is away: two workers on one camera would double every incident.
    """

    def __init__(self, leases: RedisLeases) -> None:
        self._leases = leases
        self._held: dict[str, bool] = {}

    def hold(self, camera_ids: Iterable[str]) -> dict[str, bool]:
        """Take or renew; the last answers while Redis is away."""
        wanted = list(camera_ids)
        with suppress(Unavailable):
            self._held |= self._leases.acquire(wanted)
        return {camera_id: self._held.get(camera_id, False) for camera_id in wanted}

    def release(self, camera_id: str) -> None:
        """Let go, so that another worker need not wait for the lease to run out."""
        self._held.pop(camera_id, None)
        with suppress(Unavailable):  # it then runs out by itself
            self._leases.release(camera_id)
