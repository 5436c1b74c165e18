"""Deletes tracks that are older than they may be, and has chunks made of what no worker came back to: the janitor runs it."""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Event as StopEvent
from typing import Final

from pipelines.clock import Clock
from pipelines.logs import fields
from pipelines.tracks.converting import Converting, are_left
from pipelines.tracks.folder import delete_old

_EVERY_S: Final = 600.0
#: A worker that begins again does it at once, and one that runs writes every second.
_LEFT_S: Final = 1_200.0


class TrackUpkeep:
    """`keep_s` is how long tracks are kept. Each deletion stands in `deletions.jsonl` beside the tracks."""

    def __init__(self, root: Path, keep_s: float, clock: Clock, log: logging.Logger) -> None:
        self._root = root
        self._keep_s = keep_s
        self._clock = clock
        self._log = log
        self.converting = Converting(root, log)

    def run(self, stop: StopEvent) -> None:
        """Every ten minutes until told to stop; what the disk refuses is tried again."""
        while not stop.is_set():
            try:
                self.run_once()
            except OSError as error:
                self._log.error("old tracks cannot be deleted: %s", error)
            self.look_for_left()
            self._hear(stop)
            self._clock.wait(stop, _EVERY_S)

    def run_once(self) -> int:
        """How many chunks went. Raises OSError."""
        gone = delete_old(self._root, self._clock.now_s(), self._keep_s)
        if gone:
            size = sum(one.size_bytes for one in gone)
            self._log.info("old tracks were deleted", extra=fields(chunks=len(gone), bytes=size))
        return len(gone)

    def _hear(self, stop: StopEvent) -> None:
        """Until the program has ended, which holds the folder's lock: unheard, it would wait with it for somebody to listen."""
        while self.converting.poll() and not self._clock.wait(stop, 1.0):
            pass
        self.converting.finish(0.0)

    def look_for_left(self) -> None:
        """Has chunks begun to be made of what no worker came back to."""
        if are_left(self._root, self._clock.now_s() - _LEFT_S):
            self.converting.start()
