"""Cars outside the bays of a car park, on single pictures.

The bays are polygons as an administrator draws them. A car is in a bay when its box lies on bays to a good part; what
is far smaller than a bay at that height of the picture is no car. Cars that touch are reported as one place, as the
truth's masks show them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from vision import coco
from vision.detection import Detections
from vision.evaluation.boxes import pairs
from vision.geometry import FloatArray, areas, overlap_of_smaller, polygon_area

#: Truth: value of the mask for a car outside, least size of a blob, least IoU of a match.
OUTSIDE: Final = 2
LEAST_BLOB_PX: Final = 300
MATCH_IOU: Final = 0.3
#: A box that covers this share of one bay, or lies on bays with this share of itself, is a car in a bay.
_COVERS_BAY: Final = 0.35
_LIES_ON_BAYS: Final = 0.3
#: Side of a box (root of its area) against that of a bay at the same height.
_LEAST_SIDE: Final = 0.6
VEHICLES: Final = frozenset({coco.CAR, coco.BUS, coco.TRUCK})

Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class PictureScore:
    """One picture: cars outside in truth, reported, and matched one to one."""

    name: str
    true: int
    reported: int
    matched: int

    @property
    def precision(self) -> float:
        return self.matched / self.reported if self.reported else 1.0

    @property
    def recall(self) -> float:
        return self.matched / self.true if self.true else 1.0


def true_places(mask: Mask) -> FloatArray:
    """(N, 4) boxes of the blobs of cars outside the bays in a mask (H, W)."""
    count, _, stats, _ = cv2.connectedComponentsWithStats((mask == OUTSIDE).astype(np.uint8))
    rows = [stats[n] for n in range(1, count) if stats[n][cv2.CC_STAT_AREA] >= LEAST_BLOB_PX]
    return np.array([(x, y, x + w, y + h) for x, y, w, h, _ in rows], np.float64).reshape(-1, 4)


def places_outside(
    detections: Detections, bays: Sequence[FloatArray], size_px: tuple[int, int], confidence: float
) -> FloatArray:
    """(N, 4) boxes of vehicles outside all `bays` (each (K, 2) pixels) on a picture of `size_px` (width, height)."""
    keep = np.isin(detections.class_id, sorted(VEHICLES)) & (detections.confidence >= confidence)
    order = np.argsort(-detections.confidence[keep], kind="stable")
    boxes = detections.xyxy_px[keep].astype(np.float64)[order]
    boxes = boxes[_large_enough(boxes, bays)]
    outside = [box for box in boxes if not _in_a_bay(box, bays, size_px)]
    return _joined(np.array(outside, np.float64).reshape(-1, 4))


def rows_continued(bays: Sequence[FloatArray], ends: Sequence[tuple[int, int]]) -> list[FloatArray]:
    """Bays that continue a row beyond its end: for each (end, neighbour) index the end bay, moved on by one step."""
    return [bays[end] + (bays[end].mean(axis=0) - bays[beside].mean(axis=0)) for end, beside in ends]


def score_picture(name: str, true: FloatArray, reported: FloatArray) -> PictureScore:
    return PictureScore(name, len(true), len(reported), len(pairs(true, reported, MATCH_IOU)))


def _large_enough(boxes: FloatArray, bays: Sequence[FloatArray]) -> npt.NDArray[np.bool_]:
    """A line through the sides of the bays over their height in the picture says how large a car is there."""
    if len(bays) < 3 or len(boxes) == 0:
        return np.ones(len(boxes), bool)
    sides = np.array([np.sqrt(polygon_area(bay)) for bay in bays])
    heights = np.array([bay[:, 1].mean() for bay in bays])
    # Bays all at one height say nothing of perspective: their mean side will do.
    slope, at_zero = np.polyfit(heights, sides, 1) if np.ptp(heights) > sides.mean() else (0.0, float(sides.mean()))
    expected = np.clip(at_zero + slope * (boxes[:, 1] + boxes[:, 3]) / 2, sides.min(), sides.max())
    return np.asarray(np.sqrt(areas(boxes)) >= _LEAST_SIDE * expected)


def _in_a_bay(box: FloatArray, bays: Sequence[FloatArray], size_px: tuple[int, int]) -> bool:
    x1, y1 = max(0, int(box[0])), max(0, int(box[1]))
    x2, y2 = min(size_px[0], int(np.ceil(box[2]))), min(size_px[1], int(np.ceil(box[3])))
    on_bays = np.zeros((max(1, y2 - y1), max(1, x2 - x1)), np.uint8)
    for bay in bays:
        one = np.zeros_like(on_bays)
        cv2.fillPoly(one, [np.round(bay - [x1, y1]).astype(np.int32)], 1)
        if int(one.sum()) >= _COVERS_BAY * polygon_area(bay):
            return True
        on_bays |= one
    return bool(on_bays.mean() >= _LIES_ON_BAYS)


def _joined(boxes: FloatArray) -> FloatArray:
    """Boxes that overlap become one."""
    groups = list(boxes)
    merged = True
    while merged:
        merged = False
        for a in range(len(groups)):
            for b in range(a + 1, len(groups)):
                if overlap_of_smaller(groups[a], groups[b])[0, 0] > 0.01:
                    groups[a] = np.concatenate(
                        [np.minimum(groups[a][:2], groups[b][:2]), np.maximum(groups[a][2:], groups[b][2:])]
                    )
                    del groups[b]
                    merged = True
                    break
            if merged:
                break
    return np.array(groups, np.float64).reshape(-1, 4)
