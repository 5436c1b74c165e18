"""Where people stand to each other, in metres: from the ground plane, or estimated from how tall they appear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from vision import coco
from vision.scene import Scene
from vision.track import Track, TrackState

#: How tall a person is taken to be where no ground points exist (ours: pupils and adults mixed).
BODY_M: Final = 1.6
#: How much depth is shortened in the picture where no ground points exist: a camera that looks down by 30 degrees.
_FORESHORTENING: Final = 2.0
_BRIDGE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Place:
    """`x`, `y` and `per_m` in one unit: metres (then `per_m` is 1), or pixels with the pixels of a metre here."""

    x: float
    y: float
    per_m: float
    stretch: float = 1.0

    def to(self, other: Place) -> tuple[float, float]:
        """The way to `other` in metres, along and across the picture."""
        per_m = (self.per_m + other.per_m) / 2
        return (other.x - self.x) / per_m, (other.y - self.y) / per_m * self.stretch

    def apart_m(self, other: Place) -> float:
        return length(*self.to(other))


def length(x: float, y: float) -> float:
    """Of a way, as `np.hypot` has it and in a fifth of its time: it is asked for between each two people."""
    return abs(complex(x, y))


@dataclass(frozen=True, slots=True)
class Person:
    """One person at one moment. `flatness` is the box's width by its height: about 0.4 standing, over 1 lying."""

    track_id: int
    place: Place
    tall_px: float
    flatness: float


def people_of(scene: Scene) -> tuple[Person, ...]:
    """The people of a scene who are seen now, or were a moment ago."""
    tracks = [t for t in scene.tracks if _counts(t, scene.time_s)]
    if not tracks:
        return ()
    people = []
    for track, place in zip(tracks, _places(scene, tracks), strict=True):
        if place is not None:
            tall, wide = _size(track)
            people.append(Person(track.track_id, place, tall, wide / tall))
    return tuple(people)


def _size(track: Track) -> tuple[float, float]:
    """Height and width in pixels."""
    x1, y1, x2, y2 = track.xyxy_px
    return max(y2 - y1, 1.0), max(x2 - x1, 1.0)


def _counts(track: Track, time_s: float) -> bool:
    if track.class_id != coco.PERSON or track.state is TrackState.TENTATIVE:
        return False
    return track.state is TrackState.CONFIRMED or time_s - track.last_seen_s <= _BRIDGE_S


def _places(scene: Scene, tracks: Sequence[Track]) -> Sequence[Place | None]:
    feet = [((t.xyxy_px[0] + t.xyxy_px[2]) / 2, t.xyxy_px[3]) for t in tracks]
    if scene.ground is not None:
        size = np.array([scene.width_px, scene.height_px], np.float64)
        metres = scene.ground.to_metres(np.clip(np.array(feet) / size, 0, 1))
        return [Place(float(x), float(y), 1.0) if np.isfinite(x) else None for x, y in metres]
    return [
        Place(x, y, max(_size(track)) / BODY_M, _FORESHORTENING) for (x, y), track in zip(feet, tracks, strict=True)
    ]
