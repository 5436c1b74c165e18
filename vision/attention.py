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

from vision.detection import BoolArray, Detections, Float32Array
from vision.frame import Pixels
from vision.geometry import iou
from vision.mosaic import Part
from vision.motion import MotionGate

_EMPTY: Final = Detections.empty()


@dataclass(frozen=True, slots=True)
class AttentionSettings:
    """`whole_every_s`: the whole picture is looked at so often while something goes on, `quiet_every_s` while nothing
    does. From `whole_share` of the picture on all of it is looked at. `margin_px` (at 768 pixels width) is added around
    what was found before, `least_px` is the least side of a part. Something that was missed is looked for again for
    `again_s`; `sure` is the confidence from which that is worth it.
    """

    whole_every_s: float = 2.0
    quiet_every_s: float = 5.0
    whole_share: float = 0.6
    margin_px: float = 16.0
    least_px: float = 96.0
    again_s: float = 1.0
    sure: float = 0.25


@dataclass(frozen=True, slots=True)
class Look:
    """Which parts of a picture must be looked at; none: what was found last holds. `whole`: the one part is all of it."""

    parts: tuple[Part, ...]
    whole: bool


@dataclass(slots=True)
class _Missed:
    box: Float32Array
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

    def __init__(self, settings: AttentionSettings | None = None) -> None:
        self._settings = settings or AttentionSettings()
        self._gate = MotionGate()
        self._memory = _Memory()
        self._planned: Look | None = None

    def awaits(self, look: Look) -> bool:
        """Whether this is the plan that `merge` shall be called with next."""
        return look is self._planned

    def plan(self, pixels: Pixels, time_s: float) -> Look:
        """Which parts of this picture (H, W, 3) must be looked at. Raises ValueError when `time_s` goes back."""
        self._planned = look = self._plan(pixels, time_s)
        return look

    def _plan(self, pixels: Pixels, time_s: float) -> Look:
        s, known = self._settings, self._memory
        motion = self._gate.update(pixels, time_s)
        height, width = pixels.shape[:2]
        whole = Look(((0, 0, width, height),), whole=True)
        if motion.whole or known.whole_s is None or known.size_px != (height, width):
            return whole
        known.missed = [one for one in known.missed if one.until_s > time_s]
        goes_on = motion.changed or known.missed
        if time_s - known.whole_s >= (s.whole_every_s if goes_on else s.quiet_every_s) - 1e-6:
            return whole
        scale = width / 768
        size = np.array([width, height] * 2, np.float32)
        wanted = [np.array(region, np.float32) * size for region in motion.regions_norm]
        wanted += [_grown(one.box, s.margin_px * scale) for one in known.missed]
        if not wanted:
            return Look((), whole=False)
        parts = _parts(wanted, _grown(known.found.xyxy_px, s.margin_px * scale), s.least_px * scale, width, height)
        area = sum((right - left) * (bottom - top) for left, top, right, bottom in parts)
        return whole if area >= s.whole_share * width * height else Look(parts, whole=False)

    def merge(self, look: Look, found: Sequence[Detections], pixels: Pixels, time_s: float) -> Detections:
        """All that is known of the picture: what was `found` in each part of `look`, and what still holds elsewhere.

        Raises:
            ValueError: `look` is not the last plan.
        """
        if not self.awaits(look):
            raise ValueError("this is not the last plan: what held then may not hold now")
        self._planned, known = None, self._memory
        height, width = pixels.shape[:2]
        if look.whole:
            now, looked_at = found[0], np.ones(len(known.found), bool)
        else:
            looked_at = _inside(known.found.xyxy_px, look.parts)
            fresh = [
                one.where(~_cut(one.xyxy_px, part, width, height)) for one, part in zip(found, look.parts, strict=True)
            ]
            now = _joined([known.found.where(~looked_at), *fresh])
        self._note_missed(known.found.where(looked_at), now, look.parts, time_s)
        if look.parts:
            self._gate.looked()
        known.found, known.size_px = now, (height, width)
        if look.whole:
            known.whole_s = time_s
        return now

    def _note_missed(self, before: Detections, now: Detections, parts: tuple[Part, ...], time_s: float) -> None:
        """What was there and is not found again: it may have gone, or only been missed."""
        s, known = self._settings, self._memory
        sure = before.where(before.confidence >= s.sure).xyxy_px
        gone = sure[iou(sure, now.xyxy_px).max(axis=1, initial=0.0) < 0.3] if len(sure) else sure
        still = [
            one
            for one in known.missed
            if iou([one.box], now.xyxy_px).max(initial=0.0) < 0.3
            and not (len(gone) and iou([one.box], gone).max() > 0.5)
        ]
        known.missed = still + [_Missed(box, time_s + s.again_s) for box in gone]


def _parts(
    wanted: list[Float32Array], known: Float32Array, least_px: float, width: int, height: int
) -> tuple[Part, ...]:
    """Rectangles that cover what is wanted, and whole every known box that they touch; none of them overlap."""
    boxes = [_at_least(box, least_px, width, height) for box in wanted]
    growing = True
    while growing:
        boxes, growing = _merged(boxes), False
        for number, box in enumerate(boxes):
            touched = known[_touches(known, box)]
            if len(touched):
                grown = np.concatenate(
                    [np.minimum(box[:2], touched[:, :2].min(0)), np.maximum(box[2:], touched[:, 2:].max(0))]
                )
                grown = np.clip(grown, 0, [width, height] * 2)
                growing = growing or bool((grown != box).any())
                boxes[number] = grown
    return tuple(
        (int(np.floor(x1)), int(np.floor(y1)), min(width, int(np.ceil(x2))), min(height, int(np.ceil(y2))))
        for x1, y1, x2, y2 in boxes
    )


def _merged(boxes: list[Float32Array]) -> list[Float32Array]:
    """Overlapping rectangles become one, until none overlap."""
    todo = list(boxes)
    done: list[Float32Array] = []
    while todo:
        box = todo.pop()
        for number, other in enumerate(done):
            if bool((box[:2] < other[2:]).all() and (other[:2] < box[2:]).all()):
                del done[number]
                todo.append(np.concatenate([np.minimum(box[:2], other[:2]), np.maximum(box[2:], other[2:])]))
                break
        else:
            done.append(box)
    return done


def _at_least(box: Float32Array, least_px: float, width: int, height: int) -> Float32Array:
    """Widened about its middle to the least side, moved inside the picture, cut at its edges."""
    middle, half = (box[:2] + box[2:]) / 2, np.maximum((box[2:] - box[:2]) / 2, least_px / 2)
    size = np.array([width, height], np.float32)
    middle = np.clip(middle, np.minimum(half, size / 2), np.maximum(size - half, size / 2))
    return np.asarray(np.clip(np.concatenate([middle - half, middle + half]), 0, np.tile(size, 2)), np.float32)


def _grown(boxes: Float32Array, by_px: float) -> Float32Array:
    return np.asarray(boxes + np.array([-by_px, -by_px, by_px, by_px], np.float32))


def _touches(boxes: Float32Array, box: Float32Array) -> BoolArray:
    return np.asarray((boxes[:, :2] < box[2:]).all(axis=1) & (boxes[:, 2:] > box[:2]).all(axis=1))


def _inside(boxes: Float32Array, parts: Sequence[Part]) -> BoolArray:
    """Which boxes have their middle in a part."""
    inside = np.zeros(len(boxes), bool)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    for left, top, right, bottom in parts:
        inside |= (middle >= (left, top)).all(axis=1) & (middle < (right, bottom)).all(axis=1)
    return inside


def _cut(boxes: Float32Array, part: Part, width: int, height: int) -> BoolArray:
    """Which boxes end at an edge of the part that is none of the picture: something of which only a piece was shown."""
    left, top, right, bottom = part
    near = 2.0 * width / 768
    return np.asarray(
        ((boxes[:, 0] <= left + near) & (left > 0))
        | ((boxes[:, 1] <= top + near) & (top > 0))
        | ((boxes[:, 2] >= right - near) & (right < width))
        | ((boxes[:, 3] >= bottom - near) & (bottom < height))
    )


def _joined(found: Sequence[Detections]) -> Detections:
    some = [one for one in found if len(one)]
    if not some:
        return _EMPTY
    return Detections(
        np.concatenate([one.xyxy_px for one in some]),
        np.concatenate([one.confidence for one in some]),
        np.concatenate([one.class_id for one in some]),
    )
