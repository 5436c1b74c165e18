"""A vehicle that the detector found under two names is one vehicle."""

from __future__ import annotations

from typing import Final

import numpy as np

from vision import coco
from vision.detection import Detections
from vision.geometry import iou

#: Boxes of vehicles that overlap this much are one vehicle under two names.
_TWICE_IOU: Final = 0.7
_NAMES: Final = frozenset({coco.CAR, coco.BUS, coco.TRUCK})


def once(detections: Detections) -> Detections:
    """Without the less sure one where a vehicle was found twice, say as car and as truck."""
    vehicles = np.array([n for n, kind in enumerate(detections.class_id.tolist()) if kind in _NAMES], np.int64)
    if len(vehicles) < 2:
        return detections
    keep = np.ones(len(detections), bool)
    order = vehicles[np.argsort(-detections.confidence[vehicles], kind="stable")]
    overlap = iou(detections.xyxy_px[order], detections.xyxy_px[order])
    for second in range(1, len(order)):
        if np.any(keep[order[:second]] & (overlap[second, :second] > _TWICE_IOU)):
            keep[order[second]] = False
    return detections.where(keep)
