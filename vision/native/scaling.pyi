"""As OpenCV's `resize`."""

import numpy as np
import numpy.typing as npt

def linear(
    picture: npt.NDArray[np.uint8], part: tuple[int, int, int, int], height: int, width: int
) -> npt.NDArray[np.uint8] | None: ...
