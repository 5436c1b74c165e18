"""What the last layer of a YOLO network means: from its numbers to boxes.

Two heads are known, told apart by the shape of the output:

- anchor-free (YOLOv8, YOLO11): (1, 4 + classes, N), centre, width, height and one score per class, many overlapping;
- end-to-end (YOLOv10, YOLO26): (1, N, 6), corners, score and class, already one box per object.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, cast

import cv2
import numpy as np

from vision import native
from vision.coco import BICYCLE, BUS, CAR, MOTORCYCLE, PERSON, TRUCK
from vision.detection import Detections, DetectorError, Float32Array, Int64Array
from vision.detectors.labels import COCO_CLASSES, Labels
from vision.detectors.letterbox import Letterbox
from vision.detectors.settings import ModelError

#: Classes that are confused with each other on the same object count as one kind when overlapping boxes are thinned:
#: otherwise one van stands there as a car and as a truck.
_KIND: Final = {PERSON: 0, BICYCLE: 1, MOTORCYCLE: 1, CAR: 2, BUS: 2, TRUCK: 2}
_KIND_OF_COCO: Final = np.array([_KIND.get(number, -1) for number in range(max(_KIND) + 1)], np.int64)


class Head(Enum):
    """The layout of a network's output."""

    ANCHOR_FREE = "anchor-free"
    END_TO_END = "end-to-end"


def head_of(shape: tuple[int, ...], labels: Labels) -> Head:
    """The head that has this output shape.

    Raises:
        ModelError: the shape fits none (a pose, segmentation or classification model, or another family).
    """
    if len(shape) == 3:
        classes = labels.count if labels.count is not None else COCO_CLASSES
        if shape[1] == 4 + classes:
            return Head.ANCHOR_FREE
        if shape[2] == 6:
            return Head.END_TO_END
    raise ModelError(
        "model",
        f"has an output of {'x'.join(map(str, shape))}, which is no YOLO detection head (1x84xN or 1x300x6): "
        "export a detection model of the YOLOv8, 11 or 26 family with Ultralytics",
    )


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns one picture's output into detections in that picture's pixels."""

    head: Head
    labels: Labels
    confidence: float
    overlap: float

    def read(self, output: Float32Array, letterbox: Letterbox) -> Detections:
        """`output` is (4 + classes, N) or (N, 6) float32, boxes in input pixels.

        Raises:
            DetectorError: the output holds numbers that are not finite.
        """
        decode = _anchor_free if self.head is Head.ANCHOR_FREE else _end_to_end
        if native.heads is not None and decode is _anchor_free:
            return self._read_compiled(native.heads.read_anchor_free, output, letterbox)
        xyxy_px, confidence, class_id = decode(output, self.labels, self.confidence)
        if not np.isfinite(xyxy_px).all():
            raise DetectorError("the network's output holds boxes that are not finite")
        xyxy_px = letterbox.to_picture(xyxy_px)
        real = ((xyxy_px[:, 2:] - xyxy_px[:, :2]) >= 1.0).all(axis=1)
        kept = np.flatnonzero(real)[_thin(xyxy_px[real], confidence[real], class_id[real], self.overlap)]
        return Detections(xyxy_px[kept], confidence[kept], class_id[kept])

    def _read_compiled(self, read: Callable[..., Any], output: Float32Array, place: Letterbox) -> Detections:
        height, width = place.picture_px
        try:
            boxes, confidence, class_id = read(
                output,
                self.labels.rows,
                self.labels.coco,
                self.confidence,
                self.overlap,
                _KIND_OF_COCO,
                place.left_px,
                place.top_px,
                place.scale_x,
                place.scale_y,
                width,
                height,
            )
        except FloatingPointError as error:
            raise DetectorError(f"the network's output holds {error} that are not finite") from None
        return Detections.trusted(boxes, confidence, class_id)


def _anchor_free(
    output: Float32Array, labels: Labels, confidence: float
) -> tuple[Float32Array, Float32Array, Int64Array]:
    scores = output[4 + labels.rows]
    best = scores.max(axis=0)
    if not np.isfinite(best).all():
        raise DetectorError("the network's output holds scores that are not finite")
    found = np.flatnonzero(best >= confidence)
    centre, half = output[:2, found].T, output[2:4, found].T / 2
    class_id = labels.coco[scores[:, found].argmax(axis=0)]
    return np.concatenate([centre - half, centre + half], axis=1), best[found], class_id


def _end_to_end(
    output: Float32Array, labels: Labels, confidence: float
) -> tuple[Float32Array, Float32Array, Int64Array]:
    if not np.isfinite(output[:, 4:]).all():
        raise DetectorError("the network's output holds scores that are not finite")
    class_id = labels.coco_of(output[:, 5].astype(np.int64))
    found = (output[:, 4] >= confidence) & (class_id >= 0)
    return output[found, :4], output[found, 4], class_id[found]


def _thin(xyxy_px: Float32Array, confidence: Float32Array, class_id: Int64Array, overlap: float) -> Int64Array:
    """Greedy non-maximum suppression among boxes of one kind; indices by falling confidence.

    All kinds go through one pass: each is shifted to where no other can overlap it.
    """
    if len(xyxy_px) == 0:
        return np.empty(0, np.int64)
    xywh = xyxy_px.astype(np.float64)
    xywh[:, 2:] -= xywh[:, :2]
    xywh[:, :2] += (_KIND_OF_COCO[class_id] * (float(xyxy_px.max()) + 1.0))[:, None]
    # OpenCV takes arrays; its stubs say sequences.
    kept = cv2.dnn.NMSBoxes(cast(Any, xywh), cast(Any, confidence), 0.0, overlap)
    return np.asarray(kept, np.int64).reshape(-1)
