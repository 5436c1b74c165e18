"""What one picture says of a parking case: its vehicle was seen, or its place looks like it, or is empty, or is
hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np

from vision import coco, native
from vision.assignment import best_pairs
from vision.behaviours.parking_case import MOVED, Case, CaseState
from vision.behaviours.parking_place import BEHIND, Yard, wheels_in_view
from vision.geometry import BoolArray, Box, FloatArray, displacement, intersections, iou
from vision.looks import Likeness, visible_cells
from vision.scene import Scene
from vision.track import TrackState

#: Likeness of a place to its vehicle: at or above the first it is there, below the second it is not. Measured on real
#: pictures minutes apart: the same car 0.9 and more (0.5 at worst), an empty bay or another car 0.5 and less.
_LIKE: Final = 0.65
_UNLIKE: Final = 0.5
#: Another colour, in chroma levels. Measured on five days in sun, rain and dusk: light alone moves a place by 28 at most (in
#: 99.9 % of pairs by 19), the same car minutes apart by 11.
_OTHER_COLOUR: Final = 30.0
#: A vehicle stands at a place, and not beside or before it, when its box overlaps it by this (IoU) and ends on the same line.
_SAME_PLACE: Final = 0.7
#: What may hide a place: what is detected as surely as this, and what was missed for no longer.
_SURE: Final = 0.25
_BRIDGE_S: Final = 1.0
_LEAST_VISIBLE: Final = 0.35
_SETTLED_S: Final = 3.0
_MOST_ARRIVAL: Final = 60
_LONGEST_STEP_S: Final = 1.5  # evidence that one picture can carry, however long ago the last was
DOUBT_AFTER_S: Final = 3.0


class Sight:
    """What may stand between the camera and the places of cases. Worked out when it is asked for: of a vehicle that is detected
    where it was, it mostly is not.
    """

    def __init__(self, scene: Scene, yard: Yard) -> None:
        self.scene = scene
        self.yard = yard

    @cached_property
    def things(self) -> Things:
        """All that may stand before something else, or be it."""
        scene = self.scene
        if native.parking is not None:
            found, size_px = scene.detections, (scene.width_px, scene.height_px)
            boxes, is_seen, is_vehicle = native.parking.things(
                found.xyxy_px,
                found.confidence,
                found.class_id,
                scene.tracks,
                scene.time_s,
                TrackState.LOST,
                coco.VEHICLES,
                *size_px,
            )
            return Things(boxes, is_seen, is_vehicle)
        # A person whom the detector misses in this picture still stands where the tracker thinks.
        bridged = [
            row
            for row, t in enumerate(scene.tracks)
            if t.state is TrackState.LOST and scene.time_s - t.last_seen_s <= _BRIDGE_S and t.last_seen_s < scene.time_s
        ]
        sure = np.flatnonzero(scene.detections.confidence >= _SURE)
        boxes = scene.boxes_norm()[sure]
        if bridged:
            boxes = np.concatenate([boxes, scene.track_boxes_norm()[bridged]])
        classes = [*scene.detections.class_id[sure].tolist(), *(scene.tracks[row].class_id for row in bridged)]
        is_vehicle = np.array([class_id in coco.VEHICLES for class_id in classes], bool)
        return Things(boxes, np.arange(len(boxes)) < len(sure), is_vehicle)

    def wheels_in_view(self, boxes: FloatArray) -> BoolArray:
        """(N,) of which of `boxes` (N, 4) nobody who is nearer covers where they touch the ground."""
        return wheels_in_view(boxes, self.things.boxes)

    def of(self, case: Case) -> PlaceInSight:
        return PlaceInSight(self, case)


class Things(NamedTuple):
    """`boxes` (N, 4) 0..1; which of them were detected in this picture, and which are vehicles, (N,)."""

    boxes: FloatArray
    is_seen: BoolArray
    is_vehicle: BoolArray


class PlaceInSight:
    """How much of a case's place is in view as the case stands now, and how it looks past what hides it."""

    def __init__(self, sight: Sight, case: Case) -> None:
        self._sight = sight
        self._case = case
        self._place, self._class_id = case.place, case.class_id

    @cached_property
    def _cells(self) -> BoolArray:
        """Which cells of the place nothing hides."""
        boxes, _, is_vehicle = self._sight.things
        place = self._place
        is_it = is_vehicle & (self._sight.yard.nearness(place, self._class_id, boxes) > 0)
        if native.parking is not None:
            return native.parking.cells_in_view(place, boxes, is_it)
        hides = boxes[:, 3] > place[3] - BEHIND * (place[3] - place[1])  # what stands behind hides nothing
        return visible_cells(place, boxes[hides & ~is_it])

    @cached_property
    def visible(self) -> float:
        """Share of the place that is in view."""
        return float(self._cells.mean())

    @cached_property
    def occupied(self) -> bool:
        """Whether a vehicle stands at the place, this one or another."""
        boxes, is_seen, is_vehicle = self._sight.things
        place = self._place
        if native.parking is not None:
            return native.parking.is_occupied(place, boxes, is_seen, is_vehicle)
        level = np.abs(boxes[:, 3] - place[3]) <= BEHIND * (place[3] - place[1])
        return bool((is_vehicle & is_seen & level & (iou([place], boxes)[0] >= _SAME_PLACE)).any())

    def alike(self) -> Likeness | None:
        now = self._sight.scene.looks.get(self._case.key)
        return None if now is None or self.visible < _LEAST_VISIBLE else self._case.compare(now, self._cells)


def match(
    cases: Sequence[Case], yard: Yard, boxes: list[Box], track_ids: list[int], wheels: BoolArray | None
) -> dict[int, int]:
    """Case row -> detection column, one to one, by nearness to the case's place; the same track is a hint, no more."""
    if not cases or len(boxes) == 0:
        return {}
    if native.parking is not None and yard.ground is None:
        places, tracks = [case.place for case in cases], [case.track_id for case in cases]
        pairs = native.parking.meet(places, tracks, boxes, track_ids)
        if pairs is not None:  # else some could be another's
            return dict(pairs)
    array, tracks_now = np.array(boxes, np.float64), np.array(track_ids)
    known = tracks_now >= 0
    score = np.array(
        [
            yard.nearness(case.place, case.class_id, array, known & (tracks_now == case.track_id), wheels)
            for case in cases
        ]
    )
    return dict(best_pairs(score))


def seen(case: Case, box: Box, track_id: int, sight: PlaceInSight, scene: Scene) -> None:
    """A vehicle was detected at the case's place."""
    time_s = scene.time_s
    evidence_s = min(scene.gap_s, _LONGEST_STEP_S)
    case.frames += 1
    if time_s - case.present_s > DOUBT_AFTER_S:
        case.doubted = True
    alike = sight.alike() if case.doubted or case.may_learn(time_s) else None
    if case.doubted and alike is not None and sight.visible >= 0.7:
        if alike.structure < _UNLIKE or alike.colour > _OTHER_COLOUR:
            # Not present_s: whose vehicle this is has to be seen first.
            _suspect(case, time_s, evidence_s)
            return
        if alike.structure >= _LIKE:
            case.forget_doubts()
    case.suspect_s, case.suspect_since_s = 0.0, None
    case.empty_s, case.empty_since_s = 0.0, None
    case.detected_s = case.present_s = time_s
    if track_id >= 0:
        case.track_id = track_id
    if displacement(case.place, box) > MOVED:
        _moving(case, box, time_s)
        return
    case.moved_since_s, case.moved_to = None, None
    if case.state is CaseState.CANDIDATE:
        case.arrival = [*case.arrival[-_MOST_ARRIVAL:], (time_s, box)]
    case.settle(box)
    if not case.doubted and case.may_learn(time_s):
        now = scene.looks.get(case.key)
        if now is not None and sight.visible >= 0.85:
            case.learn(now, alike, time_s)


def _moving(case: Case, box: Box, time_s: float) -> None:
    """The case's own vehicle is away from its place, by not much."""
    if case.moved_since_s is None or case.moved_to is None:
        case.moved_since_s, case.moved_to = time_s, box
    elif case.episode.is_open:
        if displacement(case.moved_to, box) > MOVED:
            case.moved_since_s, case.moved_to = time_s, box
        elif time_s - case.moved_since_s >= _SETTLED_S:
            stopped_s = case.stopped_s
            case.move(box, time_s)  # it moved up by less than its length: still the same violation
            case.stopped_s = stopped_s
    else:
        case.move(box, case.moved_since_s)


def unseen(case: Case, sight: PlaceInSight, scene: Scene, vehicles: FloatArray) -> None:
    """No vehicle was detected at the case's place: that alone means nothing. `vehicles` (N, 4) may be it, or hide it."""
    time_s = scene.time_s
    evidence_s = min(scene.gap_s, _LONGEST_STEP_S)
    now = scene.looks.get(case.key)
    if now is None or not scene.view.usable or sight.visible < _LEAST_VISIBLE:
        return
    case.frames += 1
    alike = sight.alike()
    if alike is None:
        return
    other_colour = alike.colour > _OTHER_COLOUR and sight.occupied
    if alike.structure >= _LIKE and not other_colour:
        case.present_s = time_s
        case.empty_s, case.empty_since_s = 0.0, None
        case.suspect_s, case.suspect_since_s = 0.0, None
        if alike.structure >= 0.75 and sight.visible >= 0.85 and time_s - case.learned_s >= 10.0:
            case.learn(now, alike, time_s)
        return
    if alike.structure >= _UNLIKE and not other_colour:
        return
    case.doubted = True
    covered = intersections([case.place], vehicles)[0] if len(vehicles) else np.zeros(1)
    area = (case.place[2] - case.place[0]) * (case.place[3] - case.place[1])
    if case.is_still(now) and float(covered.max(initial=0.0)) < 0.3 * area:
        case.empty_since_s = time_s if case.empty_since_s is None else case.empty_since_s
        case.empty_s += evidence_s
    elif sight.occupied:
        _suspect(case, time_s, evidence_s)  # by another case's vehicle


def _suspect(case: Case, time_s: float, evidence_s: float) -> None:
    """What stands at the case's place looks unlike its vehicle."""
    case.suspect_since_s = time_s if case.suspect_since_s is None else case.suspect_since_s
    case.suspect_s += evidence_s
