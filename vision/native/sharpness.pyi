"""As in `vision.sharpness`."""

import numpy as np
import numpy.typing as npt

def edges(plane: npt.NDArray[np.uint8], lines: npt.NDArray[np.int64], down: bool) -> npt.NDArray[np.float64]: ...
