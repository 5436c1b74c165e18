"""As in `vision.assignment`."""

import numpy as np
import numpy.typing as npt

def best_pairs(score: npt.NDArray[np.float64]) -> list[tuple[int, int]]: ...
