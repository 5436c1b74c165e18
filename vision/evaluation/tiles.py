"""A still picture looked at whole and in parts: what is small in the whole is large enough in a part."""

from __future__ import annotations

from typing import Final

import numpy as np

from vision.detection import Detections, Detector
from vision.frame import Pixels
from vision.geometry import iou

#: Parts along each side, and which share of a part its neighbour shows as well: more than a car is wide.
_PARTS: Final = 2
_SHARED: Final = 0.2
#: A box this near to an edge that cuts through the picture is of something that the neighbour shows whole.
_CUT_PX: Final = 4.0
_SAME_IOU: Final = 0.6


def detect_in_parts(detector: Detector, picture: Pixels, classes: frozenset[int]) -> Detections:
    """What `detector` finds of `classes` in a picture (H, W, 3) and in each of its four overlapping parts, each thing once, the
    surest first. Boxes are told apart by where they are, not by what they are called.
    """
    height, width = picture.shape[:2]
    found = [_within(detector, picture, (0, 0, width, height))]
    found += [_within(detector, picture, part) for part in _parts(width, height)]
    boxes = np.concatenate([one.xyxy_px for one in found])
    confidence = np.concatenate([one.confidence for one in found])
    class_id = np.concatenate([one.class_id for one in found])
    left = np.flatnonzero(np.isin(class_id, sorted(classes)))
    left = left[np.argsort(-confidence[left], kind="stable")]
    kept: list[int] = []
    while len(left):
        kept.append(int(left[0]))
        left = left[iou(boxes[left[:1]], boxes[left])[0] < _SAME_IOU]
    return Detections(boxes[kept], confidence[kept], class_id[kept])


def _parts(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """(x1, y1, x2, y2) in pixels, row by row."""
    wide, tall = (side / (_PARTS - (_PARTS - 1) * _SHARED) for side in (width, height))
    corners = [
        (column * wide * (1 - _SHARED), row * tall * (1 - _SHARED)) for row in range(_PARTS) for column in range(_PARTS)
    ]
    return [(int(x), int(y), min(width, round(x + wide)), min(height, round(y + tall))) for x, y in corners]


def _within(detector: Detector, picture: Pixels, part: tuple[int, int, int, int]) -> Detections:
    """What is in a part and not cut off by it, where it is in the picture."""
    x1, y1, x2, y2 = part
    found = detector.detect([np.ascontiguousarray(picture[y1:y2, x1:x2])])[0]
    boxes = (found.xyxy_px + np.array([x1, y1, x1, y1], np.float32)).astype(np.float32)
    whole = np.ones(len(boxes), bool)
    for side, (edge, end) in enumerate(zip(part, (0, 0, picture.shape[1], picture.shape[0]), strict=True)):
        if edge != end:
            whole &= np.abs(boxes[:, side] - edge) > _CUT_PX
    return Detections(boxes[whole], found.confidence[whole], found.class_id[whole])
