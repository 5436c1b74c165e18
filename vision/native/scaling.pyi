"""As in `vision.mosaic`, and as OpenCV's `resize`."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_Pixels = npt.NDArray[np.uint8]

def pieces(
    pixels: _Pixels, parts: Sequence[tuple[int, int, int, int]], input_height: int, input_width: int
) -> list[_Pixels | None]: ...
