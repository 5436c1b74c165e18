"""For `vision.behaviours.parking_sight`."""

import numpy as np
import numpy.typing as npt

from vision.geometry import Box

def meet(
    places: list[Box], tracks: list[int], boxes: npt.NDArray[np.float64], track_ids: npt.NDArray[np.int64]
) -> list[tuple[int, int]] | None: ...
