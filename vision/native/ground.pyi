"""As in `vision.ground` and `vision.footprint`."""

import numpy as np
import numpy.typing as npt

from vision.geometry import Box

_Floats = npt.NDArray[np.float64]

def apply(plane: _Floats, points: npt.ArrayLike) -> _Floats: ...
def fitted(
    box: Box,
    outlines: _Floats,
    plane: _Floats,
    back: _Floats,
    rounds: int,
    cut_left: bool,
    cut_right: bool,
    smallest: float,
    largest: float,
) -> tuple[_Floats, _Floats, _Floats]: ...
