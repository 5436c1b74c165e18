"""Gathers what one camera's engine sees and gives it away every second. Never waits for a disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pipelines.tracks.chunk import Origin
from pipelines.tracks.packed import PackedFrames
from pipelines.tracks.places import ChangedLooks, StandingVehicles
from pipelines.tracks.strand import Piece, Strand
from vision.engine import Engine, Step
from vision.frame import Frame

#: A chunk ends at each whole ten minutes (UTC).
CHUNK_S: Final = 600.0
#: ... or when it holds this many frames or boxes, whatever the rate of the camera.
MOST_FRAMES: Final = 9_000
MOST_BOXES: Final = 120_000
#: What is younger may be lost when the worker is killed.
GIVE_EVERY_S: Final = 1.0
#: After a chunk that could not be kept: how long until another one is tried.
_AGAIN_AFTER_S: Final = 30.0
#: A chunk whose ten minutes are over ends although no frame comes, when none has come for so long.
_SILENT_S: Final = 10.0


class TrackKeeper:
    """One camera. Call `before` and `after` around each `Engine.step`, `watch` every few seconds whether frames come or not,
    `end` when the camera stops or its rules change.
    """

    def __init__(self, camera_id: str, put: Callable[[Piece], None]) -> None:
        """`put` takes a piece of a chunk and returns at once."""
        self._camera_id = camera_id
        self._put = put
        self._standing = StandingVehicles(camera_id)
        self._looks = ChangedLooks()
        self._strand: Strand | None = None
        self._frames = PackedFrames()
        """Those that were not given away yet."""
        self._frame_count = self._box_count = 0
        """Of the chunk, with those that were."""
        self._begun_s = self._given_s = 0.0
        self._not_before_s = float("-inf")
        self._silent: tuple[int, float] | None = None

    def before(
        self, time_s: float, engine: Engine, config_version: str, rules: Callable[[], Mapping[str, Any]]
    ) -> None:
        """A frame of `time_s` comes: when a chunk begins with it, the state from which it is judged is kept."""
        if self._frame_count and (
            _chunk_of(time_s) != _chunk_of(self._begun_s)
            or self._frame_count >= MOST_FRAMES
            or self._box_count >= MOST_BOXES
        ):
            self.end()
        if self._strand is not None and self._strand.is_broken:
            self._forget()
            self._not_before_s = time_s + _AGAIN_AFTER_S
        if self._strand is None and time_s >= self._not_before_s:
            # How the view looks by day is no use to a replay, which sees no picture, and large.
            state = {**engine.snapshot(), "view": {}}
            self._strand = Strand(Origin(self._camera_id, config_version, state, rules()))
            self._looks.begin()

    def after(self, step: Step, frame: Frame) -> None:
        """What came of it."""
        moment, scene = step.moment, step.scene
        if self._strand is None or moment is None or scene is None:
            return
        if not self._frame_count:
            self._begun_s = self._given_s = moment.time_s
        elsewhere = self._standing.step(frame, scene)
        looks = self._looks.step(moment.looks, elsewhere, scene)
        self._frames.add(moment, scene.detections, scene.detection_track_id, looks)
        self._frame_count += 1
        self._box_count += len(moment.detections)
        if moment.time_s - self._given_s >= GIVE_EVERY_S - 1e-6:
            self._given_s = moment.time_s
            self._give(self._strand)

    def watch(self, now_s: float) -> None:
        """What waits is given away; a chunk whose time is over ends, also when its camera is silent."""
        if self._strand is None or not self._frame_count:
            return
        if len(self._frames):
            self._give(self._strand)
        if self._silent is None or self._silent[0] != self._frame_count:
            self._silent = self._frame_count, now_s
        elif now_s - self._silent[1] >= _SILENT_S and _chunk_of(now_s) > _chunk_of(self._begun_s):
            self.end()

    def end(self) -> None:
        """Give away what is there: no more comes of this chunk."""
        if self._strand is not None and self._frame_count:
            self._give(self._strand, is_last=True)
        self._forget()

    def _give(self, strand: Strand, *, is_last: bool = False) -> None:
        frames, self._frames = self._frames, self._frames.following()
        self._put(Piece(strand, frames, is_last))

    def _forget(self) -> None:
        self._strand, self._frames, self._silent = None, PackedFrames(), None
        self._frame_count = self._box_count = 0


def _chunk_of(time_s: float) -> int:
    return int(time_s // CHUNK_S)
