"""As in `vision.motion`."""

import numpy as np
import numpy.typing as npt

def boxes(
    changed: npt.NDArray[np.bool_], least_blocks: int, margin_blocks: int
) -> tuple[tuple[float, float, float, float], ...]: ...
