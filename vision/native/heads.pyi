"""As in `vision.detectors.heads`."""

import numpy as np
import numpy.typing as npt

def read_anchor_free(
    output: npt.NDArray[np.float32],
    rows: npt.NDArray[np.int64],
    coco: npt.NDArray[np.int64],
    confidence: float,
    overlap: float,
    kinds: npt.NDArray[np.int64],
    left: float,
    top: float,
    scale_x: float,
    scale_y: float,
    width: float,
    height: float,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int64]]: ...
