"""Looks: a thumbnail of a place, small enough to keep with a case, good enough to tell whether the same thing is
there.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import cv2
import numpy as np

from vision.frame import Pixels
from vision.geometry import BoolArray, Box, FloatArray

#: Cells of the place itself along each side, and of the margin around it in which it is searched when the camera
#: shakes.
CORE: Final = 16
MARGIN: Final = 3
SIDE: Final = CORE + 2 * MARGIN
_FLAT: Final = 3.0  # grey levels: with less spread than this there is nothing to correlate


class Likeness(NamedTuple):
    """`structure` -1..1 is the correlation of brightness at the best shift, `colour` the mean difference in chroma
    levels.
    """

    structure: float
    colour: float


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """`cells` (SIDE, SIDE, 3) uint8 BGR: a place and a margin around it."""

    cells: Pixels

    @classmethod
    def measure(cls, pixels: Pixels, box_norm: Box) -> Self:
        """The place `box_norm` (x1, y1, x2, y2, 0..1) in a picture (H, W, 3); what lies outside repeats the border."""
        height, width = pixels.shape[:2]
        x1, y1, x2, y2 = box_norm[0] * width, box_norm[1] * height, box_norm[2] * width, box_norm[3] * height
        margin_x, margin_y = (x2 - x1) * MARGIN / CORE, (y2 - y1) * MARGIN / CORE
        left, right = round(x1 - margin_x), round(x2 + margin_x)
        top, bottom = round(y1 - margin_y), round(y2 + margin_y)
        right, bottom = max(right, left + 2), max(bottom, top + 2)
        in_x = (min(max(left, 0), width - 1), min(max(right, 1), width))
        in_y = (min(max(top, 0), height - 1), min(max(bottom, 1), height))
        crop = pixels[in_y[0] : in_y[1], in_x[0] : in_x[1]]
        if in_x != (left, right) or in_y != (top, bottom):
            crop = cv2.copyMakeBorder(  # type: ignore[assignment]
                crop,
                max(0, in_y[0] - top),
                max(0, bottom - in_y[1]),
                max(0, in_x[0] - left),
                max(0, right - in_x[1]),
                cv2.BORDER_REPLICATE,
            )
        return cls(cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.uint8))

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
        return float((core @ _GREY).mean())


_GREY: Final = np.array([0.114, 0.587, 0.299])


def _ellipse() -> FloatArray:
    """Weights (CORE, CORE): the corners of a box show what stands behind the car."""
    axis = (np.arange(CORE) + 0.5) / CORE * 2 - 1
    return np.asarray(np.clip(1.3 - (axis[:, None] ** 2 + axis[None, :] ** 2), 0.05, 1.0))


_WEIGHTS: Final = _ellipse()


def likeness(reference: Looks, now: Looks, visible: BoolArray | None = None) -> Likeness:
    """How much `now` looks like `reference`, over the cells of the core that are `visible` (CORE, CORE) in `now`.

    Zero-mean normalised cross-correlation: a cloud, a lamp or the camera's gain changes brightness and contrast of the
    whole place and leaves it where it is. The best of the shifts within the margin counts.
    """
    weights = _WEIGHTS if visible is None else _WEIGHTS * visible
    total = float(weights.sum())
    if total <= 0:
        return Likeness(0.0, 0.0)
    ref_bgr = reference.cells[MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float64)
    ref = ref_bgr @ _GREY
    grey = now.cells.astype(np.float64) @ _GREY
    windows = np.lib.stride_tricks.sliding_window_view(grey, (CORE, CORE)).reshape(-1, CORE * CORE)
    w = (weights / total).ravel()
    r = ref.ravel() - float(w @ ref.ravel())
    means = windows @ w
    spread_r = float(np.sqrt(w @ (r * r)))
    variance = np.clip((windows * windows) @ w - means * means, 0, None)
    spread = np.sqrt(variance)
    together = windows @ (w * r)
    flat = (spread < _FLAT) | (spread_r < _FLAT)
    score = np.where(flat, 0.0, together / np.maximum(spread * spread_r, 1e-9))
    best = int(np.argmax(score))
    structure = float(score[best])
    if spread_r < _FLAT and spread[len(spread) // 2] < _FLAT:
        structure = 1.0  # both are one even surface
    row, column = divmod(best, 2 * MARGIN + 1)
    now_bgr = now.cells[row : row + CORE, column : column + CORE].astype(np.float64)
    chroma = np.abs(_chroma(now_bgr) - _chroma(ref_bgr)).sum(axis=2)
    return Likeness(structure, float((chroma * weights).sum() / total))


def _chroma(bgr: FloatArray) -> FloatArray:
    """Blue-yellow and red-green without brightness (as in YCbCr)."""
    luma = bgr @ _GREY
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
