"""Which of a picture's detections count: those that no mask hides, a vehicle that was found under two names once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from vision import coco, native
from vision.detection import Detections
from vision.geometry import bottom_centres, edges, iou, points_in_polygon
from vision.zone import Point

#: Boxes of vehicles that overlap this much are one vehicle under two names.
_TWICE_IOU: Final = 0.7
_NAMES: Final = (coco.CAR, coco.BUS, coco.TRUCK)


def not_masked(detections: Detections, masks: Sequence[Sequence[Point]], width_px: int, height_px: int) -> Detections:
    """Those whose bottom centre lies in none of `masks` (polygons, 0..1 of the picture)."""
    if not masks:
        return detections
    if native.detections is not None:
        return detections.where(
            native.detections.not_masked(detections.xyxy_px, [edges(mask) for mask in masks], width_px, height_px)
        )
    keep = np.ones(len(detections), bool)
    # A box that ends at the lower edge of the picture stands at the edge as far as can be seen.
    points = np.clip(bottom_centres(detections.xyxy_px) / (width_px, height_px), 0, 1 - 1e-9)
    for mask in masks:
        keep &= ~points_in_polygon(points, mask)
    return detections.where(keep)


def once(detections: Detections) -> Detections:
    """Without the less sure one where a vehicle was found twice, say as car and as truck."""
    if native.detections is not None:
        counted = native.detections.once(
            detections.xyxy_px, detections.confidence, detections.class_id, _NAMES, _TWICE_IOU
        )
        return detections if counted is None else detections.where(counted)
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
