"""The parking cases of one rule: which vehicles have one, what each picture says of them, and when one is over."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from vision import coco, native
from vision.behaviours.parking_case import Case, CaseState
from vision.behaviours.parking_limits import Parameters
from vision.behaviours.parking_place import Yard, as_box
from vision.behaviours.parking_sight import DOUBT_AFTER_S, Sight, match, seen, unseen
from vision.camera import RuleSpec
from vision.episodes import Episode, incident_id
from vision.geometry import Box, FloatArray, overlap_of_smaller
from vision.scene import Scene

#: A detection this sure may begin a case; any that the detector gives may confirm one that exists.
START_CONFIDENCE: Final = 0.35
_FORGET_CANDIDATE_S: Final = 2.0
#: For how long the place must have been observed empty, when the vehicle was seen leaving and when not.
_EMPTY_LEFT_S: Final = 1.0
_EMPTY_S: Final = 3.0
_SUSPECT_S: Final = 2.0


class Ended(NamedTuple):
    """A case that is over: why, and since when if that is known."""

    case: Case
    reason: str
    ended_s: float | None


class Vehicles(NamedTuple):
    """The vehicles detected in one picture that may be believed: `boxes` 0..1, their tracks (-1: none)."""

    boxes: list[Box]
    track_ids: list[int]
    class_ids: list[int]
    confidence: list[float]

    @classmethod
    def of(cls, scene: Scene, classes: frozenset[int]) -> Vehicles:
        """From a picture that is not to be believed follows nothing, neither that something is there nor that it is not."""
        found, watched = scene.detections, coco.VEHICLES | classes
        if native.parking is not None and scene.view.usable:
            whose, size_px = scene.detection_track_id, (scene.width_px, scene.height_px)
            kept = native.parking.vehicles(found.xyxy_px, found.confidence, found.class_id, whose, watched, *size_px)
            return cls(*kept)
        rows: list[int] = []
        if scene.view.usable:
            rows = [row for row, kind in enumerate(found.class_id.tolist()) if kind in watched]
        boxes = [as_box(scene.boxes_norm()[row]) for row in rows]
        values = (scene.detection_track_id[rows], found.class_id[rows], found.confidence[rows])
        return cls(boxes, *(one.tolist() for one in values))

    @property
    def array(self) -> FloatArray:
        """(N, 4) the boxes."""
        return np.array(self.boxes, np.float64).reshape(-1, 4)


class Cases(list[Case]):
    """The cases that run, oldest first."""

    def __init__(self, cases: Any = (), number: int = 0) -> None:
        super().__init__(cases)
        self.number = number

    def look(self, scene: Scene, yard: Yard, vehicles: Vehicles) -> dict[int, float]:
        """What this picture says of each; returns the rows of `vehicles` that belong to none, with since when they are seen
        where they are: one that took another's place is for long enough not to be mistaken.
        """
        sight = Sight(scene, yard)
        # Where the wheels are tells nothing without the ground.
        wheels = None if yard.ground is None else sight.wheels_in_view(vehicles.array)
        pairs = match(self, yard, vehicles.boxes, vehicles.track_ids, wheels)
        for row, case in enumerate(self):
            place = sight.of(case)
            column = pairs.get(row)
            if column is not None:
                case.vote(vehicles.class_ids[column], vehicles.confidence[column])
                seen(case, vehicles.boxes[column], vehicles.track_ids[column], place, scene)
            else:
                others = vehicles.array
                if wheels is not None:
                    others = others[~yard.behind(case.place, case.class_id, others, wheels)]
                unseen(case, place, scene, vehicles=others)
            if scene.view.usable:
                case.last_look = scene.looks.get(case.key)
        taken = set(pairs.values())
        free = {column: scene.time_s for column in range(len(vehicles.boxes)) if column not in taken}
        for row, column in pairs.items():
            case = self[row]
            if case.suspect_s >= _SUSPECT_S and case.suspect_since_s is not None:
                free[column] = case.suspect_since_s  # its case ends with this picture
        return free

    def begin(
        self, free: dict[int, float], vehicles: Vehicles, scene: Scene, yard: Yard, camera_id: str, rule: RuleSpec
    ) -> None:
        """New candidates from the vehicles `free` that belong to no case."""
        sure = [column for column in free if vehicles.confidence[column] >= START_CONFIDENCE]
        if not sure:
            return
        for column in [n for n in sure if yard.inside(vehicles.boxes[n], vehicles.class_ids[n])]:
            confidence, class_id = vehicles.confidence[column], vehicles.class_ids[column]
            box, track_id, now_s = vehicles.boxes[column], vehicles.track_ids[column], scene.time_s
            # Unless the case's own vehicle is recognised where it was: then the track has gone over to another.
            mine = next(
                (c for c in self if c.track_id == track_id >= 0 and not c.episode.is_open and c.present_s < now_s), None
            )
            if mine is not None:
                mine.move(box, now_s)
                mine.vote(class_id, confidence)
                mine.detected_s = mine.present_s = now_s
                continue
            if self and float(overlap_of_smaller([box], [case.place for case in self]).max()) > 0.7:
                continue  # a second box around a known vehicle, or one that hides it
            number, self.number = self.number, self.number + 1
            key = incident_id(camera_id, rule.rule_id, now_s, number)
            parameters: Parameters = rule.parameters
            since_s = free[column]
            episode = Episode(key, camera_id, rule.kind, rule.rule_id, rule.zone_id, since_s, parameters.severity)
            case = Case(episode, box, since_s, now_s, now_s, track_id, frames=1, arrival=[(since_s, box)])
            case.vote(class_id, confidence)
            self.append(case)

    def end(self, scene: Scene, yard: Yard) -> list[Ended]:
        """Drop what is over; those that did not only drive by are returned."""
        kept: list[Case] = []
        ended: list[Ended] = []
        for case in self:
            told = case.episode.phase is not None
            if case.suspect_s >= _SUSPECT_S:
                ended.append(Ended(case, "replaced", case.left_s(DOUBT_AFTER_S)))
            elif case.empty_s >= _EMPTY_S or (
                case.empty_s >= _EMPTY_LEFT_S and (not told or self._drove_off(case, scene, yard))
            ):
                ended.append(Ended(case, "left", case.left_s(DOUBT_AFTER_S)))
            elif (case.state is CaseState.CANDIDATE and scene.time_s - case.present_s > _FORGET_CANDIDATE_S) or (
                not told and not yard.still_inside(case.place, case.class_id)
            ):
                continue
            else:
                kept.append(case)
        self[:] = kept
        return ended

    @staticmethod
    def _drove_off(case: Case, scene: Scene, yard: Yard) -> bool:
        """Whether the case's vehicle is seen somewhere else."""
        rows = np.flatnonzero((scene.detection_track_id == case.track_id) & (scene.detection_track_id >= 0))
        return len(rows) > 0 and yard.has_left(case.place, case.class_id, as_box(scene.boxes_norm()[rows[-1]]))
