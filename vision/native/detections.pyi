"""What is done to all detections of one picture."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

_Boxes = npt.NDArray[np.float32]
_Numbers = npt.NDArray[np.float32]
_Classes = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]
_Edges = tuple[_Floats, _Floats, _Floats, _Floats]

def rounded(
    xyxy_px: _Boxes, confidence: _Numbers, class_id: _Classes, steps_per_px: int, steps_of_confidence: int
) -> tuple[_Boxes, _Numbers, _Classes]: ...
def where(
    xyxy_px: _Boxes, confidence: _Numbers, class_id: _Classes, keep: npt.NDArray[np.bool_]
) -> tuple[_Boxes, _Numbers, _Classes] | None: ...
def once(
    xyxy_px: _Boxes, confidence: _Numbers, class_id: _Classes, names: Sequence[int], twice_iou: float
) -> npt.NDArray[np.bool_] | None: ...
def not_masked(xyxy_px: _Boxes, masks: Sequence[_Edges], width_px: int, height_px: int) -> npt.NDArray[np.bool_]: ...
def norm(xyxy_px: npt.ArrayLike, width_px: int, height_px: int) -> _Floats: ...
def met(
    places: Iterable[tuple[float, float, float, float]],
    boxes: _Floats,
    class_id: _Classes,
    kinds: Iterable[int],
    least_iou: float,
) -> list[bool]: ...
def packed(
    xyxy_px: _Boxes,
    confidence: _Numbers,
    class_id: _Classes,
    seen_px: _Boxes,
    track_id: _Classes,
    steps_per_px: int,
    steps_of_confidence: int,
) -> bytes | None: ...
