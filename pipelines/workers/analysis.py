"""The analysis worker: many cameras, one model, newest frame first, nobody starved."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from threading import Event as StopEvent
from threading import Lock, Thread
from typing import Final

from pipelines.clock import Clock
from pipelines.config import LoadedConfig
from pipelines.errors import GatewatchError
from pipelines.logs import fields
from pipelines.metrics import Metrics
from pipelines.workers import together
from pipelines.workers.camera import CameraAnalysis
from pipelines.workers.company import Company
from pipelines.workers.fairness import Fairness
from pipelines.workers.looking import Landed, Looking
from pipelines.workers.overload import Governor
from pipelines.workers.renewal import Leases, Renewal
from pipelines.workers.tally import Tally
from pipelines.workers.turns import Turns
from vision.detection import Detector
from vision.frame import Frame
from vision.incident import Incident
from vision.step import Step

#: Pictures that come within this time are one reason to wake up: of sixty cameras there are three hundred a second. Less where
#: a camera's next one comes sooner: within this part of the time until then.
_GATHER_S: Final = 0.05
_GATHER_PART: Final = 0.25
#: When no picture comes either: how long a stop, or a lease, may wait.
_REST_S: Final = 0.1
#: So many pictures are taken before anything else is looked after.
_AT_ONCE: Final = 8
#: How often what is no picture is looked after: the configuration, leases, the rate.
_UPKEEP_EVERY_S: Final = 0.25
_LEASE_EVERY_S: Final = 2.0


def _untold(_camera_id: str, _time_s: float) -> None:
    pass


def _unheard(_incident: Incident) -> None:
    pass


class AnalysisWorker:
    """Analyses the cameras whose lease it gets. `cameras` limits it to some ids; None means every camera.

    Whoever lags behind most is served next (`fairness`), each camera with its newest frame; a frame that must be looked at
    waits for the batch that gathers while the detector has another (`looking`), any other for company (`company`). So at
    most two frames of a camera are in hand: one here, one in its reader. When frames are lost all the same, every camera's
    rate is lowered (`overload`).
    """

    def __init__(
        self,
        loaded: LoadedConfig,
        *,
        cameras: Sequence[str] | None,
        detector: Detector,
        open_camera: Callable[[str, LoadedConfig], CameraAnalysis],
        leases: Leases,
        metrics: Metrics,
        clock: Clock,
        log: logging.Logger,
        owner: str = "worker",
        pool: Executor | None = None,
        on_analysed: Callable[[str, float], None] = _untold,
        on_overload: Callable[[Incident], None] = _unheard,
    ) -> None:
        """`owner` names this process; `pool` runs the detector and the leases, one job at a time (None: a thread for each).
        `on_analysed` is told camera and time of each frame once its incidents are published, `on_overload` each message
        of an overload.
        """
        self._loaded = loaded
        self._only = frozenset(cameras) if cameras is not None else None
        self._open_camera = open_camera
        self._metrics = metrics
        self._clock = clock
        self._log = log
        self._on_analysed = on_analysed
        self._on_overload = on_overload
        self._pool = ThreadPoolExecutor(1, "detect") if pool is None else pool
        self._renewal = Renewal(leases, ThreadPoolExecutor(1, "leases") if pool is None else pool)
        self._wake = StopEvent()
        self._looking = Looking(detector, loaded.config.detector.input, self._pool, metrics, log, self._wake)
        self._company = Company()
        self._fairness = Fairness()
        self._turns = Turns(self._fairness)
        self._gather_s = 0.0
        self._rests = False
        """Whether a picture that comes is to wake the loop."""
        self._governor = Governor(owner)
        self._rate = self._governor.rate
        self._metrics.analysis_rate.set(self._rate)
        self._running: dict[str, CameraAnalysis] = {}
        self._quick: set[str] = set()
        self._asked: set[str] = set()
        self._tally = Tally(metrics, clock, log)
        self._leases_checked_s = self._kept_up_s = float("-inf")
        self._next: LoadedConfig | None = None
        self._next_lock = Lock()

    @property
    def analysing(self) -> frozenset[str]:
        """The cameras that this worker has now."""
        return frozenset(self._running)

    @property
    def config_version(self) -> str:
        """Of the configuration that is in force here."""
        return self._loaded.version

    def unwatched(self, longest_s: float) -> list[str]:
        """Cameras of ours without an analysed frame for longer than `longest_s` (or since they were opened)."""
        return self._tally.unwatched(longest_s)

    def reload(self, loaded: LoadedConfig) -> None:
        """Take this configuration at the next turn. May be called from any thread."""
        with self._next_lock:
            self._next = loaded

    def run(self, stop: StopEvent) -> None:
        preparing = Thread(target=self._looking.prepare, args=(stop,), name="prepare")
        preparing.start()
        try:
            while not stop.is_set():
                if preparing.is_alive():
                    self._governor.begins()
                if not self.run_once():
                    self._idle()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
            for incident in self._governor.end(self._clock.now_s()):
                self._on_overload(incident)
            for camera_id in list(self._running):
                self._drop(camera_id)
            self._renewal.end()
            # A process that ends while a network is compiled is aborted.
            preparing.join()

    def run_once(self) -> bool:
        """Frames taken, or those judged that are due; False when there is nothing to do but wait."""
        now_s = self._clock.monotonic_s()
        if now_s - self._kept_up_s >= _UPKEEP_EVERY_S or self._next is not None:
            self._keep_up(now_s)
        # The detector first: while it works on one batch, the frames of the last are judged and the next ones planned.
        self._company.landed(self._looking.swap(now_s))
        if self._quick:
            self._look_ahead()
        taken = 0
        while self._looking.has_room and not self._company.is_enough and self._take_next(now_s):
            taken += 1
            if taken >= _AT_ONCE or self._looking.is_done or self._quick:
                break
        if taken:
            return True
        self._turns.hear()
        # What people do to each other is judged in 40 ms and more: between two of these the others' pictures are taken in, or
        # they would be replaced by newer ones.
        due = self._company.due(now_s, 1 if self._quick else None)
        if due:
            self._judge(due)
        return bool(due)

    def _keep_up(self, now_s: float) -> None:
        self._kept_up_s = now_s
        self._take_configuration()
        if now_s - self._leases_checked_s >= _LEASE_EVERY_S and not self._renewal.waits:
            self._leases_checked_s = now_s
            self._asked = set(self._wanted())
            self._renewal.ask(self._asked)
            apart_s = (camera.apart_s for camera in self._running.values())
            self._gather_s = min(_GATHER_S, _GATHER_PART * min(apart_s, default=0.0))
            for camera_id, camera in self._running.items():
                self._tally.incidents(camera_id, camera.watch())
        self._tally.show(now_s)
        self._check_leases()
        self._govern(now_s)

    def settle(self, longest_s: float) -> bool:
        """Wait for the detector, if it has something in hand, at most so long; False when it has not."""
        if not self._looking.flies:
            return False
        self._wake.clear()
        if not self._looking.is_done:
            self._wake.wait(longest_s)
        return True

    def _idle(self) -> None:
        began_s = self._clock.monotonic_s()
        self._wake.clear()
        # While people act on each other every picture is glanced at, two and a half times as many as are analysed.
        gather_s = self._gather_s * (0.4 if self._quick else 1.0)
        if (
            not self._looking.is_done
            and not self._wake.wait(min(gather_s, self._due_in_s(began_s)))
            and not self._has_news
        ):
            self._rests = True
            if not self._has_news:
                self._wake.wait(min(_REST_S, self._due_in_s(self._clock.monotonic_s())))
            self._rests = False
        self._governor.count(0, 0, self._clock.monotonic_s() - began_s)

    def _due_in_s(self, now_s: float) -> float:
        """When there is something to do although nothing comes."""
        return min(self._looking.starts_in_s(now_s), self._company.starts_in_s(now_s))

    @property
    def _has_news(self) -> bool:
        return self._turns.has_news and self._looking.has_room

    def _tell(self, camera_id: str) -> None:
        """In the reader's thread."""
        self._turns.tell(camera_id)
        if self._rests:
            self._wake.set()

    def _govern(self, now_s: float) -> None:
        for incident in self._governor.judge(now_s, self._clock.now_s()):
            self._log.warning("overload %s: every camera's rate is %.2f", incident.phase.value, self._governor.rate)
            self._on_overload(incident)
        rate = self._governor.rate
        if rate != self._rate:
            self._rate = rate
            self._metrics.analysis_rate.set(rate)
            for camera in self._running.values():
                camera.share = rate

    def _wanted(self) -> list[str]:
        return [name for name in self._loaded.config.cameras if self._only is None or name in self._only]

    def _check_leases(self) -> None:
        for camera_id, held in self._renewal.answers().items():
            if camera_id not in self._asked:
                continue  # dropped meanwhile
            if held and camera_id not in self._running:
                self._take(camera_id)
            elif not held and camera_id in self._running:
                self._log.warning("another worker has its lease; leaving it", extra=fields(camera=camera_id))
                self._drop(camera_id, release=False)

    def _take(self, camera_id: str) -> None:
        try:
            camera = self._open_camera(camera_id, self._loaded)
            camera.share = self._rate
            camera.on_frame = partial(self._tell, camera_id)
            camera.start()
        except (GatewatchError, ValueError) as error:
            # One camera that cannot be started costs the others nothing; it is tried again with the next lease.
            self._log.error("cannot be analysed: %s", error, extra=fields(camera=camera_id))
            return
        self._running[camera_id] = camera
        self._governor.begins()
        self._tally.opened(camera_id)

    def _drop(self, camera_id: str, *, removed: bool = False, release: bool = True) -> None:
        self._looking.drop(camera_id)
        self._turns.forget(camera_id)
        self._quick.discard(camera_id)
        self._running.pop(camera_id).stop(removed=removed)
        self._tally.forget(camera_id)
        self._asked.discard(camera_id)
        if release:
            self._renewal.release(camera_id)

    def _take_configuration(self) -> None:
        if self._next is None:
            return
        with self._next_lock:
            loaded, self._next = self._next, None
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

    def _take_next(self, now_s: float) -> bool:
        """Take the newest frame of the camera that is to be served next; False when none has one."""
        while (camera_id := self._turns.next()) is not None:
            camera = self._running.get(camera_id)
            if camera is None:
                continue  # dropped meanwhile
            frame = camera.take()
            self._governor.count(frame is not None, camera.lost(), 0.0)
            if frame is None:
                continue
            task = self._looking.task(camera, frame, camera.plan(frame))
            self._fairness.charge(camera_id, task.pictures, open_case=camera.has_open_case)
            self._turns.hold(camera_id)
            if task.look.parts:
                self._looking.add(task, self._clock.monotonic_s())
            elif camera.is_quick:
                self._judge([(task, ())])
            else:
                self._company.calm(task, now_s, camera.apart_s)
            return True
        return False

    def _look_ahead(self) -> None:
        for camera_id in self._quick:
            if self._turns.is_behind(camera_id):
                self._running[camera_id].look_ahead()

    def _judge(self, due: Sequence[Landed]) -> None:
        mine = [(task, found) for task, found in due if self._running.get(task.camera.camera_id) is task.camera]
        seen = [(task, found) for task, found in mine if found is not None and task.camera.awaits(task.look)]
        now_s = self._clock.now_s()
        for task, _ in seen:
            # How old the picture is when its detections are there: what a guard waits for before any rule's own time.
            task.camera.laps.note("age", max(0.0, now_s - task.frame.time_s))
        if seen:
            steps = together.judge(seen, seen[0][0].camera.laps)
            for (task, _), step in zip(seen, steps, strict=True):
                self._told(task.camera, task.frame, step)
        for task, _ in mine:
            self._turns.free(task.camera.camera_id)

    def _told(self, camera: CameraAnalysis, frame: Frame, step: Step) -> None:
        # Of most cameras none ever is: nobody asks each of sixty at every turn.
        if camera.is_quick:
            self._quick.add(camera.camera_id)
        elif self._quick:
            self._quick.discard(camera.camera_id)
        self._tally.analysed(camera.camera_id, frame.time_s, self._clock.monotonic_s())
        self._on_analysed(camera.camera_id, frame.time_s)
        if step.incidents:
            self._tally.incidents(camera.camera_id, step.incidents)
