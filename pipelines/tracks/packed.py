"""The frames of a chunk, or of a part of one: as rows of bytes, since ten minutes of a camera's frames as objects take thirty
times what is in them.
"""

from __future__ import annotations

import json
import struct
from array import array
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from pipelines.tracks.crowds import from_text, to_text
from pipelines.tracks.rounding import STEPS_OF_CONFIDENCE, STEPS_PER_PX, to_steps
from vision import native
from vision.aggression import ScoredRegion
from vision.crowd import CrowdReading
from vision.detection import Detections, Float32Array, Int64Array
from vision.geometry import Box
from vision.looks import GREY, SIDE, Looks
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
_CELLS: Final = SIDE * SIDE
_LENGTH: Final = struct.Struct("<I")

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

    @property
    def from_s(self) -> float:
        """Time of the first frame. Raises IndexError when there is none."""
        return float(self.frames()["time_s"][0])

    def following(self) -> PackedFrames:
        """An empty one for the frames after these: a score that was told here, or before, is not told again."""
        after = PackedFrames()
        after._told_s = self._told_s
        return after

    def extend(self, after: PackedFrames) -> None:
        """Add the frames of one that follows this: then all is as if they had been added here."""
        first = len(self)
        self._frames += after._frames
        if after._box is not self._box:
            self._widen()
        self._boxes += after._boxes if after._box is self._box else after.boxes().astype(WIDE).tobytes()
        for ours, theirs, row in (
            (self._regions, after._regions, len(REGION)),
            (self._scores, after._scores, len(SCORE)),
        ):
            rows = np.array(theirs).reshape(-1, row)
            rows[:, 0] += first
            ours.frombytes(rows.tobytes())
        self.looks += [replace(one, frame=one.frame + first) for one in after.looks]
        self.crowds += [(frame + first, crowd) for frame, crowd in after.crowds]

    def to_bytes(self) -> bytes:
        """All of it; `from_bytes` gives it back. Length of a head in JSON, the head, and rows as they are here."""
        raw = (self._frames, self._boxes, self._regions.tobytes(), self._scores.tobytes())
        head = {
            "wide": self._box is WIDE,
            "sizes": [len(one) for one in raw],
            "looks": [[one.frame, one.key, one.place, one.grey is not None] for one in self.looks],
            "crowds": [[frame, to_text(crowd)] for frame, crowd in self.crowds],
        }
        told = json.dumps(head, separators=(",", ":")).encode()
        return b"".join(
            (_LENGTH.pack(len(told)), told, *raw, *(one.grey for one in self.looks if one.grey is not None))
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> PackedFrames:
        """Inverse of `to_bytes`. Raises ValueError: it is not what `to_bytes` gave."""
        try:
            (length,) = _LENGTH.unpack_from(content)
            at = _LENGTH.size + length
            head = json.loads(content[_LENGTH.size : at])
            rows = []
            for size in head["sizes"]:
                rows.append(content[at : at + size])
                at += size
            made = cls()
            made._box = WIDE if head["wide"] else NARROW
            made._frames, made._boxes = bytearray(rows[0]), bytearray(rows[1])
            made._regions.frombytes(rows[2])
            made._scores.frombytes(rows[3])
            for frame, key, place, is_there in head["looks"]:
                grey = content[at : at + _CELLS] if is_there else None
                at += len(grey or b"")
                made.looks.append(GreySeen(frame, key, tuple(place), grey))
            made.crowds += [(frame, from_text(text)) for frame, text in head["crowds"]]
            whole = int(made.frames()["boxes"].sum()) == made.box_count
        except (struct.error, KeyError, IndexError, TypeError) as error:
            raise ValueError(f"not a part of tracks: {error!r}") from error
        if at != len(content) or not whole:
            raise ValueError("not a part of tracks: its parts are not of the length that it says")
        return made

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
            self._widen()
        rows = np.empty(len(detections), self._box)
        for name, column in columns.items():
            rows[name] = column
        self._boxes += rows.tobytes()

    def _widen(self) -> None:
        if self._box is NARROW:
            self._boxes, self._box = bytearray(self.boxes().astype(WIDE).tobytes()), WIDE

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
