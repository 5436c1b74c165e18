"""Asking for leases without waiting for them: a bus that syncs each write to its disk takes milliseconds per camera."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor, Future
from typing import Protocol


class Lease(Protocol):
    """The right to analyse one camera. `hold` takes or renews it: False when another worker has it.

    While Redis is away nobody can take it, so who has it goes on: `hold` then returns its last answer.
    """

    def hold(self) -> bool: ...

    def release(self) -> None: ...


class Renewal:
    """Takes and renews leases in `pool`, which runs one job at a time, so that a release never overtakes a renewal."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._asked: Future[dict[str, bool]] | None = None

    @property
    def waits(self) -> bool:
        """Whether the last question has no answer yet."""
        return self._asked is not None

    def ask(self, leases: Mapping[str, Lease]) -> None:
        """Begin to ask for these, by camera; nothing happens while it `waits`."""
        if not self.waits:
            self._asked = self._pool.submit(_hold, dict(leases))

    def answers(self) -> dict[str, bool]:
        """Which are held, each answer once; empty while there is none. Raises what `hold` raised."""
        if self._asked is None or not self._asked.done():
            return {}
        asked, self._asked = self._asked, None
        return asked.result()

    def release(self, lease: Lease) -> None:
        self._pool.submit(lease.release)

    def end(self) -> None:
        """Wait until everything is released."""
        self._pool.shutdown(wait=True)


def _hold(leases: dict[str, Lease]) -> dict[str, bool]:
    return {camera_id: lease.hold() for camera_id, lease in leases.items()}
