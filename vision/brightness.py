"""The brightness of a picture alone: all that motion, light, place and focus are judged by, at a third of the bytes."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from vision import native
from vision.native.opencv import rounds_as

Pixels = npt.NDArray[np.uint8]

#: Of a thumbnail: blocks of 8 pixels where the picture is 768 wide.
COLUMNS: Final = 96


def brightness(picture: Pixels) -> Pixels:
    """(H, W) of a picture (H, W, 3) BGR; what is (H, W) is it already."""
    if picture.ndim == 2:
        return picture
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)


def halved(plane: Pixels) -> Pixels:
    """(H // 2, W // 2) means of two by two. A chain of these is several times quicker than one step by the same factor."""
    height, width = plane.shape[0] // 2, plane.shape[1] // 2
    return np.asarray(
        cv2.resize(plane[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA), np.uint8
    )


def shrunk(plane: Pixels, least_width_px: int) -> Pixels:
    """Halved as often as it stays at least so wide."""
    while plane.shape[1] >= 2 * least_width_px and plane.shape[0] >= 4:
        plane = halved(plane)
    return plane


def thumbnail(picture: Pixels, columns: int = COLUMNS) -> Pixels:
    """(h, w) mean brightness of square blocks of a picture (H, W, 3) or (H, W), about so many of them side by side. From two
    rows of pixels in each: what is not read is what costs least, a large picture lies in no cache.
    """
    step = step_px(picture.shape[1], columns)
    if native.brightness is not None and picture.ndim == 3 and rounds_as(_try_compiled, _try_opencv):
        small = native.brightness.thumbnail(picture, step)
        if small is not None:
            return small
    return by_opencv(picture, step)


def step_px(width_px: int, columns: int = COLUMNS) -> int:
    """Half a block of the `thumbnail` of a picture so wide."""
    return max(1, round(width_px / columns / 2))


#: Half blocks which are tried on noise.
_TRIED: Final = (1, 2, 4, 8)


def _try_compiled(noise: Pixels) -> list[Pixels | None]:
    return [native.brightness.thumbnail(noise, step) for step in _TRIED]


def _try_opencv(noise: Pixels) -> list[Pixels]:
    return [by_opencv(noise, step) for step in _TRIED]


def by_opencv(picture: Pixels, step: int) -> Pixels:
    """The `thumbnail` by OpenCV alone: what is compiled is held against it."""
    height, width = picture.shape[:2]
    rows = brightness(np.ascontiguousarray(picture[::step]))
    if min(rows.shape) >= 2:
        rows = halved(rows)
    grid = (max(1, width // (2 * step)), max(1, height // (2 * step)))
    return np.asarray(cv2.resize(rows, grid, interpolation=cv2.INTER_AREA), np.uint8)
