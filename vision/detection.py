"""What a detector found in one picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from vision import native
from vision.frame import Pixels

Float32Array = npt.NDArray[np.float32]
Int64Array = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


class DetectorError(Exception):
    """The detector could not judge a picture. It is never an empty scene."""


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Boxes of one picture: `xyxy_px` (N, 4) float32, `confidence` (N,) float32 in 0..1, `class_id` (N,) int64 COCO."""

    xyxy_px: Float32Array
    confidence: Float32Array
    class_id: Int64Array

    def __post_init__(self) -> None:
        count = len(self.xyxy_px)
        if self.xyxy_px.shape != (count, 4):
            raise ValueError(f"xyxy_px: expected ({count}, 4), got {self.xyxy_px.shape}")
        if self.confidence.shape != (count,):
            raise ValueError(f"confidence: expected ({count},), got {self.confidence.shape}")
        if self.class_id.shape != (count,):
            raise ValueError(f"class_id: expected ({count},), got {self.class_id.shape}")

    @classmethod
    def empty(cls) -> Self:
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64))

    @classmethod
    def trusted(cls, xyxy_px: Float32Array, confidence: Float32Array, class_id: Int64Array) -> Self:
        """Of arrays that compiled code made to fit each other: checking them costs twice as much as all the rest."""
        made = object.__new__(cls)
        put = object.__setattr__
        put(made, "xyxy_px", xyxy_px)
        put(made, "confidence", confidence)
        put(made, "class_id", class_id)
        return made

    def __len__(self) -> int:
        return len(self.xyxy_px)

    def where(self, keep: BoolArray) -> Detections:
        """The detections for which `keep` (N,) bool holds, in order."""
        if native.detections is not None:
            kept = native.detections.where(self.xyxy_px, self.confidence, self.class_id, keep)
            return self if kept is None else Detections.trusted(*kept)
        if keep.all():
            return self
        return Detections(self.xyxy_px[keep], self.confidence[keep], self.class_id[keep])


class Detector(Protocol):
    """A model that finds objects. One instance may serve many cameras; `detect` may be called from one thread."""

    @property
    def name(self) -> str:
        """Model, precision and input size, for records: `yolov8n-int8 384x512 openvino`."""
        ...

    def detect(self, pictures: list[Pixels]) -> list[Detections]:
        """One `Detections` per picture (each (H, W, 3) uint8 BGR, sizes may differ), boxes in that picture's pixels.

        Raises:
            DetectorError: the model failed; nothing may be concluded about the pictures.
        """
        ...


@lru_cache(maxsize=16)
def canvas_heights(height_px: int) -> tuple[int, ...]:
    """Heights that pictures of parts have: a quarter of the input's and three, in steps of 32 pixels; the last is its own.

    A half besides would save 1 % of the work, and each height takes 57 MB.
    """
    quarters = {min(height_px, -(-height_px * part // 4 // 32) * 32) for part in (1, 3)}
    return tuple(sorted(quarters | {height_px}))


@runtime_checkable
class Preparable(Protocol):
    """A detector that can make itself cheaper for pictures of `canvas_heights`, which takes a while."""

    def prepare(self, goes_on: Callable[[], bool] = ...) -> None:
        """May be called from another thread while `detect` is used. Ends early, within some seconds, when `goes_on` no
        longer holds.
        """
        ...
