"""Who plays: walkers cut out of vtest.avi by background subtraction, and its parked van by its outline.

The clip is known byte for byte (its sha256 is checked), so the takes are named by picture number and place: found once
by following the moving blobs and looking at them, chosen for being alone, sharp and on asphalt.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from pipelines.samples.staged.plate import Alpha, Plate, make_plate, person_px
from vision import coco
from vision.frame import Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """Pixels (h, w, 3) uint8 BGR with `alpha` (h, w) 0..1; `foot_px` is the ground point (x, y) inside it."""

    pixels: Pixels
    alpha: Alpha
    foot_px: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Performer:
    """Someone or something to be put on the stage.

    `walk` is one cycle of pictures, `stand` what is shown at rest; `row_px` the row where they were filmed, which gives
    the scale elsewhere. `stride` is how far one picture of the cycle moves, in heights of a person at that row.
    `facing` -1 left, +1 right: the other way is mirrored. A vehicle has one picture in each and no stride.
    """

    name: str
    class_id: int
    walk: tuple[Cutout, ...]
    stand: tuple[Cutout, ...]
    row_px: float
    stride: float
    facing: int


@dataclass(frozen=True, slots=True)
class _Take:
    """`first` picture, how many make one cycle of walking, where the feet are in the first, and their way in all."""

    name: str
    first: int
    count: int
    foot: tuple[float, float]
    way: tuple[float, float]
    facing: int


_WALKS: Final = (
    _Take("paper", 249, 9, (626, 361), (-63.0, -15.0), -1),
    _Take("red", 444, 9, (605, 349), (-44.5, -17.0), -1),
    _Take("jeans", 601, 8, (574, 289), (-46.0, -14.0), -1),
    _Take("grey", 520, 10, (506, 306), (-33.5, -20.0), -1),
    _Take("swing", 187, 13, (556, 331), (77.5, 40.0), 1),
    _Take("bald", 169, 8, (648, 191), (-36.0, 8.0), -1),
    _Take("side", 765, 8, (651, 296), (-26.5, -4.0), -1),
    _Take("jacket", 641, 10, (661, 302), (-12.0, -27.0), -1),
    _Take("away", 120, 9, (663, 205), (25.5, -12.0), 1),
    _Take("front", 777, 9, (682, 199), (-16.5, 9.0), -1),
    _Take("dark", 538, 10, (627, 267), (-11.5, -20.0), -1),
)
_STANDS: Final = (
    _Take("coat", 555, 13, (655, 414), (0.0, 0.0), 1),
    _Take("phone", 413, 10, (309, 293), (0.0, 0.0), -1),
)

#: The outline of the van parked top right, in pixels of the clip, and where its wheels meet the road.
_VAN: Final = (
    (652.2, 92.0), (652.0, 84.0), (652.6, 72.0), (654.6, 57.0), (656.8, 49.5), (659.0, 47.0), (665.0, 45.8), (675.0, 45.2),
    (690.0, 44.9), (705.0, 45.2), (710.0, 46.0), (712.5, 49.0), (714.6, 54.0), (717.0, 62.0), (719.0, 64.0), (723.5, 63.5),
    (723.5, 66.5), (720.5, 67.5), (722.0, 73.0), (722.6, 84.0), (722.0, 89.0), (720.5, 92.0), (716.0, 92.2), (703.0, 93.6),
    (701.5, 97.0), (699.0, 100.3), (694.0, 100.3), (690.5, 99.0), (672.0, 98.0), (658.0, 97.0),
)  # fmt: skip
_VAN_ROW: Final = 100.0
_MEDIAN_EVERY: Final = 14
_SEEN: Final = 24.0
_SOFT: Final = (16.0, 42.0)


@dataclass(frozen=True, slots=True, eq=False)
class Company:
    """The empty road and everybody who can play on it."""

    plate: Plate
    walkers: tuple[Performer, ...]
    standers: tuple[Performer, ...]
    van: Performer

    def walker(self, name: str) -> Performer:
        return next(performer for performer in (*self.walkers, *self.standers) if performer.name == name)


def resized(cutout: Cutout, scale: float) -> Cutout:
    """The cutout, larger or smaller."""
    height, width = cutout.alpha.shape
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    pixels = np.asarray(cv2.resize(cutout.pixels, size, interpolation=how), np.uint8)
    alpha = np.clip(cv2.resize(cutout.alpha, size, interpolation=how), 0, 1).astype(np.float32)
    return Cutout(pixels, alpha, (cutout.foot_px[0] * size[0] / width, cutout.foot_px[1] * size[1] / height))


def hire(pictures: Iterable[Pixels]) -> Company:
    """The company out of the pictures of vtest.avi, all of them, in order, (576, 768, 3) uint8 BGR."""
    windows: dict[tuple[str, int], tuple[Pixels, tuple[int, int]]] = {}
    spread: list[Pixels] = []
    for number, picture in enumerate(pictures):
        if number % _MEDIAN_EVERY == 0:
            spread.append(picture)
        for take in (*_WALKS, *_STANDS):
            if take.first <= number < take.first + take.count:
                corner, window = _window(take, number - take.first, picture)
                windows[take.name, number - take.first] = (window.copy(), corner)
    plate = make_plate(spread)
    walkers = tuple(_performer(take, plate, windows) for take in _WALKS)
    standers = tuple(_performer(take, plate, windows) for take in _STANDS)
    return Company(plate, walkers, standers, _van(plate))


def _expected_foot(take: _Take, index: int) -> tuple[float, float]:
    share = index / take.count
    return take.foot[0] + share * take.way[0], take.foot[1] + share * take.way[1]


def _window(take: _Take, index: int, picture: Pixels) -> tuple[tuple[int, int], Pixels]:
    x, y = _expected_foot(take, index)
    tall = person_px(y)
    left, top = max(0, int(x - 0.6 * tall)), max(0, int(y - 1.35 * tall))
    return (left, top), picture[top : int(y + 0.2 * tall), left : int(x + 0.6 * tall)]


def _cut(window: Pixels, behind: Pixels, foot: tuple[float, float]) -> Cutout:
    """The blob at `foot` (in the window) that differs from the empty road, with soft edges and no holes."""
    difference = cv2.GaussianBlur(cv2.absdiff(window, behind).max(axis=2), (3, 3), 0).astype(np.float32)
    seen = (difference > _SEEN).astype(np.uint8)
    # A long narrow opening across takes off the barrier tape that crosses some of the pictures.
    seen = cv2.morphologyEx(seen, cv2.MORPH_OPEN, np.ones((5, 1), np.uint8))
    seen = cv2.morphologyEx(seen, cv2.MORPH_CLOSE, np.ones((9, 5), np.uint8))
    count, labels, stats, centres = cv2.connectedComponentsWithStats(seen)
    rows = np.array([stats[k, cv2.CC_STAT_AREA] - 20 * abs(centres[k][0] - foot[0]) for k in range(1, count)])
    blob = (labels == 1 + int(rows.argmax())).astype(np.uint8)
    outlines, _ = cv2.findContours(blob, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    full = cv2.drawContours(np.zeros_like(blob), outlines, -1, 1, -1)
    core = cv2.erode(full, np.ones((3, 3), np.uint8)).astype(np.float32)
    soft = np.clip((difference - _SOFT[0]) / (_SOFT[1] - _SOFT[0]), 0, 1) * full
    alpha = np.maximum(soft, core).astype(np.float32)
    ys, xs = np.nonzero(blob)
    box = (slice(int(ys.min()), int(ys.max()) + 1), slice(int(xs.min()), int(xs.max()) + 1))
    # The trunk, not the feet, says where somebody is: feet swing.
    upper = ys < ys.min() + 0.5 * (ys.max() - ys.min())
    middle = float(np.median(xs[upper])) - float(xs.min())
    return Cutout(window[box].copy(), alpha[box].copy(), (middle, float(box[0].stop - box[0].start)))


def _performer(take: _Take, plate: Plate, windows: dict[tuple[str, int], tuple[Pixels, tuple[int, int]]]) -> Performer:
    cutouts: list[Cutout] = []
    for index in range(take.count):
        window, (left, top) = windows[take.name, index]
        x, y = _expected_foot(take, index)
        behind = plate.pixels[top : top + window.shape[0], left : left + window.shape[1]]
        cutouts.append(_cut(window, behind, (x - left, y - top)))
    still = min(cutouts, key=lambda cutout: cutout.pixels.shape[1] / cutout.pixels.shape[0])
    way = float(np.hypot(*take.way)) / take.count / person_px(take.foot[1])
    return Performer(
        name=take.name,
        class_id=coco.PERSON,
        walk=tuple(cutouts),
        stand=tuple(cutouts) if way == 0 else (still,),
        row_px=take.foot[1],
        stride=way,
        facing=take.facing,
    )


def _van(plate: Plate) -> Performer:
    left, top, right, bottom = 648, 40, 728, 104
    large = 8
    mask = np.zeros(((bottom - top) * large, (right - left) * large), np.uint8)
    outline = (np.array(_VAN) - (left, top)) * large
    cv2.fillPoly(mask, [outline.astype(np.int32)], 255)
    small = cv2.resize(mask, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    alpha = (cv2.GaussianBlur(small, (3, 3), 0.6) / np.float32(255)).astype(np.float32)
    xs = np.array(_VAN)[:, 0]
    cutout = Cutout(
        plate.pixels[top:bottom, left:right].copy(), alpha, (float(xs.min() + xs.max()) / 2 - left, _VAN_ROW - top)
    )
    return Performer("van", coco.CAR, (cutout,), (cutout,), _VAN_ROW, 0.0, 1)
