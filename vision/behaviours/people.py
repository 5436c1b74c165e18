"""Who counts as a person at one moment, and how close people stand."""

from __future__ import annotations

from typing import Final

import numpy as np

from vision import coco
from vision.geometry import FloatArray
from vision.scene import Scene
from vision.track import Track, TrackState

#: Local density is counted on a disc of this radius around each person.
PATCH_RADIUS_M: Final = 1.5
_PATCH_M2: Final = float(np.pi * PATCH_RADIUS_M**2)
#: A person whom the detector misses still counts for this long: one picture at 5 a second. Longer adds ghosts of those
#: who left: measured on real footage, the count is best from 0.15 to 0.3 s.
BRIDGE_S: Final = 0.2
#: Detections at or above this are matched first (`TrackerSettings.sure`).
SURE: Final = 0.4
_EDGE: Final = 0.003
_CLOCK_S: Final = 1e-3  # what times of day lose as floating-point numbers is far less


def seen_people(scene: Scene) -> list[Track]:
    """The people who are seen at this moment."""
    return [t for t in scene.tracks if t.class_id == coco.PERSON and t.state is TrackState.CONFIRMED]


def counted_people(scene: Scene) -> list[Track]:
    """The people who count at this moment: those seen, and those missed for a moment.

    Who was seen badly before he was missed was as often as not no longer there; who is missed at the edge of the picture has
    left it, and of whom only a part is seen there, badly, is about to.
    """
    return [track for track in scene.tracks if track.class_id == coco.PERSON and _counts(track, scene)]


def _counts(track: Track, scene: Scene) -> bool:
    sure = track.confidence >= SURE
    if track.state is TrackState.CONFIRMED:
        return sure or not _leaves(track, scene, bottom=False)
    missed_s = scene.time_s - track.last_seen_s
    bridged = track.state is TrackState.LOST and missed_s <= BRIDGE_S + _CLOCK_S
    return bridged and sure and not _leaves(track, scene, bottom=True)


def _leaves(track: Track, scene: Scene, *, bottom: bool) -> bool:
    """Whether the box touches the edge of the picture. Feet below its lower edge are usual near the camera."""
    x1, y1, x2, y2 = track.xyxy_px
    side_px, end_px = _EDGE * scene.width_px, _EDGE * scene.height_px
    beside = x1 <= side_px or x2 >= scene.width_px - side_px or y1 <= end_px
    return beside or (bottom and y2 >= scene.height_px - end_px)


def local_density(points_m: FloatArray) -> FloatArray:
    """(N,) people per square metre on the disc around each of `points_m` (N, 2); a person off the plane (NaN) counts
    nowhere.
    """
    apart = np.linalg.norm(points_m[:, None, :] - points_m[None, :, :], axis=2)
    return np.asarray(np.count_nonzero(apart <= PATCH_RADIUS_M, axis=1) / _PATCH_M2)


#: (people counted up to, by how many the count is off in the mean), measured.
_COUNT_ERRORS: Final = ((4, 0.3), (10, 0.4), (20, 2.0))


def count_error(count: int) -> float:
    """By how many people a count is off in the mean, at the default detector and input size."""
    return next((error for most, error in _COUNT_ERRORS if count <= most), round(0.25 * count, 1))
