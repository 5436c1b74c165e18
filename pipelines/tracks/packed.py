"""The frames of a chunk while it waits for its end: as rows of bytes, since ten minutes of a camera's frames as objects
take thirty times what is in them.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pipelines.tracks.rounding import STEPS_OF_CONFIDENCE, STEPS_PER_PX, to_steps
from vision import native
from vision.aggression import ScoredRegion
from vision.crowd import CrowdReading
from vision.detection import Detections, Float32Array, Int64Array
from vision.geometry import Box
from vision.looks import GREY, Looks
from vision.moment import Moment
from vision.view import ViewState

#: One frame: time, size of the picture, number of the view's state, luminance and contrast in whole grey levels, boxes.
FRAME: Final = np.dtype(
    [
        ("time_s", "<f8"),
        ("width", "<i4"),
        ("height", "<i4"),
        ("view", "u1"),
        ("luminance", "<i2"),
        ("contrast", "<i2"),
        ("boxes", "<i4"),
    ]
)
_FRAME: Final = struct.Struct("<diiBhhi")
_VIEWS: Final = {state: number for number, state in enumerate(ViewState)}
VIEWS: Final = tuple(state.value for state in ViewState)

BOX: Final = ("track", "class", "confidence", "x1", "y1", "x2", "y2")
#: One box, in steps of `pipelines.tracks.rounding`: what fits nearly every camera ...
NARROW: Final = np.dtype(list(zip(BOX, ("<i4", "u1", "u1", "<i2", "<i2", "<i2", "<i2"), strict=True)))
#: ... and what a chunk is widened to when it holds a box beyond 8191 pixels or a class beyond 255. What is too large for the
#: chunk's file must still be too large here, so that it is refused and no other number is written.
WIDE: Final = np.dtype([(name, "<i8") for name in BOX])

#: One region of one frame: number of the frame and of the region, then as `vision.interaction.Region` has them.
REGION: Final = (
    "frame",
    "region_id",
    "x",
    "y",
    "side",
    "since_s",
    "seen_s",
    "people",
    "closeness",
    "change",
    "surprise",
)
#: One window's score: number of the frame and of the region, when, how much.
SCORE: Final = ("frame", "region_id", "time_s", "score")


@dataclass(frozen=True, slots=True, eq=False)
class PlaceSeen:
    """How the place `key` looks from one frame on; `looks` None: it is watched no longer."""

    key: str
    place: Box
    looks: Looks | None


@dataclass(frozen=True, slots=True, eq=False)
class GreySeen:
    """A `PlaceSeen` of frame number `frame`, as it is written: `grey` are the cells (SIDE, SIDE) uint8 as bytes."""

    frame: int
    key: str
    place: Box
    grey: bytes | None


class PackedFrames:
    """Grows by a frame at a time: 25 bytes, and 14 a box. Read when it grows no longer."""

    def __init__(self) -> None:
        self._frames = bytearray()
        self._boxes = bytearray()
        self._box = NARROW
        self._regions = array("d")
        self._scores = array("d")
        self._told_s: dict[int, float] = {}
        self.looks: list[GreySeen] = []
        self.crowds: list[tuple[int, CrowdReading]] = []
        """With the number of the frame: one is read now and then, not in each."""

    def __len__(self) -> int:
        return len(self._frames) // FRAME.itemsize

    @property
    def box_count(self) -> int:
        return len(self._boxes) // self._box.itemsize

    def add(self, moment: Moment, seen: Detections, track_id: Int64Array, looks: tuple[PlaceSeen, ...]) -> None:
        """One frame. `track_id` (M,) took each of `seen`, which are the moment's detections without what a mask hides. Of
        `moment` the looks are left out: `looks` holds those that changed.
        """
        frame = len(self)
        view = moment.view
        self._frames += _FRAME.pack(
            moment.time_s,
            moment.width_px,
            moment.height_px,
            _VIEWS[view.state],
            round(view.luminance),
            round(view.contrast),
            len(moment.detections),
        )
        self._add_boxes(moment.detections, seen.xyxy_px, track_id)
        for one in looks:
            self.looks.append(GreySeen(frame, one.key, one.place, None if one.looks is None else _grey(one.looks)))
        for scored in moment.regions:
            self._add_region(frame, scored)
        if moment.crowd is not None:
            self.crowds.append((frame, moment.crowd))

    def frames(self) -> np.ndarray[Any, Any]:
        """(F,) of `FRAME`."""
        return np.frombuffer(self._frames, FRAME)

    def boxes(self) -> np.ndarray[Any, Any]:
        """(N,) of `NARROW` or `WIDE`, those of the first frame first; `track` is -1 where none took the box."""
        return np.frombuffer(self._boxes, self._box)

    def regions(self) -> list[list[float]]:
        """Rows of `REGION`."""
        rows: list[list[float]] = np.frombuffer(self._regions).reshape(-1, len(REGION)).tolist()
        return rows

    def scores(self) -> list[list[float]]:
        """Rows of `SCORE`: each score of a region once, in the frame that told it first."""
        rows: list[list[float]] = np.frombuffer(self._scores).reshape(-1, len(SCORE)).tolist()
        return rows

    def _add_boxes(self, detections: Detections, seen_px: Float32Array, track_id: Int64Array) -> None:
        if native.detections is not None and self._box is NARROW:
            packed = native.detections.packed(
                detections.xyxy_px,
                detections.confidence,
                detections.class_id,
                seen_px,
                track_id,
                STEPS_PER_PX,
                STEPS_OF_CONFIDENCE,
            )
            if packed is not None:
                self._boxes += packed
                return
        edges, confidence = to_steps(detections)
        track = owners(detections.xyxy_px, seen_px, track_id)
        columns = dict(zip(BOX, (track, detections.class_id, confidence, *edges.T), strict=True))
        if self._box is NARROW and not all(_fits(columns[name], NARROW[name]) for name in BOX):
            self._boxes, self._box = bytearray(self.boxes().astype(WIDE).tobytes()), WIDE
        rows = np.empty(len(detections), self._box)
        for name, column in columns.items():
            rows[name] = column
        self._boxes += rows.tobytes()

    def _add_region(self, frame: int, scored: ScoredRegion) -> None:
        r = scored.region
        self._regions.extend(
            (frame, r.region_id, *r.square_px, r.since_s, r.seen_s, r.people, r.closeness_heights, r.change, r.surprise)
        )
        told_s, new = self._told_s.get(r.region_id, float("-inf")), []
        for time_s, score in reversed(scored.scores):  # in order of time, and nearly all were told before
            if time_s <= told_s:
                break
            new.append((frame, r.region_id, time_s, score))
        for row in reversed(new):
            self._scores.extend(row)
        if new:
            self._told_s[r.region_id] = new[0][2]


def owners(xyxy_px: Float32Array, seen_px: Float32Array, track_id: Int64Array) -> Int64Array:
    """(N,) which track took each of `xyxy_px` (N, 4): `track_id` (M,) of the very same box among `seen_px` (M, 4); -1 for
    none, and for what a mask hides.
    """
    taken = {tuple(box): one for box, one in zip(seen_px.tolist(), track_id.tolist(), strict=True)}
    return np.array([taken.get(tuple(box), -1) for box in xyxy_px.tolist()], np.int64)


def _fits(column: Int64Array, kind: np.dtype[Any]) -> bool:
    limits = np.iinfo(kind)
    return not len(column) or bool(limits.min <= column.min() and column.max() <= limits.max)


def _grey(looks: Looks) -> bytes:
    cells: np.ndarray[Any, np.dtype[np.uint8]] = np.rint(looks.cells @ GREY).astype(np.uint8)
    return cells.tobytes()
