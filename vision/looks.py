"""Looks: a thumbnail of a place, small enough to keep with a case, good enough to tell whether the same thing is
there.
"""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Final, NamedTuple, Self

import cv2
import numpy as np

from vision import native
from vision.detection import Int64Array
from vision.frame import Frame, Picture, Pixels, size_px
from vision.geometry import BoolArray, Box, FloatArray
from vision.native.opencv import rounds_as

#: Cells of the place itself along each side, and of the margin around it in which it is searched when the camera
#: shakes.
CORE: Final = 16
MARGIN: Final = 2
SIDE: Final = CORE + 2 * MARGIN
_FLAT: Final = 3.0  # grey levels: with less spread than this there is nothing to correlate
#: A place is colourless when all but a twentieth of its cells are below this in chroma: by day 4.3 and more, infra-red with the
#: noise of a small sensor 4.2 and less.
_COLOURLESS: Final = 4.5


class Likeness(NamedTuple):
    """`structure` -1..1 is the correlation at the best shift, `colour` the mean difference in chroma levels; 0 where one of
    both has no colour at all, as under infra-red.
    """

    structure: float
    colour: float


class Looks:
    """A place and a margin around it."""

    __slots__ = ("_cells", "_cut")

    def __init__(self, cells: Pixels) -> None:
        """`cells` (SIDE, SIDE, 3) uint8 BGR; not to be written to."""
        self._cells: Pixels | None = cells
        self._cut: Pixels | None = None

    @classmethod
    def measure(cls, picture: Picture, box_norm: Box) -> Self:
        """The place `box_norm` (x1, y1, x2, y2, 0..1) in a picture; what lies outside repeats the border."""
        height, width = size_px(picture)
        rows, columns, beyond = _window(box_norm, width, height)
        place = (columns.start, rows.start, columns.stop, rows.stop)
        cut = (picture.at((place,)) if isinstance(picture, Frame) else picture)[rows, columns]
        # A copy either way: a picture that something of it is kept of would stay as a whole.
        looks = cls.__new__(cls)
        looks._cells = None
        looks._cut = (
            cut.copy() if beyond is None else np.asarray(cv2.copyMakeBorder(cut, *beyond, cv2.BORDER_REPLICATE))
        )
        return looks

    @property
    def cells(self) -> Pixels:
        """(SIDE, SIDE, 3) uint8 BGR. Made when they are first asked for: of a vehicle that is detected where it was they hardly
        ever are, and to make them takes ten times what cutting the place out does.
        """
        if self._cells is None:
            assert self._cut is not None
            self._cells, self._cut = _shrunk(self._cut), None
        return self._cells

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Inverse of `to_text`. Raises ValueError when the text is not one."""
        raw = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
        return cls(raw.reshape(SIDE, SIDE, 3))

    def to_text(self) -> str:
        """For JSON: about 2 kB."""
        return base64.b64encode(self.cells.tobytes()).decode("ascii")

    @property
    def luminance(self) -> float:
        """Mean grey level of the place, 0..255."""
        core = self.cells[MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float64)
        return float((core @ GREY).mean())

    @property
    def colourless(self) -> bool:
        """Whether nothing here has a colour."""
        chroma = np.abs(_chroma(self.cells.astype(np.float64))).sum(axis=2)
        return bool(np.count_nonzero(chroma >= _COLOURLESS) < chroma.size / 20)


def _shrunk(cut: Pixels) -> Pixels:
    """(SIDE, SIDE, 3) of (H, W, 3) in C order."""
    if native.looks is not None and rounds_as(_try_compiled, _try_opencv):
        shrunk = native.looks.shrink(cut, 0, cut.shape[0], 0, cut.shape[1])
        if shrunk is not None:
            return shrunk
    return _resized(cut)


def _resized(cut: Pixels) -> Pixels:
    return np.asarray(cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


#: What is tried on noise: top, bottom, left, right.
_TRIED: Final = ((0, 64, 0, 96), (3, 50, 5, 70), (20, 60, 0, 33), (1, 22, 40, 61))


def _try_compiled(noise: Pixels) -> list[Pixels | None]:
    return [native.looks.shrink(noise, *sides) for sides in _TRIED]


def _try_opencv(noise: Pixels) -> list[Pixels]:
    return [_resized(np.ascontiguousarray(noise[top:bottom, left:right])) for top, bottom, left, right in _TRIED]


# Places that stay are measured in every picture.
@lru_cache(maxsize=512)
def _window(box_norm: Box, width: int, height: int) -> tuple[slice, slice, tuple[int, int, int, int] | None]:
    """Rows and columns of a picture that hold a place and its margin, and how far that is beyond the edges of the picture: above,
    below, left, right; None: none.
    """
    x1, y1, x2, y2 = box_norm[0] * width, box_norm[1] * height, box_norm[2] * width, box_norm[3] * height
    margin_x, margin_y = (x2 - x1) * MARGIN / CORE, (y2 - y1) * MARGIN / CORE
    left, right = round(x1 - margin_x), round(x2 + margin_x)
    top, bottom = round(y1 - margin_y), round(y2 + margin_y)
    right, bottom = max(right, left + 2), max(bottom, top + 2)
    in_x = (min(max(left, 0), width - 1), min(max(right, 1), width))
    in_y = (min(max(top, 0), height - 1), min(max(bottom, 1), height))
    beyond = (max(0, in_y[0] - top), max(0, bottom - in_y[1]), max(0, in_x[0] - left), max(0, right - in_x[1]))
    is_beyond = in_x != (left, right) or in_y != (top, bottom)
    return slice(*in_y), slice(*in_x), beyond if is_beyond else None


#: Weights of blue, green and red in brightness.
GREY: Final = np.array([0.114, 0.587, 0.299])


def _ellipse() -> FloatArray:
    """Weights (CORE, CORE): the corners of a box show what stands behind the car."""
    axis = (np.arange(CORE) + 0.5) / CORE * 2 - 1
    return np.asarray(np.clip(1.3 - (axis[:, None] ** 2 + axis[None, :] ** 2), 0.05, 1.0))


_WEIGHTS: Final = _ellipse()


def likeness(reference: Looks, now: Looks, visible: BoolArray | None = None) -> Likeness:
    """How much `now` looks like `reference`, over the cells of the core that are `visible` (CORE, CORE) in `now`.

    Mean of two normalised cross-correlations, of brightness and of its gradient: a cloud, a lamp or the camera's gain
    changes brightness and contrast of the whole place and leaves both where they are; the gradient tells a car from
    another that is also dark below and light above. The best of the shifts within the margin counts.
    """
    weights = _WEIGHTS if visible is None else _WEIGHTS * visible
    if native.looks is not None:
        return Likeness(*native.looks.likeness(reference.cells, now.cells, weights))
    total = float(_sum(weights.ravel()))
    if total <= 0:
        return Likeness(0.0, 0.0)
    w = (weights / total).ravel()
    grey_then, grey_now = _grey(reference.cells.astype(np.float64)), _grey(now.cells.astype(np.float64))
    middle = (2 * MARGIN + 1) ** 2 // 2
    then, windows = _windows(grey_then)[:, middle], _windows(grey_now)
    then = then - _sum(then * w)
    windows = windows - _sum(windows * w[:, None])
    spread_then, spread = np.sqrt(_sum(then * then * w)), np.sqrt(_sum(windows * windows * w[:, None]))
    flat = (spread < _FLAT) | (spread_then < _FLAT)
    brightness = np.where(flat, 0.0, _sum(windows * (then * w)[:, None]) / np.maximum(spread * spread_then, 1e-9))
    along_x, along_y = (_windows(g) for g in _gradients(grey_now))
    then_x, then_y = (_windows(g)[:, middle] for g in _gradients(grey_then))
    steep = np.sqrt(_sum((along_x * along_x + along_y * along_y) * w[:, None]))
    steep_then = np.sqrt(_sum((then_x * then_x + then_y * then_y) * w))
    alike = _sum(along_x * (then_x * w)[:, None]) + _sum(along_y * (then_y * w)[:, None])
    gradient = np.where(flat, 0.0, alike / np.maximum(steep * steep_then, 1e-9))
    score = (brightness + gradient) / 2
    best = int(np.argmax(score))
    structure = float(score[best])
    if spread_then < _FLAT and spread[middle] < _FLAT:
        structure = 1.0  # both are one even surface
    if reference.colourless or now.colourless:
        return Likeness(structure, 0.0)
    row, column = divmod(best, 2 * MARGIN + 1)
    core_now = now.cells[row : row + CORE, column : column + CORE].astype(np.float64)
    core_then = reference.cells[MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float64)
    chroma = np.abs(_chroma(core_now) - _chroma(core_then)).sum(axis=2)
    return Likeness(structure, float(_sum((chroma * weights).ravel()) / total))


def _sum(terms: FloatArray) -> FloatArray:
    """Of `terms` (N, ...) along the first axis, one added after another: compiled code adds alike, to the bit."""
    return np.asarray(np.add.accumulate(terms, axis=0)[-1])


def _shifts() -> Int64Array:
    """(CORE^2, (2 MARGIN + 1)^2) flat indices of the core at every shift."""
    row, column = np.mgrid[:CORE, :CORE]
    core = (row * SIDE + column).ravel()
    shift_row, shift_column = np.mgrid[: 2 * MARGIN + 1, : 2 * MARGIN + 1]
    return np.asarray(core[:, None] + (shift_row * SIDE + shift_column).ravel()[None, :], np.int64)


_SHIFTS: Final = _shifts()


def _windows(grey: FloatArray) -> FloatArray:
    """(CORE^2, (2 MARGIN + 1)^2): the core at every shift."""
    return np.asarray(grey.ravel()[_SHIFTS])


def _gradients(grey: FloatArray) -> tuple[FloatArray, FloatArray]:
    along_x, along_y = np.zeros_like(grey), np.zeros_like(grey)
    along_x[:, 1:-1] = (grey[:, 2:] - grey[:, :-2]) / 2
    along_y[1:-1] = (grey[2:] - grey[:-2]) / 2
    return along_x, along_y


def _grey(bgr: FloatArray) -> FloatArray:
    """Brightness of (..., 3): the three colours one after another, which a matrix product does not promise."""
    return np.asarray(GREY[0] * bgr[..., 0] + GREY[1] * bgr[..., 1] + GREY[2] * bgr[..., 2])


def _chroma(bgr: FloatArray) -> FloatArray:
    """Blue-yellow and red-green without brightness (as in YCbCr)."""
    luma = _grey(bgr)
    return np.stack([0.564 * (bgr[..., 0] - luma), 0.713 * (bgr[..., 2] - luma)], axis=-1)


def visible_cells(place: Box, others: FloatArray) -> BoolArray:
    """(CORE, CORE): the cells of `place` whose middle no box of `others` (N, 4) covers."""
    steps = (np.arange(CORE) + 0.5) / CORE
    x = place[0] + (place[2] - place[0]) * steps
    y = place[1] + (place[3] - place[1]) * steps
    if len(others) == 0:
        return np.ones((CORE, CORE), bool)
    in_x = (x[None, :] >= others[:, :1]) & (x[None, :] <= others[:, 2:3])
    in_y = (y[None, :] >= others[:, 1:2]) & (y[None, :] <= others[:, 3:4])
    return np.asarray(~np.any(in_y[:, :, None] & in_x[:, None, :], axis=0))
