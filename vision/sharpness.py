"""How sharp a picture is, from the picture alone: how steep its strongest edges are."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from vision import native
from vision.brightness import brightness, shrunk
from vision.detection import Int64Array
from vision.frame import Pixels
from vision.geometry import FloatArray

#: What is measured is at least this wide and less than twice as wide, whatever the picture is: what the detector sees of it.
LEAST_WIDTH_PX: Final = 384
_REACH: Final = 8
_LINES: Final = 60
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
    plane = shrunk(brightness(picture), LEAST_WIDTH_PX)
    found = np.concatenate([_edges(plane, down) for down in (False, True)])
    if len(found) < _LEAST_EDGES:
        return None
    found.sort()
    return float((found[(len(found) - 1) // 2] + found[len(found) // 2]) / 2)


@lru_cache(maxsize=64)
def _lines(count: int) -> Int64Array:
    """Some of so many rows or columns are enough."""
    return np.unique(np.linspace(0, count - 1, min(_LINES, count)).astype(np.int64))


def _edges(plane: Pixels, down: bool) -> FloatArray:
    """Of each of the strongest edges along some rows, or columns (`down`), of a plane (H, W), one line after another."""
    if native.view is not None:
        return native.view.edges(np.ascontiguousarray(plane), _lines(plane.shape[1 if down else 0]), down)
    turned = plane.T if down else plane
    if turned.shape[1] <= 2 * _REACH:
        return np.empty(0)
    lines = turned[_lines(len(turned))].astype(np.int16)
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
