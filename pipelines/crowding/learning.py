"""Fits the head that counts a crowd: on staged crowds of some people, and on real footage of some sources; the others are kept
for judging.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np

from pipelines.crowding.footage import Shot
from pipelines.crowding.staging import SIZE_PX, StagedCrowd, plate_of, stage_crowd
from pipelines.samples.staged.cast import Company
from pipelines.samples.staged.plate import Plate
from vision.crowd import MapReader, Tile, cut
from vision.crowd_head import CrowdHead
from vision.detection import BoolArray, Float32Array
from vision.frame import Pixels
from vision.geometry import FloatArray

INPUT_PX: Final = (384, 512)
#: How tall a person is in a tile, in pixels.
TALL_PX: Final = 112.0
#: Who is learnt from, and who is kept for judging.
LEARNT_FROM: Final = ("paper", "red", "jeans", "grey", "swing", "bald", "side")
KEPT: Final = ("jacket", "away", "front", "dark", "coat", "phone")
_STRIDE_PX: Final = 8
_BLUR_CELLS: Final = 0.7
#: Of the cells without anybody near, this share is learnt from (and weighs more accordingly).
_EMPTY_SHARE: Final = 0.15
#: Passes over the cells. More learn the cells of these pictures by heart.
_PASSES: Final = 14


@dataclass(slots=True)
class Lessons:
    """Cells: what the network says of each (C,), how many heads are there, how much it weighs."""

    told: list[Float32Array] = field(default_factory=list)
    truth: list[Float32Array] = field(default_factory=list)
    weight: list[Float32Array] = field(default_factory=list)

    def add(self, maps: Float32Array, truth: Float32Array, unknown: BoolArray, random: np.random.Generator) -> None:
        """A tile (h, w, C) with its heads (h, w); of `unknown` cells (h, w) nothing is learnt."""
        near = cv2.dilate((truth > 1e-3).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        keep = (near | (random.random(truth.shape) < _EMPTY_SHARE)) & ~unknown
        self.told.append(maps[keep])
        self.truth.append(truth[keep])
        self.weight.append(np.where(near[keep], 1.0, 1 / _EMPTY_SHARE).astype(np.float32))


def tile_on(middle: FloatArray, tall_px: float, random: np.random.Generator) -> Tile:
    """A tile around a place, at a scale and a place that are a little off."""
    scale = TALL_PX / tall_px * float(np.exp(random.uniform(-0.28, 0.28)))
    size = np.array(INPUT_PX[::-1]) / scale
    left, top = middle - size * random.uniform(0.35, 0.65, 2)
    return Tile(float(left), float(top), scale)


def heads_in(tile: Tile, heads_px: FloatArray) -> Float32Array:
    """(h, w) how many of the heads (N, 2) are in each cell, each spread over the cells next to it."""
    rows, columns = INPUT_PX[0] // _STRIDE_PX, INPUT_PX[1] // _STRIDE_PX
    truth = np.zeros((rows + 8, columns + 8), np.float32)
    for x, y in (heads_px - (tile.left, tile.top)) * tile.scale / _STRIDE_PX - 0.5 + 4:
        column, row = int(np.floor(x)), int(np.floor(y))
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
            if 0 <= row + dy < rows + 8 and 0 <= column + dx < columns + 8:
                truth[row + dy, column + dx] += abs(1 - dx - (x - column)) * abs(1 - dy - (y - row))
    return np.asarray(cv2.GaussianBlur(truth, (5, 5), _BLUR_CELLS)[4:-4, 4:-4], np.float32)


def covered_by(tile: Tile, boxes: FloatArray, size_px: tuple[int, int]) -> BoolArray:
    """(h, w) cells that `boxes` (N, 4) touch, or that lie beyond the picture of `size_px` (height, width)."""
    rows, columns = INPUT_PX[0] // _STRIDE_PX, INPUT_PX[1] // _STRIDE_PX
    found = np.zeros((rows, columns), bool)
    for x1, y1, x2, y2 in (boxes - (tile.left, tile.top) * 2) * tile.scale / _STRIDE_PX:
        found[max(0, int(y1)) : max(0, int(y2) + 1), max(0, int(x1)) : max(0, int(x2) + 1)] = True
    y, x = (np.mgrid[:rows, :columns] + 0.5) * _STRIDE_PX / tile.scale
    x, y = x + tile.left, y + tile.top
    return np.asarray(found | (x < 0) | (y < 0) | (x >= size_px[1]) | (y >= size_px[0]), bool)


def _staged(company: Company, people: Sequence[str], plate: Plate, random: np.random.Generator) -> StagedCrowd:
    return stage_crowd(
        company,
        people,
        random,
        count=int(np.exp(random.uniform(np.log(3), np.log(60)))),
        density=float(np.exp(random.uniform(np.log(0.4), np.log(7.5)))),
        height_m=float(random.uniform(3.5, 11.0)),
        tall_px=float(random.uniform(60.0, 130.0)),
        plate=plate,
    )


def gather(
    company: Company,
    plates: Sequence[Plate],
    shots: Sequence[Shot],
    reader: MapReader,
    *,
    pictures: int,
    seed: int = 0,
    people: Sequence[str] = LEARNT_FROM,
    say: Callable[[], None] = lambda: None,
) -> Lessons:
    """`pictures` staged crowds, every other one in front of real footage, and all of `shots` as they are."""
    random = np.random.default_rng((seed, 77))
    lessons = Lessons()

    def learn(pixels: Pixels, tile: Tile, heads_px: FloatArray, unknown: FloatArray) -> None:
        maps = reader.read(cut(pixels, tile, INPUT_PX))
        size_px = (pixels.shape[0], pixels.shape[1])
        lessons.add(maps, heads_in(tile, heads_px), covered_by(tile, unknown, size_px), random)
        say()

    for number in range(pictures):
        shot = shots[int(random.integers(len(shots)))] if shots and number % 2 else None
        plate = plates[int(random.integers(len(plates)))] if shot is None else plate_of(shot.pixels)
        crowd = _staged(company, people, plate, random)
        middle = (crowd.heads_px.min(axis=0) + crowd.feet_px.max(axis=0)) / 2
        # Who was on the footage before, and may be half hidden now, is neither somebody nor nobody.
        before = np.empty((0, 4))
        if shot is not None:
            size = np.array([SIZE_PX[0] / shot.pixels.shape[1], SIZE_PX[1] / shot.pixels.shape[0]] * 2)
            before = np.concatenate([shot.boxes, shot.unsure]) * size
            apart = [not np.any(_inside(crowd, box)) for box in before]
            before = before[np.array(apart, bool)]
        learn(crowd.pixels, tile_on(middle, float(np.median(crowd.tall_px)), random), crowd.heads_px, before)
    for shot in shots:
        middle = (shot.boxes[:, :2].min(axis=0) + shot.boxes[:, 2:].max(axis=0)) / 2
        tile = tile_on(middle, shot.tall_px, random)
        # A head of somebody much nearer or farther is not of the size that is learnt.
        tall = (shot.boxes[:, 3] - shot.boxes[:, 1]) / shot.tall_px
        usual = (tall > 0.5) & (tall < 1.8)
        learn(shot.pixels, tile, shot.heads_px[usual], np.concatenate([shot.boxes[~usual], shot.unsure]))
    return lessons


def _inside(crowd: StagedCrowd, box: FloatArray) -> BoolArray:
    """Whose head of a staged crowd is inside a box."""
    heads = crowd.heads_px
    return np.asarray(((heads >= box[:2]) & (heads < box[2:])).all(axis=1))


def fit(
    lessons: Lessons, people: Sequence[str] = LEARNT_FROM, *, seed: int = 0, hidden: int = 64, passes: int = _PASSES
) -> CrowdHead:
    """The head; the same every time."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    x, y = np.concatenate(lessons.told), np.concatenate(lessons.truth)
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-3
    batch = min(4096, max(64, len(y) // 100))
    judge = MLPRegressor(
        loss="poisson", hidden_layer_sizes=(hidden,), alpha=1e-3, batch_size=batch, learning_rate_init=2e-3,
        max_iter=passes, random_state=seed, tol=0.0, n_iter_no_change=passes,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is stopped on purpose
        judge.fit((x - mean) / scale, y, sample_weight=np.concatenate(lessons.weight))
    (inner, outer), (inner_shift, outer_shift) = judge.coefs_, judge.intercepts_
    return CrowdHead(
        mean=mean.astype(np.float32),
        scale=scale.astype(np.float32),
        inner=inner.astype(np.float32),
        inner_shift=inner_shift.astype(np.float32),
        outer=outer[:, 0].astype(np.float32),
        outer_shift=float(outer_shift[0]),
        tall_px=TALL_PX,
        trained_on=tuple(people),
    )
