"""One camera's tracks through an engine with other rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pipelines.config.build import camera_spec
from pipelines.config.cameras import Camera
from pipelines.config.schema import Config
from pipelines.tracks.chunk import Origin
from pipelines.tracks.folder import chunks
from pipelines.tracks.parquet import DamagedChunk
from pipelines.tracks.reading import ChunkReader
from vision.camera import CameraSpec
from vision.engine import Engine
from vision.incident import Incident, Phase

#: Two frames that are further apart leave a hole: nobody knows what happened in it.
HOLE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Hole:
    """A part of the range of which nothing was kept."""

    from_s: float
    to_s: float

    @property
    def seconds(self) -> float:
        return self.to_s - self.from_s


@dataclass(slots=True)
class Replayed:
    """What the rules would have raised on one camera in [from_s, to_s).

    `incidents` are all of which something falls into the range, at their last word. `damaged` names files that could not
    be read, with why. `config_versions` are those under which the tracks were analysed then.
    """

    camera_id: str
    from_s: float
    to_s: float
    incidents: list[Incident] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    config_versions: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    frames: int = 0

    @property
    def seen_s(self) -> float:
        """How much of the range was replayed."""
        return self.to_s - self.from_s - sum(hole.seconds for hole in self.holes)


class Replay:
    """Replays one camera. Deterministic: the same files, rules and range give the same answer."""

    def __init__(self, root: Path, camera: CameraSpec, from_s: float, to_s: float, hole_s: float = HOLE_S) -> None:
        """`root` is the folder of tracks; `camera` has the rules to try. Raises ValueError as `Engine` does."""
        self._root = root
        self._camera = camera
        self._hole_s = hole_s
        self._engine = Engine(camera)
        self._out = Replayed(camera.camera_id, from_s, to_s)
        self._running: dict[str, Incident] = {}
        self._known_s = from_s

    def run(self) -> Replayed:
        """From the chunk that holds the beginning of the range to its end."""
        out = self._out
        time_s: float | None = None
        for reader in self._readers():
            if time_s is None:
                self._begin(reader.origin, reader.from_s)
            if reader.origin.config_version not in out.config_versions:
                out.config_versions.append(reader.origin.config_version)
            self._note_regions(reader.origin)
            for moment in reader.moments:
                if moment.time_s >= out.to_s:
                    break
                if time_s is not None and moment.time_s <= time_s:
                    continue
                time_s = moment.time_s
                self._take(self._engine.recall(moment).incidents)
                self._look_for_hole(time_s)
        if out.to_s - self._known_s > self._hole_s:
            out.holes.append(Hole(self._known_s, out.to_s))
        ended = [one for one in self._running.values() if one.opened_s is not None]
        out.incidents = sorted(ended, key=lambda one: (one.opened_s or 0.0, one.incident_id))
        return out

    def _readers(self) -> Iterator[ChunkReader]:
        out = self._out
        for file in chunks(self._root, out.camera_id, out.from_s, out.to_s):
            try:
                reader = ChunkReader(file.path)
            except DamagedChunk as error:
                out.damaged.append(str(error))
                continue
            if reader.to_s >= out.from_s and reader.from_s < out.to_s:
                yield reader

    def _begin(self, origin: Origin, time_s: float) -> None:
        """The state that the engine was in then, carried over to the rules that are tried."""
        then = Engine(spec_of(origin.camera_id, origin.rules))
        try:
            then.restore(dict(origin.state))
        except ValueError as error:
            self._out.notes.append(f"what stood there before is not known: {error}")
            return
        then.reconfigure(self._camera, time_s)
        self._engine = then

    def _note_regions(self, origin: Origin) -> None:
        asked = any(rule.kind == "possible_bullying" for rule in self._camera.rules)
        scored = any(rule["kind"] == "possible_bullying" for rule in origin.rules["rules"])
        note = (
            "possible_bullying: no such rule was in force then, so contact was not scored; only situations are judged"
        )
        if asked and not scored and note not in self._out.notes:
            self._out.notes.append(note)

    def _take(self, incidents: tuple[Incident, ...]) -> None:
        for incident in incidents:
            self._running[incident.incident_id] = incident
            if incident.phase is Phase.CLOSED and (incident.closed_s or 0.0) < self._out.from_s:
                del self._running[incident.incident_id]

    def _look_for_hole(self, time_s: float) -> None:
        if time_s < self._out.from_s:
            return
        self._out.frames += 1
        if time_s - self._known_s > self._hole_s:
            self._out.holes.append(Hole(self._known_s, time_s))
        self._known_s = time_s


def spec_of(camera_id: str, rules: Mapping[str, Any]) -> CameraSpec:
    """The camera as a chunk tells of it. Raises ValueError."""
    return camera_spec(Config(cameras={camera_id: Camera.model_validate(rules)}), camera_id)
