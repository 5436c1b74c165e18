"""A vehicle that the detector found under two names is one vehicle."""

from __future__ import annotations

from typing import Final

import numpy as np

from vision import coco
from vision.detection import BoolArray, Detections, Int64Array
from vision.geometry import iou

#: Boxes of vehicles that overlap this much are one vehicle under two names.
_TWICE_IOU: Final = 0.7


def once(detections: Detections) -> BoolArray:
    """Which detections to keep so that a vehicle found as car and as truck counts once: the surer one."""
    keep = np.ones(len(detections), bool)
    ids = detections.class_id
    vehicles: Int64Array = np.flatnonzero((ids == coco.CAR) | (ids == coco.BUS) | (ids == coco.TRUCK))
    if len(vehicles) < 2:
        return keep
    order = vehicles[np.argsort(-detections.confidence[vehicles], kind="stable")]
    overlap = iou(detections.xyxy_px[order], detections.xyxy_px[order])
    for second in range(1, len(order)):
        if np.any(keep[order[:second]] & (overlap[second, :second] > _TWICE_IOU)):
            keep[order[second]] = False
    return keep
