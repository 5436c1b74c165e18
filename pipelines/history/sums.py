"""Adding up columns of incidents, portion after portion."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from pipelines.store.columns import Columns, Group

#: Every offset from UTC in use is a whole number of these.
_QUARTER_S: Final = 900
_WEEK_HOURS: Final = 7 * 24
DELAYS: Final = ("acknowledge", "on_site", "close")


class Place(NamedTuple):
    """Where something happens again."""

    camera: str
    zone: str
    kind: str


class Sums:
    """`groups`: how many of each. `hours[kind]` counts by weekday (Monday first) and hour on the clock of `timezone`; `days` by
    local date. `delays[name]` are pairs of arrays: seconds, and whose (a place in `order`)."""

    def __init__(self, timezone: str) -> None:
        self.groups: Counter[Group] = Counter()
        self.still_open = 0
        self.answers: Counter[str] = Counter()
        self.hours: dict[str, npt.NDArray[np.int64]] = {}
        self.days: Counter[str] = Counter()
        self.place_days: dict[Place, set[int]] = {}
        self.plates: Counter[str] = Counter()
        self.plate_cameras: dict[str, set[str]] = {}
        self.known_s: dict[tuple[str, str], float] = {}
        self.above_s: dict[tuple[str, str], npt.NDArray[np.float64]] = {}
        self.delays: dict[str, list[tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]]] = {
            name: [] for name in DELAYS
        }
        self.order: dict[Group, int] = {}
        self._zone = ZoneInfo(timezone)

    def add(self, columns: Columns) -> None:
        """One portion."""
        if not len(columns):
            return
        for group, count in zip(
            columns.groups, np.bincount(columns.group, minlength=len(columns.groups)).tolist(), strict=True
        ):
            if count:
                self.groups[group] += count
        self.still_open += int(np.isnan(columns.lasted_s).sum())
        self._clock(columns)
        self._answers(columns)
        for row, plate in columns.plates:
            self.plates[plate] += 1
            self.plate_cameras.setdefault(plate, set()).add(columns.groups[columns.group[row]].camera)
        for crowd in columns.crowds:
            group = columns.groups[columns.group[crowd.row]]
            place = (group.camera, group.zone)
            self.known_s[place] = self.known_s.get(place, 0.0) + crowd.known_s
            self.above_s[place] = self.above_s.get(place, np.zeros(len(crowd.above_s))) + np.array(crowd.above_s)

    def _clock(self, columns: Columns) -> None:
        quarter = np.floor(columns.at_s / _QUARTER_S).astype(np.int64)
        first = int(quarter[0])
        hour_of, day_of = self._local(first, int(quarter[-1]))
        hour, day = hour_of[quarter - first], day_of[quarter - first]
        kinds = sorted({group.kind for group in columns.groups})
        kind_of = np.array([kinds.index(group.kind) for group in columns.groups])[columns.group]
        counted = np.bincount(kind_of * _WEEK_HOURS + hour, minlength=len(kinds) * _WEEK_HOURS)
        for kind, counts in zip(kinds, counted.reshape(len(kinds), 7, 24), strict=True):
            if counts.any():
                self.hours[kind] = self.hours.get(kind, np.zeros((7, 24), np.int64)) + counts
        for ordinal, count in zip(*(found.tolist() for found in np.unique(day, return_counts=True)), strict=True):
            self.days[datetime.fromordinal(ordinal).date().isoformat()] += count
        first_day, width = int(day.min()), int(day.max() - day.min()) + 1
        seen = np.unique(columns.group.astype(np.int64) * width + (day - first_day))
        for code in seen.tolist():
            group = columns.groups[code // width]
            self.place_days.setdefault(Place(group.camera, group.zone, group.kind), set()).add(first_day + code % width)

    def _local(self, first: int, last: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """For each quarter of an hour: weekday * 24 + hour, and the date as an ordinal. Each is converted by itself, so a day
        on which the clocks change is right."""
        hours, days = [], []
        for number in range(first, last + 1):
            at = datetime.fromtimestamp(number * _QUARTER_S, UTC).astimezone(self._zone)
            hours.append(at.weekday() * 24 + at.hour)
            days.append(at.toordinal())
        return np.array(hours), np.array(days)

    def _answers(self, columns: Columns) -> None:
        places = np.array([self.order.setdefault(group, len(self.order)) for group in columns.groups])
        self.answers["told"] += int(columns.told.sum())
        for name in DELAYS:
            seconds = getattr(columns, f"{name}_s")
            there = ~np.isnan(seconds)
            count = int(there.sum())
            self.answers[name] += count
            if count:
                self.delays[name].append((np.maximum(seconds[there], 0), places[columns.group[there]]))


def calendar_days(first: str, last: str) -> list[str]:
    """Every date from `first` to `last`, both included."""
    at, until = datetime.fromisoformat(first).date(), datetime.fromisoformat(last).date()
    return [(at + timedelta(days=number)).isoformat() for number in range((until - at).days + 1)]


def quantiles_by(
    seconds: npt.NDArray[np.float32], whose: npt.NDArray[np.int64], names: list[Any]
) -> dict[Any, dict[str, float | int]]:
    """Count, median and 95th percentile (linear between neighbours) of `seconds` for each name; `whose` says whose each is.
    `seconds` is ascending."""
    order = np.argsort(whose.astype(np.uint16 if len(names) < 65536 else np.int64), kind="stable")
    ordered, ends = seconds[order], np.cumsum(np.bincount(whose, minlength=len(names)))
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
