"""As in `vision.looks`."""

import numpy as np
import numpy.typing as npt

def likeness(
    reference: npt.NDArray[np.uint8], now: npt.NDArray[np.uint8], weights: npt.NDArray[np.float64]
) -> tuple[float, float]: ...
