"""Hours of the week on a site's clock as spans of time, so that a question for Monday at seven is a few seeks in an index."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

#: Every offset from UTC in use is a whole number of these.
_QUARTER_S: Final = 900.0


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
