"""Too many people in one place: above a count, or above a density on the ground.

The levels follow Fruin (Pedestrian Planning and Design, 1971) as the site's numbers round them: at 2 people per square
metre walking slows, near 3.5 bodies touch, from 5 on a crowd is dangerous.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vision.behaviours.behaviour import Outcome
from vision.behaviours.crowding_count import Count, CrowdCount
from vision.behaviours.crowding_finding import observed, score_of, severity_of
from vision.behaviours.crowding_limits import LEVELS, Parameters
from vision.camera import RuleSpec
from vision.episodes import Episode, Hysteresis, incident_id
from vision.geometry import Box
from vision.incident import Phase, PictureRequest, Quantity
from vision.observation import Observation
from vision.scene import Scene
from vision.status import RuleStatus

__all__ = ["LEVELS", "Crowding", "Parameters"]

_LONGEST_STEP_S: Final = 3.0  # a longer silence between scenes is a gap: nothing was observed


class Crowding:
    """One rule on one zone."""

    def __init__(self, camera_id: str, rule: RuleSpec) -> None:
        self._camera_id = camera_id
        self._rule = rule
        self._hysteresis = Hysteresis(self._parameters.thresholds)
        self._episode: Episode | None = None
        self._count = CrowdCount()
        self._peak_people = 0
        self._peak_density = 0.0
        self._number = 0
        self._unknown = False
        self._was_unexpected = False
        self._gathers = False

    @property
    def _parameters(self) -> Parameters:
        parameters = self._rule.parameters
        assert isinstance(parameters, Parameters)
        return parameters

    def places(self) -> Mapping[str, Box]:
        return {}

    def reconfigure(self, rule: RuleSpec) -> None:
        self._rule = rule
        self._hysteresis.thresholds = self._parameters.thresholds

    def step(self, scene: Scene) -> Outcome:
        out = Outcome()
        if not self._rule.active(scene.time_s):
            return self.close(scene.time_s, "schedule")
        unexpected = self._parameters.unexpected(scene.time_s)
        if self._was_unexpected and not unexpected and self._gathers:
            # What gathered before its time is the crowd that is expected now: it is judged anew, by the other limit.
            ended = self.close(scene.time_s, "expected")
            self._was_unexpected, self._gathers = unexpected, False
            return ended
        self._was_unexpected = unexpected
        if not scene.view.usable or scene.gap_s > _LONGEST_STEP_S:
            self._hysteresis.gap(scene.time_s)
        if not scene.view.usable:
            self._lose_sight(scene, out)
            return out
        was_unknown, self._unknown = self._unknown, False
        count = self._count.step(scene, scene.zones[self._rule.zone_id].polygon_norm)
        score = score_of(count, scene, self._parameters)
        event = self._hysteresis.see(score, scene.time_s)
        if event == "begin":
            self._open(self._observe(scene, count, score), count, out)
        elif event == "end":
            self._end(self._observe(scene, count, score), out)
        elif self._episode is not None:
            self._go_on(self._episode, scene, count, score, out, at_once=was_unknown)
        return out

    def _lose_sight(self, scene: Scene, out: Outcome) -> None:
        """The view is not usable: whether people are there is not known, and who waits for it is told so once."""
        if self._unknown:
            return
        self._unknown = True
        out.changed = True
        if self._episode is not None:
            known = {"state": Quantity("unknown", ""), "view": Quantity(scene.view.state.value, "")}
            blind = Observation(self._rule.zone_id, scene.time_s, 0.0, self._episode.severity, evidence=known)
            self._tell(self._episode, Phase.UPDATED, blind, out)

    def _observe(self, scene: Scene, count: Count, score: float) -> Observation:
        return observed(self._rule.zone_id, scene, count, score, self._parameters)

    # --- telling -----------------------------------------------------------------------------------------------------

    def _open(self, seen: Observation, count: Count, out: Outcome) -> None:
        since_s = self._hysteresis.above_since_s
        first_s = seen.time_s if since_s is None else since_s
        number, self._number = self._number, self._number + 1
        self._episode = Episode(
            incident_id(self._camera_id, self._rule.rule_id, first_s, number),
            self._camera_id,
            self._rule.kind,
            self._rule.rule_id,
            self._rule.zone_id,
            first_s,
            seen.severity,
            seen.score,
        )
        self._peak_people, self._peak_density = 0, 0.0
        over = self._parameters.people is not None and count.people > self._parameters.people
        self._gathers = self._parameters.unexpected(seen.time_s) and not over
        self._note_peak(count)
        self._tell(self._episode, Phase.OPENED, seen, out)
        self._picture(self._episode, "limit", seen, out)

    def _go_on(
        self, episode: Episode, scene: Scene, count: Count, score: float, out: Outcome, *, at_once: bool
    ) -> None:
        is_new_peak = self._note_peak(count)
        episode.score = max(episode.score, score)
        severity = severity_of(count, self._parameters)
        rises = severity < episode.severity
        episode.severity = min(episode.severity, severity)
        due = episode.told_s is None or scene.time_s - episode.told_s >= self._parameters.repeat_s
        tell = rises or due or at_once
        if tell or is_new_peak:
            seen = self._observe(scene, count, score)
            if tell:
                self._tell(episode, Phase.UPDATED, seen, out)
            if is_new_peak:
                self._picture(episode, "peak", seen, out)

    def _end(self, seen: Observation, out: Outcome) -> None:
        if self._episode is None:
            return
        # It ended when the count fell, not when the hold had passed.
        ended_s = seen.time_s if self._hysteresis.below_since_s is None else self._hysteresis.below_since_s
        self._tell(self._episode, Phase.CLOSED, seen, out, "dispersed", ended_s)
        self._picture(self._episode, "cleared", seen, out)
        self._episode = None

    def _tell(
        self,
        episode: Episode,
        phase: Phase,
        seen: Observation,
        out: Outcome,
        close_reason: str | None = None,
        ended_s: float | None = None,
    ) -> None:
        out.changed = True
        peak = {"peak_people": Quantity(self._peak_people, "people")}
        if "density" in seen.evidence:
            peak["peak_density"] = Quantity(round(self._peak_density, 2), "people/m2")
        # A slope over a minute of counts is worked out only when somebody is told of it.
        known = seen.evidence.get("people")
        outlook = {} if known is None else self._count.outlook(self._parameters.limit(seen.time_s), int(known.value))
        out.incidents.append(
            episode.tell(
                phase,
                seen.time_s,
                box_norm=seen.box_norm,
                track_ids=seen.track_ids,
                evidence=seen.evidence | outlook | peak,
                close_reason=close_reason,
                ended_s=ended_s,
            )
        )

    def _picture(self, episode: Episode, role: str, seen: Observation, out: Outcome) -> None:
        out.pictures.append(
            PictureRequest(episode.incident_id, self._rule.kind, self._rule.zone_id, role, seen.time_s, seen.box_norm)
        )

    def _note_peak(self, count: Count) -> bool:
        higher = count.people > self._peak_people
        self._peak_people = max(count.people, self._peak_people)
        self._peak_density = max(round(count.density, 2), self._peak_density)
        return higher

    # --- the rule ends, the worker restarts --------------------------------------------------------------------------

    def cases(self) -> frozenset[str]:
        return frozenset() if self._episode is None else frozenset({self._episode.incident_id})

    def status(self, time_s: float) -> tuple[RuleStatus, ...]:
        rule, p = self._rule, self._parameters
        if not rule.active(time_s):
            return (RuleStatus(rule.rule_id, rule.kind, rule.zone_id, "off"),)
        evidence: dict[str, Quantity] = {}
        if self._count.known(time_s):
            count, density, _ = self._count.steady(time_s)
            evidence["people"] = Quantity(count, "people")
            if p.density_per_m2 is not None:
                evidence["density"] = Quantity(round(density, 2), "people/m2")
            evidence |= self._count.outlook(p.limit(time_s), count)
        limit = p.limit(time_s)
        if limit is not None:
            evidence["people_limit"] = Quantity(limit, "people")
        if p.density_per_m2 is not None:
            evidence["density_limit"] = Quantity(p.density_per_m2, "people/m2")
        state, incident = ("watching", None) if self._episode is None else ("open", self._episode.incident_id)
        return (RuleStatus(rule.rule_id, rule.kind, rule.zone_id, state, None, incident, evidence),)

    def close(self, time_s: float, reason: str) -> Outcome:
        out = Outcome()
        if self._episode is not None:
            seen = Observation(self._rule.zone_id, time_s, 0.0, self._episode.severity)
            self._tell(self._episode, Phase.CLOSED, seen, out, reason)
        self._episode = None
        self._hysteresis = Hysteresis(self._parameters.thresholds)
        return out

    def snapshot(self) -> dict[str, Any]:
        return {
            "hysteresis": self._hysteresis.snapshot(),
            "episode": None if self._episode is None else self._episode.snapshot(),
            **self._count.snapshot(),
            "peak_people": self._peak_people,
            "peak_density": self._peak_density,
            "number": self._number,
            "unknown": self._unknown,
            "was_unexpected": self._was_unexpected,
            "gathers": self._gathers,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._hysteresis = Hysteresis.from_snapshot(self._parameters.thresholds, state["hysteresis"])
        self._episode = None if state["episode"] is None else Episode.from_snapshot(state["episode"])
        self._count.restore(state)
        self._peak_people = state["peak_people"]
        self._peak_density = state["peak_density"]
        self._number = state["number"]
        self._unknown = state.get("unknown", False)
        self._was_unexpected = state.get("was_unexpected", False)
        self._gathers = state.get("gathers", False)
