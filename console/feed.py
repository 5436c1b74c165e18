"""What changed, for everybody who follows: one look at the store for all, each follower with a cursor and a scope of its own."""

from __future__ import annotations

from collections import Counter
from threading import Lock
from typing import Any, Final

from pipelines.access.roles import Principal
from pipelines.clock import Clock
from pipelines.store import changes
from pipelines.store.changes import Cursor
from pipelines.store.database import Database

#: How long one look at the store is good for all followers.
LOOK_S: Final = 0.2
#: Streams that one user or token may hold open: some pages on some screens.
MOST_STREAMS: Final = 24


class Feed:
    """Any thread."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = Lock()
        self._looked_s: float | None = None
        self._newest = Cursor(0, 0)
        self._streams: Counter[str] = Counter()

    def enter(self, key: str) -> bool:
        """False: `key` holds as many streams as it may."""
        with self._lock:
            if self._streams[key] >= MOST_STREAMS:
                return False
            self._streams[key] += 1
        return True

    def leave(self, key: str) -> None:
        with self._lock:
            self._streams[key] -= 1
            if self._streams[key] <= 0:
                del self._streams[key]

    def newest(self, *, fresh: bool = False) -> Cursor:
        """Where the store is, at most `LOOK_S` ago. Raises Unavailable."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            if fresh or self._looked_s is None or not 0 <= now_s - self._looked_s < LOOK_S:
                with self._database.read() as connection:
                    self._newest = changes.newest(connection)
                self._looked_s = now_s
            return self._newest

    def is_lost(self, cursor: Cursor) -> bool:
        """Whether `cursor` is too old to go on from. Raises Unavailable."""
        with self._database.read() as connection:
            return changes.is_lost(connection, cursor)

    def since(self, cursor: Cursor, principal: Principal) -> tuple[Cursor, list[dict[str, Any]], list[dict[str, Any]]]:
        """(where to go on, incidents, alerts) that changed after `cursor` and that `principal` may know of.

        Raises Unavailable."""
        with self._database.read() as connection:
            found = changes.since(connection, cursor)
            incidents = changes.incidents_with_threads(connection, found.incident_ids)
            alerts = changes.alerts_with_cameras(connection, found.alert_ids)
        return (
            found.cursor,
            [row for row in incidents if principal.sees(row["camera"])],
            [row for row in alerts if principal.sees(row["camera"])],
        )
