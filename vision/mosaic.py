"""Parts of many pictures side by side on few canvases, so that one look of the detector serves several cameras.

A part keeps the scale that its whole picture would have, so what is found in it is as large for the network as ever.
Canvases are as wide as the network's input and as high, or half as high where that is enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import cv2
import numpy as np

from vision.detection import Detections, Detector
from vision.frame import Pixels

#: (left, top, right, bottom) in whole pixels of a picture.
Part = tuple[int, int, int, int]

_GREY: Final = 114
#: Between two parts: as wide as the network's coarsest cell, so that nothing is seen across.
_GAP_PX: Final = 8


class Piece(NamedTuple):
    """A part of a picture that the detector shall look at."""

    pixels: Pixels
    part: Part


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where a piece lies: canvas number, left, top, width and height on it."""

    canvas: int
    left: int
    top: int
    width: int
    height: int


def detect(detector: Detector, input_px: tuple[int, int], pieces: Sequence[Piece]) -> list[Detections]:
    """What `detector` finds in each piece, boxes in pixels of the whole picture. `input_px` (height, width) is its input.

    Raises:
        DetectorError: it failed.
    """
    spots, heights = arrange([scaled_px(piece, input_px) for piece in pieces], input_px)
    canvases = [np.full((height, input_px[1], 3), _GREY, np.uint8) for height in heights]
    for piece, spot in zip(pieces, spots, strict=True):
        left, top, right, bottom = piece.part
        crop = piece.pixels[top:bottom, left:right]
        place = canvases[spot.canvas][spot.top : spot.top + spot.height, spot.left : spot.left + spot.width]
        # As in `Letterbox`: below half size plain linear sampling would skip pixels.
        method = cv2.INTER_AREA if 2 * spot.width < right - left else cv2.INTER_LINEAR
        place[:] = cv2.resize(crop, (spot.width, spot.height), interpolation=method)
    found = detector.detect(canvases)
    return [_back(found[spot.canvas], piece, spot) for piece, spot in zip(pieces, spots, strict=True)]


def scaled_px(piece: Piece, input_px: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of a piece on a canvas."""
    height, width = piece.pixels.shape[:2]
    scale = min(input_px[0] / height, input_px[1] / width)
    left, top, right, bottom = piece.part
    return (
        min(input_px[0], max(1, round((bottom - top) * scale))),
        min(input_px[1], max(1, round((right - left) * scale))),
    )


def arrange(sizes_px: Sequence[tuple[int, int]], canvas_px: tuple[int, int]) -> tuple[list[_Spot], list[int]]:
    """Where pieces of these (height, width) go, and how high each canvas is: shelves, the highest pieces first."""
    spots: dict[int, _Spot] = {}
    heights: list[int] = []
    shelves: list[list[int]] = []  # canvas, top, height, next free column
    for index in sorted(range(len(sizes_px)), key=lambda i: (-sizes_px[i][0], -sizes_px[i][1], i)):
        height, width = sizes_px[index]
        shelf = next((s for s in shelves if s[2] >= height and s[3] + width <= canvas_px[1]), None)
        if shelf is None:
            room = next((c for c, used in enumerate(heights) if used + height <= canvas_px[0]), None)
            if room is None:
                room = len(heights)
                heights.append(0)
            shelf = [room, heights[room], height, 0]
            shelves.append(shelf)
            heights[room] += height + _GAP_PX
        spots[index] = _Spot(shelf[0], shelf[3], shelf[1], width, height)
        shelf[3] += width + _GAP_PX
    half = canvas_px[0] // 2
    cut = [half if used - _GAP_PX <= half else canvas_px[0] for used in heights]
    return [spots[index] for index in range(len(sizes_px))], cut


def _back(found: Detections, piece: Piece, spot: _Spot) -> Detections:
    """Those of a canvas's boxes that lie in the piece, as boxes of its picture."""
    if len(found) == 0:
        return found
    middle = (found.xyxy_px[:, :2] + found.xyxy_px[:, 2:]) / 2
    inside = (
        (middle[:, 0] >= spot.left)
        & (middle[:, 0] < spot.left + spot.width)
        & (middle[:, 1] >= spot.top)
        & (middle[:, 1] < spot.top + spot.height)
    )
    mine = found.where(inside)
    left, top, right, bottom = piece.part
    scale = np.array([(right - left) / spot.width, (bottom - top) / spot.height] * 2, np.float32)
    moved = (mine.xyxy_px - np.array([spot.left, spot.top] * 2, np.float32)) * scale
    moved += np.array([left, top] * 2, np.float32)
    limits = np.array([left, top, right, bottom], np.float32)
    low, high = np.tile(limits[:2], 2), np.tile(limits[2:], 2)
    return Detections(np.clip(moved, low, high), mine.confidence, mine.class_id)
