"""Whose looks are kept: of every place that a rule watches, and of every vehicle that stands anywhere else, in case another
rule should be tried there. Grey thumbnails of 20 x 20, and only when they changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pipelines.tracks.packed import PlaceSeen
from vision import coco, native
from vision.behaviours.illegal_parking import IllegalParking, Parameters
from vision.behaviours.parking_case import AT_REST
from vision.camera import RuleSpec
from vision.frame import Picture
from vision.geometry import Box, displacement, iou
from vision.looks import Looks
from vision.moment import PlacedLooks
from vision.scene import Scene
from vision.zone import Zone

#: Mean change in grey levels from which looks are kept anew: what a sensor's noise does not reach in an averaged cell. A
#: replay sees a place as it was up to this much ago.
CHANGED: Final = 3.0
#: At most so often while the vehicle is detected there; while it is not, every change counts: that is when a case ends.
_SEEN_EVERY_S: Final = 10.0
_UNSEEN_EVERY_S: Final = 1.0
_UNSEEN_CLOSELY_S: Final = 15.0
#: A place that moved by this much of its size looks different for that alone.
_MOVED: Final = 0.02
_THERE_IOU: Final = 0.45
#: A place of a rule serves for the vehicle too.
_SAME_PLACE_IOU: Final = 0.8
#: More vehicles than this that stand where no rule watches are passed over.
MOST_ELSEWHERE: Final = 24

_ELSEWHERE_EVERY_S: Final = 1.0
_AT_REST_S: Final = 2.0
#: So long a place is looked at after its vehicle is known to be gone: another rule's case wants to see for itself.
_LINGER_S: Final = 15.0
_EVERYWHERE: Final = Zone("everywhere", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))


class StandingVehicles:
    """Where vehicles stand, whether or not a rule asks. A parking rule on the whole picture that never tells, and that looks
    once a second: it costs a fifth of one that looks at each picture.
    """

    def __init__(self, camera_id: str) -> None:
        rule = RuleSpec("standing", "illegal_parking", "everywhere", Parameters(after_s=float("inf")))
        self._watch = IllegalParking(camera_id, rule)
        self._looked_s: float | None = None
        self._anchors: dict[str, _Anchor] = {}
        self._seen: dict[str, PlacedLooks] = {}

    def step(self, picture: Picture, scene: Scene) -> dict[str, PlacedLooks]:
        """Places where a vehicle came to rest, and how they looked when they were looked at last. Its looks mean something
        only as long as the place stays: when it moves on, the place gets another key.
        """
        since_s = 0.0 if self._looked_s is None else scene.time_s - self._looked_s
        if self._looked_s is not None and since_s < _ELSEWHERE_EVERY_S - 1e-6:
            return self._seen
        self._looked_s = scene.time_s
        places = dict(list(self._watch.places().items())[:MOST_ELSEWHERE])
        self._anchor(places, scene.time_s)
        looks = {name: Looks.measure(picture, anchor.place) for name, anchor in self._anchors.items()}
        of_case = {anchor.key: looks[name] for name, anchor in self._anchors.items() if anchor.known_s == scene.time_s}
        self._watch.step(replace(scene, gap_s=since_s, looks=of_case, zones={"everywhere": _EVERYWHERE}, ground=None))
        self._seen = {
            name: PlacedLooks(anchor.place, looks[name])
            for name, anchor in self._anchors.items()
            if scene.time_s - anchor.since_s >= _AT_REST_S - 1e-6
        }
        return self._seen

    def _anchor(self, places: Mapping[str, Box], time_s: float) -> None:
        known = {anchor.key: anchor for anchor in self._anchors.values()}  # the newest place of each
        for key, place in places.items():
            anchor = known.get(key, _Anchor(key, place, time_s, time_s))
            if displacement(anchor.place, place) > AT_REST:
                anchor = _Anchor(key, place, time_s, time_s, anchor.moves + 1)
            self._anchors[f"{key}/{anchor.moves}"] = replace(anchor, known_s=time_s)
        self._anchors = {
            name: anchor
            for name, anchor in self._anchors.items()
            if anchor.known_s == time_s
            or (time_s - anchor.known_s < _LINGER_S and anchor.known_s - anchor.since_s >= _AT_REST_S)
        }


@dataclass(frozen=True, slots=True)
class _Anchor:
    """Where the vehicle of a case stands since `since_s`, and did at `known_s`; `moves` counts the places before."""

    key: str
    place: Box
    since_s: float
    known_s: float
    moves: int = 0


@dataclass(slots=True)
class _Known:
    place: Box
    looks: Looks
    kept_s: float
    there_s: float


class ChangedLooks:
    """Which looks are worth keeping. `begin` makes it tell all of them anew, so that a chunk is complete in itself."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._compared: tuple[Mapping[str, PlacedLooks], list[Box]] = ({}, [])
        self._apart: list[str] = []

    def begin(self) -> None:
        self._known.clear()

    def step(
        self, watched: Mapping[str, PlacedLooks], elsewhere: Mapping[str, PlacedLooks], scene: Scene
    ) -> tuple[PlaceSeen, ...]:
        """What changed at `scene.time_s`."""
        if not (watched or elsewhere or self._known):
            return ()
        now = dict(watched)
        if watched and elsewhere:
            now |= {
                key: elsewhere[key] for key in self._not_watched(elsewhere, [one.place for one in watched.values()])
            }
        else:
            now |= elsewhere
        changes = [PlaceSeen(key, known.place, None) for key, known in self._known.items() if key not in now]
        for change in changes:
            del self._known[change.key]
        for (key, placed), is_there in zip(now.items(), _there(now, scene), strict=True):
            if self._is_new(key, placed, is_there, scene.time_s):
                changes.append(PlaceSeen(key, placed.place, placed.looks))
        return tuple(changes)

    def _not_watched(self, elsewhere: Mapping[str, PlacedLooks], watched: list[Box]) -> list[str]:
        """Keys of `elsewhere` which are none of the places `watched`. Between two looks at them they are the very same."""
        if self._compared[0] is not elsewhere or self._compared[1] != watched:
            same = iou([one.place for one in elsewhere.values()], watched).max(axis=1).tolist()
            self._apart = [key for key, share in zip(elsewhere, same, strict=True) if share < _SAME_PLACE_IOU]
            self._compared = elsewhere, watched
        return self._apart

    def _is_new(self, key: str, placed: PlacedLooks, is_there: bool, time_s: float) -> bool:
        known = self._known.get(key)
        if known is None:
            self._known[key] = _Known(placed.place, placed.looks, time_s, time_s)
            return True
        if is_there:
            known.there_s = time_s
        closely = not is_there and time_s - known.there_s <= _UNSEEN_CLOSELY_S
        apart_s = 0.0 if closely else _SEEN_EVERY_S if is_there else _UNSEEN_EVERY_S
        moved = placed.place != known.place and displacement(known.place, placed.place) > _MOVED
        if not moved and (placed.looks is known.looks or time_s - known.kept_s < apart_s - 1e-6):
            return False
        change = np.abs(known.looks.cells.astype(np.int16) - placed.looks.cells.astype(np.int16))
        if not moved and float(change.mean()) < CHANGED:
            return False
        known.place, known.looks, known.kept_s = placed.place, placed.looks, time_s
        return True


def _there(places: Mapping[str, PlacedLooks], scene: Scene) -> list[bool]:
    """Whether a vehicle is detected at each place."""
    if native.detections is not None:
        around = (placed.place for placed in places.values())
        return native.detections.met(around, scene.boxes_norm(), scene.detections.class_id, coco.VEHICLES, _THERE_IOU)
    rows = [row for row, kind in enumerate(scene.detections.class_id.tolist()) if kind in coco.VEHICLES]
    if not places or not rows:
        return [False] * len(places)
    vehicles = scene.boxes_norm()[rows]
    overlap = iou([placed.place for placed in places.values()], vehicles).max(axis=1)
    return [one >= _THERE_IOU for one in overlap.tolist()]
