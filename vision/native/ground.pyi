"""As in `vision.ground`."""

import numpy as np
import numpy.typing as npt

def apply(plane: npt.NDArray[np.float64], points: npt.ArrayLike) -> npt.NDArray[np.float64]: ...
