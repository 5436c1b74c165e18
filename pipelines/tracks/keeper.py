"""Gathers what one camera's engine sees into chunks, and hands each on when it is full. Never waits for a disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pipelines.tracks.chunk import Chunk, Origin
from pipelines.tracks.packed import PackedFrames
from pipelines.tracks.places import ChangedLooks, StandingVehicles
from vision.engine import Engine, Step
from vision.frame import Frame

#: A chunk ends at each whole ten minutes (UTC): what a crash costs at most.
CHUNK_S: Final = 600.0
#: ... or when it holds this many frames or boxes, whatever the rate of the camera.
MOST_FRAMES: Final = 9_000
MOST_BOXES: Final = 120_000


class TrackKeeper:
    """One camera. Call `before` and `after` around each `Engine.step`, `end` when the camera stops or its rules change."""

    def __init__(self, camera_id: str, put: Callable[[Chunk], None]) -> None:
        """`put` takes a full chunk and returns at once."""
        self._camera_id = camera_id
        self._put = put
        self._standing = StandingVehicles(camera_id)
        self._looks = ChangedLooks()
        self._origin: Origin | None = None
        self._frames = PackedFrames()
        self._begun_s = 0.0

    def before(
        self, time_s: float, engine: Engine, config_version: str, rules: Callable[[], Mapping[str, Any]]
    ) -> None:
        """A frame of `time_s` comes: when a chunk begins with it, the state from which it is judged is kept."""
        if len(self._frames) and (
            int(time_s // CHUNK_S) != int(self._begun_s // CHUNK_S)
            or len(self._frames) >= MOST_FRAMES
            or self._frames.box_count >= MOST_BOXES
        ):
            self.end()
        if self._origin is None:
            # How the view looks by day is no use to a replay, which sees no picture, and large.
            state = {**engine.snapshot(), "view": {}}
            self._origin = Origin(self._camera_id, config_version, state, rules())
            self._looks.begin()

    def after(self, step: Step, frame: Frame) -> None:
        """What came of it."""
        moment, scene = step.moment, step.scene
        if moment is None or scene is None:
            return
        if not len(self._frames):
            self._begun_s = moment.time_s
        elsewhere = self._standing.step(frame.pixels, scene)
        looks = self._looks.step(moment.looks, elsewhere, scene)
        self._frames.add(moment, scene.detections, scene.detection_track_id, looks)

    def end(self) -> None:
        """Hand on what is there."""
        if self._origin is not None and len(self._frames):
            self._put(Chunk(self._origin, self._frames))
        self._origin, self._frames = None, PackedFrames()
