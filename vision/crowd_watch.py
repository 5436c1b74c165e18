"""When a crowd is read: only while the boxes of one camera themselves show people who stand close together in a zone."""

from __future__ import annotations

from collections import deque
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from vision import native
from vision.behaviours.people import PATCH_M2, local_density
from vision.camera import CameraSpec
from vision.crowd import CrowdReading
from vision.frame import Picture, Pixels, size_px, whole
from vision.geometry import BoolArray, FloatArray, areas, intersections, points_in_polygon
from vision.ground import Ground

#: A crowd is read so often, and for so long after it was last seen to be one.
READ_EVERY_S: Final = 0.5
_HOLD_S: Final = 5.0
#: It is one when so many of so many pictures show it: people who pass each other cover each other for a moment.
_SHOWN_IN: Final = 3
_OF: Final = 5
#: After so long without a picture to judge, what was shown before says nothing (as for the rule itself).
_GAP_S: Final = 3.0
_CLOCK_S: Final = 1e-3
#: How many people on the disc around somebody, counted by boxes, are a crowd (0.85 per square metre) ...
_DENSE: Final = 6
#: ... and how many where as many people are each covered by somebody to this share. On 80 s of an ordinary road (vtest.avi,
#: up to 13 people, 5 pictures a second) that was so in one picture of 398.
_PACKED: Final = 5
_COVERED: Final = 0.25
#: Without ground points: how many who are covered are a crowd.
_COVERED_LEAST: Final = 8

_NOBODY: Final = CrowdReading(np.empty((0, 2)), np.empty(0), (0.0, 0.0, 0.0, 0.0))


class CrowdReader(Protocol):
    """Reads a crowd: `vision.crowd.CrowdModel`."""

    def read(self, pixels: Pixels, boxes: FloatArray, horizon: FloatArray | None) -> CrowdReading | None:
        """None: it cannot be read; then those seen are all that is known."""
        ...


def dense(boxes: FloatArray, size_px: tuple[int, int], ground: Ground | None) -> BoolArray | None:
    """(N,) which of the people with these `boxes` (N, 4) in pixels are in a crowd; None: nobody. `size_px` is (height, width)."""
    if len(boxes) < (_COVERED_LEAST if ground is None else _PACKED):
        return None
    if native.people is not None:
        covered = native.people.covered(boxes, _COVERED)
    else:
        shared = intersections(boxes, boxes)
        np.fill_diagonal(shared, 0.0)
        covered = np.asarray(shared.max(axis=1) > _COVERED * np.maximum(areas(boxes), 1e-12))
    hidden = int(np.count_nonzero(covered))
    if ground is None:
        return covered if hidden >= _COVERED_LEAST else None
    size = np.array([size_px[1], size_px[0]], np.float64)
    feet = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1) / size
    near = local_density(ground.to_metres(np.clip(feet, 0, 1))) * PATCH_M2
    crowded = np.asarray(near > (_PACKED if hidden >= _PACKED else _DENSE) - 0.5)
    return crowded if crowded.any() else None


def horizon_px(ground: Ground | None, size_px: tuple[int, int]) -> FloatArray | None:
    """The horizon's line (3,) for `CrowdModel.read`."""
    if ground is None:
        return None
    return np.asarray(ground.matrix[2] / np.array([size_px[1], size_px[0], 1.0]))


class CrowdWatch:
    """Of one camera. Nothing of it need outlive a restart: the next picture is judged anew."""

    def __init__(self, reader: CrowdReader) -> None:
        self._reader = reader
        self._read_s = float("-inf")
        self._dense_s = float("-inf")
        self._judged_s = float("-inf")
        self._shown: deque[bool] = deque(maxlen=_OF)
        self._judged: tuple[FloatArray, tuple[int, int], Ground | None, BoolArray | None] | None = None
        """People's boxes, the picture's size and the ground, and what `dense` said of them."""

    def step(
        self, picture: Picture, time_s: float, people_px: npt.ArrayLike, camera: CameraSpec
    ) -> CrowdReading | None:
        """A reading of the picture, now and then while there is a crowd. `people_px` (N, 4) are the boxes of
        the people seen: the same array as for the last picture where they are the same people.

        Raises:
            DetectorError: the network failed.
        """
        size, ground = size_px(picture), camera.ground
        boxes: FloatArray = np.asarray(people_px, np.float64)
        crowded = self._dense(boxes, size, ground)
        if time_s - self._judged_s > _GAP_S:
            self._shown.clear()
        self._judged_s = time_s
        self._shown.append(crowded is not None)
        if sum(self._shown) >= _SHOWN_IN:
            self._dense_s = time_s
        if time_s - self._dense_s > _HOLD_S or time_s - self._read_s < READ_EVERY_S - _CLOCK_S:
            return None
        self._read_s = time_s
        if not len(boxes):
            return _NOBODY
        # Everybody near the crowd is looked at with it: its edge is as often as not where boxes fail.
        near = boxes[_near(boxes, boxes if crowded is None else boxes[crowded])]
        reading = self._reader.read(whole(picture), near, horizon_px(ground, size))
        if reading is None:
            return None
        masked = np.zeros(len(reading.people), bool)
        for mask in camera.masks:
            masked |= points_in_polygon(np.clip(reading.places, 0, 1 - 1e-9), mask)
        return (
            CrowdReading(reading.places[~masked], reading.people[~masked], reading.region) if masked.any() else reading
        )

    def _dense(self, boxes: FloatArray, size: tuple[int, int], ground: Ground | None) -> BoolArray | None:
        known = self._judged
        if known is None or known[0] is not boxes or known[1] != size or known[2] is not ground:
            self._judged = known = boxes, size, ground, dense(boxes, size, ground)
        return known[3]


def _near(boxes: FloatArray, crowd: FloatArray) -> BoolArray:
    """(N,) whose feet are within a person's height of the box around the crowd."""
    tall = float(np.percentile(crowd[:, 3] - crowd[:, 1], 75))
    feet = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)
    low, high = crowd[:, :2].min(axis=0) - tall, crowd[:, 2:].max(axis=0) + tall
    return np.asarray(((feet >= low) & (feet <= high)).all(axis=1))
