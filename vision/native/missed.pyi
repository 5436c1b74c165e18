"""As in `vision.attention`."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_Rectangle = tuple[float, float, float, float]

def missed(
    before: npt.NDArray[np.float32],
    confidence: npt.NDArray[np.float32],
    looked: npt.NDArray[np.bool_] | None,
    now: npt.NDArray[np.float32],
    places: Sequence[_Rectangle],
    sure: float,
    same_iou: float,
    step: float,
    anew_iou: float,
) -> tuple[list[_Rectangle], list[bool]]: ...
