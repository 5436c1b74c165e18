"""Gathers what one camera's engine sees into chunks, and hands each on when it is full. Never waits for a disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from pipelines.tracks.chunk import Chunk, Kept, Origin
from pipelines.tracks.places import ChangedLooks, StandingVehicles
from vision import native
from vision.detection import Detections, Int64Array
from vision.engine import Engine, Step
from vision.frame import Frame
from vision.moment import Moment
from vision.scene import Scene

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
        self._frames: list[Kept] = []
        self._boxes = 0

    def before(
        self, time_s: float, engine: Engine, config_version: str, rules: Callable[[], Mapping[str, Any]]
    ) -> None:
        """A frame of `time_s` comes: when a chunk begins with it, the state from which it is judged is kept."""
        if self._frames and (
            int(time_s // CHUNK_S) != int(self._frames[0].moment.time_s // CHUNK_S)
            or len(self._frames) >= MOST_FRAMES
            or self._boxes >= MOST_BOXES
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
        elsewhere = self._standing.step(frame.pixels, scene)
        looks = self._looks.step(moment.looks, elsewhere, scene)
        self._frames.append(Kept(_without_looks(moment), owners(moment.detections, scene), looks))
        self._boxes += len(moment.detections)

    def end(self) -> None:
        """Hand on what is there."""
        if self._origin is not None and self._frames:
            self._put(Chunk(self._origin, tuple(self._frames)))
        self._origin, self._frames, self._boxes = None, [], 0


def _without_looks(moment: Moment) -> Moment:
    # Kept for ten minutes, thumbnails that are not written would take 25 MB of a camera.
    return Moment(
        camera_id=moment.camera_id,
        time_s=moment.time_s,
        width_px=moment.width_px,
        height_px=moment.height_px,
        detections=moment.detections,
        view=moment.view,
        regions=moment.regions,
        crowd=moment.crowd,
    )


def owners(detections: Detections, scene: Scene) -> Int64Array:
    """(N,) which track took each of the detector's boxes; -1 for none, and for what a mask hides."""
    if native.detections is not None:
        return native.detections.owners(detections.xyxy_px, scene.detections.xyxy_px, scene.detection_track_id)
    taken = {
        tuple(box): track_id
        for box, track_id in zip(scene.detections.xyxy_px.tolist(), scene.detection_track_id.tolist(), strict=True)
    }
    return np.array([taken.get(tuple(box), -1) for box in detections.xyxy_px.tolist()], np.int64)
