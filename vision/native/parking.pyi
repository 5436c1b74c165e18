"""For `vision.behaviours`: parking_cases, parking_place and parking_sight."""

from collections.abc import Set

import numpy as np
import numpy.typing as npt

from vision.geometry import Box
from vision.track import Track, TrackState

_Floats = npt.NDArray[np.float64]
_Integers = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]

def vehicles(
    xyxy_px: npt.ArrayLike,
    confidence: npt.ArrayLike,
    class_id: _Integers,
    track_id: _Integers,
    watched: Set[int],
    width: float,
    height: float,
) -> tuple[list[Box], list[int], list[int], list[float]]: ...
def meet(
    places: list[Box], tracks: list[int], boxes: list[Box], track_ids: list[int]
) -> list[tuple[int, int]] | None: ...
def apart_m(place: Box, boxes: _Floats, wheels: _Bools, ground: _Floats) -> _Floats: ...
def nearness(
    place: Box, boxes: _Floats, same: _Bools, apart: _Floats | None, most_m: float, on_m: float
) -> _Floats: ...
def wheels_in_view(boxes: _Floats, others: _Floats) -> _Bools: ...
def things(
    xyxy_px: npt.ArrayLike,
    confidence: npt.ArrayLike,
    class_id: _Integers,
    tracks: tuple[Track, ...],
    time_s: float,
    lost: TrackState,
    of_vehicles: Set[int],
    width: float,
    height: float,
) -> tuple[_Floats, _Bools, _Bools]: ...
def cells_in_view(place: Box, boxes: _Floats, is_it: _Bools) -> _Bools: ...
def is_occupied(place: Box, boxes: _Floats, is_seen: _Bools, is_vehicle: _Bools) -> bool: ...
