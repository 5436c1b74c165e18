"""Adding up columns of incidents, portion after portion."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from pipelines.store.columns import Columns, Place

#: Every offset from UTC in use is a whole number of these.
_QUARTER_S: Final = 900
_WEEK_HOURS: Final = 7 * 24
DELAYS: Final = ("acknowledge", "on_site", "close")
#: Cells of a place: level, drill or not, verdict.
LEVELS: Final = 5
_WORDS_AT_ONCE: Final = 8


class Sums:
    """`places` in the order in which they came. `cells[place, level, drill, word]` counts, with `words` the verdicts; `hours`
    by kind, weekday (Monday first) and hour on the clock of `timezone`; `days_of_kind` by kind and local date. `delays[name]`
    are pairs of arrays: seconds, and whose (place * LEVELS + level). `crowd_s` by camera and zone: as in `Columns`, summed up.
    """

    def __init__(self, timezone: str) -> None:
        self.places: dict[Place, int] = {}
        self.words: dict[str, int] = {}
        self.cells = np.zeros((0, LEVELS, 2, _WORDS_AT_ONCE), np.int64)
        self.still_open = 0
        self.answers: Counter[str] = Counter()
        self.hours: dict[str, npt.NDArray[np.int64]] = {}
        self.days_of_kind: dict[str, Counter[str]] = {}
        self.plates: Counter[str] = Counter()
        self.plate_cameras: dict[str, set[str]] = {}
        self.crowd_s: dict[tuple[str, str], npt.NDArray[np.float64]] = {}
        self.delays: dict[str, list[tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]]] = {
            name: [] for name in DELAYS
        }
        self._known: dict[int, tuple[tuple[Place, ...], npt.NDArray[np.int64]]] = {}
        self._place_days: list[npt.NDArray[np.int64]] = []
        self._zone = ZoneInfo(timezone)

    def add(self, columns: Columns) -> None:
        """One portion."""
        if not len(columns):
            return
        place = self._numbers(columns.places)[columns.place]
        self._count(columns, place)
        self._clock(columns, place)
        self._answers(columns, place)
        self._crowds(columns)
        self.still_open += int(np.isnan(columns.lasted_s).sum())
        for row, plate in columns.plates:
            self.plates[plate] += 1
            self.plate_cameras.setdefault(plate, set()).add(columns.places[columns.place[row]].camera)

    def _numbers(self, places: tuple[Place, ...]) -> npt.NDArray[np.int64]:
        """Their numbers in `self.places`. Portions share tuples, so each is looked through once."""
        known = self._known.get(id(places))
        if known is None:
            numbers = [self.places.setdefault(place, len(self.places)) for place in places]
            # The tuple is kept with them, so that its id stays its own.
            known = self._known[id(places)] = places, np.array(numbers, np.int64)
        return known[1]

    def by_place(self) -> npt.NDArray[np.int64]:
        """How many incidents each place has."""
        found: npt.NDArray[np.int64] = self.cells.sum(axis=(1, 2, 3), dtype=np.int64)
        return found

    def days_of_places(self) -> npt.NDArray[np.int64]:
        """On how many local days each place had an incident."""
        if not self._place_days:
            return np.zeros(0, np.int64)
        pairs = np.unique(np.concatenate(self._place_days))
        return np.bincount(pairs >> 32, minlength=len(self.places))

    def _count(self, columns: Columns, place: npt.NDArray[np.int64]) -> None:
        words = np.array([self.words.setdefault(word, len(self.words)) for word in columns.verdicts])
        size = max(_WORDS_AT_ONCE, len(self.words))
        code = ((place * LEVELS + columns.severity) * 2 + columns.drill) * size + words[columns.verdict]
        shape = (len(self.places), LEVELS, 2, size)
        counted = np.bincount(code, minlength=int(np.prod(shape))).reshape(shape)
        before = self.cells
        counted[: before.shape[0], :, :, : before.shape[3]] += before
        self.cells = counted

    def _clock(self, columns: Columns, place: npt.NDArray[np.int64]) -> None:
        quarter = np.floor(columns.at_s / _QUARTER_S).astype(np.int64)
        first = int(quarter[0])
        hour_of, day_of = self._local(first, int(quarter[-1]))
        hour, day = hour_of[quarter - first], day_of[quarter - first]
        kinds = sorted({of.kind for of in columns.places})
        number = {kind: at for at, kind in enumerate(kinds)}
        kind_of = np.array([number[of.kind] for of in columns.places])[columns.place]
        counted = np.bincount(kind_of * _WEEK_HOURS + hour, minlength=len(kinds) * _WEEK_HOURS)
        for kind, counts in zip(kinds, counted.reshape(len(kinds), 7, 24), strict=True):
            if counts.any():
                self.hours[kind] = self.hours.get(kind, np.zeros((7, 24), np.int64)) + counts
        first_day, width = int(day_of[0]), int(day_of[-1] - day_of[0]) + 1
        counted = np.bincount(kind_of * width + (day - first_day), minlength=len(kinds) * width)
        for kind, days in zip(kinds, counted.reshape(len(kinds), width).tolist(), strict=True):
            for after, count in enumerate(days):
                if count:
                    date = datetime.fromordinal(first_day + after).date().isoformat()
                    self.days_of_kind.setdefault(kind, Counter())[date] += count
        there = np.zeros((len(self.places), width), np.bool_)
        there[place, day - first_day] = True
        of_place, after_first = np.nonzero(there)
        self._place_days.append((of_place << 32) | (after_first + first_day))

    def _local(self, first: int, last: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """For each quarter of an hour: weekday * 24 + hour, and the date as an ordinal. Each is converted by itself, so a day
        on which the clocks change is right."""
        hours, days = [], []
        for number in range(first, last + 1):
            at = datetime.fromtimestamp(number * _QUARTER_S, self._zone)
            day = at.toordinal()
            hours.append((day + 6) % 7 * 24 + at.hour)
            days.append(day)
        return np.array(hours), np.array(days)

    def _answers(self, columns: Columns, place: npt.NDArray[np.int64]) -> None:
        self.answers["told"] += int(columns.told.sum())
        whose = place * LEVELS + columns.severity
        for name in DELAYS:
            seconds = getattr(columns, f"{name}_s")
            there = ~np.isnan(seconds)
            count = int(there.sum())
            self.answers[name] += count
            if count:
                self.delays[name].append((np.maximum(seconds[there], 0), whose[there]))

    def _crowds(self, columns: Columns) -> None:
        if not len(columns.crowd_row):
            return
        place = columns.place[columns.crowd_row]
        sums_s = np.stack([np.bincount(place, one, len(columns.places)) for one in columns.crowd_s.T], axis=1)
        for number in np.unique(place).tolist():
            where = columns.places[number].camera, columns.places[number].zone
            self.crowd_s[where] = self.crowd_s.get(where, 0.0) + sums_s[number]


def quantiles_by(
    seconds: npt.NDArray[np.float32], whose: npt.NDArray[np.int64], names: list[Any]
) -> dict[Any, dict[str, float | int]]:
    """Count, median and 95th percentile (linear between neighbours) of `seconds` (not negative) for each name; `whose` says
    whose each is."""
    # Floats that are not negative lie in the order of their bits: one sort of whole numbers puts all in order.
    keys = (whose.astype(np.uint64) << np.uint64(32)) | seconds.view(np.uint32)
    keys.sort()
    ordered = (keys & np.uint64(0xFFFFFFFF)).astype(np.uint32).view(np.float32)
    ends = np.cumsum(np.bincount(whose, minlength=len(names)))
    found: dict[Any, dict[str, float | int]] = {}
    begin = 0
    for name, end in zip(names, ends.tolist(), strict=True):
        if end > begin:
            found[name] = quantiles(ordered[begin:end])
        begin = end
    return found


def quantiles(ascending: npt.NDArray[np.float32]) -> dict[str, float | int]:
    """`count, median_s, p95_s`."""

    def at(part: float) -> float:
        place = part * (len(ascending) - 1)
        low = int(place)
        high = min(low + 1, len(ascending) - 1)
        return round(float(ascending[low]) + (place - low) * (float(ascending[high]) - float(ascending[low])), 3)

    return {"count": len(ascending), "median_s": at(0.5), "p95_s": at(0.95)}
