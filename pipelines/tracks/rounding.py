"""The fineness in which boxes are kept. Analysis rounds them before it judges, so that a replay sees the very same numbers."""

from __future__ import annotations

from typing import Final

import numpy as np

from vision import native
from vision.detection import Detections, Float32Array, Int64Array

#: Steps per pixel of a box's edges: a quarter pixel, far below what a detector means by a box.
STEPS_PER_PX: Final = 4
#: Steps of confidence: 0.005. The limits that rules compare with (0.1, 0.25, 0.4, ...) are whole steps.
STEPS_OF_CONFIDENCE: Final = 200


def rounded(detections: Detections) -> Detections:
    """The same detections as they are kept: rounded, in an order of their own (class, then place)."""
    if len(detections) == 0:
        return detections
    if native.detections is not None:
        return Detections(
            *native.detections.rounded(
                detections.xyxy_px, detections.confidence, detections.class_id, STEPS_PER_PX, STEPS_OF_CONFIDENCE
            )
        )
    steps, confidence = to_steps(detections)
    order = np.lexsort((confidence, *steps.T[::-1], detections.class_id))
    return from_steps(steps[order], confidence[order], detections.class_id[order])


def to_steps(detections: Detections) -> tuple[Int64Array, Int64Array]:
    """(N, 4) edges and (N,) confidence in whole steps."""
    steps = np.rint(detections.xyxy_px.astype(np.float64) * STEPS_PER_PX).astype(np.int64).reshape(-1, 4)
    confidence = np.clip(
        np.rint(detections.confidence.astype(np.float64) * STEPS_OF_CONFIDENCE), 1, STEPS_OF_CONFIDENCE
    )
    return steps, confidence.astype(np.int64)


def from_steps(steps: Int64Array, confidence: Int64Array, class_id: Int64Array) -> Detections:
    """Inverse of `to_steps`."""
    boxes: Float32Array = (steps / STEPS_PER_PX).astype(np.float32)
    return Detections(boxes, (confidence / STEPS_OF_CONFIDENCE).astype(np.float32), class_id.astype(np.int64))
