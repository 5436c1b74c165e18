"""What the detector has in hand: parts of several cameras' pictures, looked at together while the worker goes on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from threading import Event as StopEvent
from typing import Final

from pipelines.logs import fields
from pipelines.metrics import Metrics
from pipelines.workers.camera import CameraAnalysis
from vision import mosaic
from vision.attention import Look
from vision.detection import Detections, Detector, DetectorError, Preparable
from vision.frame import Frame

#: Pictures' worth of parts in one batch: enough that canvases fill, few enough that nobody waits long for it.
BATCH_PICTURES: Final = 3.0
#: A batch that is not full waits so long for more: half a frame's time, for canvases that are filled and not begun.
LINGER_S: Final = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A frame with what must be looked at in it, and that cut out of it."""

    camera: CameraAnalysis
    frame: Frame
    look: Look
    cuts: Sequence[mosaic.Cut]

    @property
    def pictures(self) -> float:
        """How much of a picture that is, 0..1."""
        area = sum((right - left) * (bottom - top) for left, top, right, bottom in self.look.parts)
        return area / (self.frame.width_px * self.frame.height_px)


#: A task and what was found in each of its parts; None when the detector failed on it.
Landed = tuple[Task, Sequence[Detections] | None]


class Looking:
    """At most one batch is with the detector, in another thread; the next one gathers meanwhile."""

    def __init__(
        self,
        detector: Detector,
        input_px: tuple[int, int],
        pool: Executor,
        metrics: Metrics,
        log: logging.Logger,
        batch_pictures: float = BATCH_PICTURES,
    ) -> None:
        """`input_px` (height, width) is the detector's; `pool` runs one job at a time."""
        self._detector = detector
        self._input_px = input_px
        self._pool = pool
        self._metrics = metrics
        self._log = log
        self._batch = batch_pictures
        self._sheets = mosaic.Sheets()
        self._waiting: list[Task] = []
        self._gathered = 0.0
        self._since_s = 0.0
        self._flying: Future[list[Landed]] | None = None
        self._held: set[str] = set()

    def prepare(self, stop: StopEvent) -> None:
        """In a thread of its own: let the detector make itself cheaper for canvases that are not full."""
        if isinstance(self._detector, Preparable):
            try:
                self._detector.prepare(lambda: not stop.is_set())
            except ValueError as error:
                self._log.warning("canvases that are not full cost as much as full ones: %s", error)

    def task(self, camera: CameraAnalysis, frame: Frame, look: Look) -> Task:
        """What `add` takes. The parts are cut at once, in the caller's thread: a picture that has just come is still in the
        processor's cache, a tenth of a second later it is not.
        """
        cuts = [mosaic.cut(mosaic.Piece(frame.pixels, part), self._input_px) for part in look.parts]
        camera.laps.end("detect")
        return Task(camera, frame, look, cuts)

    @property
    def has_room(self) -> bool:
        """Whether the batch that gathers takes more."""
        return self._gathered < self._batch

    @property
    def flies(self) -> bool:
        return self._flying is not None

    def holds(self, camera_id: str) -> bool:
        """Whether a frame of this camera is on its way: one camera's frames must not overtake each other."""
        return camera_id in self._held

    def add(self, task: Task, now_s: float) -> None:
        """`now_s` is monotonic, as for `swap`."""
        if not self._waiting:
            self._since_s = now_s
        self._waiting.append(task)
        self._gathered += task.pictures
        self._held.add(task.camera.camera_id)

    def swap(self, now_s: float) -> list[Landed]:
        """What is done, if it is; the next batch starts in its place once it is full, or has waited."""
        landed: list[Landed] = []
        if self._flying is not None and self._flying.done():
            landed, self._flying = self._flying.result(), None
            self._held -= {task.camera.camera_id for task, _ in landed}
        if self._flying is None and self._waiting and (not self.has_room or now_s - self._since_s >= LINGER_S):
            batch, self._waiting, self._gathered = self._waiting, [], 0.0
            self._flying = self._pool.submit(self._look, batch)
        return landed

    def wait(self, timeout_s: float) -> None:
        """Until the batch is done, at most so long."""
        if self._flying is not None:
            wait([self._flying], timeout_s)

    def drop(self, camera_id: str) -> None:
        """The camera is no longer analysed: what waits of it is not looked at."""
        self._waiting = [task for task in self._waiting if task.camera.camera_id != camera_id]
        self._gathered = sum(task.pictures for task in self._waiting)
        self._held.discard(camera_id)

    def _look(self, batch: list[Task]) -> list[Landed]:
        """Runs in the pool. A task on which the detector fails is counted, and never taken as empty."""
        pieces = [cut for task in batch for cut in task.cuts]
        try:
            with self._metrics.stage("detect"):
                found = iter(mosaic.detect(self._detector, self._input_px, pieces, self._sheets))
        except DetectorError as error:
            if len(batch) > 1:
                # One camera's picture must not cost the others theirs: judge each alone.
                return [landed for task in batch for landed in self._look([task])]
            camera_id = batch[0].camera.camera_id
            self._metrics.detector_errors.labels(camera=camera_id).inc()
            self._log.error("the detector failed: %s", error, extra=fields(camera=camera_id))
            return [(batch[0], None)]
        return [(task, [next(found) for _ in task.look.parts]) for task in batch]
