"""When people in one place are too many: the limits of a crowding rule, and how grave it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from vision.episodes import Thresholds

#: Density in people per square metre -> severity.
LEVELS: Final = ((5.0, 1), (3.5, 2), (2.0, 3))


@dataclass(frozen=True)
class Parameters:
    """Crowding is more than `people`, or a local density of more than `density_per_m2`, for `for_s` seconds.

    It ends when both are back to 80 % of their limits or less. While it lasts it is told again at most every
    `repeat_s`. `severity`: 1 to 4, or None for the level that the density reaches (a count alone is 2, a gathering 3).
    `gathering`: where `expected(time_s)` is False, already more people than this are too many.

    Raises:
        ValueError: no limit is given.
    """

    people: int | None
    density_per_m2: float | None
    for_s: float = 30.0
    repeat_s: float = 30.0
    severity: int | None = None
    gathering: int | None = None
    expected: Callable[[float], bool] | None = None

    def __post_init__(self) -> None:
        if self.people is None and self.density_per_m2 is None and self.gathering is None:
            raise ValueError("crowding needs people or density")

    def unexpected(self, time_s: float) -> bool:
        """Whether the limit of a gathering holds at that time."""
        return self.gathering is not None and not (self.expected is not None and self.expected(time_s))

    def limit(self, time_s: float) -> int | None:
        """How many people are too many at that time, less one."""
        if not self.unexpected(time_s):
            return self.people
        return self.gathering if self.people is None else min(self.people, self.gathering or self.people)

    @property
    def thresholds(self) -> Thresholds:
        return Thresholds(for_s=self.for_s, hold_s=min(5.0, max(1.0, self.for_s)), enter=0.5, leave=0.4)
