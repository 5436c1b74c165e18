"""As in `vision.looks`."""

import numpy as np
import numpy.typing as npt

def shrink(
    pixels: npt.NDArray[np.uint8], top: int, bottom: int, left: int, right: int
) -> npt.NDArray[np.uint8] | None: ...
def likeness(
    reference: npt.NDArray[np.uint8], now: npt.NDArray[np.uint8], weights: npt.NDArray[np.float64]
) -> tuple[float, float]: ...
