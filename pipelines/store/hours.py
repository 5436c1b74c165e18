"""Hours of the week on a site's clock as spans of time, so that a question for Monday at seven is a few seeks in an index."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

#: Every offset from UTC in use is a whole number of these.
_QUARTER_S: Final = 900.0
#: Of a day.
_QUARTERS: Final = 96


def newest_first(
    since_s: float, until_s: float, weekday: int | None, hour: int | None, timezone: str
) -> Iterator[tuple[float, float]]:
    """The parts of [since_s, until_s) in which the clock of `timezone` shows `weekday` (1 is Monday; None: any) and `hour`
    (None: any), the latest first, disjoint. On days on which the clocks change an hour is there twice, or not at all.
    """
    zone = ZoneInfo(timezone)
    last, first = _date(until_s, zone), _date(since_s, zone)
    for back in range((last - first).days + 1):
        day = last - timedelta(days=back)
        if weekday is not None and day.isoweekday() != weekday:
            continue
        for begin_s, end_s in _of_day(day, hour, zone):
            inside = max(begin_s, since_s), min(end_s, until_s)
            if inside[0] < inside[1]:
                yield inside


def _date(time_s: float, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(time_s, zone).date()


def _of_day(day: date, hour: int | None, zone: ZoneInfo) -> list[tuple[float, float]]:
    """Latest first."""
    begin, end = (datetime(one.year, one.month, one.day, tzinfo=zone) for one in (day, day + timedelta(days=1)))
    begin_s, end_s = begin.timestamp(), end.timestamp()
    if hour is None:
        return [(begin_s, end_s)]
    if end_s - begin_s == 86_400.0 and begin.utcoffset() == end.utcoffset():
        return [(begin_s + 3600.0 * hour, begin_s + 3600.0 * (hour + 1))]
    # The clocks change on this day: each quarter of an hour is looked at by itself.
    found: list[tuple[float, float]] = []
    at_s = end_s - _QUARTER_S
    while at_s >= begin_s:
        if datetime.fromtimestamp(at_s, zone).hour == hour:
            if found and found[-1][0] == at_s + _QUARTER_S:
                found[-1] = (at_s, found[-1][1])
            else:
                found.append((at_s, at_s + _QUARTER_S))
        at_s -= _QUARTER_S
    return found


def offsets(since_s: float, until_s: float, timezone: str) -> list[tuple[float, int]]:
    """From when on the clock of `timezone` was how many seconds ahead of UTC, from `since_s` to `until_s`, ascending."""
    zone = ZoneInfo(timezone)

    def at(time_s: float) -> int:
        offset = datetime.fromtimestamp(time_s, zone).utcoffset()
        return 0 if offset is None else round(offset.total_seconds())

    found = [(since_s, at(since_s))]
    number = math.floor(since_s / _QUARTER_S)
    while number * _QUARTER_S < until_s:
        # A day has no two changes that undo each other; the quarter of an hour in which one falls is looked for.
        low, high = number, number + _QUARTERS
        if at(high * _QUARTER_S) != found[-1][1]:
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if at(middle * _QUARTER_S) == found[-1][1] else (low, middle)
            found.append((high * _QUARTER_S, at(high * _QUARTER_S)))
        number += _QUARTERS
    return found
