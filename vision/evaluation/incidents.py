"""How well incidents fit the truth: found or missed, how late, how often twice, how often for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from vision.evaluation.poisson import rate_bound


@dataclass(frozen=True, slots=True)
class Happening:
    """One episode, true or reported: seconds from the start of the footage, `closed_s` None while it lasts. `subject`: who
    or what it is about, where that is known; it does not decide what belongs together.
    """

    kind: str
    zone: str
    opened_s: float
    closed_s: float | None
    subject: str = ""


@dataclass(frozen=True, slots=True)
class IncidentScore:
    """Delays in seconds, found minus true, one for each match; `pairs` are the matches, (true, found). A duplicate is a
    second report of one true episode; a false alarm fits none.
    """

    true: int
    reported: int
    matched: int
    duplicates: int
    false_alarms: int
    opening_delays_s: tuple[float, ...]
    closing_delays_s: tuple[float, ...]
    hours: float
    pairs: tuple[tuple[Happening, Happening], ...] = ()

    @property
    def precision(self) -> float:
        return self.matched / self.reported if self.reported else 1.0

    @property
    def recall(self) -> float:
        return self.matched / self.true if self.true else 1.0

    @property
    def false_alarms_per_day_bound(self) -> float | None:
        """Upper end of the 95 % interval (Poisson) of false alarms per camera and day; None without footage."""
        return rate_bound(self.false_alarms, self.hours / 24)

    def as_dict(self) -> dict[str, Any]:
        bound = self.false_alarms_per_day_bound
        return {
            "true": self.true,
            "reported": self.reported,
            "matched": self.matched,
            "precision": round(self.precision, 4),
            "recall": round(self.recall, 4),
            "duplicates": self.duplicates,
            "false_alarms": self.false_alarms,
            "opening_delays_s": [round(delay, 2) for delay in self.opening_delays_s],
            "closing_delays_s": [round(delay, 2) for delay in self.closing_delays_s],
            "hours": round(self.hours, 4),
            "false_alarms_per_day_bound_95": None if bound is None else round(bound, 2),
        }


def score_incidents(
    true: Sequence[Happening], reported: Sequence[Happening], duration_s: float, tolerance_s: float = 10.0
) -> IncidentScore:
    """Match reports to true episodes one to one: same kind and zone, overlapping in time by `tolerance_s` at most apart,
    nearest openings first. Whatever else overlaps a true episode is a duplicate, the rest are false alarms.
    """

    def meet(a: Happening, b: Happening) -> bool:
        end_a = duration_s if a.closed_s is None else a.closed_s
        end_b = duration_s if b.closed_s is None else b.closed_s
        same = (a.kind, a.zone) == (b.kind, b.zone)
        return same and a.opened_s <= end_b + tolerance_s and b.opened_s <= end_a + tolerance_s

    score = np.zeros((len(true), len(reported)))
    for row, one in enumerate(true):
        for column, other in enumerate(reported):
            if meet(one, other):
                score[row, column] = 1e6 - min(1e5, abs(one.opened_s - other.opened_s))
    rows, columns = linear_sum_assignment(score, maximize=True)
    matched = [(true[a], reported[b]) for a, b in zip(rows, columns, strict=True) if score[a, b] > 0]
    taken = {int(b) for a, b in zip(rows, columns, strict=True) if score[a, b] > 0}
    twice = sum(1 for b in range(len(reported)) if b not in taken and score[:, b].any())
    return IncidentScore(
        true=len(true),
        reported=len(reported),
        matched=len(matched),
        duplicates=twice,
        false_alarms=len(reported) - len(matched) - twice,
        opening_delays_s=tuple(b.opened_s - a.opened_s for a, b in matched),
        closing_delays_s=tuple(
            b.closed_s - a.closed_s for a, b in matched if a.closed_s is not None and b.closed_s is not None
        ),
        hours=duration_s / 3600,
        pairs=tuple(matched),
    )
