"""Interaction regions: squares that follow people who are close together, or around whom something moves hard.

A region is chosen from the past only: boxes of the last second and a running map of how much each part of the picture
changed. It exists while its evidence does and a little longer, because people who wrestle are often lost by the
detector just then. A gate without people near each other has no region, and nothing further is computed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from vision.detection import Float32Array
from vision.frame import Pixels
from vision.geometry import Box, FloatArray

#: At most this many regions per camera: they bound the cost.
LIMIT: Final = 2
#: Pictures a second that a region wants to see.
RATE_HZ: Final = 10.0

_MAP_WIDTH_PX: Final = 160
_FADE_S: Final = 0.8  # the map of change forgets with this time constant
_NOISE: Final = 8.0  # grey levels: less is the camera's noise
_HARD: Final = 60.0  # grey levels: more is not more motion, only more contrast
_HISTORY_S: Final = 1.5
_SIDE_HEIGHTS: Final = 1.6
_STILL: Final = 0.4  # mean change in a region below which people only stand together
_LONELY: Final = 1.0  # what one box alone needs: two people in a clinch are often found as one
_HOLD_S: Final = 2.5
_SAME_SIDES: Final = 0.8


@dataclass(frozen=True, slots=True)
class Region:
    """One place where people may be acting on each other.

    `square_px` (x, y, side) is what is looked at, in pixels of the picture (it may reach beyond the edge), `people` the
    most people found there at once in the last second, `closeness_heights` the least distance between two of them in
    body heights (`inf` for one), `change` the mean change of the picture in the square (grey levels per picture),
    `surprise` how many times more it changes than over the last three seconds.
    """

    region_id: int
    square_px: tuple[float, float, float]
    since_s: float
    seen_s: float
    people: int
    closeness_heights: float
    change: float
    surprise: float

    def box_norm(self, width_px: int, height_px: int) -> Box:
        """The square cut at the picture's edges, 0..1."""
        x, y, side = self.square_px
        return (
            max(0.0, x / width_px),
            max(0.0, y / height_px),
            min(1.0, (x + side) / width_px),
            min(1.0, (y + side) / height_px),
        )


@dataclass(frozen=True, slots=True)
class _Candidate:
    square_px: tuple[float, float, float]
    people: int
    closeness_heights: float
    change: float
    surprise: float


class RegionFinder:
    """Finds and follows the regions of one camera. Pictures may come more often than detections."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._people: deque[tuple[float, Float32Array]] = deque()
        self._last_small: Pixels | None = None
        self._change: Float32Array | None = None
        self._slow: Float32Array | None = None
        self._last_s: float | None = None
        self._regions: tuple[Region, ...] = ()
        self._next_id = 1
        self._tall_px = 0.0

    @property
    def regions(self) -> tuple[Region, ...]:
        return self._regions

    @property
    def awake(self) -> bool:
        """Whether pictures are of interest: a person was found within the last second, or a region is followed."""
        return bool(self._regions) or any(len(boxes) for _, boxes in self._people)

    def see_people(self, boxes_px: npt.ArrayLike, time_s: float) -> None:
        """Boxes (N, 4) of the people that the detector found at `time_s`."""
        self._people.append((time_s, np.asarray(boxes_px, np.float32).reshape(-1, 4)))
        while self._people and time_s - self._people[0][0] > _HISTORY_S + 1e-6:
            self._people.popleft()

    def see_picture(self, grey: Pixels, time_s: float) -> tuple[Region, ...]:
        """One picture (H, W) uint8, after `see_people` of the same moment if there is one. Returns what is followed."""
        height_px, width_px = grey.shape
        while self._people and time_s - self._people[0][0] > _HISTORY_S + 1e-6:
            self._people.popleft()
        if not self.awake:
            self._last_small = self._change = self._slow = None
            return self._regions
        self._note_change(grey, time_s)
        found = self._candidates(width_px, height_px) if self._change is not None else []
        self._regions = tuple(self._follow(found, time_s))
        return self._regions

    def _note_change(self, grey: Pixels, time_s: float) -> None:
        height_px, width_px = grey.shape
        size = (_MAP_WIDTH_PX, max(8, round(height_px * _MAP_WIDTH_PX / width_px)))
        small = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
        if self._last_small is not None and self._last_small.shape == small.shape and self._last_s is not None:
            difference = cv2.absdiff(small, self._last_small).astype(np.float32)
            strength = np.clip(difference - _NOISE, 0, _HARD)
            step_s = max(1e-3, time_s - self._last_s)
            zero = np.zeros_like(strength)
            self._change = _faded(zero if self._change is None else self._change, strength, step_s, _FADE_S)
            self._slow = _faded(strength if self._slow is None else self._slow, strength, step_s, 3.0)
        else:
            self._change = self._slow = None
        self._last_small, self._last_s = small, time_s

    def _candidates(self, width_px: int, height_px: int) -> list[_Candidate]:
        """Where most changes around people, strongest first: peaks of the map of change under a square of the size of
        the people there.

        Groups of boxes, and squares around the closest pair, were tried in its place and told fights from ordinary
        scenes less well: people in a clinch are often not found at all (see docs/behaviours/possible_bullying.md).
        """
        assert self._change is not None
        assert self._slow is not None
        boxes = np.concatenate([b for _, b in self._people] or [np.empty((0, 4), np.float32)]).astype(np.float64)
        at = np.concatenate([np.full(len(b), index) for index, (_, b) in enumerate(self._people)] or [np.empty(0)])
        if len(boxes):
            self._tall_px = float(np.median(boxes[:, 3] - boxes[:, 1]))
        rest = self._change.copy()
        found: list[_Candidate] = []
        for _ in range(2 * self._limit):
            square, change, surprise = self._peak(rest, self._tall_px, (width_px, height_px))
            near = _within(boxes, square)
            people, closeness = _together(boxes[near], at[near])
            if change >= (_STILL if people >= 2 else _LONELY):
                found.append(_Candidate(square, people, closeness, change, surprise))
            if change < _STILL or len(found) == self._limit:
                break
            _blank(rest, square, _MAP_WIDTH_PX / width_px)
        return found

    def _peak(
        self, change: Float32Array, tall_px: float, picture_px: tuple[int, int]
    ) -> tuple[tuple[float, float, float], float, float]:
        """The square with the most change, how much that is, and how many times more than of late."""
        assert self._slow is not None
        width_px, height_px = picture_px
        scale = _MAP_WIDTH_PX / width_px
        side = float(np.clip(_SIDE_HEIGHTS * tall_px, 0.15 * height_px, height_px))
        rows, columns = change.shape
        cells = max(3, round(side * scale))
        size = (min(cells, columns), min(cells, rows))
        local = cv2.blur(change, size, borderType=cv2.BORDER_CONSTANT)
        row, column = (int(i) for i in np.unravel_index(int(local.argmax()), local.shape))
        top, left = max(0, row - cells // 2), max(0, column - cells // 2)
        slow = float(self._slow[top : top + cells, left : left + cells].mean())
        most = float(local[row, column])
        x, y = (column + 0.5) / scale, (row + 0.5) / scale
        return (x - side / 2, y - side / 2, side), most, most / (slow + 0.1)

    def _follow(self, found: list[_Candidate], time_s: float) -> list[Region]:
        """What is followed goes on where most changes near it, for a while also where the detector finds nobody; a new
        region needs people.
        """
        kept: list[Region] = []
        free = list(found)
        for region in self._regions:
            if time_s - region.seen_s > _HOLD_S:
                continue
            near = [c for c in free if _near(c.square_px, region.square_px)]
            if near:
                free = [c for c in free if not _near(c.square_px, near[0].square_px)]
                seen_s = time_s if near[0].people else region.seen_s
                kept.append(_as_region(near[0], region.region_id, region.since_s, seen_s))
            else:
                kept.append(region)
        for candidate in free:
            if len(kept) >= self._limit:
                break
            if candidate.people and not any(_near(candidate.square_px, region.square_px) for region in kept):
                kept.append(_as_region(candidate, self._next_id, time_s, time_s))
                self._next_id += 1
        return kept


def _faded(old: Float32Array, new: Float32Array, step_s: float, fade_s: float) -> Float32Array:
    keep = float(np.exp(-step_s / fade_s))
    return np.asarray(keep * old + (1 - keep) * new, np.float32)


def _as_region(c: _Candidate, region_id: int, since_s: float, time_s: float) -> Region:
    return Region(region_id, c.square_px, since_s, time_s, c.people, c.closeness_heights, c.change, c.surprise)


def _near(a: tuple[float, float, float], b: tuple[float, float, float]) -> bool:
    side = (a[2] + b[2]) / 2
    apart = np.hypot(a[0] + a[2] / 2 - b[0] - b[2] / 2, a[1] + a[2] / 2 - b[1] - b[2] / 2)
    return bool(apart < _SAME_SIDES * side)


def _distances(boxes: FloatArray) -> FloatArray:
    """(N, N) distances between the middles in mean heights; `inf` where one is less than half as tall."""
    middles = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2], axis=1)
    tall = np.maximum(boxes[:, 3] - boxes[:, 1], 1.0)
    mean = (tall[:, None] + tall[None, :]) / 2
    apart = np.linalg.norm(middles[:, None] - middles[None, :], axis=2) / mean
    alike = np.minimum(tall[:, None], tall[None, :]) >= 0.5 * np.maximum(tall[:, None], tall[None, :])
    return np.where(alike, apart, np.inf)


def _within(boxes: FloatArray, square_px: tuple[float, float, float]) -> npt.NDArray[np.bool_]:
    """Which boxes reach into the square by the middle of their upper or lower half."""
    x, y, side = square_px
    middle = (boxes[:, 0] + boxes[:, 2]) / 2
    tall = boxes[:, 3] - boxes[:, 1]
    inside_x = (middle >= x) & (middle <= x + side)
    upper, lower = boxes[:, 1] + tall / 4, boxes[:, 3] - tall / 4
    inside_y = ((upper >= y) & (upper <= y + side)) | ((lower >= y) & (lower <= y + side))
    return np.asarray(inside_x & inside_y)


def _blank(change: Float32Array, square_px: tuple[float, float, float], scale: float) -> None:
    x, y, side = (value * scale for value in square_px)
    change[max(0, int(y)) : max(0, int(y + side) + 1), max(0, int(x)) : max(0, int(x + side) + 1)] = 0


def _together(boxes: FloatArray, at: FloatArray) -> tuple[int, float]:
    """The most boxes at one moment, and the least distance between two of one moment."""
    most, least = 0, float("inf")
    for moment in np.unique(at):
        now = boxes[at == moment]
        most = max(most, len(now))
        if len(now) >= 2:
            apart = _distances(now)
            np.fill_diagonal(apart, np.inf)
            least = min(least, float(apart.min()))
    return most, least
