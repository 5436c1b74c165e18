"""What a clip of a fight cannot give: who surrounds whom, who ran after whom, who lies while others stay.

Everything is read from tracks, in metres and seconds. None of it is a verdict: each is evidence with a unit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise, permutations
from typing import Final

import numpy as np

from vision.places import Person, Place, length


class SituationKind(StrEnum):
    """`encircled`: one with others on all sides. `caught`: one who was run after and is now held close. `down`: one who
    stood and now lies, with others near.
    """

    ENCIRCLED = "encircled"
    CAUGHT = "caught"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Situation:
    """`subject` is the one it happens to, `others` those who take part. `lasted_s` counts from `since_s`. `converged`:
    at least three of those around came running or walking up at the same time, rather than standing there before.
    """

    kind: SituationKind
    subject: int
    others: tuple[int, ...]
    place: Place
    since_s: float
    lasted_s: float
    converged: bool = False


#: How near those around stand; how wide the widest gap between them may be; how far the crowd is looked at.
RING_M: Final = 2.2
RING_LEAST: Final = 3
RING_GAP_DEG: Final = 150.0
CROWD_M: Final = 5.0
_WALKING_M_PER_S: Final = 0.8
_CAME_FROM_M: Final = 3.5
_CAME_IN_S: Final = 6.0

#: Running, by those who chase and who flee; contact.
RUNNING_M_PER_S: Final = 2.2
CHASE_S: Final = 1.5
CONTACT_M: Final = 1.0
_CHASE_REACH_M: Final = 7.0
_CHASE_COSINE: Final = 0.7
_FORGET_CHASE_S: Final = 2.0

LYING_FLATNESS: Final = 1.1
STANDING_FLATNESS: Final = 0.75
NEAR_DOWN_M: Final = 3.0

_HISTORY_S: Final = 12.0
_SAMPLE_S: Final = 0.15
_SPEED_OVER_S: Final = 0.8
_DIP_S: Final = 1.5


@dataclass(slots=True)
class _Past:
    moments: deque[tuple[float, Person]] = field(default_factory=deque)

    def add(self, person: Person, time_s: float) -> None:
        if self.moments and time_s - self.moments[-1][0] < _SAMPLE_S:
            return
        self.moments.append((time_s, person))
        while time_s - self.moments[0][0] > _HISTORY_S:
            self.moments.popleft()

    def before(self, time_s: float, ago_s: float) -> tuple[float, Person] | None:
        """The newest moment at least `ago_s` old."""
        return next(((t, p) for t, p in reversed(self.moments) if time_s - t >= ago_s - 1e-6), None)

    def velocity(self, time_s: float) -> tuple[float, float]:
        then = self.before(time_s, _SPEED_OVER_S)
        if then is None or time_s - then[0] > 2 * _SPEED_OVER_S:
            return (0.0, 0.0)
        dx, dy = then[1].place.to(self.moments[-1][1].place)
        passed_s = max(1e-3, self.moments[-1][0] - then[0])
        return (dx / passed_s, dy / passed_s)

    def stood(self) -> bool:
        flat = [p.flatness for _, p in self.moments]
        return sum(f <= STANDING_FLATNESS for f in flat) >= 3


@dataclass(slots=True)
class _Held:
    since_s: float
    seen_s: float
    others: tuple[int, ...]
    converged: bool = False
    met_s: float | None = None


class SituationWatch:
    """Follows the situations of one camera's people. A situation ends when it was not seen for a second and a half."""

    def __init__(self) -> None:
        self._past: dict[int, _Past] = {}
        self._rings: dict[int, _Held] = {}
        self._downs: dict[int, _Held] = {}
        self._chases: dict[tuple[int, int], _Held] = {}

    def step(self, people: Sequence[Person], time_s: float) -> tuple[Situation, ...]:
        """The situations that hold at `time_s`, given who is where."""
        now = {p.track_id: p for p in people}
        for person in people:
            self._past.setdefault(person.track_id, _Past()).add(person, time_s)
        self._past = {i: past for i, past in self._past.items() if time_s - past.moments[-1][0] <= _HISTORY_S}
        self._see_rings(now, time_s)
        self._see_chases(now, time_s)
        self._see_downs(now, time_s)
        found = [
            Situation(
                kind, subject, held.others, self._place(subject), held.since_s, time_s - held.since_s, held.converged
            )
            for kind, cases in ((SituationKind.ENCIRCLED, self._rings), (SituationKind.DOWN, self._downs))
            for subject, held in cases.items()
        ]
        for (chaser, fled), held in self._chases.items():
            if held.met_s is not None:
                found.append(
                    Situation(SituationKind.CAUGHT, fled, (chaser,), self._place(fled), held.met_s, time_s - held.met_s)
                )
        return tuple(found)

    def gathered(self, place: Place, time_s: float, reach_m: float = CROWD_M) -> tuple[int, int]:
        """How many more people are within `reach_m` of `place` than ten seconds ago (less than none: fewer), and how
        many run away from it now.
        """
        near_now = near_then = fleeing = 0
        for past in self._past.values():
            at_s, person = past.moments[-1]
            if time_s - at_s <= 1.0:
                dx, dy = place.to(person.place)
                apart = length(dx, dy)
                near_now += apart <= reach_m
                vx, vy = past.velocity(time_s)
                outward = (vx * dx + vy * dy) / max(apart, 1e-3)
                fleeing += outward >= RUNNING_M_PER_S and apart <= 3 * reach_m
            then = past.before(time_s, 10.0)
            near_then += then is not None and time_s - then[0] <= 11.0 and then[1].place.apart_m(place) <= reach_m
        return near_now - near_then, fleeing

    def _place(self, track_id: int) -> Place:
        return self._past[track_id].moments[-1][1].place

    # --- who surrounds whom ------------------------------------------------------------------------------------------

    def _see_rings(self, now: Mapping[int, Person], time_s: float) -> None:
        for subject, person in now.items() if len(now) > RING_LEAST else ():
            ring = self._ring(person, now)
            if ring is None or length(*self._past[subject].velocity(time_s)) > _WALKING_M_PER_S:
                continue
            held = self._rings.get(subject)
            if held is None:
                self._rings[subject] = _Held(time_s, time_s, ring, self._came(subject, ring, time_s))
            else:
                held.seen_s, held.others = time_s, ring
        _drop(self._rings, self._past, time_s)

    @staticmethod
    def _ring(person: Person, now: Mapping[int, Person]) -> tuple[int, ...] | None:
        ways = {i: person.place.to(other.place) for i, other in now.items() if i != person.track_id}
        apart = {i: length(*way) for i, way in ways.items()}
        near = [i for i, apart_m in apart.items() if apart_m <= RING_M]
        if len(near) < RING_LEAST:
            return None
        if sum(RING_M < apart_m <= CROWD_M for apart_m in apart.values()) > len(near):
            return None  # inside a crowd everyone has others on all sides
        angles = sorted(float(np.degrees(np.arctan2(ways[i][1], ways[i][0]))) for i in near)
        gaps = [b - a for a, b in pairwise([*angles, angles[0] + 360])]
        return tuple(near) if max(gaps) <= RING_GAP_DEG else None

    def _came(self, subject: int, ring: Sequence[int], time_s: float) -> bool:
        """Whether they were well away from the subject a moment ago, wherever that was: friends who walk as a group
        and halt were not.
        """
        came = 0
        for other in ring:
            earlier = [(t, p) for t, p in self._past[other].moments if time_s - t <= _CAME_IN_S]
            came += any(
                p.place.apart_m(then[1].place) >= _CAME_FROM_M
                for t, p in earlier
                if (then := self._past[subject].before(time_s, time_s - t)) is not None
            )
        return came >= RING_LEAST

    # --- who ran after whom ------------------------------------------------------------------------------------------

    def _see_chases(self, now: Mapping[int, Person], time_s: float) -> None:
        velocity = {i: self._past[i].velocity(time_s) for i in now}
        speed = {i: length(*v) for i, v in velocity.items()}
        for chaser, fled in permutations([i for i, v in speed.items() if v >= RUNNING_M_PER_S], 2):
            way = now[chaser].place.to(now[fled].place)
            apart = length(*way)
            if not 0.3 < apart <= _CHASE_REACH_M:
                continue
            toward = _product(velocity[chaser], way) / (apart * speed[chaser])
            away = _product(velocity[fled], way) / (apart * speed[fled])
            if toward >= _CHASE_COSINE and away >= _CHASE_COSINE:
                held = self._chases.setdefault((chaser, fled), _Held(time_s, time_s, (chaser,)))
                held.seen_s, held.met_s = time_s, None
        for (chaser, fled), held in list(self._chases.items()):
            both = chaser in now and fled in now
            close = both and now[chaser].place.apart_m(now[fled].place) <= CONTACT_M
            slow = both and speed[fled] < RUNNING_M_PER_S
            if close and slow and held.seen_s - held.since_s >= CHASE_S - 1e-6:
                held.met_s = time_s if held.met_s is None else held.met_s
                held.seen_s = max(held.seen_s, held.met_s)
            elif (
                (held.met_s is not None and both and not close)  # touched and let go: a game
                or (held.met_s is None and time_s - held.seen_s > _FORGET_CHASE_S)
                or chaser not in self._past
                or fled not in self._past
            ):
                del self._chases[chaser, fled]

    # --- who lies ----------------------------------------------------------------------------------------------------

    def _see_downs(self, now: Mapping[int, Person], time_s: float) -> None:
        for subject, person in now.items():
            if person.flatness < LYING_FLATNESS or not (subject in self._downs or self._past[subject].stood()):
                continue
            near = tuple(
                i
                for i, other in now.items()
                if i != subject and other.flatness < LYING_FLATNESS and person.place.apart_m(other.place) <= NEAR_DOWN_M
            )
            held = self._downs.get(subject)
            if held is None:
                if near:
                    self._downs[subject] = _Held(time_s, time_s, near)
            elif near:
                held.seen_s, held.others = time_s, near
        _drop(self._downs, self._past, time_s)


def _product(a: tuple[float, float], b: tuple[float, float]) -> float:
    return a[0] * b[0] + a[1] * b[1]


def _drop(cases: dict[int, _Held], known: Mapping[int, _Past], time_s: float) -> None:
    for subject, held in list(cases.items()):
        if time_s - held.seen_s > _DIP_S or subject not in known:
            del cases[subject]
