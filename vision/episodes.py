"""From observations to incidents: an episode opens, is told of again, and closes; its number never changes.

`Episode` keeps the record of one episode and writes its messages. `Hysteresis` decides from scores when one begins
and ends.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any, Final

from vision.geometry import Box
from vision.incident import Incident, Phase, Quantity

_NAMESPACE: Final = uuid.UUID("5b0c6f1e-6a5e-4e0b-9f0e-6a7e3a1f4c11")


def incident_id(camera_id: str, rule_id: str, time_s: float, number: int) -> str:
    """The same case of the same run has the same id, however often it is replayed."""
    return str(uuid.uuid5(_NAMESPACE, f"{camera_id}|{rule_id}|{time_s:.3f}|{number}"))


@dataclass(slots=True)
class Episode:
    """The record of one episode. `phase` is None until the first message."""

    incident_id: str
    camera_id: str
    kind: str
    rule_id: str
    zone_id: str
    first_seen_s: float
    severity: int
    score: float = 0.0
    phase: Phase | None = None
    revision: int = 0
    opened_s: float | None = None
    closed_s: float | None = None
    close_reason: str | None = None
    told_s: float | None = None

    def tell(
        self,
        phase: Phase,
        time_s: float,
        *,
        box_norm: Box | None,
        track_ids: tuple[int, ...],
        evidence: dict[str, Quantity],
        close_reason: str | None = None,
        ended_s: float | None = None,
    ) -> Incident:
        """The next message. `ended_s` is when the episode ended in the world, which is seen only a little later."""
        if phase is Phase.OPENED:
            self.opened_s = time_s
        if phase is Phase.CLOSED:
            self.closed_s = time_s if ended_s is None else ended_s
            self.close_reason = close_reason
        self.phase = phase
        self.revision += 1
        self.told_s = time_s
        return Incident(
            incident_id=self.incident_id,
            camera_id=self.camera_id,
            kind=self.kind,
            rule_id=self.rule_id,
            zone_id=self.zone_id,
            phase=phase,
            revision=self.revision,
            severity=self.severity,
            score=round(min(1.0, max(0.0, self.score)), 4),
            first_seen_s=self.first_seen_s,
            opened_s=self.opened_s,
            closed_s=self.closed_s,
            close_reason=self.close_reason,
            time_s=time_s,
            box_norm=box_norm,
            track_ids=track_ids,
            evidence=evidence,
        )

    @property
    def is_open(self) -> bool:
        return self.opened_s is not None and self.closed_s is None

    def snapshot(self) -> dict[str, Any]:
        return {
            "incident_id": self.incident_id,
            "camera_id": self.camera_id,
            "kind": self.kind,
            "rule_id": self.rule_id,
            "zone_id": self.zone_id,
            "first_seen_s": self.first_seen_s,
            "severity": self.severity,
            "score": self.score,
            "phase": self.phase,
            "revision": self.revision,
            "opened_s": self.opened_s,
            "closed_s": self.closed_s,
            "close_reason": self.close_reason,
            "told_s": self.told_s,
        }

    @classmethod
    def from_snapshot(cls, state: dict[str, Any]) -> Episode:
        phase = state["phase"]
        return cls(**{**state, "phase": None if phase is None else Phase(phase)})


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When an episode begins and ends.

    It begins when the score has been above `enter` for `for_s`, where dips that together last less than `dip_share` of
    that time do not count (k of n), and ends when it has been at or below `leave` for `hold_s`. In between nothing
    changes.
    """

    for_s: float
    hold_s: float
    enter: float = 0.5
    leave: float = 0.4
    dip_share: float = 0.2


@dataclass(slots=True)
class Hysteresis:
    """The state of one subject under `Thresholds`. Time that was not observed is not counted: `gap` moves the clock
    on.
    """

    thresholds: Thresholds
    is_on: bool = False
    above_since_s: float | None = None
    below_since_s: float | None = None
    dip_s: float = 0.0
    last_s: float | None = None
    paused_s: float = field(default=0.0)

    def see(self, score: float, time_s: float) -> str | None:
        """`begin`, `end` or None."""
        step_s = 0.0 if self.last_s is None else time_s - self.last_s
        self.last_s = time_s
        return self._see_on(score, time_s) if self.is_on else self._see_off(score, time_s, step_s)

    def gap(self, time_s: float) -> None:
        """The moments up to `time_s` were not observed: what runs is moved on by them."""
        if self.last_s is not None:
            missing_s = time_s - self.last_s
            self.paused_s += missing_s
            self.last_s = time_s

    def _see_off(self, score: float, time_s: float, step_s: float) -> str | None:
        t = self.thresholds
        if score > t.enter:
            if self.above_since_s is None:
                self.above_since_s, self.dip_s, self.paused_s = time_s, 0.0, 0.0
            if time_s - self.above_since_s - self.paused_s >= t.for_s - 1e-6:
                self.is_on, self.below_since_s, self.paused_s = True, None, 0.0
                return "begin"
        elif self.above_since_s is not None:
            self.dip_s += step_s
            if self.dip_s > t.dip_share * t.for_s:
                self.above_since_s = None
        return None

    def _see_on(self, score: float, time_s: float) -> str | None:
        if score > self.thresholds.leave:
            self.below_since_s = None
        elif self.below_since_s is None:
            self.below_since_s, self.paused_s = time_s, 0.0
        if (
            self.below_since_s is not None
            and time_s - self.below_since_s - self.paused_s >= self.thresholds.hold_s - 1e-6
        ):
            self.is_on, self.above_since_s = False, None
            return "end"
        return None

    def snapshot(self) -> dict[str, Any]:
        return {
            "is_on": self.is_on,
            "above_since_s": self.above_since_s,
            "below_since_s": self.below_since_s,
            "dip_s": self.dip_s,
            "last_s": self.last_s,
            "paused_s": self.paused_s,
        }

    @classmethod
    def from_snapshot(cls, thresholds: Thresholds, state: dict[str, Any]) -> Hysteresis:
        return cls(thresholds, **state)
