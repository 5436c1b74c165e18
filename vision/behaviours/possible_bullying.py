"""People who may be hurting one of them: a candidate for a person to judge, never a verdict.

Evidence is of two kinds: the score of each interaction region (how much it moves like a fight), and the situation that
tracks show (one surrounded, one caught after a chase, one lying while others stay). An incident needs evidence that
lasts: k of the last n windows, fewer when the situation agrees; or a situation alone that is grave or long enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from vision.behaviours.behaviour import Outcome
from vision.behaviours.bullying_finding import Finding, findings
from vision.behaviours.bullying_group import Group
from vision.camera import RuleSpec
from vision.episodes import incident_id
from vision.geometry import Box, points_in_polygon
from vision.incident import Phase, PictureRequest, Quantity
from vision.scene import Scene
from vision.situation import SituationWatch
from vision.status import RuleStatus
from vision.view import ViewState

Sensitivity = Literal["low", "normal", "high"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What opens an incident. `score`: a window counts from here on; `windows` of the last `of` must count (one window
    every 0.2 s); with a situation that agrees `windows_with_situation` are enough. The rest: a situation alone.
    """

    score: float
    windows: int
    of: int
    windows_with_situation: int
    down_s: float
    encircled_s: float
    caught_s: float


#: Bound to measured false alarms: see docs/behaviours/possible_bullying.md.
SENSITIVITY: Final[Mapping[Sensitivity, Bounds]] = {
    "low": Bounds(0.9, 16, 16, 8, 15.0, 40.0, 6.0),
    "normal": Bounds(0.85, 12, 12, 6, 8.0, 20.0, 3.0),
    "high": Bounds(0.75, 10, 12, 4, 5.0, 12.0, 2.0),
}

_QUIET_S: Final = 10.0
_REPEAT_S: Final = 15.0
_BLIND_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Parameters:
    """`severity` none: from the evidence. After an incident closed, none opens at its place for `cooldown_s`, unless it
    is graver. `excluded` zones are not looked at (a sports ground).
    """

    sensitivity: Sensitivity = "normal"
    cooldown_s: float = 60.0
    severity: int | None = None
    excluded: tuple[str, ...] = ()

    @property
    def bounds(self) -> Bounds:
        return SENSITIVITY[self.sensitivity]


@dataclass(slots=True)
class _Rest:
    """A place that was told of lately."""

    box_norm: Box
    severity: int
    until_s: float


@dataclass(slots=True)
class _State:
    groups: list[Group] = field(default_factory=list)
    rests: list[_Rest] = field(default_factory=list)
    number: int = 0


class PossibleBullying:
    """One rule on one zone."""

    def __init__(self, camera_id: str, rule: RuleSpec) -> None:
        self._camera_id = camera_id
        self._rule = rule
        self._situations = SituationWatch()
        self._state = _State()

    @property
    def _parameters(self) -> Parameters:
        parameters = self._rule.parameters
        assert isinstance(parameters, Parameters)
        return parameters

    def places(self) -> Mapping[str, Box]:
        return {}

    def reconfigure(self, rule: RuleSpec) -> None:
        self._rule = rule

    def step(self, scene: Scene) -> Outcome:
        if not self._rule.active(scene.time_s):
            self._situations = SituationWatch()
            return self.close(scene.time_s, "schedule")
        out = Outcome()
        moved = scene.view.state is ViewState.MOVED
        if not scene.view.usable and not moved:
            return out
        if moved or scene.gap_s > _BLIND_S:
            # What was not seen is not known to have lasted, and in a view that has moved no place is known. Blows are judged
            # all the same: they are where they are seen, and a child is not hurt less before a camera that was knocked.
            self._situations = SituationWatch()
        if scene.gap_s > _BLIND_S:
            for group in self._state.groups:
                group.last_s += scene.gap_s
        found = [f for f in findings(scene, self._situations) if self._watches(scene, f.box_norm)]
        for finding in found:
            self._group_of(finding, scene).see(finding, self._parameters.bounds)
        self._join(scene)
        for group in list(self._state.groups):
            self._judge(group, scene, out)
        self._state.rests = [rest for rest in self._state.rests if rest.until_s > scene.time_s]
        return out

    def _watches(self, scene: Scene, box: Box) -> bool:
        foot = [((box[0] + box[2]) / 2, min(box[3], 1 - 1e-9)), ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)]
        zone = scene.zones[self._rule.zone_id].polygon_norm
        if not points_in_polygon(foot, zone).any():
            return False
        excluded = [scene.zones[name].polygon_norm for name in self._parameters.excluded if name in scene.zones]
        return not any(points_in_polygon(foot[1:], polygon).any() for polygon in excluded)

    def _group_of(self, finding: Finding, scene: Scene) -> Group:
        """The group that this finding is about: that of the same people, or of the same place."""
        for group in self._state.groups:
            if group.concerns(finding):
                return group
        number, self._state.number = self._state.number, self._state.number + 1
        made = Group(
            incident_id(self._camera_id, self._rule.rule_id, scene.time_s, number),
            scene.time_s,
            scene.time_s,
            finding.box_norm,
        )
        self._state.groups.append(made)
        return made

    def _join(self, scene: Scene) -> None:
        """What goes on beside an open incident belongs to it: a scuffle has no borders, and a person wants one alarm of it."""
        for group in [g for g in self._state.groups if g.episode is None]:
            beside = [g for g in self._state.groups if g.episode and g.beside(group, scene.width_px, scene.height_px)]
            if beside:
                beside[0].take_in(group)
                self._state.groups.remove(group)

    def _judge(self, group: Group, scene: Scene, out: Outcome) -> None:
        p = self._parameters
        grounds = group.grounds(p.bounds, scene.time_s)
        if group.episode is None:
            if grounds and not self._resting(group, p.severity or group.severity(scene.time_s)):
                group.begin(
                    self._camera_id, self._rule, p.severity or group.severity(scene.time_s), p.bounds, scene.time_s
                )
                self._tell(group, Phase.OPENED, scene, out)
                self._picture(group, "peak", scene.time_s, out)
            elif scene.time_s - group.last_s > _BLIND_S:
                self._state.groups.remove(group)
            return
        higher = group.score > group.episode.score
        group.episode.score = max(group.episode.score, group.score)
        severity = p.severity or group.severity(scene.time_s)
        graver = grounds and severity < group.episode.severity
        if graver:
            group.episode.severity = severity
        if scene.time_s - group.moved_s > _QUIET_S:
            self._close(group, scene.time_s, "dispersed", out)
        elif graver or (grounds and scene.time_s - (group.episode.told_s or 0.0) >= _REPEAT_S):
            self._tell(group, Phase.UPDATED, scene, out)
        if higher and grounds:
            self._picture(group, "peak", scene.time_s, out)

    def _resting(self, group: Group, severity: int) -> bool:
        return any(_overlap(rest.box_norm, group.box_norm) and severity >= rest.severity for rest in self._state.rests)

    def _tell(self, group: Group, phase: Phase, scene: Scene, out: Outcome) -> None:
        assert group.episode is not None
        out.changed = True
        out.incidents.append(
            group.episode.tell(
                phase,
                scene.time_s,
                box_norm=group.box_norm,
                track_ids=group.track_ids,
                evidence=group.evidence(scene.time_s),
            )
        )

    def _picture(self, group: Group, role: str, time_s: float, out: Outcome) -> None:
        out.pictures.append(
            PictureRequest(group.incident_id, self._rule.kind, self._rule.zone_id, role, time_s, group.box_norm)
        )

    def _close(self, group: Group, time_s: float, reason: str, out: Outcome) -> None:
        assert group.episode is not None
        out.changed = True
        out.incidents.append(
            group.episode.tell(
                Phase.CLOSED,
                time_s,
                box_norm=group.box_norm,
                track_ids=group.track_ids,
                evidence=group.evidence(time_s),
                close_reason=reason,
                ended_s=group.moved_s if reason == "dispersed" else None,
            )
        )
        self._state.groups.remove(group)
        self._state.rests.append(_Rest(group.box_norm, group.episode.severity, time_s + self._parameters.cooldown_s))

    def cases(self) -> frozenset[str]:
        return frozenset(group.incident_id for group in self._state.groups)

    def status(self, time_s: float) -> tuple[RuleStatus, ...]:
        rule = self._rule
        if not rule.active(time_s):
            return (RuleStatus(rule.rule_id, rule.kind, rule.zone_id, "off"),)
        return tuple(
            RuleStatus(
                rule.rule_id,
                rule.kind,
                rule.zone_id,
                "watching" if group.episode is None else "open",
                group.box_norm,
                None if group.episode is None else group.incident_id,
                {"score": Quantity(round(group.score, 2), "0..1")},
            )
            for group in self._state.groups
        )

    def close(self, time_s: float, reason: str) -> Outcome:
        out = Outcome()
        for group in list(self._state.groups):
            if group.episode is not None:
                self._close(group, time_s, reason, out)
        self._state = _State(number=self._state.number, rests=self._state.rests)
        return out

    def snapshot(self) -> dict[str, Any]:
        """Open incidents and cooldowns; evidence that is only gathering starts anew after a restart."""
        return {
            "groups": [group.snapshot() for group in self._state.groups if group.episode is not None],
            "rests": [[list(rest.box_norm), rest.severity, rest.until_s] for rest in self._state.rests],
            "number": self._state.number,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._state = _State(
            [Group.from_snapshot(group) for group in state["groups"]],
            [_Rest((b[0], b[1], b[2], b[3]), int(severity), float(until)) for b, severity, until in state["rests"]],
            int(state["number"]),
        )


def _overlap(a: Box, b: Box) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])
