"""A vehicle that stands in a no-parking zone longer than it may.

A case is keyed to place and looks. It begins with a vehicle whose ground point is in the zone; its clock starts when
the vehicle stops (or was first seen standing) and runs on the stream's time, through occlusions, lost tracks, restarts
and outages. It ends only when its place has been *observed* empty: nothing detected, unlike the vehicle, still, and in
view.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from vision import coco
from vision.behaviours.behaviour import Outcome
from vision.behaviours.parking_case import MOVED, Case, CaseState
from vision.camera import RuleSpec
from vision.episodes import Episode, incident_id
from vision.geometry import (
    Box,
    FloatArray,
    bottom_centres,
    displacement,
    intersections,
    iou,
    overlap_of_smaller,
    points_in_polygon,
)
from vision.incident import Phase, PictureRequest, Quantity
from vision.looks import Likeness, visible_cells
from vision.scene import Scene
from vision.track import TrackState

#: A detection this sure may begin a case; any that the detector gives may confirm one that exists.
START_CONFIDENCE: Final = 0.35
_MATCH_IOU: Final = 0.45
_MATCH_IOU_SAME_TRACK: Final = 0.25
_STANDING_AFTER_S: Final = 2.0
_LEAST_HITS: Final = 3
_LEAST_SHARE: Final = 0.15
_FORGET_CANDIDATE_S: Final = 2.0
#: For how long the place must have been observed empty, when the vehicle was seen leaving and when not.
_EMPTY_LEFT_S: Final = 1.0
_EMPTY_S: Final = 3.0
_SUSPECT_S: Final = 2.0
#: An unseen vehicle may still open an incident, when it was there this short a time ago (somebody walks by).
_FRESH_S: Final = 10.0
_UNKNOWN_AFTER_S: Final = 30.0
_DOUBT_AFTER_S: Final = 3.0
_SETTLED_S: Final = 3.0
_PICTURES_APART_S: Final = 10.0
_LONGEST_STEP_S: Final = 1.5  # evidence that one picture can carry, however long ago the last was
#: Likeness of a place to its vehicle: at or above the first it is there, below the second it is not. Measured on real
#: pictures minutes apart: the same car 0.9 and more (0.5 at worst), an empty bay or another car 0.5 and less.
_LIKE: Final = 0.65
_UNLIKE: Final = 0.5
_LEAST_VISIBLE: Final = 0.35


@dataclass(frozen=True)
class Parameters:
    """`after_s`: how long standing is allowed. `warn_after_s`: when to warn before that, None for no warning.

    `classes`: COCO classes that the rule is about, by the majority vote over a case. `severity` as in `Incident`.
    """

    after_s: float
    warn_after_s: float | None = None
    classes: frozenset[int] = coco.VEHICLES
    severity: int = 2


class IllegalParking:
    """One rule on one zone."""

    def __init__(self, camera_id: str, rule: RuleSpec) -> None:
        self._camera_id = camera_id
        self._rule = rule
        self._cases: list[Case] = []
        self._number = 0
        self._active_since_s: float | None = None

    @property
    def _parameters(self) -> Parameters:
        parameters = self._rule.parameters
        assert isinstance(parameters, Parameters)
        return parameters

    def places(self) -> Mapping[str, Box]:
        return {case.key: case.place for case in self._cases}

    def reconfigure(self, rule: RuleSpec) -> None:
        self._rule = rule

    def step(self, scene: Scene) -> Outcome:
        out = Outcome()
        self._follow_schedule(scene.time_s, out)
        watched = np.array(sorted(coco.VEHICLES | self._parameters.classes))
        is_vehicle = np.isin(scene.detections.class_id, watched)
        all_boxes = scene.boxes_norm()
        columns = np.flatnonzero(is_vehicle)
        boxes = all_boxes[columns]
        ids = scene.detection_track_id[columns]
        pairs = self._match(boxes, ids)
        evidence_s = min(scene.gap_s, _LONGEST_STEP_S)
        others = _Others(scene, all_boxes)
        for row, case in enumerate(self._cases):
            others.look_at(case)
            column = pairs.get(row)
            if column is not None:
                confidence = float(scene.detections.confidence[columns[column]])
                case.vote(int(scene.detections.class_id[columns[column]]), confidence)
                self._seen(case, _box(boxes[column]), int(ids[column]), others, scene, evidence_s)
            else:
                self._unseen(case, others, scene, evidence_s, vehicles=boxes)
            case.last_look = scene.looks.get(case.key)
        self._end(scene, out)
        taken = set(pairs.values())
        free = [c for c in range(len(boxes)) if c not in taken]
        self._begin(free, boxes, ids, columns, scene, matched_rows=set(pairs), out=out)
        for case in self._cases:
            self._advance(case, scene, out)
        return out

    # --- which detection is which case -------------------------------------------------------------------------------

    def _match(self, boxes: FloatArray, ids: np.ndarray[Any, np.dtype[np.int64]]) -> dict[int, int]:
        """Case row -> detection column, one to one."""
        if not self._cases or len(boxes) == 0:
            return {}
        overlap = iou([case.place for case in self._cases], boxes)
        same = np.array([case.track_id for case in self._cases])[:, None] == ids[None, :]
        same &= ids[None, :] >= 0
        allowed = (overlap >= _MATCH_IOU) | (same & (overlap >= _MATCH_IOU_SAME_TRACK))
        score = np.where(allowed, overlap + 0.2 * same, 0.0)
        rows, found = linear_sum_assignment(score, maximize=True)
        return {int(row): int(column) for row, column in zip(rows, found, strict=True) if score[row, column] > 0}

    # --- evidence ----------------------------------------------------------------------------------------------------

    def _seen(self, case: Case, box: Box, track_id: int, others: _Others, scene: Scene, evidence_s: float) -> None:
        """A vehicle was detected at the case's place."""
        time_s = scene.time_s
        case.frames += 1
        if time_s - case.present_s > _DOUBT_AFTER_S:
            case.doubted = True
        alike = others.alike(case)
        if case.doubted and alike is not None and others.visible >= 0.7:
            if alike.structure < _UNLIKE:
                # Not present_s: whose vehicle this is has to be seen first.
                case.suspect_since_s = time_s if case.suspect_since_s is None else case.suspect_since_s
                case.suspect_s += evidence_s
                return
            if alike.structure >= _LIKE:
                case.forget_doubts()
        case.suspect_s, case.suspect_since_s = 0.0, None
        case.empty_s, case.empty_since_s = 0.0, None
        case.detected_s = case.present_s = time_s
        if track_id >= 0:
            case.track_id = track_id
        if displacement(case.place, box) > MOVED:
            self._moving(case, box, time_s)
            return
        case.moved_since_s, case.moved_to = None, None
        case.settle(box)
        now = scene.looks.get(case.key)
        if now is not None and others.visible >= 0.85 and not case.doubted:
            case.learn(now, alike, time_s)

    def _moving(self, case: Case, box: Box, time_s: float) -> None:
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

    def _unseen(self, case: Case, others: _Others, scene: Scene, evidence_s: float, vehicles: FloatArray) -> None:
        """No vehicle was detected at the case's place: that alone means nothing."""
        time_s = scene.time_s
        now = scene.looks.get(case.key)
        if now is None or not scene.view.usable or others.visible < _LEAST_VISIBLE:
            return
        case.frames += 1
        alike = others.alike(case)
        if alike is None:
            return
        if alike.structure >= _LIKE:
            case.present_s = time_s
            case.empty_s, case.empty_since_s = 0.0, None
            if alike.structure >= 0.75 and others.visible >= 0.85 and time_s - case.learned_s >= 10.0:
                case.learn(now, alike, time_s)
            return
        if alike.structure >= _UNLIKE:
            return
        case.doubted = True
        covered = intersections([case.place], vehicles)[0] if len(vehicles) else np.zeros(1)
        area = (case.place[2] - case.place[0]) * (case.place[3] - case.place[1])
        if case.is_still(now) and float(covered.max(initial=0.0)) < 0.3 * area:
            case.empty_since_s = time_s if case.empty_since_s is None else case.empty_since_s
            case.empty_s += evidence_s

    # --- begin and end -----------------------------------------------------------------------------------------------

    def _begin(
        self,
        free: list[int],
        boxes: FloatArray,
        ids: np.ndarray[Any, np.dtype[np.int64]],
        columns: np.ndarray[Any, np.dtype[np.int64]],
        scene: Scene,
        matched_rows: set[int],
        out: Outcome,
    ) -> None:
        """New candidates from vehicles that belong to no case."""
        zone = scene.zones[self._rule.zone_id]
        if not free:
            return
        inside = points_in_polygon(bottom_centres(boxes), zone.polygon_norm)
        for column in free:
            confidence = float(scene.detections.confidence[columns[column]])
            if not inside[column] or confidence < START_CONFIDENCE:
                continue
            box, track_id = _box(boxes[column]), int(ids[column])
            mine = next((c for c in self._cases if c.track_id == track_id >= 0 and not c.episode.is_open), None)
            if mine is not None:
                mine.move(box, scene.time_s)
                mine.vote(int(scene.detections.class_id[columns[column]]), confidence)
                mine.detected_s = mine.present_s = scene.time_s
                continue
            if self._cases and float(overlap_of_smaller([box], [case.place for case in self._cases]).max()) > 0.7:
                continue  # a second box around a known vehicle, or one that hides it
            number, self._number = self._number, self._number + 1
            key = incident_id(self._camera_id, self._rule.rule_id, scene.time_s, number)
            episode = Episode(
                key, self._camera_id, self._rule.kind, self._rule.rule_id, self._rule.zone_id, scene.time_s,
                self._parameters.severity,
            )  # fmt: skip
            case = Case(episode, box, scene.time_s, scene.time_s, scene.time_s, track_id, frames=1)
            case.vote(int(scene.detections.class_id[columns[column]]), confidence)
            self._cases.append(case)

    def _end(self, scene: Scene, out: Outcome) -> None:
        """Drop what is over; tell of it when it had been told of."""
        polygon = scene.zones[self._rule.zone_id].polygon_norm
        vehicles_elsewhere = {
            int(track_id): box
            for track_id, box in zip(scene.detection_track_id, scene.boxes_norm(), strict=True)
            if track_id >= 0
        }
        kept: list[Case] = []
        for case in self._cases:
            told = case.episode.phase is not None
            seen_away = vehicles_elsewhere.get(case.track_id)
            left = seen_away is not None and float(iou([case.place], [seen_away])[0, 0]) < _MATCH_IOU_SAME_TRACK
            quick = left or not told
            if case.suspect_s >= _SUSPECT_S:
                self._close(case, scene, "replaced", case.suspect_since_s, out)
            elif case.empty_s >= (_EMPTY_LEFT_S if quick else _EMPTY_S):
                self._close(case, scene, "left", case.empty_since_s, out)
            elif (case.state is CaseState.CANDIDATE and scene.time_s - case.present_s > _FORGET_CANDIDATE_S) or (
                not told and not points_in_polygon(bottom_centres([case.place]), polygon)[0]
            ):
                continue
            else:
                kept.append(case)
        self._cases = kept

    def _close(self, case: Case, scene: Scene, reason: str, ended_s: float | None, out: Outcome) -> None:
        if case.episode.phase is not None:
            out.incidents.append(
                case.episode.tell(
                    Phase.CLOSED,
                    scene.time_s,
                    box_norm=case.place,
                    track_ids=_track_ids(case),
                    evidence=case.evidence(scene.time_s if ended_s is None else ended_s, _on_ground(case, scene)),
                    close_reason=reason,
                    ended_s=ended_s,
                )
            )
            out.pictures.append(self._picture(case, "cleared", scene.time_s))
        out.changed = out.changed or case.state is not CaseState.CANDIDATE

    # --- the clock ---------------------------------------------------------------------------------------------------

    def _follow_schedule(self, time_s: float, out: Outcome) -> None:
        if not self._rule.active(time_s):
            if self._active_since_s is not None:
                ended = self.close(time_s, "schedule")
                out.incidents += ended.incidents
                out.changed = True
            self._active_since_s = None
        elif self._active_since_s is None:
            # At the start of a run the rule counts from when the vehicle was first seen, which is not before now.
            self._active_since_s = time_s

    def _advance(self, case: Case, scene: Scene, out: Outcome) -> None:
        """Warn and open when it is time; keep the state's name right."""
        time_s, p = scene.time_s, self._parameters
        if case.state is CaseState.CANDIDATE:
            if case.hits < _LEAST_HITS or case.present_s - case.stopped_s < _STANDING_AFTER_S:
                return
            out.changed = True
            case.state = CaseState.STANDING
        if case.first_picture_s is None:
            case.first_picture_s = time_s
            out.pictures.append(self._picture(case, "first_seen", time_s))
        elif not case.later_picture and time_s - case.first_picture_s >= _PICTURES_APART_S and case.present_s == time_s:
            case.later_picture = True
            out.pictures.append(self._picture(case, "later", time_s))
        standing_s = time_s - max(case.stopped_s, self._active_since_s or case.stopped_s)
        may_tell = (
            self._active_since_s is not None
            and time_s - case.present_s <= _FRESH_S
            and not case.doubted
            and case.suspect_since_s is None
            and case.share >= _LEAST_SHARE
            and case.class_id in p.classes
        )
        case.episode.score = max(case.episode.score, case.confidence)
        if may_tell and not case.episode.is_open and standing_s >= p.after_s - 1e-6:
            self._rename(case, scene, CaseState.VIOLATION)
            self._tell(case, Phase.OPENED, scene, out)
            out.pictures.append(self._picture(case, "limit", time_s))
        elif (
            may_tell
            and case.episode.phase is None
            and p.warn_after_s is not None
            and standing_s >= p.warn_after_s - 1e-6
        ):
            self._rename(case, scene, CaseState.WARNED)
            self._tell(case, Phase.WARNED, scene, out)
        else:
            before = case.state
            self._rename(case, scene, _base_state(case))
            crossed = (before is CaseState.UNKNOWN) != (case.state is CaseState.UNKNOWN)
            if crossed:
                out.changed = True
                if case.episode.is_open:
                    self._tell(case, Phase.UPDATED, scene, out)

    def _rename(self, case: Case, scene: Scene, base: CaseState) -> None:
        unseen_s = scene.time_s - case.present_s
        if unseen_s <= 0:
            case.state = base
        elif not scene.view.usable or unseen_s > _UNKNOWN_AFTER_S:
            case.state = CaseState.UNKNOWN
        else:
            case.state = CaseState.OCCLUDED if unseen_s > _DOUBT_AFTER_S else base

    def _tell(self, case: Case, phase: Phase, scene: Scene, out: Outcome) -> None:
        out.changed = True
        out.incidents.append(
            case.episode.tell(
                phase,
                scene.time_s,
                box_norm=case.place,
                track_ids=_track_ids(case),
                evidence=case.evidence(scene.time_s, _on_ground(case, scene)),
            )
        )

    def _picture(self, case: Case, role: str, time_s: float) -> PictureRequest:
        return PictureRequest(case.key, self._rule.kind, self._rule.zone_id, role, time_s, case.place)

    # --- the rule ends, the worker restarts --------------------------------------------------------------------------

    def close(self, time_s: float, reason: str) -> Outcome:
        out = Outcome(changed=bool(self._cases))
        for case in self._cases:
            if case.episode.phase is not None:
                out.incidents.append(
                    case.episode.tell(
                        Phase.CLOSED, time_s, box_norm=case.place, track_ids=_track_ids(case),
                        evidence=case.evidence(time_s, {}), close_reason=reason,
                    )
                )  # fmt: skip
        self._cases = []
        return out

    def snapshot(self) -> dict[str, Any]:
        return {
            "cases": [case.snapshot() for case in self._cases],
            "number": self._number,
            "active_since_s": self._active_since_s,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._cases = [Case.from_snapshot(case) for case in state["cases"]]
        self._number = state["number"]
        self._active_since_s = state["active_since_s"]


class _Others:
    """What may stand between the camera and a case's place, and how the place looks past it."""

    def __init__(self, scene: Scene, boxes_norm: FloatArray) -> None:
        self._scene = scene
        # A person whom the detector misses in this picture still stands where the tracker thinks.
        bridged = [
            row
            for row, t in enumerate(scene.tracks)
            if t.state is TrackState.LOST and scene.time_s - t.last_seen_s <= 1.0 and t.last_seen_s < scene.time_s
        ]
        sure = np.flatnonzero(scene.detections.confidence >= 0.25)
        self._boxes = np.concatenate([boxes_norm[sure], scene.track_boxes_norm()[bridged]])
        classes = [*scene.detections.class_id[sure].tolist(), *(scene.tracks[row].class_id for row in bridged)]
        self._may_be_it = np.array([class_id in coco.VEHICLES for class_id in classes], bool)
        self._cells = np.ones((1, 1), bool)
        self.visible = 1.0

    def look_at(self, case: Case) -> None:
        """Work out which cells of the case's place are in view."""
        place = case.place
        is_it = self._may_be_it & (iou([place], self._boxes)[0] >= _MATCH_IOU)
        hides = self._boxes[:, 3] > place[3] - 0.1 * (place[3] - place[1])  # what stands behind hides nothing
        self._cells = visible_cells(place, self._boxes[hides & ~is_it])
        self.visible = float(self._cells.mean())

    def alike(self, case: Case) -> Likeness | None:
        now = self._scene.looks.get(case.key)
        return None if now is None or self.visible < _LEAST_VISIBLE else case.compare(now, self._cells)


def _base_state(case: Case) -> CaseState:
    if case.episode.is_open:
        return CaseState.VIOLATION
    return CaseState.WARNED if case.episode.phase is Phase.WARNED else CaseState.STANDING


def _box(row: FloatArray) -> Box:
    return (float(row[0]), float(row[1]), float(row[2]), float(row[3]))


def _track_ids(case: Case) -> tuple[int, ...]:
    return (case.track_id,) if case.track_id >= 0 else ()


def _on_ground(case: Case, scene: Scene) -> dict[str, Quantity]:
    """Where the vehicle stands in metres, when the camera knows its ground and the place is below the horizon."""
    if scene.ground is None:
        return {}
    point = bottom_centres([case.place])
    x_m, y_m = scene.ground.to_metres(point)[0]
    if not np.isfinite(x_m):
        return {}
    return {
        "ground_x": Quantity(round(float(x_m), 2), "m"),
        "ground_y": Quantity(round(float(y_m), 2), "m"),
        "ground_error": Quantity(round(float(scene.ground.error_at_m(point)[0]), 2), "m"),
    }
