"""The analysis worker: many cameras, one model, newest frame first, nobody starved."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Event as StopEvent
from threading import Lock
from typing import Final, Protocol

from pipelines.clock import Clock
from pipelines.config import LoadedConfig
from pipelines.errors import GatewatchError
from pipelines.logs import fields
from pipelines.metrics import Metrics
from pipelines.workers.camera import CameraAnalysis
from vision.detection import Detections, Detector, DetectorError
from vision.frame import Frame
from vision.incident import Phase

_IDLE_S: Final = 0.01
_LEASE_EVERY_S: Final = 2.0


class Lease(Protocol):
    """The right to analyse one camera. `hold` takes or renews it: False when another worker has it.

    While Redis is away nobody can take it, so who has it goes on: `hold` then returns its last answer.
    """

    def hold(self) -> bool: ...

    def release(self) -> None: ...


def _untold(_camera_id: str, _time_s: float) -> None:
    pass


class AnalysisWorker:
    """Analyses the cameras whose lease it gets. `cameras` limits it to some ids; None means every camera."""

    def __init__(
        self,
        loaded: LoadedConfig,
        *,
        cameras: Sequence[str] | None,
        detector: Detector,
        open_camera: Callable[[str, LoadedConfig], CameraAnalysis],
        open_lease: Callable[[str], Lease],
        metrics: Metrics,
        clock: Clock,
        log: logging.Logger,
        batch: int = 2,
        on_analysed: Callable[[str, float], None] = _untold,
    ) -> None:
        """`on_analysed` is told camera and time of each frame once its incidents are published."""
        self._loaded = loaded
        self._only = frozenset(cameras) if cameras is not None else None
        self._detector = detector
        self._open_camera = open_camera
        self._open_lease = open_lease
        self._metrics = metrics
        self._clock = clock
        self._log = log
        self._batch = batch
        self._on_analysed = on_analysed
        self._running: dict[str, CameraAnalysis] = {}
        self._leases: dict[str, Lease] = {}
        self._analysed_at_s: dict[str, float] = {}
        self._turn = 0
        self._leases_checked_s = float("-inf")
        self._next: LoadedConfig | None = None
        self._next_lock = Lock()

    @property
    def analysing(self) -> frozenset[str]:
        """The cameras that this worker has now."""
        return frozenset(self._running)

    def unwatched(self, longest_s: float) -> list[str]:
        """Cameras of ours without an analysed frame for longer than `longest_s` (or since they were opened)."""
        now_s = self._clock.monotonic_s()
        return sorted(camera for camera, at_s in self._analysed_at_s.copy().items() if now_s - at_s > longest_s)

    def reload(self, loaded: LoadedConfig) -> None:
        """Take this configuration at the next turn. May be called from any thread."""
        with self._next_lock:
            self._next = loaded

    def run(self, stop: StopEvent) -> None:
        try:
            while not stop.is_set():
                if not self.run_once():
                    self._clock.wait(stop, _IDLE_S)
        finally:
            for camera_id in list(self._running):
                self._drop(camera_id)

    def run_once(self) -> bool:
        """One turn; False when no camera had a frame."""
        self._take_configuration()
        now_s = self._clock.monotonic_s()
        if now_s - self._leases_checked_s >= _LEASE_EVERY_S:
            self._leases_checked_s = now_s
            self._check_leases()
        due = self._due_frames()
        if not due:
            return False
        for camera, frame, detections in self._detect(due):
            self._step(camera, frame, detections)
        return True

    def _wanted(self) -> list[str]:
        return [name for name in self._loaded.config.cameras if self._only is None or name in self._only]

    def _check_leases(self) -> None:
        for camera_id in self._wanted():
            lease = self._leases.setdefault(camera_id, self._open_lease(camera_id))
            held = lease.hold()
            if held and camera_id not in self._running:
                self._take(camera_id)
            elif not held and camera_id in self._running:
                self._log.warning("another worker has its lease; leaving it", extra=fields(camera=camera_id))
                self._drop(camera_id, release=False)

    def _take(self, camera_id: str) -> None:
        try:
            camera = self._open_camera(camera_id, self._loaded)
            camera.start()
        except (GatewatchError, ValueError) as error:
            # One camera that cannot be started costs the others nothing; it is tried again with the next lease.
            self._log.error("cannot be analysed: %s", error, extra=fields(camera=camera_id))
            return
        self._running[camera_id] = camera
        self._analysed_at_s[camera_id] = self._clock.monotonic_s()
        self._log.info("analysing", extra=fields(camera=camera_id))

    def _drop(self, camera_id: str, *, removed: bool = False, release: bool = True) -> None:
        self._running.pop(camera_id).stop(removed=removed)
        self._analysed_at_s.pop(camera_id, None)
        lease = self._leases.pop(camera_id, None)
        if lease is not None and release:
            lease.release()

    def _take_configuration(self) -> None:
        with self._next_lock:
            loaded, self._next = self._next, None
        if loaded is None:
            return
        self._loaded = loaded
        wanted = set(self._wanted())
        for camera_id in list(self._running):
            if camera_id not in wanted:
                self._log.info("no longer in the configuration", extra=fields(camera=camera_id))
                self._drop(camera_id, removed=True)
            else:
                self._running[camera_id].reconfigure(loaded)
        self._leases_checked_s = float("-inf")
        self._log.info("the configuration is in force", extra=fields(config_version=loaded.version))

    def _due_frames(self) -> list[tuple[CameraAnalysis, Frame]]:
        """At most a batch of newest frames, beginning behind the camera that was served last."""
        cameras = list(self._running.values())
        due: list[tuple[CameraAnalysis, Frame]] = []
        for offset in range(len(cameras)):
            index = (self._turn + offset) % len(cameras)
            frame = cameras[index].take()
            if frame is not None:
                due.append((cameras[index], frame))
                if len(due) == self._batch:
                    self._turn = index + 1
                    return due
        return due

    def _detect(self, due: list[tuple[CameraAnalysis, Frame]]) -> list[tuple[CameraAnalysis, Frame, Detections]]:
        """Pairs every frame with its detections; a frame on which the detector fails is counted, not taken as empty."""
        with self._metrics.stage("detect"):
            try:
                found = self._detector.detect([frame.pixels for _, frame in due])
                return [(camera, frame, one) for (camera, frame), one in zip(due, found, strict=True)]
            except DetectorError as error:
                if len(due) == 1:
                    camera, _ = due[0]
                    self._metrics.detector_errors.labels(camera=camera.camera_id).inc()
                    self._log.error("the detector failed: %s", error, extra=fields(camera=camera.camera_id))
                    return []
        # One camera's frame must not cost the others theirs: judge each alone.
        return [result for pair in due for result in self._detect([pair])]

    def _step(self, camera: CameraAnalysis, frame: Frame, detections: Detections) -> None:
        # How old the picture is when its detections are there: what a guard waits for before any rule's own time.
        age_s = max(0.0, self._clock.now_s() - frame.time_s)
        self._metrics.stage_duration.labels(stage="age").observe(age_s)
        step = camera.analyse(frame, detections)
        self._analysed_at_s[camera.camera_id] = self._clock.monotonic_s()
        self._metrics.frames_analysed.labels(camera=camera.camera_id).inc()
        self._metrics.last_frame_timestamp.labels(camera=camera.camera_id).set(frame.time_s)
        self._on_analysed(camera.camera_id, frame.time_s)
        for incident in step.incidents:
            if incident.phase == Phase.OPENED:
                self._metrics.incidents.labels(camera=camera.camera_id, behaviour=incident.kind).inc()
            self._log.info(
                "%s %s",
                incident.kind,
                incident.phase.value,
                extra=fields(camera=camera.camera_id, zone=incident.zone_id, incident=incident.incident_id),
            )
