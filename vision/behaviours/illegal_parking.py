"""A vehicle that stands in a no-parking zone longer than it may.

A case is keyed to place and looks. It begins with a vehicle that is in the zone with its footprint, where the camera has
ground points, else with its ground point; its clock starts when
the vehicle stops (or was first seen standing) and runs on the stream's time, through occlusions, lost tracks, restarts
and outages. It ends only when its place has been *observed* empty: nothing detected, unlike the vehicle, still, and in
view.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vision.behaviours.behaviour import Outcome
from vision.behaviours.parking_case import Case, CaseState
from vision.behaviours.parking_cases import Cases, Vehicles
from vision.behaviours.parking_limits import Parameters
from vision.behaviours.parking_place import Yard
from vision.behaviours.parking_sight import DOUBT_AFTER_S
from vision.behaviours.queueing import Traffic
from vision.camera import RuleSpec
from vision.geometry import Box
from vision.incident import Phase, PictureRequest, Quantity
from vision.scene import Scene
from vision.status import RuleStatus

__all__ = ["IllegalParking", "Parameters"]

_STANDING_AFTER_S: Final = 2.0
_LEAST_HITS: Final = 3
_LEAST_SHARE: Final = 0.15
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
        self._cases = Cases()
        self._traffic = Traffic()
        self._yard: Yard | None = None
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
        vehicles = Vehicles.of(scene, self._parameters.classes)
        if scene.view.usable:
            self._traffic.step(scene)
        if not self._cases and len(vehicles.boxes) == 0:
            return out
        yard = self._yard_of(scene)
        free = self._cases.look(scene, yard, vehicles)
        for ended in self._cases.end(scene, yard):
            self._close(*ended, scene, out)
        self._cases.begin(free, vehicles, scene, yard, self._camera_id, self._rule)
        for case in self._cases:
            self._advance(case, scene, out)
        return out

    def _yard_of(self, scene: Scene) -> Yard:
        """The zone and the ground as they are drawn now."""
        zone = scene.zones[self._rule.zone_id]
        if self._yard is None or self._yard.zone is not zone or self._yard.ground is not scene.ground:
            self._yard = Yard(zone, scene.ground)
        return self._yard

    def _close(self, case: Case, reason: str, ended_s: float | None, scene: Scene, out: Outcome) -> None:
        if case.episode.phase is not None:
            self._tell(case, Phase.CLOSED, scene.time_s, self._on_ground(case, scene), out, reason, ended_s)
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
            case.come_to_rest(self._yard_of(scene))
        if case.first_picture_s is None:
            case.first_picture_s = time_s
            out.pictures.append(self._picture(case, "first_seen", time_s))
        elif not case.later_picture and time_s - case.first_picture_s >= _PICTURES_APART_S and case.present_s == time_s:
            case.later_picture = True
            out.pictures.append(self._picture(case, "later", time_s))
        standing_s = time_s - max(case.stopped_s, self._active_since_s or case.stopped_s)
        case.episode.score = max(case.episode.score, case.confidence)
        # Of one that is open nothing more is to be told before its end.
        may_tell = not case.episode.is_open and self._may_tell(case, time_s, standing_s)
        if may_tell and standing_s >= p.after_s - 1e-6:
            self._rename(case, scene, CaseState.VIOLATION)
            self._tell(case, Phase.OPENED, time_s, self._on_ground(case, scene), out)
            out.pictures.append(self._picture(case, "limit", time_s))
        elif (
            may_tell
            and case.episode.phase is None
            and p.warn_after_s is not None
            and standing_s >= p.warn_after_s - 1e-6
        ):
            self._rename(case, scene, CaseState.WARNED)
            self._tell(case, Phase.WARNED, time_s, self._on_ground(case, scene), out)
        else:
            self._follow_state(case, scene, out)
        if case.episode.is_open and not case.close_up and case.detected_s == time_s:
            case.close_up = True  # not while the detector does not see it
            out.pictures.append(self._picture(case, "close_up", time_s))

    def _may_tell(self, case: Case, time_s: float, standing_s: float) -> bool:
        """Whether it is sure enough that the vehicle is there, and that the rule is about it."""
        return (
            self._active_since_s is not None
            and time_s - case.present_s <= _FRESH_S
            and not case.doubted
            and case.suspect_since_s is None
            and case.share >= _LEAST_SHARE
            and case.class_id in self._parameters.classes
            and not self._waits_in_a_queue(case, standing_s)
        )

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
                self._tell(case, Phase.UPDATED, scene.time_s, self._on_ground(case, scene) | view, out)

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

    def _on_ground(self, case: Case, scene: Scene) -> dict[str, Quantity]:
        return self._yard_of(scene).evidence(case.place, case.class_id)

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
        self._cases.clear()
        return out

    def snapshot(self) -> dict[str, Any]:
        return {
            "cases": [case.snapshot() for case in self._cases],
            "number": self._cases.number,
            "active_since_s": self._active_since_s,
            "traffic": self._traffic.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._cases = Cases([Case.from_snapshot(case) for case in state["cases"]], state["number"])
        self._active_since_s = state["active_since_s"]
        if "traffic" in state:
            self._traffic.restore(state["traffic"])
