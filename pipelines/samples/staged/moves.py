"""Where everybody is when: paths on the ground of the picture, in seconds and pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from scipy.interpolate import PchipInterpolator

from pipelines.samples.staged.cast import Performer
from pipelines.samples.staged.plate import person_px

_STEP_S: Final = 0.05
#: Pictures of a walking cycle per second: the clip's own rate.
_CYCLE_FPS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Pose:
    """The ground point in pixels, the picture of the performer's cycle, and which way they look (-1 left, +1 right)."""

    x_px: float
    y_px: float
    picture: int
    standing: bool
    facing: int


class Move(Protocol):
    """What a player does."""

    def at(self, time_s: float) -> Pose | None:
        """The pose, None while not on the stage."""
        ...


@dataclass(frozen=True)
class Drive:
    """A vehicle through `keys` (time_s, x_px, y_px), smoothly, standing between two equal places. There from the first
    key's time to the last's. `facing` is never turned by the way it goes."""

    keys: Sequence[tuple[float, float, float]]
    facing: int = 1

    def at(self, time_s: float) -> Pose | None:
        times = [key[0] for key in self.keys]
        if not times[0] <= time_s <= times[-1]:
            return None
        # Monotone cubic: no swinging back before it stops (Fritsch & Carlson 1980).
        x, y = (float(PchipInterpolator(times, [key[axis] for key in self.keys])(time_s)) for axis in (1, 2))
        return Pose(x, y, 0, standing=False, facing=self.facing)


@dataclass(frozen=True)
class Walk:
    """A walk at the performer's own pace through `points`, begun at `start_s`; `waits` = point number -> seconds of rest
    there. After the last point they are gone. `pace` multiplies their speed, `facing` fixes which way they look at rest."""

    performer: Performer
    start_s: float
    points: Sequence[tuple[float, float]]
    waits: dict[int, float] = field(default_factory=dict)
    pace: float = 1.0
    facing: int | None = None
    _track: list[tuple[float, float, float, float, bool, int]] = field(default_factory=list, compare=False, repr=False)

    def __post_init__(self) -> None:
        time_s, phase = self.start_s, 0.0
        turned = self.performer.facing
        for number, (x, y) in enumerate(self.points):
            if number:
                time_s, phase, turned = self._leg(self.points[number - 1], (x, y), time_s, phase, turned)
            rest_s = self.waits.get(number, 0.0)
            if rest_s:
                way = turned if self.facing is None else self.facing
                self._track.append((time_s, x, y, phase, True, way))
                time_s += rest_s
                self._track.append((time_s, x, y, phase, True, way))

    def _leg(
        self, start: tuple[float, float], end: tuple[float, float], time_s: float, phase: float, turned: int
    ) -> tuple[float, float, int]:
        (x, y), way = start, float(np.hypot(end[0] - start[0], end[1] - start[1]))
        if abs(end[0] - start[0]) > 0.15 * way:
            turned = 1 if end[0] > start[0] else -1
        gone = 0.0
        while gone < way:
            share = gone / way
            x, y = float(start[0] + share * (end[0] - start[0])), float(start[1] + share * (end[1] - start[1]))
            self._track.append((time_s, x, y, phase, False, turned))
            gone += self.performer.stride * person_px(y) * _CYCLE_FPS * _STEP_S * self.pace
            time_s += _STEP_S
            phase += _CYCLE_FPS * _STEP_S * self.pace
        return time_s, phase, turned

    def reaches_s(self, number: int) -> float:
        """When the point `number` (with a wait) is reached."""
        x, y = self.points[number]
        return next(row[0] for row in self._track if row[4] and row[1] == x and row[2] == y)

    @property
    def ends_s(self) -> float:
        return self._track[-1][0]

    def at(self, time_s: float) -> Pose | None:
        track = self._track
        if not track or not track[0][0] <= time_s <= track[-1][0]:
            return None
        row = track[max(0, int(np.searchsorted([entry[0] for entry in track], time_s, side="right")) - 1)]
        _, x, y, phase, standing, turned = row
        return Pose(x, y, int(phase), standing, turned)


def arriving(
    performer: Performer,
    at_s: float,
    points: Sequence[tuple[float, float]],
    number: int,
    waits: dict[int, float],
    **more: object,
) -> Walk:
    """A walk that reaches point `number`, where there is a wait, at `at_s`."""
    trial = Walk(performer, 0.0, points, waits, **more)  # type: ignore[arg-type]
    return Walk(performer, at_s - trial.reaches_s(number), points, waits, **more)  # type: ignore[arg-type]
