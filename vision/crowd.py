"""People who hide each other: where a picture shows so many that boxes miss some, heads are counted on a map instead.

The middle layers of the detector's own network describe each small part of the picture, and a head that was trained on staged
crowds says how many people's heads are there (a density map, as Lempitsky and Zisserman, Learning to Count Objects in Images,
2010). It is asked only of places where the boxes themselves already show a crowd; anywhere else it can change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import cv2
import numpy as np

from vision.detection import Float32Array
from vision.frame import Pixels
from vision.geometry import BoolArray, Box, FloatArray

_GREY: Final = (114, 114, 114)
#: The middle of a head lies this share of a person's height below the top of the box.
HEAD_SHARE: Final = 0.07
#: Around the people seen, this many of their heights are looked at besides: those who are hidden stand there.
_AROUND: Final = 0.6
#: Tiles overlap by this many input pixels on each side; what lies there is counted in the tile that has more around it.
_OVERLAP_PX: Final = 32
#: More tiles are not looked at: larger crowds are looked at smaller.
MOST_TILES: Final = 6
_STRIDE_PX: Final = 8
#: Cells with less than this are left out of a reading.
_LEAST: Final = 0.004
#: Places and numbers are rounded to these steps, so that what is stored is what was judged.
PLACE_STEPS: Final = 10_000
PEOPLE_STEPS: Final = 1_000


class MapReader(Protocol):
    """Describes a picture part by part."""

    def read(self, picture: Pixels) -> Float32Array:
        """(height, width, 3) uint8 BGR -> (height / 8, width / 8, channels)."""
        ...


class MapHead(Protocol):
    """Judges what was said: `vision.crowd_head.CrowdHead`."""

    @property
    def tall_px(self) -> float:
        """How tall a person is meant to be in a tile."""
        ...

    def heads(self, maps: Float32Array) -> Float32Array:
        """(h, w, channels) -> (h, w): how many heads there are in each cell."""
        ...


class Tile(NamedTuple):
    """A part of a picture at another scale: an input pixel is `1 / scale` pixels of the picture, the first at `left`, `top`."""

    left: float
    top: float
    scale: float


@dataclass(frozen=True, slots=True, eq=False)
class CrowdReading:
    """`places` (K, 2): ground points 0..1 of the picture, `people` (K,): how many stand there. `region`: whose head is in this
    part of the picture is counted in it, whether boxes show them or not.
    """

    places: FloatArray
    people: FloatArray
    region: Box


def cut(pixels: Pixels, tile: Tile, input_px: tuple[int, int]) -> Pixels:
    """The tile of a picture (H, W, 3), grey beyond its edges: (height, width, 3)."""
    height, width = input_px
    matrix = np.array([[tile.scale, 0, -tile.left * tile.scale], [0, tile.scale, -tile.top * tile.scale]], np.float64)
    # Below half size linear sampling would skip pixels.
    if tile.scale < 0.6:
        shrunk = cv2.resize(pixels, None, fx=tile.scale, fy=tile.scale, interpolation=cv2.INTER_AREA)
        matrix[0, 0] = matrix[1, 1] = 1.0
        pixels = np.asarray(shrunk, np.uint8)
    how = cv2.INTER_CUBIC if tile.scale > 1.2 else cv2.INTER_LINEAR
    moved = cv2.warpAffine(
        pixels, matrix, (width, height), flags=how, borderMode=cv2.BORDER_CONSTANT, borderValue=_GREY
    )
    return np.asarray(moved, np.uint8)


class CrowdModel:
    """Reads crowds: a describer of `input_px` (height, width) and the head that was trained on what it says."""

    def __init__(self, reader: MapReader, head: MapHead, input_px: tuple[int, int]) -> None:
        self._reader = reader
        self._head = head
        self._input_px = input_px

    def heads(self, pixels: Pixels, tile: Tile) -> tuple[FloatArray, Float32Array]:
        """Of each cell of a tile: its middle in pixels of the picture (h, w, 2), and how many heads are there (h, w)."""
        found = self._head.heads(self._reader.read(cut(pixels, tile, self._input_px)))
        rows, columns = np.mgrid[: found.shape[0], : found.shape[1]]
        middles = (np.stack([columns, rows], axis=-1) + 0.5) * _STRIDE_PX / tile.scale
        return middles + np.array([tile.left, tile.top]), found

    def read(self, pixels: Pixels, boxes: FloatArray, horizon: FloatArray | None) -> CrowdReading:
        """`boxes` (N, 4) in pixels are the people seen in the crowd, N > 0. `horizon` (3,): a x + b y + c, in pixels, is 0 on the
        horizon and grows towards the camera; None: not known, then all people are taken to be as tall as these.
        """
        height, width = pixels.shape[:2]
        tall = float(np.percentile(boxes[:, 3] - boxes[:, 1], 75))
        margin = _AROUND * tall
        low = np.maximum([boxes[:, 0].min() - margin, boxes[:, 1].min() - margin], 0.0)
        high = np.minimum([boxes[:, 2].max() + margin, boxes[:, 3].max() + 0.2 * tall], [width, height])
        heads = low[0], low[1], high[0], high[1]
        rows: list[FloatArray] = []
        counts: list[FloatArray] = []
        for tile, own in self._tiles(heads, tall):
            middles, found = self.heads(pixels, tile)
            flat, number = middles.reshape(-1, 2), found.reshape(-1).astype(np.float64)
            inside = (flat >= own[:2]).all(axis=1) & (flat < own[2:]).all(axis=1) & (number > _LEAST)
            inside &= _near(flat, boxes, margin)
            rows.append(flat[inside])
            counts.append(number[inside])
        points, people = np.concatenate(rows), np.concatenate(counts)
        feet = points + np.array([0.0, 1.0]) * (_tallness(points, boxes, horizon, tall) * (1 - HEAD_SHARE))[:, None]
        size = np.array([width, height], np.float64)
        places, people = _gathered(np.clip(feet / size, 0, 1), people, 0.2 * tall / size)
        region = (heads[0] / width, heads[1] / height, heads[2] / width, heads[3] / height)
        return CrowdReading(places, people, tuple(round(float(v) * PLACE_STEPS) / PLACE_STEPS for v in region))  # type: ignore[arg-type]

    def _tiles(self, region: tuple[float, float, float, float], tall: float) -> list[tuple[Tile, FloatArray]]:
        """Tiles that cover `region`, and the part of the picture (4,) that each of them counts."""
        scale = self._head.tall_px / tall
        wide, high = region[2] - region[0], region[3] - region[1]
        while True:
            room = (np.array(self._input_px[::-1]) - 2 * _OVERLAP_PX) / scale
            across, down = int(np.ceil(wide / room[0])), int(np.ceil(high / room[1]))
            if across * down <= MOST_TILES:
                break
            scale *= 0.9
        own = np.array([wide / across, high / down])
        full = np.array(self._input_px[::-1]) / scale
        tiles = []
        for row in range(down):
            for column in range(across):
                start = np.array([region[0], region[1]]) + own * (column, row)
                left, top = start + own / 2 - full / 2
                tiles.append((Tile(float(left), float(top), scale), np.concatenate([start, start + own])))
        return tiles


def _near(points: FloatArray, boxes: FloatArray, margin: float) -> BoolArray:
    """(N,) which of `points` (N, 2) are within `margin` of a box: who is hidden stands beside or behind somebody who is seen."""
    low, high = boxes[:, :2] - margin, boxes[:, 2:] + (margin, 0.0)
    inside = np.all((points[:, None] >= low) & (points[:, None] <= high), axis=2)
    return np.asarray(np.any(inside, axis=1))


def _tallness(points: FloatArray, boxes: FloatArray, horizon: FloatArray | None, tall: float) -> FloatArray:
    """(N,) how tall in pixels the people are whose heads are at `points` (N, 2): as far below the horizon as their feet are, in
    the proportion that the boxes have.
    """
    if horizon is None:
        return np.full(len(points), tall)
    feet = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)
    below = feet @ horizon[:2] + horizon[2]
    share = float(np.percentile((boxes[:, 3] - boxes[:, 1]) / np.maximum(below, 1e-6), 75))
    # tall = share * (a x + b (y + (1 - HEAD_SHARE) tall) + c), solved for tall; on no account more than twice the usual.
    here = points @ horizon[:2] + horizon[2]
    rest = 1 - share * horizon[1] * (1 - HEAD_SHARE)
    found = share * here / rest if rest > 0.05 else np.full(len(points), tall)
    return np.asarray(np.clip(found, 0.5 * tall, 2 * tall))


def _gathered(places: FloatArray, people: FloatArray, step: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Places (K, 2) within one step of a grid as one, in their middle, rounded."""
    if not len(places):
        return places, people
    cells, where = np.unique(np.floor(places / step).astype(np.int64), axis=0, return_inverse=True)
    where = where.reshape(-1)
    total = np.bincount(where, people, len(cells))
    middle = np.stack([np.bincount(where, people * places[:, axis], len(cells)) / total for axis in (0, 1)], axis=1)
    kept = np.rint(total * PEOPLE_STEPS) > 0
    return np.rint(middle[kept] * PLACE_STEPS) / PLACE_STEPS, np.rint(total[kept] * PEOPLE_STEPS) / PEOPLE_STEPS
