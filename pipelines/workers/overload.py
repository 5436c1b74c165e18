"""More frames than this machine can analyse: every camera's rate is lowered evenly, and people are told."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from vision.incident import Incident, Phase, Quantity

KIND: Final = "overload"
#: Stands where an incident names its camera: it is about none of them.
EVERY_CAMERA: Final = "all-cameras"

_WINDOW_S: Final = 2.0
#: Frames lost because a newer one came first, as a share: below the first nothing is wrong, from the second on it is ...
_NONE: Final = 0.005
_MANY: Final = 0.03
#: ... if the next window is as bad. A moment's burst passes by itself, unless as many are lost as this.
_AT_ONCE: Final = 0.25
_LOWEST: Final = 0.2
_DOWN: Final = 0.7
#: The rate rises only while the worker waits for frames at least this share of its time, and faster the more it waits.
_SPARE: Final = 0.2
_UP: Final = 0.5
#: So many windows are not judged while cameras begin, at most: streams that open and networks that compile are no load.
_BEGINNING: Final = 10
_TELL_BELOW: Final = 0.9
_TELL_AFTER_S: Final = 10.0
_OVER_AFTER_S: Final = 30.0


@dataclass(slots=True)
class _Episode:
    incident_id: str
    first_s: float
    opened_s: float
    lowest: float
    revision: int = 1


class Governor:
    """Watches one worker's losses and sets `rate`, the share (0.2..1) of its usual rate that each camera is given."""

    def __init__(self, owner: str) -> None:
        """`owner` names the process, for the incident's id and evidence."""
        self.rate = 1.0
        self._owner = owner
        self._since_s: float | None = None
        self._taken = 0
        self._lost = 0
        self._idle_s = 0.0
        self._bad = 0
        self._begins = False
        self._unjudged = 0
        self._low_since_s: float | None = None
        self._full_since_s: float | None = None
        self._episode: _Episode | None = None

    def count(self, taken: int, lost: int, idle_s: float) -> None:
        """What happened since the last call: frames taken, frames replaced before they were, seconds without work."""
        self._taken += taken
        self._lost += lost
        self._idle_s += idle_s

    def begins(self) -> None:
        """Cameras are being opened, or the detector is not ready yet: what is lost in this window says nothing."""
        self._begins = True

    def judge(self, monotonic_s: float, now_s: float) -> list[Incident]:
        """Every two seconds: the rate for the next two, and the incident when it has to be told of."""
        if self._since_s is None:
            self._since_s = monotonic_s
        passed_s = monotonic_s - self._since_s
        if passed_s < _WINDOW_S:
            return []
        self._set_rate(self._lost / max(1, self._taken + self._lost), self._idle_s / passed_s)
        self._since_s, self._taken, self._lost, self._idle_s = monotonic_s, 0, 0, 0.0
        return self._tell(now_s)

    def _set_rate(self, lost: float, idle: float) -> None:
        """`lost` of the frames, `idle` of the time: both shares of this window."""
        begins, self._begins = self._begins, False
        self._unjudged = self._unjudged + 1 if begins else 0
        if begins and self._unjudged <= _BEGINNING:
            return
        self._bad = self._bad + 1 if lost > _MANY else 0
        if self._bad > 1 or lost > _AT_ONCE:
            self.rate = max(_LOWEST, self.rate * max(_DOWN, 1.0 - lost))
        elif lost <= _NONE and idle >= _SPARE:
            self.rate = min(1.0, self.rate * (1.0 + _UP * idle))

    def _tell(self, now_s: float) -> list[Incident]:
        if self.rate < _TELL_BELOW:
            self._full_since_s = None
            self._low_since_s = now_s if self._low_since_s is None else self._low_since_s
        else:
            self._low_since_s = None
            self._full_since_s = now_s if self._full_since_s is None else self._full_since_s
        episode = self._episode
        if episode is None:
            if self._low_since_s is None or now_s - self._low_since_s < _TELL_AFTER_S:
                return []
            named = f"{KIND}/{self._owner}/{self._low_since_s:.3f}"
            self._episode = episode = _Episode(
                str(uuid.uuid5(uuid.NAMESPACE_URL, named)), self._low_since_s, now_s, self.rate
            )
            return [self._incident(episode, Phase.OPENED, now_s)]
        episode.lowest = min(episode.lowest, self.rate)
        if self._full_since_s is None or now_s - self._full_since_s < _OVER_AFTER_S:
            return []
        return self.end(now_s)

    def end(self, now_s: float) -> list[Incident]:
        """It is over, or its worker ends: what was told of is closed."""
        episode, self._episode = self._episode, None
        if episode is None:
            return []
        episode.revision += 1
        return [self._incident(episode, Phase.CLOSED, now_s)]

    def _incident(self, episode: _Episode, phase: Phase, now_s: float) -> Incident:
        closed = phase is Phase.CLOSED
        return Incident(
            incident_id=episode.incident_id,
            camera_id=EVERY_CAMERA,
            kind=KIND,
            rule_id=KIND,
            zone_id="",
            phase=phase,
            revision=episode.revision,
            severity=2,
            score=round(1.0 - episode.lowest, 3),
            first_seen_s=episode.first_s,
            opened_s=episode.opened_s,
            closed_s=now_s if closed else None,
            close_reason="over" if closed else None,
            time_s=now_s,
            box_norm=None,
            track_ids=(),
            evidence={
                "rate": Quantity(round(self.rate, 2), "share"),
                "lowest_rate": Quantity(round(episode.lowest, 2), "share"),
                "worker": Quantity(self._owner, ""),
            },
        )
