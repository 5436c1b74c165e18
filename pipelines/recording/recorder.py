"""The recorder: every camera of a site in one process, one ffmpeg each, no camera waiting for another.

One thread reads all cameras (`selectors`), a second one (`Desk`) closes segments and keeps the ledger, a few short-lived
ones ask why a camera sends nothing. Its constructor starts nothing.
"""

from __future__ import annotations

import logging
import random
import selectors
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from pipelines.clock import Clock
from pipelines.errors import Unavailable
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.recording import ledger
from pipelines.recording.alarms import GapAlarms
from pipelines.recording.camera import LEDGER_ROOM_BYTES, CameraRecorder
from pipelines.recording.coverage import Cause
from pipelines.recording.desk import ClockStep, Desk, Job, Outage
from pipelines.recording.index import Index
from pipelines.recording.layout import Volume, check_camera_id
from pipelines.recording.probe import why_no_media
from pipelines.recording.reconcile import Reconciler
from pipelines.recording.retries import Retries
from pipelines.recording.segments import Segment, SegmentWriter
from pipelines.recording.stream import CameraSettings
from pipelines.recording.timeline import WallClock

log = logging.getLogger(__name__)

_TICK_S: Final = 0.25
_DISK_LOOK_S: Final = 1.0


class Recorder:
    """Records `cameras` to `volume` until told to stop."""

    def __init__(
        self,
        cameras: Sequence[CameraSettings],
        volume: Volume,
        clock: Clock,
        binary: Ffmpeg,
        *,
        alarm_after_s: float = 60.0,
        on_segment: Callable[[Segment], None] = lambda _segment: None,
        on_reconnect: Callable[[str, str], None] = lambda _camera, _reason: None,
        ledger_room_bytes: int = LEDGER_ROOM_BYTES,
    ) -> None:
        for camera in cameras:
            check_camera_id(camera.camera_id)
        self._settings = {camera.camera_id: camera for camera in cameras}
        self._volume = volume
        self._clock = clock
        self._binary = binary
        self._on_reconnect = on_reconnect
        self._room_bytes = ledger_room_bytes
        self._desk = Desk(volume, clock, GapAlarms(alarm_after_s), on_segment)
        self._selector: selectors.DefaultSelector | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._wall = WallClock()
        self._wanted: dict[str, CameraSettings] | None = None
        self._disk_looked_s: float | None = None
        self._disk_says: str | None = None
        self._cameras: dict[str, CameraRecorder] = {}

    # -- what a camera asks of the loop -------------------------------------------------------------------------------

    def watch(self, descriptor: int, camera: CameraRecorder) -> None:
        if self._selector is not None:
            self._selector.register(descriptor, selectors.EVENT_READ, camera)

    def unwatch(self, descriptor: int) -> None:
        if self._selector is not None:
            self._selector.unregister(descriptor)

    def put(self, job: Job) -> None:
        self._desk.put(job)

    def grows(self, writer: SegmentWriter) -> None:
        self._desk.grows(writer)

    def why(self, url: str) -> Future[tuple[Cause, str]]:
        if self._pool is None:
            raise RuntimeError("the recorder is not running")
        return self._pool.submit(why_no_media, url)

    def disk_fault(self) -> str | None:
        now_s = self._clock.monotonic_s()
        if self._disk_looked_s is None or now_s - self._disk_looked_s >= _DISK_LOOK_S:
            self._disk_looked_s = now_s
            self._disk_says = self._look_at_disk()
        return self._disk_says

    def _look_at_disk(self) -> str | None:
        fault = self._volume.check()
        if fault is not None:
            return fault
        try:
            free = self._volume.space().free_bytes
        except OSError as error:
            return f"the volume cannot be read: {error.strerror}"
        if free < self._room_bytes:
            return f"the volume is full ({free // 2**20} MiB free, {self._room_bytes // 2**20} MiB kept for the ledger)"
        return None

    # -- life ---------------------------------------------------------------------------------------------------------

    def reconfigure(self, cameras: Sequence[CameraSettings]) -> None:
        """From another thread: other cameras, other addresses. A camera that did not change is not touched."""
        for camera in cameras:
            check_camera_id(camera.camera_id)
        self._wanted = {camera.camera_id: camera for camera in cameras}

    def pids(self) -> dict[str, int]:
        """Process ids of the running ffmpegs by camera."""
        return {name: pid for name, camera in self._cameras.items() if (pid := camera.pid) is not None}

    def health(self) -> tuple[bool, str]:
        """Whether every camera is being recorded now, and which are not."""
        away = sorted(name for name, camera in self._cameras.items() if not camera.recording)
        return not away and bool(self._cameras), f"not recorded: {', '.join(away)}" if away else ""

    def run(self, stop: threading.Event) -> None:
        """Record until `stop`. Raises Unavailable: the volume cannot be used at start."""
        ends = self._sweep()
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="probe")
        self._selector = selectors.DefaultSelector()
        desk_stop = threading.Event()
        desk = threading.Thread(target=self._desk.run, args=(desk_stop,), name="desk")
        desk.start()
        try:
            for settings in self._settings.values():
                self._add(settings, ends.get(settings.camera_id))
            while not stop.is_set():
                self.run_once()
        finally:
            for camera in self._cameras.values():
                camera.terminate()
            for camera in self._cameras.values():
                camera.stop(Cause.RESTART, "the recorder was stopped")
            desk_stop.set()
            desk.join()
            self._pool.shutdown(cancel_futures=True)
            self._selector.close()

    def run_once(self) -> None:
        """One round of the loop: at most `_TICK_S` of waiting for bytes."""
        if self._selector is None:
            raise RuntimeError("the recorder is not running")
        for key, _ in self._selector.select(_TICK_S):
            key.data.on_readable()
        step_s = self._wall.look(self._clock.now_s(), self._clock.monotonic_s())
        if step_s:
            self._clock_stepped(step_s)
        if self._wanted is not None:
            self._change(self._wanted)
            self._wanted = None
        for camera in self._cameras.values():
            camera.tick()

    def _sweep(self) -> dict[str, int]:
        """Close what a crash left open: leftovers are adopted, the time until now is a gap `restart`."""
        ends: dict[str, int] = {}
        now_ms = round(self._clock.now_s() * 1000)
        with Index.open(self._volume.index, create=True) as index:
            try:
                Reconciler(index, self._volume, self._clock, {}).sweep()
            except OSError as error:
                raise Unavailable(
                    f"{self._volume.root}: the recording volume cannot be used: {error.strerror}"
                ) from error
            known = ledger.cameras(index)
            with index.transaction() as cursor:
                for camera in self._settings:
                    if camera not in known:
                        ledger.touch_camera(cursor, camera, now_ms, now_ms)
            alive_ms = int(index.meta("alive_ms") or now_ms)
            for camera in self._settings:
                end_ms = ledger.last_end_ms(index, camera)
                if end_ms is not None:
                    ends[camera] = end_ms
                # An outage that was known before the crash keeps its cause for as long as the recorder lived.
                since_ms = alive_ms if ledger.has_open_gap(index, camera) else end_ms or now_ms
                self._desk.put(Outage(camera, min(now_ms, since_ms), Cause.RESTART, "the recorder was not running"))
            for camera in set(known) - set(self._settings):
                end_ms = ledger.last_end_ms(index, camera) or now_ms
                self._desk.put(Outage(camera, min(now_ms, end_ms), Cause.CONFIGURATION, "not in the configuration"))
        return ends

    def _add(self, settings: CameraSettings, last_end_ms: int | None) -> None:
        name = settings.camera_id
        camera = CameraRecorder(
            settings,
            volume=self._volume,
            clock=self._clock,
            binary=self._binary,
            loop=self,
            retries=Retries(random.Random()),
            last_end_ms=last_end_ms,
            reconnects=lambda reason: self._on_reconnect(name, reason),
        )
        self._cameras[name] = camera

    def _change(self, wanted: dict[str, CameraSettings]) -> None:
        now_ms = round(self._clock.now_s() * 1000)
        for name in list(self._cameras):
            if wanted.get(name) != self._settings.get(name):
                why = "settings changed" if name in wanted else "taken out of the configuration"
                self._cameras.pop(name).stop(Cause.CONFIGURATION, why)
        for name, settings in wanted.items():
            if name not in self._cameras:
                self._desk.put(Outage(name, now_ms, Cause.CONFIGURATION, "new in the configuration"))
                self._add(settings, now_ms)
        self._settings = wanted

    def _clock_stepped(self, step_s: float) -> None:
        now_ms = round(self._clock.now_s() * 1000)
        log.warning("the host's clock was stepped by %+.1f s", step_s)
        self._desk.put(ClockStep(now_ms, round(step_s * 1000)))
        for camera in self._cameras.values():
            camera.clock_stepped()
