"""Fitting a picture of any size into the network's input without bending it, and the way back for boxes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np

from vision.detection import Float32Array
from vision.frame import Pixels

#: The grey that YOLO models saw around their pictures in training.
PADDING: Final = 114


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where a picture (height, width) lies inside an input (height, width): scaled to fit, centred, grey around it."""

    picture_px: tuple[int, int]
    input_px: tuple[int, int]
    scale_x: float
    scale_y: float
    left_px: int
    top_px: int
    width_px: int
    height_px: int

    @classmethod
    @lru_cache(maxsize=64)
    def fit(cls, picture_px: tuple[int, int], input_px: tuple[int, int]) -> Letterbox:
        """The largest placing of the picture that keeps its shape. Raises ValueError for a picture without pixels."""
        height, width = picture_px
        if height < 1 or width < 1:
            raise ValueError(f"picture of {height}x{width} pixels")
        scale = min(input_px[0] / height, input_px[1] / width)
        inner_height = min(input_px[0], max(1, round(height * scale)))
        inner_width = min(input_px[1], max(1, round(width * scale)))
        return cls(
            picture_px,
            input_px,
            inner_width / width,
            inner_height / height,
            (input_px[1] - inner_width) // 2,
            (input_px[0] - inner_height) // 2,
            inner_width,
            inner_height,
        )

    def draw(self, picture: Pixels, canvas: Pixels) -> None:
        """Write the picture into `canvas` (input height, input width, 3), all of which is overwritten."""
        bottom, right = self.top_px + self.height_px, self.left_px + self.width_px
        canvas[: self.top_px] = PADDING
        canvas[bottom:] = PADDING
        canvas[self.top_px : bottom, : self.left_px] = PADDING
        canvas[self.top_px : bottom, right:] = PADDING
        inner = canvas[self.top_px : bottom, self.left_px : right]
        if (self.height_px, self.width_px) == self.picture_px:
            inner[:] = picture
            return
        # Plain linear sampling skips pixels below half size; the area mean does not, and costs the same there.
        method = cv2.INTER_AREA if min(self.scale_x, self.scale_y) < 0.5 else cv2.INTER_LINEAR
        inner[:] = cv2.resize(picture, (self.width_px, self.height_px), interpolation=method)

    def to_picture(self, xyxy_px: Float32Array) -> Float32Array:
        """Boxes (N, 4) in input pixels -> the picture's pixels, cut at its edges."""
        shift = np.array([self.left_px, self.top_px] * 2, np.float32)
        scale = np.array([self.scale_x, self.scale_y] * 2, np.float32)
        height, width = self.picture_px
        limit = np.array([width, height] * 2, np.float32)
        moved: Float32Array = np.clip((xyxy_px - shift) / scale, np.float32(0), limit).astype(np.float32, copy=False)
        return moved

    def to_input(self, xyxy_px: Float32Array) -> Float32Array:
        """Boxes (N, 4) in the picture's pixels -> input pixels."""
        shift = np.array([self.left_px, self.top_px] * 2, np.float32)
        scale = np.array([self.scale_x, self.scale_y] * 2, np.float32)
        return (xyxy_px * scale + shift).astype(np.float32, copy=False)


def check_picture(picture: Pixels) -> None:
    """Raises ValueError unless the picture is (H, W, 3) uint8 with at least one pixel."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or picture.size == 0:
        raise ValueError(f"picture: expected (H, W, 3) uint8, got {picture.shape} {picture.dtype}")
