"""As in `vision.brightness`."""

import numpy as np
import numpy.typing as npt

def thumbnail(pixels: npt.NDArray[np.uint8], step: int) -> npt.NDArray[np.uint8] | None: ...
