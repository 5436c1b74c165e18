"""The recorder's desk: one thread that closes segments, writes the index and syncs what grows.

The thread that reads the cameras never waits for the disk's metadata or for SQLite: it hands its jobs over here, in
order. What cannot be done now (disk full, read-only, index locked) stays in order and is tried again.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pipelines.clock import Clock
from pipelines.errors import Unavailable
from pipelines.recording import ledger
from pipelines.recording.alarms import GapAlarms
from pipelines.recording.chain import next_place
from pipelines.recording.coverage import Cause, Gap
from pipelines.recording.index import Index
from pipelines.recording.journal import Journal
from pipelines.recording.layout import Volume
from pipelines.recording.reconcile import Reconciler
from pipelines.recording.segments import Segment, SegmentWriter

log = logging.getLogger(__name__)

#: Growing files are synced, and rows written, this often: what a power cut may take.
ROUND_S: Final = 1.0
RECONCILE_S: Final = 60.0
_BEAT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Close:
    """Close a segment. `from_ms`, `to_ms`: UTC of its first and last picture."""

    writer: SegmentWriter
    from_ms: int
    to_ms: int
    offset_ms: int | None


@dataclass(frozen=True, slots=True)
class Outage:
    """From `from_ms` on a camera is not recorded."""

    camera: str
    from_ms: int
    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True)
class Resumed:
    camera: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Hole:
    """A gap with both ends known."""

    camera: str
    gap: Gap


@dataclass(frozen=True, slots=True)
class ClockStep:
    at_ms: int
    step_ms: int


Job = Close | Outage | Resumed | Hole | ClockStep
_Row = Callable[[sqlite3.Connection], None]


class Desk:
    """`put` from any thread; everything else in the desk's own."""

    def __init__(self, volume: Volume, clock: Clock, alarms: GapAlarms, closed: Callable[[Segment], None]) -> None:
        self._volume = volume
        self._clock = clock
        self._alarms = alarms
        self._closed = closed
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._waiting: list[Job] = []
        self._rows: list[_Row] = []
        self._lines: list[tuple[str, dict[str, object]]] = []
        self._tails: dict[str, Segment] = {}
        self._growing: set[SegmentWriter] = set()
        self._lock = threading.Lock()
        self._ledger_lines = Journal(volume.journal / "ledger.jsonl")
        self._reconciled_s: float | None = None
        self._beat_s: float | None = None

    def put(self, job: Job) -> None:
        self._jobs.put(job)

    def grows(self, writer: SegmentWriter) -> None:
        """A segment was opened: sync it each round until it is closed."""
        with self._lock:
            self._growing.add(writer)

    def active(self) -> set[str]:
        """Names of the files that are being written now: nobody else's to adopt."""
        with self._lock:
            growing = {writer.path.name for writer in self._growing}
        return growing | {job.writer.path.name for job in self._waiting if isinstance(job, Close)}

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`, then finish what is in hand."""
        with Index.open(self._volume.index, create=True) as index:
            while not self._clock.wait(stop, ROUND_S):
                self.run_once(index)
            self.run_once(index, last=True)

    def run_once(self, index: Index, *, last: bool = False) -> None:
        """One round."""
        self._sync()
        while True:
            try:
                self._waiting.append(self._jobs.get_nowait())
            except queue.Empty:
                break
        stuck: set[str] = set()
        left: list[Job] = []
        for job in self._waiting:
            camera = job.writer.camera if isinstance(job, Close) else getattr(job, "camera", "")
            if camera in stuck or not self._do(index, job):
                stuck.add(camera)
                left.append(job)
        self._waiting = left
        self._write(index)
        if not last and (self._reconciled_s is None or self._clock.monotonic_s() - self._reconciled_s >= RECONCILE_S):
            self._reconciled_s = self._clock.monotonic_s()
            self._reconcile(index)

    def _sync(self) -> None:
        with self._lock:
            growing = list(self._growing)
        for writer in growing:
            try:
                writer.sync()
            except OSError as error:
                log.warning("cannot sync %s: %s", writer.path.name, error.strerror)

    def _do(self, index: Index, job: Job) -> bool:
        """False when it has to be tried again."""
        if isinstance(job, Close):
            return self._close(index, job)
        if isinstance(job, Outage):
            self._rows.append(lambda cursor: ledger.open_gap(cursor, job.camera, job.from_ms, job.cause, job.detail))
            self._line("gap", camera=job.camera, from_ms=job.from_ms, cause=job.cause.value, detail=job.detail)
        elif isinstance(job, Resumed):
            self._rows.append(lambda cursor: ledger.close_gap(cursor, job.camera, job.at_ms))
            self._line("resumed", camera=job.camera, at_ms=job.at_ms)
        elif isinstance(job, Hole):
            self._rows.append(lambda cursor: ledger.add_gap(cursor, job.camera, job.gap))
            gap = job.gap
            self._line(
                "hole",
                camera=job.camera,
                from_ms=gap.from_ms,
                to_ms=gap.to_ms,
                cause=gap.cause.value,
                detail=gap.detail,
                inside=gap.inside,
            )
        else:
            self._rows.append(lambda cursor: ledger.add_clock_step(cursor, job.at_ms, job.step_ms))
            self._line("clock_step", at_ms=job.at_ms, step_ms=job.step_ms)
        return True

    def _close(self, index: Index, job: Close) -> bool:
        camera = job.writer.camera
        try:
            place = next_place(index, camera, job.from_ms, self._tails.get(camera))
            segment = job.writer.close(job.from_ms, job.to_ms, place, job.offset_ms)
        except (OSError, Unavailable) as error:
            log.warning("segment %s cannot be closed yet: %s", job.writer.path.name, error)
            return False
        with self._lock:
            self._growing.discard(job.writer)
        self._tails[camera] = segment
        self._rows.append(lambda cursor: ledger.insert_segment(cursor, segment))
        self._closed(segment)
        return True

    def _line(self, action: str, **data: object) -> None:
        self._lines.append((action, data))

    def _write(self, index: Index) -> None:
        now_ms = round(self._clock.now_s() * 1000)
        try:
            if self._rows:
                with index.transaction() as cursor:
                    for row in self._rows:
                        row(cursor)
                self._rows.clear()
            self._beat(index, now_ms)
            while self._lines:
                action, data = self._lines[0]
                self._ledger_lines.append(at_ms=now_ms, action=action, actor="recorder", reason="", data=data)
                self._lines.pop(0)
            self._alarms.look(index, now_ms)
        except Unavailable as error:
            log.warning("the ledger waits: %s", error)

    def _beat(self, index: Index, now_ms: int) -> None:
        """A sign of life: after a crash it says until when the recorder knew what it wrote."""
        if self._beat_s is None or self._clock.monotonic_s() - self._beat_s >= _BEAT_S:
            self._beat_s = self._clock.monotonic_s()
            index.set_meta("alive_ms", str(now_ms))

    def _reconcile(self, index: Index) -> None:
        if self._rows:
            return
        try:
            Reconciler(index, self._volume, self._clock, self._tails).run_once(self.active())
        except (OSError, Unavailable) as error:
            log.warning("disk and index were not compared: %s", error)
