"""Where the detector must look: at what changed since it last looked, and at what it lost; elsewhere what it found holds.

"Nothing changed since it was found" is evidence that it is still there. "Not found any more" is none that it is gone, so
a place where something was just missed is looked at again for a while. The whole picture is looked at every few seconds
anyhow: it bounds what the gate may overlook. Nothing of this need outlive a restart: the first picture is looked at whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from vision import native
from vision.detection import BoolArray, Detections, Float32Array
from vision.frame import Picture, Pixels, size_px
from vision.geometry import FloatArray, iou
from vision.mosaic import Part
from vision.motion import MotionGate
from vision.parts import Rectangle, cover, settled

#: A box that overlaps an earlier one so much is the same thing in its place ...
_SAME_IOU: Final = 0.3
#: ... and one whose middle is off by less than this share of its size, the same thing a step further.
_STEP: Final = 1.0
#: A place that what is missed overlaps so much need not be looked at for itself: it is missed anew.
_ANEW_IOU: Final = 0.5


@dataclass(frozen=True, slots=True)
class AttentionSettings:
    """`whole_every_s`: the whole picture is looked at so often while something goes on, `quiet_every_s` while nothing
    does. From `whole_share` of the picture on all of it is looked at. `margin_px` (at 768 pixels width) is added around
    what was found before, `least_px` is the least side of a part. Something that was missed is looked for again for
    `again_s`; `sure` is the confidence from which that is worth it.
    """

    whole_every_s: float = 4.0
    quiet_every_s: float = 5.0
    whole_share: float = 0.6
    margin_px: float = 16.0
    least_px: float = 64.0
    again_s: float = 1.0
    sure: float = 0.25


@dataclass(frozen=True, slots=True)
class Look:
    """Which parts of a picture must be looked at; none: what was found last holds. `whole`: the one part is all of it."""

    parts: tuple[Part, ...]
    whole: bool


@dataclass(slots=True)
class _Missed:
    box: Rectangle
    until_s: float


@dataclass(slots=True)
class _Memory:
    found: Detections = field(default_factory=Detections.empty)
    whole_s: float | None = None
    missed: list[_Missed] = field(default_factory=list)
    size_px: tuple[int, int] = (0, 0)


class Attention:
    """That of one camera. For each picture, in order of time: `plan`, and when its parts were looked at, `merge`.

    A plan that is not followed by its `merge` (the detector failed) is as if it had never been: the next one covers it.
    """

    def __init__(self, settings: AttentionSettings | None = None, phase: float = 0.0) -> None:
        """`phase` (0..1): by so much of its time the second look at the whole comes early. Cameras that begin together
        would else be looked at whole in the same moment for ever.
        """
        self._settings = settings or AttentionSettings()
        self._phase = phase
        self._gate = MotionGate()
        self._memory = _Memory()
        self._planned: Look | None = None

    def awaits(self, look: Look) -> bool:
        """Whether this is the plan that `merge` shall be called with next."""
        return look is self._planned

    def plan(self, picture: Picture, time_s: float, small: Pixels | None = None) -> Look:
        """Which parts of this picture must be looked at; `small` is its thumbnail, if there is one already. Raises
        ValueError when `time_s` goes back.
        """
        self._planned = look = self._plan(picture, time_s, small)
        return look

    def _plan(self, picture: Picture, time_s: float, small: Pixels | None) -> Look:
        s, known = self._settings, self._memory
        motion = self._gate.update(picture, time_s, small)
        height, width = size_px(picture)
        if motion.whole or known.whole_s is None or known.size_px != (height, width):
            return _all_of(width, height)
        if known.missed:
            known.missed = [one for one in known.missed if one.until_s > time_s]
        goes_on = motion.changed or known.missed
        if time_s - known.whole_s >= (s.whole_every_s if goes_on else s.quiet_every_s) - 1e-6:
            return _all_of(width, height)
        scale = width / 768
        wanted: list[Rectangle] = [
            (x1 * width, y1 * height, x2 * width, y2 * height) for x1, y1, x2, y2 in motion.regions_norm
        ]
        wanted += [one.box for one in known.missed]
        if not wanted:
            return Look((), whole=False)
        parts = cover(
            wanted,
            known.found.xyxy_px,
            margin_px=s.margin_px * scale,
            least_px=s.least_px * scale,
            size_px=(height, width),
        )
        area = sum((right - left) * (bottom - top) for left, top, right, bottom in parts)
        return _all_of(width, height) if area >= s.whole_share * width * height else Look(parts, whole=False)

    def merge(self, look: Look, found: Sequence[Detections], picture: Picture, time_s: float) -> Detections:
        """All that is known of the picture: what was `found` in each part of `look`, and what still holds elsewhere.

        Raises:
            ValueError: `look` is not the last plan.
        """
        if not self.awaits(look):
            raise ValueError("this is not the last plan: what held then may not hold now")
        self._planned, known = None, self._memory
        if not look.parts:
            return known.found
        size = size_px(picture)
        looked_at: BoolArray | None = None
        if look.whole:
            now = found[0]
        else:
            now, looked_at = settled(known.found, found, look.parts, size)
        self._note_missed(known.found, looked_at, now, time_s)
        self._gate.looked()
        known.found, known.size_px = now, size
        if look.whole:
            first = known.whole_s is None
            known.whole_s = time_s - (self._phase * self._settings.quiet_every_s if first else 0.0)
        return now

    def _note_missed(self, before: Detections, looked_at: BoolArray | None, now: Detections, time_s: float) -> None:
        """What was there, where it was `looked_at` (None: everywhere), and is not found again: it has gone, or was missed."""
        s, known = self._settings, self._memory
        if not len(before) and not known.missed:
            return
        places = [one.box for one in known.missed]
        if native.missed is not None:
            gone, ended = native.missed.missed(
                before.xyxy_px, before.confidence, looked_at, now.xyxy_px, places, s.sure, _SAME_IOU, _STEP, _ANEW_IOU
            )
        else:
            seen = before if looked_at is None else before.where(looked_at)
            gone, ended = _missed(seen.where(seen.confidence >= s.sure).xyxy_px, now.xyxy_px, places)
        if places:
            known.missed = [one for one, is_over in zip(known.missed, ended, strict=True) if not is_over]
        known.missed += [_Missed(box, time_s + s.again_s) for box in gone]


def _all_of(width_px: int, height_px: int) -> Look:
    return Look(((0, 0, width_px, height_px),), whole=True)


def _missed(before: Float32Array, now: Float32Array, places: Sequence[Rectangle]) -> tuple[list[Rectangle], list[bool]]:
    """Those of `before` (N, 4) that none of `now` (M, 4) continues, and for each of `places` whether the search for it ends."""
    wanted = np.array(places, np.float32).reshape(-1, 4)
    overlap = iou(np.concatenate([before, wanted]), now)
    gone = _without_successor(before, now, overlap[: len(before)])
    over = overlap[len(before) :].max(axis=1, initial=0.0) >= _SAME_IOU
    if len(gone) and len(places):
        over |= iou(wanted, gone).max(axis=1) > _ANEW_IOU
    boxes: list[Rectangle] = [(x1, y1, x2, y2) for x1, y1, x2, y2 in gone.tolist()]
    return boxes, over.tolist()


def _without_successor(before: Float32Array, now: Float32Array, overlap: FloatArray) -> Float32Array:
    """Those of `before` (N, 4) that no box of `now` (M, 4) continues, one to one: in its place, or a step further. `overlap`
    (N, M) is their IoU.
    """
    if len(before) == 0 or len(now) == 0:
        return before
    same = overlap >= _SAME_IOU
    lost = np.flatnonzero(~same.any(axis=1))
    if len(lost) == 0:
        return before[lost]
    free: BoolArray = np.logical_not(same.any(axis=0))
    size = before[:, 2:] - before[:, :2]
    gone = []
    for row in lost:
        step = np.abs(now[:, :2] + now[:, 2:] - before[row, :2] - before[row, 2:]) / 2
        near = np.flatnonzero(free & (step < _STEP * size[row]).all(axis=1))
        if len(near):
            free[near[np.argmin((step[near] / size[row]).sum(axis=1))]] = False
        else:
            gone.append(row)
    return before[np.asarray(gone, np.int64)]
