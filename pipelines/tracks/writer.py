"""The thread that keeps tracks. Analysis gives them away and goes on; what cannot be kept is counted, not fatal."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event as StopEvent
from threading import Thread
from typing import Final

from pipelines.logs import fields
from pipelines.tracks.converting import Converting, are_left
from pipelines.tracks.spool import Spool
from pipelines.tracks.strand import Piece, Strand

#: Parts that may wait, a second or so of a camera each and some kilobytes: a disk that hangs costs tracks, no memory.
MOST_WAITING: Final = 2_000
#: With the second that `pipelines.tracks.keeper` holds back, this is what may be lost when the worker is killed.
_EVERY_S: Final = 1.0
#: The chunks of all cameras end in the same seconds: one program makes them all ...
_GATHER_S: Final = 10.0
#: ... and what ends at other times, as on a disk that is nearly full, does not start one after the other.
_APART_S: Final = 60.0
#: How long chunks may take to be made when the worker ends; what is not done then is done when one begins.
_AT_END_S: Final = 8.0


class TrackWriter:
    """Keeps the tracks of all cameras of a worker. `count(camera, outcome)` is told of each chunk: written, failed, dropped."""

    def __init__(
        self, root: Path, count: Callable[[str, str], None], log: logging.Logger, most_waiting: int = MOST_WAITING
    ) -> None:
        self._root = root
        self._count = count
        self._log = log
        self._most_waiting = most_waiting
        self._waiting: deque[Piece] = deque()
        self._spools: dict[Strand, Spool] = {}
        self._failing: set[str] = set()
        """Cameras of which it was said that nothing is kept."""
        self._ended_s: float | None = None
        """When the first chunk ended of which no file was made yet."""
        self._made_s = float("-inf")
        self.converting = Converting(root, log, count)

    def put(self, piece: Piece) -> None:
        """Returns at once."""
        strand = piece.strand
        if strand.is_broken:
            return
        if len(self._waiting) >= self._most_waiting:
            self._give_up(strand, "dropped", "the disk is too slow")
            return
        self._waiting.append(piece)

    def run(self, stop: StopEvent) -> None:
        """Until `stop` is set and all is kept."""
        if are_left(self._root):
            self.converting.start()
        while not stop.wait(_EVERY_S):
            self.run_once()
            if not self.converting.poll() and self._is_due(time.monotonic()):
                self._make_chunks()
        self.run_once()
        for strand in list(self._spools):
            self._close(strand)
        if self.converting.finish(_AT_END_S / 2) and self._ended_s is not None:
            self._make_chunks()
            self.converting.finish(_AT_END_S / 2)

    def run_once(self) -> None:
        """What waits goes onto the disk."""
        pieces: dict[Strand, list[Piece]] = {}
        while self._waiting:
            piece = self._waiting.popleft()
            pieces.setdefault(piece.strand, []).append(piece)
        for strand, given in pieces.items():
            if not strand.is_broken:
                self._keep(strand, given)
        for strand in [strand for strand in self._spools if strand.is_broken]:
            self._close(strand)

    def _keep(self, strand: Strand, pieces: list[Piece]) -> None:
        frames = pieces[0].frames
        try:
            for piece in pieces[1:]:
                frames.extend(piece.frames)
            if strand.origin is not None:
                self._spools[strand] = Spool(self._root, strand.origin, frames.from_s)
                strand.origin = None
            if len(frames):
                self._spools[strand].append(frames)
        except OSError as error:
            self._give_up(strand, "failed", str(error))
            return
        except Exception as error:  # noqa: BLE001
            # A fault of ours, and no reason to keep no camera's tracks any more, as without this thread.
            self._give_up(strand, "failed", repr(error), error)
            return
        if strand.camera_id in self._failing:
            self._failing.discard(strand.camera_id)
            self._log.warning("tracks are kept again", extra=fields(camera=strand.camera_id))
        if pieces[-1].is_last:
            self._close(strand)

    def _give_up(self, strand: Strand, outcome: str, why: str, fault: Exception | None = None) -> None:
        strand.is_broken = True
        self._count(strand.camera_id, outcome)
        if strand.camera_id not in self._failing:
            self._failing.add(strand.camera_id)
            self._log.error("tracks are not kept: %s", why, extra=fields(camera=strand.camera_id), exc_info=fault)

    def _close(self, strand: Strand) -> None:
        self._spools.pop(strand).close()
        if self._ended_s is None:
            self._ended_s = time.monotonic()

    def _is_due(self, now_s: float) -> bool:
        return self._ended_s is not None and now_s >= max(self._ended_s + _GATHER_S, self._made_s + _APART_S)

    def _make_chunks(self) -> None:
        self._ended_s, self._made_s = None, time.monotonic()
        self.converting.start()


@contextmanager
def writing(writer: TrackWriter) -> Iterator[TrackWriter]:
    """Runs `writer` in a thread; at the end everything that was given is on the disk, and the chunks are made if that takes
    no longer than ten seconds.
    """
    stop = StopEvent()
    thread = Thread(target=writer.run, args=(stop,), name="tracks", daemon=True)
    thread.start()
    try:
        yield writer
    finally:
        stop.set()
        thread.join(10.0)
