"""Who counts as a person at one moment, and how close people stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from vision import coco, native
from vision.geometry import FloatArray, areas, bottom_centres, edges, intersections, points_in_polygon
from vision.scene import Scene
from vision.track import Track, TrackState
from vision.zone import Point

#: Local density is counted on a disc of this radius around each person.
PATCH_RADIUS_M: Final = 1.5
PATCH_M2: Final = float(np.pi * PATCH_RADIUS_M**2)
#: A person whom the detector misses still counts for this long: one picture at 5 a second, which may come 0.24 s after the last
#: where a camera sends 12.5 and every second or third is taken. Longer adds ghosts of those who left: measured on real footage,
#: the count is best from 0.15 to 0.3 s.
BRIDGE_S: Final = 0.25
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


def people_in(scene: Scene, polygon: Sequence[Point]) -> tuple[Track, ...]:
    """The people who count at this moment and stand in a zone."""
    if native.people is not None:
        return native.people.inside(
            scene.tracks,
            scene.time_s,
            scene.width_px,
            scene.height_px,
            TrackState.CONFIRMED,
            TrackState.LOST,
            edges(polygon),
        )
    people = counted_people(scene)
    inside = points_in_polygon(feet(boxes_norm(people, scene)), polygon)
    return tuple(track for track, is_in in zip(people, inside, strict=True) if is_in)


def boxes_norm(tracks: Sequence[Track], scene: Scene) -> FloatArray:
    """(N, 4) boxes of `tracks`, 0..1 of the scene's picture."""
    boxes = np.array([t.xyxy_px for t in tracks], np.float64).reshape(-1, 4)
    return np.asarray(boxes / (scene.width_px, scene.height_px, scene.width_px, scene.height_px))


def feet(boxes: FloatArray) -> FloatArray:
    """(N, 2) where the people in `boxes` (N, 4, 0..1) stand; who stands below the picture's edge: at it, as it seems."""
    return np.clip(bottom_centres(boxes), 0, 1 - 1e-9)


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


def local_density(points_m: FloatArray, people: FloatArray | None = None) -> FloatArray:
    """(N,) people per square metre on the disc around each of `points_m` (N, 2); a person off the plane (NaN) counts
    nowhere. `people` (N,): how many stand at each point, one if left out.
    """
    if people is None and native.people is not None:
        return np.asarray(native.people.near(points_m, PATCH_RADIUS_M) / PATCH_M2)
    apart = np.linalg.norm(points_m[:, None, :] - points_m[None, :, :], axis=2)
    near = apart <= PATCH_RADIUS_M
    return np.asarray((np.count_nonzero(near, axis=1) if people is None else near @ people) / PATCH_M2)


#: By which share of itself the count of a crowd that was read is off in the mean, up to so many people per square metre:
#: measured on staged crowds of people whom nothing was learnt from (`gatewatch evaluate crowds`).
_READ_ERROR: Final = ((1.5, 0.13), (2.4, 0.16), (3.2, 0.11), (float("inf"), 0.15))
#: The same without ground points, where the density is not known.
_READ_ERROR_UNPLACED: Final = 0.2


def read_error(count: int, density: float) -> float:
    """By how many people the count of a crowd that was read is off in the mean at this `density` (0: not known)."""
    share = next(share for most, share in _READ_ERROR if density <= most) if density else _READ_ERROR_UNPLACED
    return round(max(1.0, count * share), 1)


#: A box of which others cover this share hides behind them; where more people than this share do, heads are hidden too.
_COVERED: Final = 0.25
_MANY_COVERED: Final = 0.15
#: By which share of itself a count is off in the mean where people stand apart, and where they hide each other (then too low).
_APART_ERROR: Final = 0.08
_CLOSE_ERROR: Final = 0.33


def hide_each_other(boxes: FloatArray) -> bool:
    """Whether people whose boxes (N, 4) these are stand so close that more of them may be there than are seen."""
    if len(boxes) < 2:
        return False
    shared = intersections(boxes, boxes)
    np.fill_diagonal(shared, 0.0)
    covered = shared.sum(axis=1) / np.maximum(areas(boxes), 1e-12)
    return bool(np.mean(covered > _COVERED) > _MANY_COVERED)


def count_error(count: int, close: bool) -> float:
    """By how many people a count is off in the mean: measured with the default detector and input size, on real walkers where
    they stand apart, on staged crowds of up to 24 where they hide each other.
    """
    return round(max(0.3, count * (_CLOSE_ERROR if close else _APART_ERROR)), 1)
