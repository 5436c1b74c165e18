"""The empty campus road of vtest.avi, and what stands in front of those who cross it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from vision import coco
from vision.frame import Pixels

Alpha = npt.NDArray[np.float32]

#: How tall a person is in the picture, by the row of the feet: measured on walkers at rows 203 and 410.
_PERSON_PX_AT_203: Final = 62.0
_PERSON_PX_PER_ROW: Final = 0.232

# Outlines in pixels of the 768x576 picture, and the row where each thing stands.
_LAMP_POST: Final = ((424, 60), (430, 60), (435, 200), (440, 391), (428, 391), (426, 200))
_LAMP_HEAD: Final = ((396, 30), (410, 22), (430, 18), (440, 26), (438, 36), (412, 38), (424, 62), (422, 100), (400, 50))
_SIGN: Final = ((412, 202), (446, 202), (446, 244), (412, 244))
_LAMP_ROW: Final = 391.0
_TRIPOD: Final = (
    (500, 336),
    (514, 336),
    (514, 372),
    (528, 482),
    (516, 482),
    (504, 400),
    (464, 474),
    (456, 466),
    (498, 376),
)
_TRIPOD_ROW: Final = 476.0

#: The vehicles that are parked on the plate itself, with their boxes in pixels: COCO class, (x1, y1, x2, y2).
PARKED: Final = ((coco.CAR, (652.0, 45.0, 723.0, 101.0)), (coco.CAR, (734.0, 51.0, 768.0, 94.0)))


def person_px(row_px: float) -> float:
    """Height in pixels of a person whose feet are at that row."""
    return _PERSON_PX_AT_203 + _PERSON_PX_PER_ROW * (row_px - 203.0)


@dataclass(frozen=True, slots=True, eq=False)
class Prop:
    """Something of the plate that stands at row `row_px` and hides what is behind it. `alpha` (H, W) 0..1."""

    alpha: Alpha
    row_px: float


@dataclass(frozen=True, slots=True, eq=False)
class Plate:
    """The empty picture, (H, W, 3) uint8 BGR, with its props."""

    pixels: Pixels
    props: tuple[Prop, ...]


def _outline(shape: tuple[int, ...], *polygons: tuple[tuple[int, int], ...]) -> Alpha:
    mask = np.zeros(shape[:2], np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [np.array(polygon, np.int32)], 255)
    return (cv2.GaussianBlur(mask, (3, 3), 0) / np.float32(255)).astype(np.float32)


def make_plate(pictures: list[Pixels]) -> Plate:
    """The plate from pictures spread over the clip: the median over time leaves out whoever walks by."""
    pixels = np.median(np.stack(pictures), axis=0).astype(np.uint8)
    lamp = _outline(pixels.shape, _LAMP_POST, _LAMP_HEAD, _SIGN)
    # The tripod is thin and black; of its outline only what is dark belongs to it.
    dark = (pixels.max(axis=2) < 70).astype(np.uint8)
    tripod = _outline(pixels.shape, _TRIPOD) * cv2.dilate(dark, np.ones((3, 3), np.uint8)).astype(np.float32)
    return Plate(pixels, (Prop(lamp, _LAMP_ROW), Prop(tripod, _TRIPOD_ROW)))
