"""As in `vision.mosaic`."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_Pixels = npt.NDArray[np.uint8]
_Spot = tuple[int, int, int, int, int]
_Part = tuple[int, int, int, int]
_Found = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int64]]

def arrange(sizes: Sequence[tuple[int, int]], height: int, width: int, gap: int) -> tuple[list[_Spot], list[int]]: ...
def draw(canvases: Sequence[_Pixels], scaled: Sequence[_Pixels], spots: Sequence[_Spot], grey: int) -> None: ...
def back(
    xyxy_px: npt.NDArray[np.float32],
    confidence: npt.NDArray[np.float32],
    class_id: npt.NDArray[np.int64],
    parts: Sequence[_Part],
    spots: Sequence[_Spot],
) -> list[_Found | None]: ...
