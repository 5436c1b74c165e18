"""A vehicle that stands in a no-parking zone longer than it may.

A case is keyed to place and looks. It begins with a vehicle whose ground point is in the zone; its clock starts when
the vehicle stops (or was first seen standing) and runs on the stream's time, through occlusions, lost tracks, restarts
and outages. It ends only when its place has been *observed* empty: nothing detected, unlike the vehicle, still, and in
view.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from vision import coco
from vision.behaviours.behaviour import Outcome
from vision.behaviours.parking_case import Case, CaseState
from vision.behaviours.parking_limits import Parameters
from vision.behaviours.parking_sight import (
    DOUBT_AFTER_S,
    MATCH_IOU_SAME_TRACK,
    Sight,
    as_box,
    match,
    on_ground,
    seen,
    unseen,
)
from vision.behaviours.queueing import Traffic
from vision.camera import RuleSpec
from vision.detection import Int64Array
from vision.episodes import Episode, incident_id
from vision.geometry import (
    Box,
    FloatArray,
    bottom_centres,
    iou,
    overlap_of_smaller,
    points_in_polygon,
)
from vision.incident import Phase, PictureRequest, Quantity
from vision.scene import Scene
from vision.status import RuleStatus

__all__ = ["IllegalParking", "Parameters"]

#: A detection this sure may begin a case; any that the detector gives may confirm one that exists.
START_CONFIDENCE: Final = 0.35
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
_PICTURES_APART_S: Final = 10.0
_QUEUE_LIMITS: Final = 3.0


class IllegalParking:
    """One rule on one zone."""

    def __init__(self, camera_id: str, rule: RuleSpec) -> None:
        self._camera_id = camera_id
        self._rule = rule
        self._cases: list[Case] = []
        self._traffic = Traffic()
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
        watched = coco.VEHICLES | self._parameters.classes
        # From a picture that is not to be believed follows nothing, neither that something is there nor that it is not.
        found = [column for column, kind in enumerate(scene.detections.class_id.tolist()) if kind in watched]
        columns = np.array(found if scene.view.usable else [], np.int64)
        if scene.view.usable:
            self._traffic.step(scene)
        if not self._cases and len(columns) == 0:
            return out
        all_boxes = scene.boxes_norm()
        boxes = all_boxes[columns]
        ids = scene.detection_track_id[columns]
        pairs = match(self._cases, boxes, ids)
        sight = Sight(scene, all_boxes)
        for row, case in enumerate(self._cases):
            sight.look_at(case)
            column = pairs.get(row)
            if column is not None:
                confidence = float(scene.detections.confidence[columns[column]])
                case.vote(int(scene.detections.class_id[columns[column]]), confidence)
                seen(case, as_box(boxes[column]), int(ids[column]), sight, scene)
            else:
                unseen(case, sight, scene, vehicles=boxes)
            if scene.view.usable:
                case.last_look = scene.looks.get(case.key)
        self._end(scene, out)
        taken = set(pairs.values())
        free = [c for c in range(len(boxes)) if c not in taken]
        self._begin(free, boxes, ids, columns, scene)
        for case in self._cases:
            self._advance(case, scene, out)
        return out

    # --- begin and end -----------------------------------------------------------------------------------------------

    def _begin(
        self,
        free: list[int],
        boxes: FloatArray,
        ids: Int64Array,
        columns: Int64Array,
        scene: Scene,
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
            box, track_id = as_box(boxes[column]), int(ids[column])
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
            now_s = scene.time_s
            case = Case(episode, box, now_s, now_s, now_s, track_id, frames=1, arrival=[(now_s, box)])
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
            left = seen_away is not None and float(iou([case.place], [seen_away])[0, 0]) < MATCH_IOU_SAME_TRACK
            quick = left or not told
            if case.suspect_s >= _SUSPECT_S:
                self._close(case, scene, "replaced", case.suspect_since_s, out)
            elif case.empty_s >= (_EMPTY_LEFT_S if quick else _EMPTY_S):
                self._close(case, scene, "left", case.left_s(DOUBT_AFTER_S), out)
            elif (case.state is CaseState.CANDIDATE and scene.time_s - case.present_s > _FORGET_CANDIDATE_S) or (
                not told and not points_in_polygon(bottom_centres([case.place]), polygon)[0]
            ):
                continue
            else:
                kept.append(case)
        self._cases = kept

    def _close(self, case: Case, scene: Scene, reason: str, ended_s: float | None, out: Outcome) -> None:
        if case.episode.phase is not None:
            self._tell(case, Phase.CLOSED, scene.time_s, on_ground(case, scene), out, reason, ended_s)
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
        if not scene.view.usable:
            self._follow_state(case, scene, out)
            return
        if case.state is CaseState.CANDIDATE:
            if case.hits < _LEAST_HITS or case.present_s - case.stopped_s < _STANDING_AFTER_S:
                return
            out.changed = True
            case.state = CaseState.STANDING
            case.come_to_rest()
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
            and not self._waits_in_a_queue(case, standing_s)
        )
        case.episode.score = max(case.episode.score, case.confidence)
        if may_tell and not case.episode.is_open and standing_s >= p.after_s - 1e-6:
            self._rename(case, scene, CaseState.VIOLATION)
            self._tell(case, Phase.OPENED, time_s, on_ground(case, scene), out)
            out.pictures.append(self._picture(case, "limit", time_s))
        elif (
            may_tell
            and case.episode.phase is None
            and p.warn_after_s is not None
            and standing_s >= p.warn_after_s - 1e-6
        ):
            self._rename(case, scene, CaseState.WARNED)
            self._tell(case, Phase.WARNED, time_s, on_ground(case, scene), out)
        else:
            self._follow_state(case, scene, out)

    def _waits_in_a_queue(self, case: Case, standing_s: float) -> bool:
        """Not for ever: a queue that has stood for several times as long blocks the place as well."""
        if case.episode.is_open or standing_s >= _QUEUE_LIMITS * self._parameters.after_s:
            return False
        return self._traffic.queues(case.track_id, case.place, case.stopped_s)

    def _follow_state(self, case: Case, scene: Scene, out: Outcome) -> None:
        """Nothing new but the state's name; who waits for an open case is told when nothing is known of it any longer, or
        again.
        """
        before = case.state
        if before is CaseState.CANDIDATE:
            return
        self._rename(case, scene, case.base_state)
        if (before is CaseState.UNKNOWN) != (case.state is CaseState.UNKNOWN):
            out.changed = True
            if case.episode.is_open:
                view = {} if scene.view.usable else {"view": Quantity(scene.view.state.value, "")}
                self._tell(case, Phase.UPDATED, scene.time_s, on_ground(case, scene) | view, out)

    def _rename(self, case: Case, scene: Scene, base: CaseState) -> None:
        unseen_s = scene.time_s - case.present_s
        if not scene.view.usable or unseen_s > _UNKNOWN_AFTER_S:
            case.state = CaseState.UNKNOWN
        elif unseen_s <= 0:
            case.state = base
        else:
            case.state = CaseState.OCCLUDED if unseen_s > DOUBT_AFTER_S else base

    def _tell(
        self,
        case: Case,
        phase: Phase,
        time_s: float,
        ground: dict[str, Quantity],
        out: Outcome,
        close_reason: str | None = None,
        ended_s: float | None = None,
    ) -> None:
        out.changed = True
        out.incidents.append(
            case.episode.tell(
                phase,
                time_s,
                box_norm=case.place,
                track_ids=(case.track_id,) if case.track_id >= 0 else (),
                evidence=case.evidence(time_s if ended_s is None else ended_s, ground),
                close_reason=close_reason,
                ended_s=ended_s,
            )
        )

    def _picture(self, case: Case, role: str, time_s: float) -> PictureRequest:
        return PictureRequest(case.key, self._rule.kind, self._rule.zone_id, role, time_s, case.place)

    # --- the rule ends, the worker restarts --------------------------------------------------------------------------

    def cases(self) -> frozenset[str]:
        return frozenset(case.episode.incident_id for case in self._cases)

    def status(self, time_s: float) -> tuple[RuleStatus, ...]:
        rule, limit = self._rule, Quantity(self._parameters.after_s, "s")
        if not rule.active(time_s):
            return (RuleStatus(rule.rule_id, rule.kind, rule.zone_id, "off"),)
        return tuple(
            RuleStatus(
                rule.rule_id,
                rule.kind,
                rule.zone_id,
                case.state.value,
                case.place,
                case.key if case.episode.phase is not None else None,
                {"standing": case.standing(time_s, self._active_since_s), "standing_limit": limit},
            )
            for case in self._cases
            if case.state is not CaseState.CANDIDATE
        )

    def close(self, time_s: float, reason: str) -> Outcome:
        out = Outcome(changed=bool(self._cases))
        for case in self._cases:
            if case.episode.phase is not None:
                self._tell(case, Phase.CLOSED, time_s, {}, out, reason)
        self._cases = []
        return out

    def snapshot(self) -> dict[str, Any]:
        return {
            "cases": [case.snapshot() for case in self._cases],
            "number": self._number,
            "active_since_s": self._active_since_s,
            "traffic": self._traffic.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._cases = [Case.from_snapshot(case) for case in state["cases"]]
        self._number = state["number"]
        self._active_since_s = state["active_since_s"]
        if "traffic" in state:
            self._traffic.restore(state["traffic"])
