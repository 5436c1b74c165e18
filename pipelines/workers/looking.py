"""What the detector has in hand: parts of several cameras' pictures, looked at together while the worker goes on."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from threading import Event as StopEvent
from typing import Any, Final

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


@dataclass(slots=True, eq=False)
class Task:
    """A frame with what must be looked at in it, and that cut out of it. `pictures`: how much of a picture that is, 0..1."""

    camera: CameraAnalysis
    frame: Frame
    look: Look
    cuts: Sequence[mosaic.Cut]
    pictures: float


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
        wake: StopEvent,
    ) -> None:
        """`input_px` (height, width) is the detector's; `pool` runs one job at a time; `wake` is set when a batch is done."""
        self._detector = detector
        self._input_px = input_px
        self._pool = pool
        self._metrics = metrics
        self._log = log
        self._wake = wake
        self._sheets = mosaic.Sheets()
        self._waiting: list[Task] = []
        self._gathered = 0.0
        self._since_s = 0.0
        self._flying: Future[list[Landed]] | None = None
        self._done = False

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
        cuts: Sequence[mosaic.Cut] = ()
        if look.parts:
            pixels = frame.at(look.parts)
            camera.laps.end("decode")  # what is decoded becomes BGR here, if it was not yet
            cuts = mosaic.cuts(pixels, look.parts, self._input_px)
        area = sum((right - left) * (bottom - top) for left, top, right, bottom in look.parts)
        task = Task(camera, frame, look, cuts, area / (frame.width_px * frame.height_px))
        if look.parts:
            camera.laps.end("detect")
        return task

    @property
    def has_room(self) -> bool:
        """Whether the batch that gathers takes more."""
        return self._gathered < BATCH_PICTURES

    @property
    def flies(self) -> bool:
        """Whether the detector has a batch, or is done with one that was not asked for yet."""
        return self._flying is not None

    @property
    def is_done(self) -> bool:
        """Whether `swap` would give something."""
        return self._done

    def starts_in_s(self, now_s: float) -> float:
        """When the batch that gathers has waited long enough; infinite where only the detector is waited for."""
        return max(0.0, self._since_s + LINGER_S - now_s) if self._waiting and self._flying is None else math.inf

    def add(self, task: Task, now_s: float) -> None:
        """`now_s` is monotonic, as for `swap`."""
        if not self._waiting:
            self._since_s = now_s
        self._waiting.append(task)
        self._gathered += task.pictures

    def swap(self, now_s: float) -> Sequence[Landed]:
        """What is done, if it is; the next batch starts in its place once it is full, or has waited."""
        landed: Sequence[Landed] = ()
        if self._done and self._flying is not None:
            landed, self._flying, self._done = self._flying.result(), None, False
        if self._flying is None and self._waiting and (not self.has_room or now_s - self._since_s >= LINGER_S):
            batch, self._waiting, self._gathered = self._waiting, [], 0.0
            self._flying = self._pool.submit(self._look, batch)
            self._flying.add_done_callback(self._land)
        return landed

    def _land(self, _: Future[Any]) -> None:
        # Asking the future at every turn, or waiting for it, would cost several times this.
        self._done = True
        self._wake.set()

    def drop(self, camera_id: str) -> None:
        """The camera is no longer analysed: what waits of it is not looked at."""
        self._waiting = [task for task in self._waiting if task.camera.camera_id != camera_id]
        self._gathered = sum(task.pictures for task in self._waiting)

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
