"""What is told and kept of one camera's cases: messages in order, pictures, and the state on the disk that outlives a crash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from pipelines.config import LoadedConfig
from pipelines.config.schema import Camera, Stream
from pipelines.errors import GatewatchError
from pipelines.events.envelope import Event, incident_event
from pipelines.logs import fields
from pipelines.workers.hiding import RecentBoxes
from pipelines.workers.pictures import Place
from pipelines.workers.state import CameraState, StateError, StateFile
from pipelines.workers.surroundings import Surroundings
from vision.detection import Detections
from vision.engine import Engine, Step
from vision.frame import Frame
from vision.incident import Incident, PictureRequest, Snapshot
from vision.track import Track

#: The state is also saved now and then without a change, so that a restart knows how far the stream had come.
_SAVE_AT_LEAST_EVERY_S: Final = 10.0


class CaseBook:
    """Of one camera. The state is saved before a message goes out, and holds what neither the bus nor the spool took yet."""

    def __init__(self, camera_id: str, loaded: LoadedConfig, around: Surroundings) -> None:
        self._camera_id = camera_id
        self._around = around
        self._state = StateFile(loaded.config.data / "state", camera_id)
        self._pictures: dict[str, dict[str, dict[str, Any]]] = {}
        self._pending: list[Event] = []
        self._boxes = RecentBoxes()
        self._run_id = ""
        self._run_started_s = 0.0
        self._saved_at_s = 0.0
        self.last_s = 0.0
        """Time of the last analysed frame, also of an earlier process; 0: there was none."""
        self.reconfigure(loaded)

    def reconfigure(self, loaded: LoadedConfig) -> None:
        """From now on under this configuration; a camera that is not in it has a name and nothing else."""
        self._loaded = loaded
        self._camera = loaded.config.cameras.get(self._camera_id) or Camera(main=Stream(url=""))
        self._rules = rules_only(self._camera)

    def open(self) -> Snapshot | None:
        """What was saved: the engine's snapshot under `engine`, the rules that it was made under as `camera`. None: nothing was,
        or it cannot be read, which is logged.
        """
        try:
            state = self._state.load()
        except StateError as error:
            self._lost(error)
            return None
        if state is None:
            return None
        self._pictures = state.snapshot.get("pictures", {})
        self.last_s = state.time_s
        self._pending = list(state.unpublished)
        return state.snapshot

    def refuse(self, why: Exception) -> None:
        """No engine can go on from what `open` gave (another release's, say): the file is set aside, which is logged. Messages
        that had not gone out still will.
        """
        self._lost(self._state.set_aside(why))

    def _lost(self, error: StateError) -> None:
        self._around.log.error("the saved cases are lost: %s", error, extra=fields(camera=self._camera_id))

    def see(self, frame: Frame, detections: Detections, tracks: Sequence[Track]) -> None:
        """This frame was analysed, and this is on it."""
        self._boxes.add(frame.time_s, detections, tracks)
        if self._run_id != frame.run_id:
            self._run_id, self._run_started_s = frame.run_id, frame.time_s
        self.last_s = frame.time_s

    def take(self, step: Step, frame: Frame | None, engine: Engine) -> None:
        """Keep the pictures that a step of `engine` asks for (`frame`; None: there is none), save, publish."""
        if frame is not None:
            for request in step.pictures:
                self._keep_picture(request, frame)
        self._pending += [self._event(incident) for incident in step.incidents]
        since_saved_s = self._around.clock.monotonic_s() - self._saved_at_s
        if step.incidents or step.changed:
            self.save(engine, durable=True)
        elif since_saved_s >= _SAVE_AT_LEAST_EVERY_S:
            self.save(engine, durable=False)
        self._publish()
        if step.changed or step.incidents:
            self._forget_pictures({incident.incident_id for incident in step.incidents}, engine)

    def delete(self) -> None:
        """Nothing of this camera stays on the disk."""
        self._state.delete()

    def save(self, engine: Engine, *, durable: bool) -> None:
        snapshot = {
            "run_id": self._run_id,
            "run_started_s": self._run_started_s,
            "engine": engine.snapshot(),
            "pictures": self._pictures,
            "camera": self._rules,
        }
        self._saved_at_s = self._around.clock.monotonic_s()
        try:
            self._state.save(CameraState(self.last_s, snapshot, tuple(self._pending)), durable=durable)
        except OSError as error:
            # A full disk must not end the analysis: incidents still go out, only a restart would forget its cases.
            self._around.log.error("the cases cannot be saved: %s", error, extra=fields(camera=self._camera_id))

    def _forget_pictures(self, told: set[str], engine: Engine) -> None:
        """A case that ended has its pictures in its messages; one that never became an incident leaves none on the disk."""
        for incident_id in self._pictures.keys() - engine.cases():
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
                    "an incident is kept back: %s", error, extra=fields(camera=self._camera_id, kept=len(self._pending))
                )
                return
            del self._pending[0]

    def _event(self, incident: Incident) -> Event:
        pictures = list(self._pictures.get(incident.incident_id, {}).values())
        name = self._camera.name or self._camera_id
        return incident_event(incident, self._loaded.version, name, pictures, clock=self._clock_grade())

    def _clock_grade(self) -> dict[str, Any] | None:
        return None if self._around.clock_of is None else self._around.clock_of(self._camera_id)

    def _keep_picture(self, request: PictureRequest, frame: Frame) -> None:
        site = self._loaded.config.site
        place = Place(
            site=site.name,
            camera_id=self._camera_id,
            name=self._camera.name or self._camera_id,
            timezone=ZoneInfo(site.timezone),
            language=site.language,
        )
        try:
            hide = self._boxes.at(frame.time_s)
            record = self._around.pictures.save(request, frame, place, self._clock_grade(), hide)
        except OSError as error:
            # A full disk must not silence the incident itself: it goes out without this picture.
            self._around.log.error("a picture was not kept: %s", error, extra=fields(camera=self._camera_id))
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
