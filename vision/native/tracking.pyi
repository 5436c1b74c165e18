"""What one picture does to the rows of `vision.tracking.rows`."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

_Rows = npt.NDArray[np.void]
_Integers = npt.NDArray[np.int64]
_Track = TypeVar("_Track")

def follow(
    rows: _Rows,
    xyxy_px: npt.NDArray[np.float32],
    confidence: npt.NDArray[np.float32],
    class_id: _Integers,
    time_s: float,
    before_s: float | None,
    next_id: int,
    limits: npt.NDArray[np.float64],
    missed_s: float,
    group_of: _Integers,
    other_groups: int,
    noise: npt.NDArray[np.float64],
) -> tuple[_Rows, _Integers]: ...
def tracks(
    rows: _Rows, time_s: float, track: type[_Track], tentative: object, confirmed: object, lost: object
) -> tuple[_Track, ...]: ...
