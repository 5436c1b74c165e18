"""One camera inside a worker: its reader, its engine, its saved state, its pictures and its messages."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event as StopEvent
from threading import Thread
from typing import Any, Final
from zlib import crc32
from zoneinfo import ZoneInfo

from pipelines.config import LoadedConfig
from pipelines.config.build import camera_spec
from pipelines.config.schema import Camera, Config, Stream
from pipelines.errors import GatewatchError
from pipelines.events.envelope import Event, incident_event
from pipelines.logs import fields
from pipelines.tracks.keeper import TrackKeeper
from pipelines.tracks.rounding import rounded
from pipelines.workers.hiding import RecentBoxes
from pipelines.workers.pictures import Place
from pipelines.workers.state import CameraState, StateError, StateFile
from pipelines.workers.surroundings import Reader, Surroundings
from vision.attention import Attention, Look
from vision.camera import CameraSpec
from vision.detection import Detections
from vision.engine import Engine, Step
from vision.frame import Frame
from vision.incident import Incident, PictureRequest

#: The state is also saved now and then without a change, so that a restart knows how far the stream had come.
_SAVE_AT_LEAST_EVERY_S: Final = 10.0
_SLACK_S: Final = 0.02


class CameraAnalysis:
    """Analyses one camera from `start` to `stop`. All calls but the reader's own thread come from the worker's loop."""

    def __init__(self, camera_id: str, loaded: LoadedConfig, around: Surroundings) -> None:
        self.camera_id = camera_id
        self._loaded = loaded
        self._around = around
        self._state = StateFile(loaded.config.data / "state", camera_id)
        self._camera = loaded.config.cameras.get(camera_id) or Camera(main=Stream(url=""))
        self._engine = Engine(self._spec(), around.scorer)
        self._pictures: dict[str, dict[str, dict[str, Any]]] = {}
        self._pending: list[Event] = []
        self._boxes = RecentBoxes()
        self._last_s = 0.0
        self._run_id = ""
        self._run_started_s = 0.0
        self._saved_at_s = 0.0
        self._reader: Reader | None = None
        self._opened_s = 0.0
        self._stop_reader = StopEvent()
        self._thread: Thread | None = None
        self._quick = False
        self._attention = self._fresh_attention()
        self._share = 1.0
        self._lost = 0
        self._tracks = None if around.keep_tracks is None else TrackKeeper(camera_id, around.keep_tracks)

    def start(self) -> None:
        """Restore the cases, publish what a crash left unpublished, begin to read."""
        self._restore()
        self._open_reader()

    def close_orphan(self) -> None:
        """The camera left the configuration while no worker ran: close its cases and forget its state."""
        self._restore()
        self.stop(removed=True)
        self._state.delete()

    def _restore(self) -> None:
        try:
            state = self._state.load()
        except StateError as error:
            self._around.log.error("the saved cases are lost: %s", error, extra=fields(camera=self.camera_id))
            return
        if state is None:
            return
        self._pictures = state.snapshot["pictures"]
        self._last_s = state.time_s
        self._pending = list(state.unpublished)
        # First under the rules that were in force then, so that the cases of rules that are gone are closed, not lost.
        camera = Camera.model_validate(state.snapshot["camera"])
        self._engine = Engine(
            camera_spec(Config(cameras={self.camera_id: camera}), self.camera_id), self._around.scorer
        )
        self._engine.restore(state.snapshot["engine"])
        self._handle(self._engine.reconfigure(self._spec(), self._last_s), None)

    def _spec(self) -> CameraSpec:
        if self.camera_id not in self._loaded.config.cameras:
            return CameraSpec(self.camera_id, zones={}, rules=())
        return camera_spec(self._loaded.config, self.camera_id)

    @property
    def has_frame(self) -> bool:
        """Whether `take` would give one now."""
        return self._reader is not None and self._reader.has_frame

    @property
    def has_open_case(self) -> bool:
        """Whether anything runs that its rule may have to tell of: such a camera is served first."""
        return bool(self._engine.cases())

    @property
    def share(self) -> float:
        """The share (0..1] of its usual rate that the camera is given."""
        return self._share

    @share.setter
    def share(self, value: float) -> None:
        if value != self._share:
            self._share = value
            self._set_rate()

    def lost(self) -> int:
        """Frames that were replaced by a newer one before they were taken, since the last call."""
        total = self._reader.superseded if self._reader is not None else 0
        lost, self._lost = max(0, total - self._lost), total
        return lost

    def _set_rate(self) -> None:
        wanted = self._engine.wanted_fps if self._quick else None
        if self._reader is not None:
            self._reader.fps = self._share * max(self._camera.fps, wanted or 0.0)

    def plan(self, frame: Frame) -> Look:
        """What the detector must look at in this frame."""
        if self._loaded.config.detector.look == "whole":
            return Look(((0, 0, frame.width_px, frame.height_px),), whole=True)
        return self._attention.plan(frame.pixels, frame.time_s)

    def awaits(self, look: Look) -> bool:
        """Whether this plan still holds: a stream that was opened anew begins with another."""
        return self._loaded.config.detector.look == "whole" or self._attention.awaits(look)

    def merge(self, frame: Frame, look: Look, found: Sequence[Detections]) -> Detections:
        """All that is known of the frame, once its parts were looked at."""
        if not self._attention.awaits(look):
            return found[0]
        with self._around.stage("gate"):
            return self._attention.merge(look, found, frame.pixels, frame.time_s)

    def take(self) -> Frame | None:
        """The newest frame that was not analysed yet, if there is one that the detector shall look at.

        While people act on each other the reader gives more pictures than that: the others are only glanced at.
        """
        if self._reader is None:
            return None
        with self._around.stage("decode"):
            frame = self._reader.take(0.0)
        if frame is not None and self._quick and frame.time_s - self._last_s < 1 / self._camera.fps - _SLACK_S:
            with self._around.stage("rules"):
                self._engine.glance(frame)
            return None
        return frame

    def analyse(self, frame: Frame, detections: Detections) -> Step:
        """One step of the engine and all that follows from it."""
        # Rounded whether tracks are kept or not: a replay sees what was judged, and both judge alike.
        detections = rounded(detections)
        if self._tracks is not None:
            self._tracks.before(frame.time_s, self._engine, self._loaded.version, lambda: rules_only(self._camera))
        with self._around.stage("track"):
            tracked = self._engine.track(frame, detections)
        with self._around.stage("rules"):
            step = self._engine.judge(frame, tracked)
        if self._tracks is not None:
            with self._around.stage("keep"):
                self._tracks.after(step, frame)
        self._boxes.add(frame.time_s, detections, () if step.scene is None else step.scene.tracks)
        if self._run_id != frame.run_id:
            self._run_id, self._run_started_s = frame.run_id, frame.time_s
        self._last_s = frame.time_s
        live = self._around.live
        if live is not None and step.scene is not None and live.wants(self.camera_id):
            live.offer(frame, step.scene, self._engine.status())
        wanted = self._engine.wanted_fps
        if self._reader is not None and (wanted is not None) != self._quick:
            self._quick = wanted is not None
            self._set_rate()
        with self._around.stage("publish"):
            self._handle(step, frame)
        return step

    def watch(self) -> Sequence[Incident]:
        """To be called every few seconds, whether pictures come or not: no picture at all is what no picture can tell."""
        if self._reader is None:
            return ()
        # What this worker did not see because it did not run is not the camera's silence.
        step = self._engine.silent(max(self._reader.last_time_s, self._opened_s), self._around.clock.now_s())
        if step.incidents:
            self._handle(step, None)
        return step.incidents

    def reconfigure(self, loaded: LoadedConfig) -> None:
        """Other rules, zones or address; cases of rules that stay go on, those of rules that went close as `configuration`."""
        self._end_chunk()
        before, after = self._camera, loaded.config.cameras[self.camera_id]
        self._loaded, self._camera = loaded, after
        self._handle(self._engine.reconfigure(self._spec(), self._last_s), None)
        if (before.sub or before.main, before.fps) != (after.sub or after.main, after.fps):
            self._close_reader()
            self._open_reader()

    def stop(self, *, removed: bool = False) -> None:
        """End reading and save. With `removed` the camera left the configuration: its cases close."""
        self._close_reader()
        self._end_chunk()
        if removed:
            nothing = CameraSpec(self.camera_id, zones={}, rules=())
            self._handle(self._engine.reconfigure(nothing, self._last_s), None)
        if self._last_s > 0:
            self._save(durable=True)

    def _end_chunk(self) -> None:
        if self._tracks is not None:
            self._tracks.end()

    def _open_reader(self) -> None:
        url = (self._camera.sub or self._camera.main).url
        self._opened_s = self._around.clock.now_s()
        self._stop_reader = StopEvent()
        self._quick = False
        self._attention, self._lost = self._fresh_attention(), 0
        self._reader = self._around.open_reader(self.camera_id, url, self._share * self._camera.fps, self._last_s)
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

    def _handle(self, step: Step, frame: Frame | None) -> None:
        if frame is not None:
            for request in step.pictures:
                self._keep_picture(request, frame)
        self._pending += [self._event(incident) for incident in step.incidents]
        since_saved_s = self._around.clock.monotonic_s() - self._saved_at_s
        if step.incidents or step.changed:
            self._save(durable=True)
        elif since_saved_s >= _SAVE_AT_LEAST_EVERY_S:
            self._save(durable=False)
        self._publish()
        if step.changed or step.incidents:
            self._forget_pictures({incident.incident_id for incident in step.incidents})

    def _forget_pictures(self, told: set[str]) -> None:
        """A case that ended has its pictures in its messages; one that never became an incident leaves none on the disk."""
        for incident_id in self._pictures.keys() - self._engine.cases():
            records = self._pictures.pop(incident_id)
            if incident_id not in told:
                self._around.pictures.discard(list(records.values()))

    def _publish(self) -> None:
        """In order; what neither the bus nor the spool takes stays in the saved state and is tried at the next frame."""
        while self._pending:
            try:
                self._around.publisher.publish(self._pending[0])
            except GatewatchError as error:
                self._around.log.error(
                    "an incident is kept back: %s", error, extra=fields(camera=self.camera_id, kept=len(self._pending))
                )
                return
            del self._pending[0]

    def _event(self, incident: Incident) -> Event:
        pictures = list(self._pictures.get(incident.incident_id, {}).values())
        name = self._camera.name or self.camera_id
        return incident_event(incident, self._loaded.version, name, pictures, clock=self._clock_grade())

    def _clock_grade(self) -> dict[str, Any] | None:
        return None if self._around.clock_of is None else self._around.clock_of(self.camera_id)

    def _save(self, *, durable: bool) -> None:
        snapshot = {
            "run_id": self._run_id,
            "run_started_s": self._run_started_s,
            "engine": self._engine.snapshot(),
            "pictures": self._pictures,
            "camera": rules_only(self._camera),
        }
        self._saved_at_s = self._around.clock.monotonic_s()
        try:
            self._state.save(CameraState(self._last_s, snapshot, tuple(self._pending)), durable=durable)
        except OSError as error:
            # A full disk must not end the analysis: incidents still go out, only a restart would forget its cases.
            self._around.log.error("the cases cannot be saved: %s", error, extra=fields(camera=self.camera_id))

    def _keep_picture(self, request: PictureRequest, frame: Frame) -> None:
        site = self._loaded.config.site
        place = Place(
            site=site.name,
            camera_id=self.camera_id,
            name=self._camera.name or self.camera_id,
            timezone=ZoneInfo(site.timezone),
            language=site.language,
        )
        try:
            hide = self._boxes.at(frame.time_s)
            record = self._around.pictures.save(request, frame, place, self._clock_grade(), hide)
        except OSError as error:
            # A full disk must not silence the incident itself: it goes out without this picture.
            self._around.log.error("a picture was not kept: %s", error, extra=fields(camera=self.camera_id))
            return
        self._pictures.setdefault(request.incident_id, {})[request.role] = record


def rules_only(camera: Camera) -> dict[str, Any]:
    """The camera's zones, ground and rules as plain values: no address, and no schedule that another file may not have."""
    values = camera.model_dump(
        mode="json", by_alias=True, include={"name", "ground", "masks", "zones", "rules", "health"}
    )
    values["main"] = {"url": ""}
    for rule in values["rules"]:
        rule["schedule"], rule["except"] = "always", None
        if rule.get("expected") is not None:
            rule["expected"] = "never"
    return values
