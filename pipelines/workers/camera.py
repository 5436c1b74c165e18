"""One camera inside a worker: its reader, its attention, its engine; what follows from it is its case book's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event as StopEvent
from threading import Thread
from zlib import crc32

from pipelines.config import LoadedConfig
from pipelines.config.build import camera_spec
from pipelines.config.schema import Camera, Config, Stream
from pipelines.errors import GatewatchError
from pipelines.logs import fields
from pipelines.media.pace import Pace
from pipelines.tracks.keeper import TrackKeeper
from pipelines.tracks.rounding import rounded
from pipelines.workers.casebook import CaseBook, rules_only
from pipelines.workers.surroundings import Reader, Surroundings
from vision.attention import Attention, Look
from vision.camera import CameraSpec
from vision.detection import Detections
from vision.engine import Engine, Step, Tracked
from vision.frame import Frame
from vision.incident import Incident


def _untold() -> None:
    pass


class CameraAnalysis:
    """Analyses one camera from `start` to `stop`. All calls but the reader's own thread come from the worker's loop.

    For each picture: `take` and `plan`, of which the time is noted here; and when all of it is known `merge`, `track`, `judge`,
    `keep` and `tell`, which `together` takes several cameras through.
    """

    def __init__(self, camera_id: str, loaded: LoadedConfig, around: Surroundings) -> None:
        self.camera_id = camera_id
        self._loaded = loaded
        self._around = around
        self.laps = around.laps
        """Of the worker's loop."""
        self.on_frame: Callable[[], None] = _untold
        """Called in the reader's thread when a picture waits for `take`; to be set before `start`."""
        self._book = CaseBook(camera_id, loaded, around)
        self._camera = loaded.config.cameras.get(camera_id) or Camera(main=Stream(url=""))
        self._engine = self._new_engine(self._spec())
        self.has_open_case = False
        """Whether anything runs that its rule may have to tell of: such a camera is served first."""
        self._reader: Reader | None = None
        self._opened_s = 0.0
        self._stop_reader = StopEvent()
        self._thread: Thread | None = None
        self._quick = False
        self._pace = Pace(self._camera.fps)
        self._between: list[Frame] = []
        """Pictures between the one that is with the detector and the next: to be glanced at."""
        self._attention = self._fresh_attention()
        self._share = 1.0
        self._lost = 0
        self._seen = self._rounded = Detections.empty()
        self._tracks = None if around.keep_tracks is None else TrackKeeper(camera_id, around.keep_tracks)

    def start(self) -> None:
        """Restore the cases, publish what a crash left unpublished, begin to read."""
        self._restore()
        self._open_reader()

    def close_orphan(self) -> None:
        """The camera left the configuration while no worker ran: close its cases and forget its state."""
        self._restore()
        self.stop(removed=True)
        self._book.delete()

    def _restore(self) -> None:
        saved = self._book.open()
        if saved is None:
            return
        try:
            # First under the rules that were in force then, so that the cases of rules that are gone are closed, not lost.
            camera = Camera.model_validate(saved["camera"])
            engine = self._new_engine(camera_spec(Config(cameras={self.camera_id: camera}), self.camera_id))
            engine.restore(saved["engine"])
        except (GatewatchError, KeyError, TypeError, ValueError) as error:
            self._book.refuse(error)
            return
        self._engine = engine
        self._under_these_rules()

    def _new_engine(self, spec: CameraSpec) -> Engine:
        config = self._loaded.config
        return Engine(spec, self._around.scorer(config), self._around.crowds(config))

    def _spec(self) -> CameraSpec:
        if self.camera_id not in self._loaded.config.cameras:
            return CameraSpec(self.camera_id, zones={}, rules=())
        return camera_spec(self._loaded.config, self.camera_id)

    @property
    def share(self) -> float:
        """The share (0..1] of its usual rate that the camera is given."""
        return self._share

    @share.setter
    def share(self, value: float) -> None:
        if value != self._share:
            self._share = value
            self._set_rate()

    @property
    def apart_s(self) -> float:
        """How far apart its pictures are that are analysed, at most."""
        return 1.0 / max(self._camera.fps, 1e-3)

    def lost(self) -> int:
        """Frames that were replaced by a newer one before they were taken, since the last call."""
        total = self._reader.superseded if self._reader is not None else 0
        lost, self._lost = max(0, total - self._lost), total
        return lost

    def _set_rate(self) -> None:
        wanted = self._engine.wanted_fps if self._quick else None
        self._pace.fps = self._share * self._camera.fps
        if self._reader is not None:
            self._reader.fps = self._share * max(self._camera.fps, wanted or 0.0)

    def plan(self, frame: Frame) -> Look:
        """What the detector must look at in this frame."""
        if self._loaded.config.detector.look == "whole":
            return Look(((0, 0, frame.width_px, frame.height_px),), whole=True)
        look = self._attention.plan(frame, frame.time_s, frame.small)
        self.laps.end("gate")
        return look

    def awaits(self, look: Look) -> bool:
        """Whether this plan still holds: a stream that was opened anew begins with another."""
        return self._attention.awaits(look) or (look.whole and self._loaded.config.detector.look == "whole")

    def merge(self, frame: Frame, look: Look, found: Sequence[Detections]) -> Detections:
        """All that is known of the frame, once its parts were looked at."""
        if not self._attention.awaits(look):
            return found[0]
        return self._attention.merge(look, found, frame, frame.time_s)

    def take(self) -> Frame | None:
        """The newest frame that was not analysed yet, if there is one that the detector shall look at.

        While people act on each other the reader gives more pictures than that: the others are only glanced at.
        """
        if self._reader is None:
            return None
        self.laps.begin()
        frame = self._reader.take(0.0)
        self.laps.end("decode")
        only_a_glance = frame is not None and self._only_a_glance(frame.time_s)
        if only_a_glance and frame is not None:
            self._between.append(frame)
        if self._between:
            for picture in self._between:
                self._engine.glance(picture)
            self._between.clear()
            self.laps.end("rules")
        if only_a_glance or frame is None:
            return None
        self._pace.pick(frame.time_s)
        return frame

    @property
    def is_quick(self) -> bool:
        """Whether pictures come more often than they are analysed: people act on each other."""
        return self._quick

    def look_ahead(self) -> None:
        """While the last frame is with the detector: keep a picture that will only be glanced at, in its turn.

        A newer one would replace it, and it would be missed by who watches people act, and count as overload.
        """
        if self._reader is None or not self._quick:
            return
        next_s = self._reader.next_time_s
        if next_s is not None and self._only_a_glance(next_s):
            self.laps.begin()
            frame = self._reader.take(0.0)
            self.laps.end("decode")
            if frame is not None:
                self._between.append(frame)

    def _only_a_glance(self, time_s: float) -> bool:
        return self._quick and not self._pace.wants(time_s)

    def track(self, frame: Frame, detections: Detections) -> Tracked:
        """Who is who."""
        # Rounded whether tracks are kept or not: a replay sees what was judged, and both judge alike.
        if detections is not self._seen:  # where nothing was looked at, what was found before holds
            self._seen, self._rounded = detections, rounded(detections)
        if self._tracks is not None:
            self._tracks.before(frame.time_s, self._engine, self._loaded.version, lambda: rules_only(self._camera))
        return self._engine.track(frame, self._rounded)

    def judge(self, frame: Frame, tracked: Tracked) -> Step:
        """What the rules make of it."""
        step = self._engine.judge(frame, tracked)
        # Asked while the rules are at hand, and not when the next picture comes: by then they have left the cache.
        self.has_open_case = self._engine.has_cases
        return step

    @property
    def keeps_tracks(self) -> bool:
        """Whether `keep` does anything."""
        return self._tracks is not None

    def keep(self, frame: Frame, step: Step) -> None:
        """The tracks, if they are kept."""
        if self._tracks is not None:
            self._tracks.after(step, frame)

    def tell(self, frame: Frame, step: Step) -> None:
        """Pictures, the saved state, messages, and what the control room sees."""
        self._book.see(frame, self._rounded, () if step.scene is None else step.scene.tracks)
        live = self._around.live
        if live is not None and step.scene is not None and live.wants(self.camera_id):
            live.offer(frame, step.scene, self._engine.status())
        wanted = self._engine.wanted_fps
        if self._reader is not None and (wanted is not None) != self._quick:
            self._quick = wanted is not None
            self._set_rate()
        self._book.take(step, frame, self._engine)

    def watch(self) -> Sequence[Incident]:
        """To be called every few seconds, whether pictures come or not: no picture at all is what no picture can tell."""
        if self._reader is None:
            return ()
        if self._tracks is not None:
            self._tracks.watch(self._around.clock.now_s())
        # What this worker did not see because it did not run is not the camera's silence.
        step = self._engine.silent(max(self._reader.last_time_s, self._opened_s), self._around.clock.now_s())
        if step.incidents:
            self._book.take(step, None, self._engine)
        return step.incidents

    def reconfigure(self, loaded: LoadedConfig) -> None:
        """Other rules, zones or address; cases of rules that stay go on, those of rules that went close as `configuration`."""
        self._end_chunk()
        before, after = self._camera, loaded.config.cameras[self.camera_id]
        self._loaded, self._camera = loaded, after
        self._book.reconfigure(loaded)
        # The first rule of its kind may ask for what no rule has asked for so far.
        self._engine.equip(self._around.scorer(loaded.config), self._around.crowds(loaded.config))
        self._under_these_rules()
        if (before.sub or before.main, before.fps) != (after.sub or after.main, after.fps):
            self._close_reader()
            self._open_reader()

    def _under_these_rules(self) -> None:
        self._book.take(self._engine.reconfigure(self._spec(), self._book.last_s), None, self._engine)
        self.has_open_case = self._engine.has_cases

    def stop(self, *, removed: bool = False) -> None:
        """End reading and save. With `removed` the camera left the configuration: its cases close."""
        self._close_reader()
        self._end_chunk()
        if removed:
            nothing = CameraSpec(self.camera_id, zones={}, rules=())
            self._book.take(self._engine.reconfigure(nothing, self._book.last_s), None, self._engine)
        if self._book.last_s > 0:
            self._book.save(self._engine, durable=True)

    def _end_chunk(self) -> None:
        if self._tracks is not None:
            self._tracks.end()

    def _open_reader(self) -> None:
        url = (self._camera.sub or self._camera.main).url
        self._opened_s = self._around.clock.now_s()
        self._stop_reader = StopEvent()
        self._quick = False
        self._attention, self._lost = self._fresh_attention(), 0
        self._pace, self._between = Pace(self._share * self._camera.fps), []
        self._reader = self._around.open_reader(self.camera_id, url, self._share * self._camera.fps, self._book.last_s)
        self._reader.on_frame = self.on_frame
        self._thread = Thread(
            target=self._reader.run, args=(self._stop_reader,), name=f"read-{self.camera_id}", daemon=True
        )
        self._thread.start()

    def _fresh_attention(self) -> Attention:
        # Any number that differs between cameras and stays the same in every run.
        return Attention(phase=crc32(self.camera_id.encode()) / 2**32)

    def _close_reader(self) -> None:
        self._stop_reader.set()
        if self._thread is not None:
            self._thread.join(5.0)
            if self._thread.is_alive():
                self._around.log.warning("its reader did not end within 5 s", extra=fields(camera=self.camera_id))
        self._reader = None
        self._thread = None
