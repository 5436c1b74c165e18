"""Which rectangles of a picture to look at, so that all that changed is seen whole and little else is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from vision import native
from vision.detection import BoolArray, Detections, Float32Array
from vision.geometry import overlap_of_smaller
from vision.mosaic import Part

Rectangle = tuple[float, float, float, float]

#: What a part of its own costs beside its pixels (the gap on the canvas, its share of the work), in pixels of its edge.
_EDGE_PX: Final = 4.0
#: At a picture width of 768: a box that ends so near to the edge of a part goes on beyond it.
_CUT_PX: Final = 2.0
#: Boxes that share this much of the smaller one, each seen in another part, are one thing.
_SAME: Final = 0.7


def cover(
    wanted: Sequence[Rectangle],
    known: Float32Array,
    *,
    margin_px: float,
    least_px: float,
    size_px: tuple[int, int],
) -> tuple[Part, ...]:
    """Rectangles around what is `wanted` and around every `known` box (N, 4) that it touches, with a margin.

    Two become one where that costs no more to look at; others may overlap. `size_px` is (height, width).
    """
    height, width = size_px
    edge = _EDGE_PX * width / 768
    if native.parts is not None:
        return native.parts.cover(wanted, known, margin_px, least_px, edge, height, width)
    boxes: list[Rectangle] = known.tolist()
    todo = []
    for one in wanted:
        whole = one
        for box in boxes:
            if one[0] < box[2] and box[0] < one[2] and one[1] < box[3] and box[1] < one[3]:
                whole = _union(whole, box)
        todo.append(_placed(whole, margin_px, least_px, width, height))
    done: list[Rectangle] = []
    while todo:
        box = todo.pop()
        for number, other in enumerate(done):
            both = _union(box, other)
            if _cost(both, edge) <= _cost(box, edge) + _cost(other, edge):
                del done[number]
                todo.append(both)
                break
        else:
            done.append(box)
    return tuple((int(x1), int(y1), min(width, -int(-x2 // 1)), min(height, -int(-y2 // 1))) for x1, y1, x2, y2 in done)


def _union(a: Rectangle, b: Rectangle) -> Rectangle:
    return (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))


def _cost(box: Rectangle, edge: float) -> float:
    return (box[2] - box[0] + edge) * (box[3] - box[1] + edge)


def _placed(box: Rectangle, margin: float, least: float, width: float, height: float) -> Rectangle:
    """With its margin, widened about its middle to the least side, moved inside the picture, cut at its edges."""
    left, right = _along(box[0] - margin, box[2] + margin, least, width)
    top, bottom = _along(box[1] - margin, box[3] + margin, least, height)
    return (left, top, right, bottom)


def _along(low: float, high: float, least: float, limit: float) -> tuple[float, float]:
    missing = least - (high - low)
    if missing > 0:
        low, high = low - missing / 2, high + missing / 2
        shift = max(0.0, -low) - max(0.0, high - limit)
        low, high = low + shift, high + shift
    return max(0.0, low), min(limit, high)


def settled(
    held: Detections, found: Sequence[Detections], parts: Sequence[Part], size_px: tuple[int, int]
) -> tuple[Detections, BoolArray]:
    """What is known once `parts` of a picture (height, width) were looked at: what was `found` in each and is not cut off, and
    what `held` before and does not lie in one. And which (N,) of `held` do.
    """
    if native.parts is not None:
        near_px = _CUT_PX * size_px[1] / 768
        boxes, confidence, class_id, looked_at = native.parts.settled(held, found, parts, *size_px, near_px, _SAME)
        return Detections.trusted(boxes, confidence, class_id), looked_at
    looked_at = inside(held.xyxy_px, parts, size_px)
    fresh = [uncut(one, part, size_px) for one, part in zip(found, parts, strict=True)]
    return joined(held.where(~looked_at), fresh), looked_at


def inside(boxes: Float32Array, parts: Sequence[Part], size_px: tuple[int, int]) -> BoolArray:
    """Which of `boxes` (N, 4) lie wholly in a part, as far as the picture (height, width) shows them."""
    # A dozen boxes and a few parts: plain numbers are quicker than arrays.
    near = _CUT_PX * size_px[1] / 768
    limits = [_limits(part, size_px, near) for part in parts]
    return np.array(
        [
            any(x1 >= left and y1 >= top and x2 <= right and y2 <= bottom for left, top, right, bottom in limits)
            for x1, y1, x2, y2 in boxes.tolist()
        ],
        bool,
    )


def uncut(found: Detections, part: Part, size_px: tuple[int, int]) -> Detections:
    """Without the boxes that end at an edge of the part that is none of the picture: only a piece of them was shown."""
    left, top, right, bottom = _limits(part, size_px, -_CUT_PX * size_px[1] / 768)
    keep = [x1 > left and y1 > top and x2 < right and y2 < bottom for x1, y1, x2, y2 in found.xyxy_px.tolist()]
    return found if all(keep) else found.where(np.array(keep, bool))


def _limits(part: Part, size_px: tuple[int, int], wider_px: float) -> Rectangle:
    """The part's edges, moved outward; one that is the picture's own cuts nothing and lies beyond everything."""
    left, top, right, bottom = part
    return (
        left - wider_px if left > 0 else -math.inf,
        top - wider_px if top > 0 else -math.inf,
        right + wider_px if right < size_px[1] else math.inf,
        bottom + wider_px if bottom < size_px[0] else math.inf,
    )


def joined(held: Detections, found: Sequence[Detections]) -> Detections:
    """`held` and what was `found` in each part, everything once: what holds first, else what is surer."""
    every = [held, *found]
    some = [one for one in every if len(one)]
    if len(some) <= 1:
        return some[0] if some else Detections.empty()
    both = Detections(
        np.concatenate([one.xyxy_px for one in some]),
        np.concatenate([one.confidence for one in some]),
        np.concatenate([one.class_id for one in some]),
    )
    # Within one part the detector has thinned already: only boxes of different parts can be the same thing.
    source = np.repeat(np.arange(len(every)), [len(one) for one in every])
    twice = overlap_of_smaller(both.xyxy_px, both.xyxy_px) > _SAME
    twice &= source[:, None] != source
    twice &= both.class_id[:, None] == both.class_id
    if not twice.any():
        return both
    keep = np.ones(len(both), bool)
    order = np.lexsort((-both.confidence, source > 0))
    for place, index in enumerate(order):
        keep[index] = not (twice[index, order[:place]] & keep[order[:place]]).any()
    return both.where(keep)
