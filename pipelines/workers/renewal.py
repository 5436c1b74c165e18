"""Asking for leases without waiting for them: a bus that syncs each write to its disk takes its time."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor, Future
from typing import Protocol


class Leases(Protocol):
    """The right to analyse cameras. `hold` takes or renews: False for a camera that another worker has.

    While Redis is away nobody can take one, so who has it goes on: `hold` then returns its last answers.
    """

    def hold(self, camera_ids: Iterable[str]) -> dict[str, bool]: ...

    def release(self, camera_id: str) -> None: ...


class Renewal:
    """Takes and renews leases in `pool`, which runs one job at a time, so that a release never overtakes a renewal."""

    def __init__(self, leases: Leases, pool: Executor) -> None:
        self._leases = leases
        self._pool = pool
        self._asked: Future[dict[str, bool]] | None = None

    @property
    def waits(self) -> bool:
        """Whether the last question has no answer yet."""
        return self._asked is not None

    def ask(self, camera_ids: Iterable[str]) -> None:
        """Begin to ask for these cameras; nothing happens while it `waits`."""
        if not self.waits:
            self._asked = self._pool.submit(self._leases.hold, tuple(camera_ids))

    def answers(self) -> dict[str, bool]:
        """Which are held, each answer once; empty while there is none. Raises what `hold` raised."""
        if self._asked is None or not self._asked.done():
            return {}
        asked, self._asked = self._asked, None
        return asked.result()

    def release(self, camera_id: str) -> None:
        self._pool.submit(self._leases.release, camera_id)

    def end(self) -> None:
        """Wait until everything is released."""
        self._pool.shutdown(wait=True)
