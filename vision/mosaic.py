"""Parts of many pictures side by side on few canvases, so that one look of the detector serves several cameras.

A part keeps the scale that its whole picture would have, so what is found in it is as large for the network as ever.
Canvases are as wide as the network's input and as high, or a quarter or three quarters as high where that is enough.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np

from vision import native
from vision.detection import BoolArray, Detections, Detector, canvas_heights
from vision.frame import Pixels
from vision.native.opencv import rounds_as

#: (left, top, right, bottom) in whole pixels of a picture.
Part = tuple[int, int, int, int]

#: Where a piece lies: number of the canvas, left, top, width and height on it.
Spot = tuple[int, int, int, int, int]

_GREY: Final = 114
#: Between two parts: as wide as the network's coarsest cell, so that nothing is seen across (with 4 recall falls by a
#: point, with 0 by two; what is saved is 5 and 10 %).
_GAP_PX: Final = 8


class Piece(NamedTuple):
    """A part of a picture that the detector shall look at."""

    pixels: Pixels
    part: Part


class Cut(NamedTuple):
    """A piece as it will lie on a canvas: `scaled` (h, w, 3) shows `part` of a picture."""

    part: Part
    scaled: Pixels


class Sheets:
    """Canvases that are used again and again: memory that is new each time costs more than what is drawn on it."""

    def __init__(self) -> None:
        self._every: list[Pixels] = []
        self._shown: dict[tuple[int, int], Pixels] = {}

    def take(self, heights_px: Sequence[int], canvas_px: tuple[int, int]) -> list[Pixels]:
        """Canvases (height, W, 3) no higher than `canvas_px`, with what was drawn last; those that were taken before are no
        longer the taker's. The same array each time for the same place and height: a detector need not learn anew where it lies.
        """
        if any(sheet.shape[:2] != canvas_px for sheet in self._every):
            self._every, self._shown = [], {}
        while len(self._every) < len(heights_px):
            self._every.append(np.empty((*canvas_px, 3), np.uint8))
        for key in enumerate(heights_px):
            if key not in self._shown:
                self._shown[key] = self._every[key[0]][: key[1]]
        return [self._shown[key] for key in enumerate(heights_px)]


def cuts(pixels: Pixels, parts: Sequence[Part], input_px: tuple[int, int]) -> list[Cut]:
    """Scale `parts` of a picture for a detector whose input is `input_px` (height, width). Best at once, while the picture is at
    hand.
    """
    if native.scaling is None or not rounds_as(_try_compiled, _try_opencv):
        return [_cut(Piece(pixels, part), input_px) for part in parts]
    scaled = native.scaling.pieces(pixels, parts, *input_px)
    return [
        _cut(Piece(pixels, part), input_px) if one is None else Cut(part, one)
        for part, one in zip(parts, scaled, strict=True)
    ]


#: Of what is tried on noise: parts, and the detector's input.
_TRIED: Final[tuple[Part, ...]] = ((0, 0, 96, 64), (5, 3, 70, 50))
_TRIED_PX: Final = (40, 60)


def _try_compiled(noise: Pixels) -> list[Pixels | None]:
    return native.scaling.pieces(noise, _TRIED, *_TRIED_PX)


def _try_opencv(noise: Pixels) -> list[Pixels]:
    return [_cut(Piece(noise, part), _TRIED_PX).scaled for part in _TRIED]


def _cut(piece: Piece, input_px: tuple[int, int]) -> Cut:
    height, width = scaled_px(piece, input_px)
    left, top, right, bottom = piece.part
    # Copied first: reading rows that lie far apart, as scaling does, takes twice as long as copying them.
    crop = np.ascontiguousarray(piece.pixels[top:bottom, left:right])
    # As in `Letterbox`: below half size plain linear sampling would skip pixels.
    method = cv2.INTER_AREA if 2 * width < right - left else cv2.INTER_LINEAR
    return Cut(piece.part, np.asarray(cv2.resize(crop, (width, height), interpolation=method), np.uint8))


def detect(
    detector: Detector, input_px: tuple[int, int], pieces: Sequence[Piece | Cut], sheets: Sheets | None = None
) -> list[Detections]:
    """What `detector` finds in each piece, boxes in pixels of the whole picture. `input_px` (height, width) is its input;
    `sheets` are the caller's own, for one call at a time.

    Raises:
        DetectorError: it failed.
    """
    every = [one if isinstance(one, Cut) else cuts(one.pixels, (one.part,), input_px)[0] for one in pieces]
    spots, heights = arrange([(one.scaled.shape[0], one.scaled.shape[1]) for one in every], input_px)
    canvases = (sheets or Sheets()).take(heights, input_px)
    _draw(canvases, [one.scaled for one in every], spots)
    on_canvas: list[list[int]] = [[] for _ in canvases]
    for index, spot in enumerate(spots):
        on_canvas[spot[0]].append(index)
    back = [Detections.empty()] * len(every)
    for found, indices in zip(detector.detect(canvases), on_canvas, strict=True):
        mine = _back(found, [every[index].part for index in indices], [spots[index] for index in indices])
        for index, one in zip(indices, mine, strict=True):
            back[index] = one
    return back


def _draw(canvases: Sequence[Pixels], scaled: Sequence[Pixels], spots: Sequence[Spot]) -> None:
    """Grey, and each piece on its spot."""
    if native.mosaic is not None:
        native.mosaic.draw(canvases, scaled, spots, _GREY)
        return
    for canvas in canvases:
        canvas[:] = _GREY
    for one, (number, left, top, width, height) in zip(scaled, spots, strict=True):
        canvases[number][top : top + height, left : left + width] = one


def scaled_px(piece: Piece, input_px: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of a piece on a canvas."""
    height, width = piece.pixels.shape[:2]
    scale = min(input_px[0] / height, input_px[1] / width)
    left, top, right, bottom = piece.part
    return (
        min(input_px[0], max(1, round((bottom - top) * scale))),
        min(input_px[1], max(1, round((right - left) * scale))),
    )


def arrange(sizes_px: Sequence[tuple[int, int]], canvas_px: tuple[int, int]) -> tuple[list[Spot], list[int]]:
    """Where pieces of these (height, width) go, and how high each canvas is (one of `canvas_heights`).

    Highest pieces first, each where it ends highest up on the first canvas that has room: on a skyline (Jylanki, A Thousand
    Ways to Pack the Bin, 2010).
    """
    heights = canvas_heights(canvas_px[0])
    if native.mosaic is not None:
        lie, filled = native.mosaic.arrange(sizes_px, *canvas_px, _GAP_PX)
        return lie, [_least(heights, used_px) for used_px in filled]
    spots: dict[int, Spot] = {}
    skylines: list[_Skyline] = []
    for index in sorted(range(len(sizes_px)), key=lambda i: (-sizes_px[i][0], -sizes_px[i][1], i)):
        height, width = sizes_px[index]
        number, place = 0, None
        while place is None:
            if number == len(skylines):
                if height > canvas_px[0] or width > canvas_px[1]:
                    raise ValueError(f"a piece of {height}x{width} is larger than its canvas of {canvas_px}")
                skylines.append(_Skyline(canvas_px))
            place = skylines[number].place(height, width)
            number += 1
        spots[index] = (number - 1, place[0], place[1], width, height)
    return [spots[index] for index in range(len(sizes_px))], [_least(heights, one.used_px) for one in skylines]


def _least(heights: Sequence[int], used_px: int) -> int:
    return next(height for height in heights if height >= used_px)


class _Skyline:
    """A canvas that is filled from above: steps (left, right, depth) from its left edge to its right."""

    def __init__(self, canvas_px: tuple[int, int]) -> None:
        # The gap behind the last piece may lie beyond the edge.
        self._height, self._width = canvas_px[0] + _GAP_PX, canvas_px[1] + _GAP_PX
        self._steps = [(0, self._width, 0)]
        self.used_px = 0

    def place(self, height: int, width: int) -> tuple[int, int] | None:
        """(left, top) where a piece lies from now on; None when there is no room for it."""
        wide, high = width + _GAP_PX, height + _GAP_PX
        best: tuple[int, int] | None = None
        for number, (left, _, _) in enumerate(self._steps):
            if left + wide > self._width:
                break
            top = 0
            for other_left, _, depth in self._steps[number:]:
                if other_left >= left + wide:
                    break
                top = max(top, depth)
            if top + high <= self._height and (best is None or top < best[1]):
                best = (left, top)
        if best is not None:
            self._cover(best[0], best[0] + wide, best[1] + high)
            self.used_px = max(self.used_px, best[1] + height)
        return best

    def _cover(self, left: int, right: int, depth: int) -> None:
        steps = [(a, min(b, left), d) for a, b, d in self._steps if a < left]
        steps.append((left, right, depth))
        steps += [(max(a, right), b, d) for a, b, d in self._steps if b > right]
        self._steps = steps


def _back(found: Detections, parts: Sequence[Part], spots: Sequence[Spot]) -> list[Detections]:
    """A canvas's boxes as boxes of the pictures whose `parts` lie on its `spots`: for each part those of its own."""
    if len(found) == 0:
        return [found] * len(spots)
    if native.mosaic is not None:
        every = native.mosaic.back(found.xyxy_px, found.confidence, found.class_id, parts, spots)
        nothing = Detections.empty()
        return [nothing if one is None else Detections.trusted(*one) for one in every]
    placed = np.array([(left, top, left + width, top + height) for _, left, top, width, height in spots], np.float32)
    cut = np.array(parts, np.float32)
    middle = (found.xyxy_px[:, None, :2] + found.xyxy_px[:, None, 2:]) / 2
    lies: BoolArray = np.asarray(((middle >= placed[:, :2]) & (middle < placed[:, 2:])).all(axis=2))
    spot = lies.argmax(axis=1)
    spot[~lies.any(axis=1)] = len(spots)  # between them
    order = np.argsort(spot, kind="stable")
    ends = np.searchsorted(spot[order], np.arange(len(spots) + 1)).tolist()
    order = order[: ends[-1]]
    of = spot[order]
    size, wanted = placed[:, 2:] - placed[:, :2], cut[:, 2:] - cut[:, :2]
    boxes = found.xyxy_px[order].reshape(-1, 2, 2)
    boxes -= placed[of, None, :2]
    boxes *= (wanted / size)[of, None]
    boxes += cut[of, None, :2]
    np.clip(boxes, cut[of, None, :2], cut[of, None, 2:], out=boxes)
    moved, confidence, class_id = boxes.reshape(-1, 4), found.confidence[order], found.class_id[order]
    return [
        Detections(moved[begin:end], confidence[begin:end], class_id[begin:end])
        for begin, end in itertools.pairwise(ends)
    ]
