"""Where a vehicle stands on the ground: a rectangle in metres, from its box and the ground plane.

The picture of the rectangle must reach as far to the left, to the right and down as the box does. With the length and the
width of its type that fixes where it stands for each way it may point; which way that is, the kerb says, unless the box
would need a vehicle of an unlikely size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from vision import coco, native
from vision.geometry import Box, FloatArray, points_in_polygon
from vision.ground import Ground
from vision.zone import Point

#: Length and width in metres of what a class name usually means (ours, round numbers; a truck is mostly a van).
SIZES_M: Final = {
    coco.CAR: (4.5, 1.8),
    coco.TRUCK: (6.0, 2.1),
    coco.BUS: (11.0, 2.5),
    coco.MOTORCYCLE: (2.1, 0.8),
    coco.BICYCLE: (1.7, 0.6),
}
#: How much vehicles of one type differ in size (standard deviation of the logarithm), and the most that is believed.
_SPREAD: Final = 0.15
_SMALLEST: Final = 0.7
_LARGEST: Final = 1.45
#: How far those who stand along a kerb are turned from it (standard deviation); who is turned by more than twice that may
#: as well stand anyhow.
_TURNED: Final = np.radians(15.0)
_ANYHOW: Final = 4.0
#: A box is read this exactly: a share of its height.
_BOX_ERROR: Final = 0.03
#: How far the middle of a rectangle is off beside that, as a share of its length: sizes and directions are guesses, and what
#: stands up leans out of its ground towards the edges of the picture (measured on vehicles whose place is known).
_MODEL_ERROR: Final = 0.1
#: A position that may be off by more says nothing of a place as small as a vehicle's.
MOST_ERROR_M: Final = 1.0
#: A box this near to the edge of the picture is cut off by it.
_EDGE: Final = 0.004
_HEADINGS: Final = np.radians(np.arange(0.0, 180.0, 10.0))
_ROUNDS: Final = 6
#: A zone this much longer than wide has a direction.
_LONG: Final = 1.5
_ALONG, _ACROSS = 12, 6


@dataclass(frozen=True, slots=True, eq=False)
class Footprint:
    """`corners_m` (4, 2) of the rectangle, its middle, its direction (radians, modulo pi), and by how much the middle may be
    off.
    """

    corners_m: FloatArray
    centre_m: FloatArray
    heading_rad: float
    length_m: float
    width_m: float
    error_m: float

    def points_m(self) -> FloatArray:
        """(72, 2) points spread evenly over it."""
        along = (np.arange(_ALONG) + 0.5) / _ALONG
        across = (np.arange(_ACROSS) + 0.5) / _ACROSS
        first, second, _, last = self.corners_m
        steps = first + along[:, None, None] * (second - first) + across[None, :, None] * (last - first)
        return np.asarray(steps.reshape(-1, 2))

    def share_in(self, polygon_norm: Sequence[Point], ground: Ground) -> float:
        """Which share of what the picture shows of it lies in a polygon (0..1 of the picture); 0 when it shows nothing."""
        points = ground.to_picture(self.points_m())
        shown = np.all((points >= 0) & (points <= 1), axis=1)  # NaN is not shown
        if not shown.any():
            return 0.0
        return float(points_in_polygon(points[shown], polygon_norm).mean())


def error_m(box: Box, ground: Ground) -> float:
    """How far off the ground point of a box may be: the plane's own error and that of reading the box. NaN above the horizon."""
    x, y, read = (box[0] + box[2]) / 2, box[3], _BOX_ERROR * (box[3] - box[1])
    here, lower = ground.to_metres([(x, y), (x, y - read)])
    return float(np.hypot(ground.error_at_m([(x, y)])[0], np.linalg.norm(lower - here)))


def footprint(box: Box, class_id: int, ground: Ground, kerb_rad: float | None = None) -> Footprint | None:
    """The footprint of the vehicle in `box` (0..1 of the picture). `kerb_rad`: the direction of the kerb, where there is one.

    None when its place cannot be told to `MOST_ERROR_M`: far away, above the horizon, cut off by the lower edge of the
    picture, or by both sides.
    """
    off_m = error_m(box, ground)
    cut_left, cut_right = box[0] <= _EDGE, box[2] >= 1 - _EDGE
    if not off_m <= MOST_ERROR_M or box[3] >= 1 - _EDGE or (cut_left and cut_right):
        return None
    size = np.array(SIZES_M.get(class_id, SIZES_M[coco.CAR]))
    turn = _HEADINGS if kerb_rad is None else kerb_rad + _HEADINGS
    outline = _outline(turn, size)
    scale, centre, wanted = fitted(box, outline, ground, cut_left, cut_right)
    cost = (np.log(wanted) / _SPREAD) ** 2
    if kerb_rad is not None:
        off = np.abs((turn - kerb_rad + np.pi / 2) % np.pi - np.pi / 2)
        cost = cost + np.minimum((off / _TURNED) ** 2, _ANYHOW)
    cost[~np.isfinite(centre).all(axis=1) | ~np.isfinite(cost)] = np.inf
    best = int(np.argmin(cost))
    if not np.isfinite(cost[best]):
        return None
    length, width = size * scale[best]
    corners = centre[best] + scale[best] * outline[best, :4]
    return Footprint(
        corners,
        centre[best],
        float(turn[best] % np.pi),
        float(length),
        float(width),
        float(np.hypot(off_m, _MODEL_ERROR * length)),
    )


def fitted(
    box: Box, outline: FloatArray, ground: Ground, cut_left: bool, cut_right: bool
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Scale (H,) and middle (H, 2) with which each `outline` (H, 5, 2) is seen as wide and as low as `box`, and the scale (H,)
    that would fit best. Which of its sides the picture cuts off fixes nothing.
    """
    if native.ground is not None:
        planes = ground.matrix, ground.back
        return native.ground.fitted(box, outline, *planes, _ROUNDS, cut_left, cut_right, _SMALLEST, _LARGEST)
    scale = wanted = np.ones(len(outline))
    centre = np.tile(ground.to_metres([((box[0] + box[2]) / 2, box[3])]), (len(outline), 1))
    for number in range(_ROUNDS):
        seen = ground.to_picture((centre[:, None] + scale[:, None, None] * outline).reshape(-1, 2)).reshape(-1, 5, 2)
        (left, _), (right, bottom) = seen[:, :4].min(axis=1).T, seen[:, :4].max(axis=1).T
        if not (cut_left or cut_right) and number < _ROUNDS - 2:
            scale = wanted = scale * np.clip((box[2] - box[0]) / (right - left), 0.5, 2.0)
        if number == _ROUNDS - 3:
            scale = np.clip(
                wanted, _SMALLEST, _LARGEST
            )  # the last rounds only put it right for a size that is believed
        shift_x = box[2] - right if cut_left else box[0] - left if cut_right else (box[0] + box[2] - left - right) / 2
        seen[:, 4, 0] += shift_x
        seen[:, 4, 1] += box[3] - bottom
        centre = ground.to_metres(seen[:, 4])
    return scale, centre, wanted


def _outline(turn: FloatArray, size: FloatArray) -> FloatArray:
    """(H, 5, 2): the corners of a rectangle (length, width) around its middle for each direction (H,), and the middle."""
    ways = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])  # along and across
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (0, 0)])
    return np.asarray(np.einsum("cw,w,wxh->hcx", signs, size / 2, ways))


def kerb_of(polygon_norm: Sequence[Point], ground: Ground) -> float | None:
    """The direction (radians) of a zone that is longer than wide, on the ground. None for one that is not, or of which a
    corner lies above the horizon.
    """
    corners = ground.to_metres(polygon_norm)
    if not np.isfinite(corners).all():
        return None
    (_, sides, degrees) = cv2.minAreaRect(corners.astype(np.float32))
    long, short = max(sides), min(sides)
    if long < _LONG * short:
        return None
    return float(np.radians(degrees if sides[0] >= sides[1] else degrees + 90.0) % np.pi)
