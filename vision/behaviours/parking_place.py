"""Where a vehicle stands: in the zone or not, and at the same place as another box or not.

With ground points both are judged on the ground, in metres: by the vehicle's footprint, and by how far apart two places are.
Without them, or where the ground is not known well enough, by the box: its ground point, and how much two boxes overlap.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from vision import coco, native
from vision.footprint import MOST_ERROR_M, SIZES_M, Footprint, error_m, footprint, kerb_of
from vision.geometry import (
    BoolArray,
    Box,
    FloatArray,
    areas,
    bottom_centres,
    iou,
    points_in_polygon,
    polygon_area,
    shifts,
)
from vision.ground import Ground
from vision.incident import Quantity
from vision.zone import Zone

#: Overlap of a box with a place at which the vehicle is there, and at which it is when its track was there before.
MATCH_IOU: Final = 0.45
MATCH_IOU_SAME_TRACK: Final = 0.25
#: A place that overlaps the first one this much (IoU) is the same stop: half a length on is 0.33.
STILL_THERE_IOU: Final = 0.4
#: On the ground: how far from a place a vehicle is still there, as a share of its length and in metres. Neighbours side by
#: side stand 2.4 m apart, motorcycles 0.8.
_THERE: Final = 0.35
_THERE_LEAST_M: Final = 0.7
_THERE_MOST_M: Final = 1.5
#: A box of so much less or more than the place's area is something else, or so hidden that its place says nothing.
_ALIKE: Final = 0.4
_ALIKE_SAME_TRACK: Final = 0.25
#: Whose box ends higher than a place's by this share of its height stands behind it.
BEHIND: Final = 0.1
#: Who is nearer and covers this share of a box's lower edge hides its wheels.
_HIDES: Final = 0.2
#: Moved on by less than this share of its length it stands at the same stop.
_SAME_STOP: Final = 0.5
#: Share of the footprint in the zone with which a case may begin, and below which one that was not told of ends. Less where
#: the zone is narrower than a vehicle: of what the zone can hold.
INSIDE: Final = 0.4
_STILL_INSIDE: Final = 0.25
_MOST_KEPT: Final = 64


class Yard:
    """One zone of one camera, and its ground if that is known."""

    def __init__(self, zone: Zone, ground: Ground | None) -> None:
        self.zone = zone
        self.ground = ground
        self._kerb_rad = None if ground is None else kerb_of(zone.polygon_norm, ground)
        self._wide_m = _width_m(zone, ground)
        corners = np.array(zone.polygon_norm, np.float64)
        self._around = as_box(np.concatenate([corners.min(axis=0), corners.max(axis=0)]))
        self._known: dict[tuple[Box, int], tuple[Footprint | None, float]] = {}
        self._errors: dict[Box, float] = {}

    # --- in the zone -------------------------------------------------------------------------------------------------

    def inside(self, box: Box, class_id: int) -> bool:
        """Whether a vehicle in `box` (0..1) stands in the zone, so far that a case may begin."""
        return self._is_inside(box, class_id, INSIDE)

    def still_inside(self, place: Box, class_id: int) -> bool:
        """Whether a vehicle at `place` is not yet out of the zone again."""
        return self._is_inside(place, class_id, _STILL_INSIDE)

    def _is_inside(self, place: Box, class_id: int, share: float) -> bool:
        if self.ground is None:
            return self._by_point(place)
        apart = place[0] > self._around[2] or place[2] < self._around[0]
        if apart or place[1] > self._around[3] or place[3] < self._around[1]:
            return False
        stands, lies_in = self._footprint(place, class_id)
        if stands is None:
            return self._by_point(place)
        room = 1.0 if self._wide_m is None else min(1.0, self._wide_m / stands.width_m)
        return lies_in >= share * room

    def _by_point(self, place: Box) -> bool:
        return bool(points_in_polygon(bottom_centres([place]), self.zone.polygon_norm)[0])

    def _footprint(self, place: Box, class_id: int) -> tuple[Footprint | None, float]:
        """The footprint and its share in the zone; places that stay are asked for in every picture."""
        assert self.ground is not None
        key = (place, class_id)
        if key not in self._known:
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            stands = footprint(place, class_id, self.ground, self._kerb_rad)
            share = 0.0 if stands is None else stands.share_in(self.zone.polygon_norm, self.ground)
            self._known[key] = stands, share
        return self._known[key]

    # --- the same place ----------------------------------------------------------------------------------------------

    def nearness(
        self,
        place: Box,
        class_id: int,
        boxes: FloatArray,
        same_track: BoolArray | None = None,
        wheels: BoolArray | None = None,
    ) -> FloatArray:
        """(N,) how well each of `boxes` (N, 4) fits `place`; 0 for those which are not there. `same_track` (N,): theirs is the
        track that was there last, a hint and no more. `wheels` (N,): nothing hides where they touch the ground.
        """
        same = np.zeros(len(boxes), bool) if same_track is None else same_track
        apart = self._apart_m(place, boxes, np.zeros(len(boxes), bool) if wheels is None else wheels)
        most_m = 0.0 if apart is None else _there_m(class_id) + self._error_m(place)
        on_m = max(most_m, _SAME_STOP * _size_m(class_id)[0])
        if native.parking is not None:
            return native.parking.nearness(place, boxes, same, apart, most_m, on_m)
        overlap = np.asarray(iou([place], boxes)[0])
        if apart is None:
            there = (overlap >= MATCH_IOU) | (same & (overlap >= MATCH_IOU_SAME_TRACK))
            return np.where(there, overlap + 0.2 * same, 0.0)
        size = areas([place])[0]
        alike = np.minimum(areas(boxes), size) / np.maximum(np.maximum(areas(boxes), size), 1e-12)
        there = (apart <= most_m) & (alike >= _ALIKE)
        there |= same & (apart <= on_m) & (alike >= _ALIKE_SAME_TRACK)
        # Of two that are near enough the one whose box fits is it: the other is seen in part, in front or behind.
        return np.where(there, 1e-3 + overlap + np.maximum(0.0, 1 - apart / most_m) + 0.2 * same, 0.0)

    def behind(self, place: Box, class_id: int, boxes: FloatArray, wheels: BoolArray) -> BoolArray:
        """Which of `boxes` (N, 4) are known to stand behind `place`, so that they neither fill it nor hide it."""
        apart = self._apart_m(place, boxes, wheels)
        if apart is None:
            return np.zeros(len(boxes), bool)
        further = boxes[:, 3] < place[3] - BEHIND * (place[3] - place[1])
        return np.asarray(further & wheels & (apart > _there_m(class_id) + self._error_m(place)))

    def has_left(self, place: Box, class_id: int, box: Box) -> bool:
        """Whether a vehicle in `box` is away from `place`, even if it is the one that was there."""
        return float(self.nearness(place, class_id, np.array([box]), np.array([True]))[0]) <= 0

    def same_stop(self, first: Box, place: Box, class_id: int) -> bool:
        """Whether who stood at `first` and stands at `place` now only crept on."""
        apart = self._apart_m(first, np.array([place]), np.array([True]))
        if apart is None:
            return float(iou([first], [place])[0, 0]) >= STILL_THERE_IOU
        return bool(apart[0] < _SAME_STOP * _size_m(class_id)[0])

    def _apart_m(self, place: Box, boxes: FloatArray, wheels: BoolArray) -> FloatArray | None:
        """(N,) how far from `place` each of `boxes` (N, 4) stands, in metres; infinite for what is on no ground. None when the
        ground does not say it well enough.

        What hides one side of a vehicle moves one edge of its box, not the vehicle: each way the edge that moved less counts,
        as in `geometry.displacement`. Where the wheels are seen (`wheels`), they count.
        """
        if self.ground is None or not self._error_m(place) <= MOST_ERROR_M:
            return None
        if native.parking is not None:
            return native.parking.apart_m(place, boxes, wheels, self.ground.matrix)
        foot, moved = bottom_centres([place]), shifts(place, boxes)
        moved[wheels, 1] = boxes[wheels, 3] - place[3]
        here, there = self.ground.to_metres(foot), self.ground.to_metres(foot + moved)
        return np.asarray(np.nan_to_num(np.linalg.norm(there - here, axis=1), nan=np.inf))

    def _error_m(self, place: Box) -> float:
        """How far off it may be; places that stay are asked for in every picture."""
        assert self.ground is not None
        if place not in self._errors:
            if len(self._errors) >= _MOST_KEPT:
                self._errors.clear()
            self._errors[place] = error_m(place, self.ground)
        return self._errors[place]

    # --- what is told ------------------------------------------------------------------------------------------------

    def evidence(self, place: Box, class_id: int) -> dict[str, Quantity]:
        """Where the vehicle stands in metres, when the camera knows its ground and the place is below the horizon: the middle
        of its footprint with its share in the zone, or its ground point.
        """
        if self.ground is None:
            return {}
        stands, share = self._footprint(place, class_id)
        foot = bottom_centres([place])
        (x_m, y_m) = self.ground.to_metres(foot)[0] if stands is None else stands.centre_m
        off_m = float(self.ground.error_at_m(foot)[0]) if stands is None else stands.error_m
        if not np.isfinite([x_m, off_m]).all():  # as near to the horizon as clicks are exact, nothing is known either
            return {}
        told = {
            "ground_x": Quantity(round(float(x_m), 2), "m"),
            "ground_y": Quantity(round(float(y_m), 2), "m"),
            "ground_error": Quantity(round(off_m, 2), "m"),
        }
        return told if stands is None else told | {"inside_zone": Quantity(round(share, 2), "share")}


def as_box(row: FloatArray) -> Box:
    return (float(row[0]), float(row[1]), float(row[2]), float(row[3]))


def wheels_in_view(boxes: FloatArray, others: FloatArray) -> BoolArray:
    """(N,) of which of `boxes` (N, 4) no nearer one of `others` (M, 4) covers the lower edge."""
    if native.parking is not None:
        return native.parking.wheels_in_view(boxes, others)
    low = boxes[:, None, 3]
    nearer = (others[None, :, 3] > low) & (others[None, :, 1] < low)
    shared = np.minimum(boxes[:, None, 2], others[None, :, 2]) - np.maximum(boxes[:, None, 0], others[None, :, 0])
    wide = np.maximum(boxes[:, 2] - boxes[:, 0], 1e-12)[:, None]
    return np.asarray(~np.any(nearer & (shared > _HIDES * wide), axis=1))


def _size_m(class_id: int) -> tuple[float, float]:
    return SIZES_M.get(class_id, SIZES_M[coco.CAR])


def _there_m(class_id: int) -> float:
    return min(_THERE_MOST_M, max(_THERE_LEAST_M, _THERE * _size_m(class_id)[0]))


def _width_m(zone: Zone, ground: Ground | None) -> float | None:
    """How wide a zone is in the mean, across its longer side; None when that is not known."""
    if ground is None:
        return None
    corners = ground.to_metres(zone.polygon_norm)
    if not np.isfinite(corners).all():
        return None
    long_m = max(cv2.minAreaRect(corners.astype(np.float32))[1])
    return polygon_area(corners) / long_m if long_m > 0 else None
