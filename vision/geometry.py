"""Plane geometry on arrays: boxes are (x1, y1, x2, y2), points (x, y), both in any one unit (pixels or 0..1)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from vision import native
from vision.zone import Point

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Box = tuple[float, float, float, float]
Edges = tuple[FloatArray, FloatArray, FloatArray, FloatArray]
#: What is divided by where an area is none.
_NOTHING: Final = 1e-300


def points_in_polygon(points: npt.ArrayLike, polygon: Sequence[Point]) -> BoolArray:
    """Which of `points` (N, 2) lie inside `polygon` by the even-odd rule: (N,) bool.

    A point on an edge belongs to the polygon to its right or below, so that zones which share an edge share no point.
    """
    x1, y1, y2, slope = edges(polygon)
    if native.boxes is not None:
        return native.boxes.inside_edges(points, x1, y1, y2, slope)
    pts = np.asarray(points, np.float64).reshape(-1, 2)
    x, y = pts[:, :1], pts[:, 1:]
    crosses = (y1 > y) != (y2 > y)
    crosses &= x < slope * (y - y1) + x1
    return np.asarray(crosses.sum(axis=1) % 2 == 1)


def edges(polygon: Sequence[Point]) -> Edges:
    """Of each edge of `polygon`: where it begins (x, y), the y where it ends, and how far x moves per y; each (N,)."""
    return _edges(tuple(map(tuple, polygon)))


# A zone is asked for often.
@lru_cache(maxsize=1024)
def _edges(polygon: tuple[tuple[float, ...], ...]) -> Edges:
    poly = np.asarray(polygon, np.float64)
    x1, y1 = poly[:, 0].copy(), poly[:, 1].copy()
    x2, y2 = np.roll(x1, -1), np.roll(y1, -1)
    return x1, y1, y2, (x2 - x1) / np.where(y2 == y1, 1.0, y2 - y1)


def polygon_area(polygon: npt.ArrayLike) -> float:
    """Area of a simple polygon (N, 2), in the square of its unit."""
    poly = np.asarray(polygon, np.float64)
    x, y = poly[:, 0], poly[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def areas(boxes: npt.ArrayLike) -> FloatArray:
    """(N,) areas of `boxes` (N, 4); a box turned inside out has none."""
    if native.boxes is not None:
        return native.boxes.areas(boxes)
    b = np.asarray(boxes, np.float64).reshape(-1, 4)
    size = np.maximum(b[:, 2:] - b[:, :2], 0.0)
    return np.asarray(size[:, 0] * size[:, 1])


def intersections(a: npt.ArrayLike, b: npt.ArrayLike) -> FloatArray:
    """(N, M) areas that `a` (N, 4) and `b` (M, 4) share."""
    if native.boxes is not None:
        return native.boxes.intersections(a, b)
    first = np.asarray(a, np.float64).reshape(-1, 1, 4)
    second = np.asarray(b, np.float64).reshape(1, -1, 4)
    size = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    np.maximum(size, 0.0, out=size)
    return np.asarray(size[..., 0] * size[..., 1])


def iou(a: npt.ArrayLike, b: npt.ArrayLike) -> FloatArray:
    """(N, M) intersection over union of `a` (N, 4) with `b` (M, 4); 0 where both are empty."""
    if native.boxes is not None:
        return native.boxes.iou(a, b)
    shared, first, second = _shared_and_areas(a, b)
    union = first + second
    union -= shared
    np.maximum(union, _NOTHING, out=union)
    shared /= union
    return shared


def overlap_of_smaller(a: npt.ArrayLike, b: npt.ArrayLike) -> FloatArray:
    """(N, M) share of the smaller of the two boxes that lies in the other."""
    if native.boxes is not None:
        return native.boxes.overlap_of_smaller(a, b)
    shared, first, second = _shared_and_areas(a, b)
    shared /= np.maximum(np.minimum(first, second), _NOTHING)
    return shared


def _shared_and_areas(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(N, M) `intersections`, and the areas of `a` (N, 1) and of `b` (M)."""
    first = np.asarray(a, np.float64).reshape(-1, 1, 4)
    second = np.asarray(b, np.float64).reshape(-1, 4)
    size = np.minimum(first[..., 2:], second[:, 2:])
    size -= np.maximum(first[..., :2], second[:, :2])
    np.maximum(size, 0.0, out=size)
    size_a, size_b = first[..., 2:] - first[..., :2], second[:, 2:] - second[:, :2]
    np.maximum(size_a, 0.0, out=size_a)
    np.maximum(size_b, 0.0, out=size_b)
    return size[..., 0] * size[..., 1], size_a[..., 0] * size_a[..., 1], size_b[:, 0] * size_b[:, 1]


def bottom_centres(boxes: npt.ArrayLike) -> FloatArray:
    """(N, 2): where each box stands."""
    if native.boxes is not None:
        return native.boxes.bottom_centres(boxes)
    b = np.asarray(boxes, np.float64).reshape(-1, 4)
    return np.stack([(b[:, 0] + b[:, 2]) / 2, b[:, 3]], axis=1)


def shifts(place: Box, boxes: npt.ArrayLike) -> FloatArray:
    """(N, 2) how far each of `boxes` (N, 4) has moved from `place` along x and y.

    Along each axis the edge that moved less counts, and only when both moved the same way: what hides one side of a
    car moves one edge; a car that drives moves both.
    """
    b = np.asarray(boxes, np.float64).reshape(-1, 4)
    first, second = b[:, :2] - np.array(place[:2]), b[:, 2:] - np.array(place[2:])
    less = np.where(np.abs(first) <= np.abs(second), first, second)
    return np.asarray(np.where(first * second > 0, less, 0.0))


def displacement(place: Box, box: Box) -> float:
    """How far `box` has moved from `place`, in widths or heights of `place`, whichever is more; as `shifts` counts it, for one
    box and quicker.
    """

    def along(low: float, high: float, new_low: float, new_high: float) -> float:
        size = high - low
        first, second = new_low - low, new_high - high
        return 0.0 if first * second <= 0 or size <= 0 else min(abs(first), abs(second)) / size

    return max(along(place[0], place[2], box[0], box[2]), along(place[1], place[3], box[1], box[3]))
