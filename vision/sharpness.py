"""How sharp a picture is, from the picture alone: how steep its strongest edges are."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vision.brightness import brightness
from vision.frame import Pixels

#: What is measured is about this wide, whatever the picture is: what the detector sees of it.
_WIDTH_PX: Final = 512
_REACH: Final = 8
_STRIPS: Final = 60
_STRONGEST: Final = 0.98
_LEAST_CONTRAST: Final = 12
_LEAST_EDGES: Final = 60

_Grey = npt.NDArray[np.int16]


def sharpness(picture: Pixels) -> float | None:
    """Of the strongest edges of a picture (H, W, 3), or of its brightness (H, W), the median share of their contrast over
    8 pixels that one pixel holds: 1 is a step, 0.125 a ramp. None where nothing has an edge (fog, a wall, a dark night).

    Measured on 70 pictures of 31 cameras: 0.29 and more; the same out of focus by 3 px of 640 (standard deviation): 0.23 and
    less, by 1.5 px, which the detector hardly minds, 0.25 to 0.34.
    """
    plane = brightness(picture)
    step = max(1, round(plane.shape[1] / _WIDTH_PX))
    # Strips of rows and of columns are enough, and cost a tenth of the whole picture.
    rows = _averaged(_strips(plane, step), step)
    columns = _averaged(_strips(plane.T, step), step)
    shares = [_edges(part) for part in (rows, columns) if part.shape[1] > 2 * _REACH]
    found = np.concatenate(shares) if shares else np.empty(0)
    return float(np.median(found)) if len(found) >= _LEAST_EDGES else None


def _strips(plane: Pixels, step: int) -> Pixels:
    """(step, S, L): line 1 to `step` of at most 60 strips."""
    lines = plane.shape[0] // step
    starts = np.unique(np.linspace(0, lines - 1, min(_STRIPS, lines)).astype(int)) * step
    return np.stack([plane[starts + offset] for offset in range(step)])


def _averaged(strips: Pixels, step: int) -> _Grey:
    """(S, L // step): each strip as one line of averages over `step` x `step` pixels."""
    length = strips.shape[2] // step
    total = np.zeros((strips.shape[1], length), np.uint16)
    for line in strips:
        for offset in range(step):
            total += line[:, offset : length * step : step]
    return (total // (step * step)).astype(np.int16)


def _edges(lines: _Grey) -> npt.NDArray[np.float64]:
    rise = np.abs(lines[:, _REACH:] - lines[:, :-_REACH])
    slope = np.abs(np.diff(lines, axis=1))
    strong = rise >= max(_LEAST_CONTRAST, _quantile(rise, _STRONGEST))
    at_row, at_column = np.nonzero(strong)
    # The steepest of the slopes within reach, only where it is asked for.
    steepest = slope[at_row[:, None], at_column[:, None] + np.arange(_REACH)].max(axis=1)
    return np.asarray(steepest / rise[at_row, at_column], np.float64)


def _quantile(rise: _Grey, share: float) -> float:
    """As `np.quantile` has it, by counting: there are 256 levels and tens of thousands of values."""
    upto = np.cumsum(np.bincount(rise.ravel()))
    place = share * (rise.size - 1)
    low, high = (int(np.searchsorted(upto, int(at), side="right")) for at in (place, min(place + 1, rise.size - 1)))
    return low + (high - low) * (place - int(place))
