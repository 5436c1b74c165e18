"""As in `vision.parts`."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

_Boxes = npt.NDArray[np.float32]
_Rectangle = tuple[float, float, float, float]
_Part = tuple[int, int, int, int]

class _Detections(Protocol):
    @property
    def xyxy_px(self) -> _Boxes: ...
    @property
    def confidence(self) -> npt.NDArray[np.float32]: ...
    @property
    def class_id(self) -> npt.NDArray[np.int64]: ...
    def __len__(self) -> int: ...

def cover(
    wanted: Sequence[_Rectangle],
    known: _Boxes,
    margin_px: float,
    least_px: float,
    edge_px: float,
    height: int,
    width: int,
) -> tuple[_Part, ...]: ...
def settled(
    held: _Detections,
    found: Sequence[_Detections],
    parts: Sequence[_Part],
    height: float,
    width: float,
    near_px: float,
    same: float,
) -> tuple[_Boxes, npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.bool_]]: ...
