"""How sharp a picture is, from the picture alone: how steep its strongest edges are."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vision.frame import Pixels

#: What is measured is about this wide, whatever the picture is: what the detector sees of it.
_WIDTH_PX: Final = 512
_REACH: Final = 8
_STRIPS: Final = 60
_STRONGEST: Final = 0.98
_LEAST_CONTRAST: Final = 12
_LEAST_EDGES: Final = 60

_Grey = npt.NDArray[np.int16]


def sharpness(pixels: Pixels) -> float | None:
    """Of the strongest edges of a picture (H, W, 3) the median share of their contrast over 8 pixels that one pixel holds:
    1 is a step, 0.125 a ramp. None where nothing has an edge (fog, a wall, a dark night).

    Measured on 70 pictures of 31 cameras: 0.29 and more; the same out of focus by 3 px of 640 (standard deviation): 0.23 and
    less, by 1.5 px, which the detector hardly minds, 0.25 to 0.34.
    """
    step = max(1, round(pixels.shape[1] / _WIDTH_PX))
    # Strips of rows and of columns are enough, and cost a tenth of the whole picture.
    rows = _averaged(_strips(pixels[..., 1], step), step)
    columns = _averaged(_strips(pixels[..., 1].T, step), step)
    shares = [_edges(part) for part in (rows, columns) if part.shape[1] > 2 * _REACH]
    found = np.concatenate(shares) if shares else np.empty(0)
    return float(np.median(found)) if len(found) >= _LEAST_EDGES else None


def _strips(green: npt.NDArray[np.uint8], step: int) -> npt.NDArray[np.uint8]:
    """(S, step, L): at most 60 strips of `step` lines each."""
    lines = green.shape[0] // step
    starts = np.unique(np.linspace(0, lines - 1, min(_STRIPS, lines)).astype(int)) * step
    return np.asarray(green[starts[:, None] + np.arange(step)[None, :]])


def _averaged(strips: npt.NDArray[np.uint8], step: int) -> _Grey:
    """(S, L // step): each strip as one line of averages over `step` x `step` pixels."""
    count, _, length = strips.shape
    whole = strips[:, :, : length // step * step].reshape(count, step, length // step, step)
    return np.asarray(whole.mean(axis=(1, 3)) if step > 1 else whole[:, 0, :, 0], np.int16)


def _edges(lines: _Grey) -> npt.NDArray[np.float64]:
    rise = np.abs(lines[:, _REACH:] - lines[:, :-_REACH])
    slope = np.abs(np.diff(lines, axis=1))
    steepest = slope[:, : rise.shape[1]].copy()
    for offset in range(1, _REACH):
        np.maximum(steepest, slope[:, offset : offset + rise.shape[1]], out=steepest)
    strong = rise >= max(_LEAST_CONTRAST, float(np.quantile(rise, _STRONGEST)))
    return np.asarray(steepest[strong] / rise[strong], np.float64)
