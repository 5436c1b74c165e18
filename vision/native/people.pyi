"""For `vision.behaviours.people` and `vision.crowd_watch`."""

import numpy as np
import numpy.typing as npt

from vision.track import Track, TrackState

_Floats = npt.NDArray[np.float64]

def inside(
    tracks: tuple[Track, ...],
    time_s: float,
    width: float,
    height: float,
    confirmed: TrackState,
    lost: TrackState,
    edges: tuple[_Floats, _Floats, _Floats, _Floats],
) -> tuple[Track, ...]: ...
def boxes_of(xyxy_px: npt.NDArray[np.float32], class_id: npt.NDArray[np.int64], wanted: int) -> _Floats: ...
def covered(boxes: npt.ArrayLike, share: float) -> npt.NDArray[np.bool_]: ...
def near(points: npt.ArrayLike, radius: float) -> _Floats: ...
