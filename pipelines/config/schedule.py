"""When a rule is in force: a weekly schedule on the site's calendar. Pure; judged on the site's wall clock.

The grammar, parts joined by `;`:

    always | never
    DAYS [HH:MM-HH:MM[, HH:MM-HH:MM ...]]        no range: the whole day
    NAME                                         another schedule, by its name

DAYS is `daily`, `school_days`, `non_school_days`, or weekdays such as `mon-fri` or `sat,sun`. A range whose end is not
after its start goes past midnight and belongs to the day on which it starts. `24:00` is the end of a day. A clock hour
that a change to or from summer time repeats is in force twice; one that it skips, not at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EVERY_DAY: Final = frozenset(range(7))
_DAY_S: Final = 86_400
_MAX_PARTS: Final = 200
#: What a schedule may say, for messages.
GRAMMAR: Final = (
    "always, never, or DAYS HH:MM-HH:MM with DAYS one of school_days, non_school_days, daily, "
    "or weekdays as mon-fri or sat,sun"
)
_RESERVED: Final = frozenset({"always", "never", "daily", "school_days", "non_school_days", *_WEEKDAYS})


class DateRange(NamedTuple):
    """Both days belong to it."""

    first: date
    last: date

    def holds(self, day: date) -> bool:
        return self.first <= day <= self.last


def parse_dates(text: str) -> DateRange:
    """`2026-10-01/2026-10-07`, or one day `2026-10-01`.

    Raises: ValueError: not a date, or the end is before the start; the message says which.
    """
    first, slash, last = text.partition("/")
    days = [_date(part) for part in ([first, last] if slash else [first])]
    if days[-1] < days[0]:
        raise ValueError(f"ends ({days[-1]}) before it begins ({days[0]})")
    return DateRange(days[0], days[-1])


def _date(text: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
        raise ValueError("expected a date such as 2026-10-01, or two with a slash such as 2026-10-01/2026-10-07")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"there is no such day as {text}") from error


@dataclass(frozen=True, slots=True)
class SchoolCalendar:
    """School days: Monday to Friday inside a term and no holiday, and every make-up day whatever its weekday."""

    terms: tuple[DateRange, ...] = ()
    holidays: tuple[DateRange, ...] = ()
    extra_school_days: tuple[DateRange, ...] = ()

    def is_school_day(self, day: date) -> bool:
        if any(dates.holds(day) for dates in self.extra_school_days):
            return True
        in_term = day.weekday() < 5 and any(dates.holds(day) for dates in self.terms)
        return in_term and not any(dates.holds(day) for dates in self.holidays)


class Hours(NamedTuple):
    """Seconds of the day on the wall clock; `end_s` beyond a day's end goes on into the next day."""

    start_s: int
    end_s: int


@dataclass(frozen=True, slots=True)
class Part:
    """Some days and the hours on them. `school` is None where the calendar does not matter."""

    weekdays: frozenset[int]
    school: bool | None
    hours: tuple[Hours, ...]

    def day_counts(self, day: date, calendar: SchoolCalendar) -> bool:
        if self.school is not None and calendar.is_school_day(day) is not self.school:
            return False
        return day.weekday() in self.weekdays


@dataclass(frozen=True, slots=True)
class Schedule:
    """A parsed schedule with the site's calendar and clock; `schedule(time_s)` is `schedule.active(time_s)`."""

    parts: tuple[Part, ...]
    timezone: ZoneInfo
    calendar: SchoolCalendar = SchoolCalendar()

    def active(self, time_s: float) -> bool:
        """Whether the moment (seconds since the Unix epoch) lies in the schedule; the end of a range does not."""
        local = datetime.fromtimestamp(time_s, self.timezone)
        today = local.date()
        second = local.hour * 3600 + local.minute * 60 + local.second + local.microsecond / 1e6
        for part in self.parts:
            for day, at_s in ((today, second), (today - timedelta(days=1), second + _DAY_S)):
                inside = any(hours.start_s <= at_s < hours.end_s for hours in part.hours)
                if inside and part.day_counts(day, self.calendar):
                    return True
        return False

    __call__ = active


def needs_calendar(parts: tuple[Part, ...]) -> bool:
    return any(part.school is not None for part in parts)


def name_fault(name: str) -> str | None:
    """Why a schedule may not be called so, or None."""
    if name in _RESERVED:
        return f"{name} has a meaning of its own in schedules; choose another name"
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name):
        return "the name of a schedule is made of letters, digits, hyphens and underscores, at most 40"
    return None


class UnknownSchedule(ValueError):
    """A part is neither in the grammar nor the name of a schedule; `name` is what it says."""

    def __init__(self, name: str) -> None:
        super().__init__("unknown schedule")
        self.name = name


def parse(text: str, named: Mapping[str, str], _inside: tuple[str, ...] = ()) -> tuple[Part, ...]:
    """The parts of a schedule; `named` holds the schedules that other ones may name.

    Raises:
        UnknownSchedule: a name that `named` lacks.
        ValueError: anything else that is wrong, in words.
    """
    parts: list[Part] = []
    for piece in text.split(";"):
        words = piece.strip()
        if not words:
            raise ValueError("a part of the schedule is empty")
        if words in named:
            if words in _inside:
                raise ValueError(f"schedules name each other in a circle: {' -> '.join((*_inside, words))}")
            parts += parse(named[words], named, (*_inside, words))
            if len(parts) > _MAX_PARTS:
                raise ValueError(f"the schedule has more than {_MAX_PARTS} parts")
        elif words == "always":
            parts.append(Part(_EVERY_DAY, None, (Hours(0, _DAY_S),)))
        elif words != "never":
            parts.append(_part(words))
    return tuple(parts)


def _part(words: str) -> Part:
    days, _, ranges = re.sub(r"\s*,\s*", ",", words).partition(" ")
    school = {"school_days": True, "non_school_days": False}.get(days)
    weekdays = _EVERY_DAY if school is not None or days == "daily" else _weekdays(days, words)
    hours = tuple(_hours(text) for text in ranges.strip().split(",")) if ranges.strip() else (Hours(0, _DAY_S),)
    return Part(weekdays, school, hours)


def _weekdays(text: str, words: str) -> frozenset[int]:
    found: set[int] = set()
    for item in text.split(","):
        first, dash, last = item.partition("-")
        if first not in _WEEKDAYS or (dash and last not in _WEEKDAYS):
            # A single word is meant as a name; with hours or more days it is a wrong day.
            if words == text == item:
                raise UnknownSchedule(words)
            raise ValueError(f"{item[:40]!r} is not a day")
        start, end = _WEEKDAYS.index(first), _WEEKDAYS.index(last if dash else first)
        found.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return frozenset(found)


def _hours(text: str) -> Hours:
    match = re.fullmatch(r"([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})", text.strip(), re.ASCII)
    if match is None:
        raise ValueError(f"{text.strip()[:40]!r} is not a range of hours such as 06:30-18:30")
    start, end = (_second(match[group], match[group + 1]) for group in (1, 3))
    if start == _DAY_S:
        raise ValueError("a range cannot begin at 24:00")
    if start == end:
        raise ValueError(f"the range {text.strip()} is empty; a whole day is 00:00-24:00")
    return Hours(start, end if end > start else end + _DAY_S)


def _second(hour: str, minute: str) -> int:
    second = int(hour) * 3600 + int(minute) * 60
    if int(minute) > 59 or second > _DAY_S:
        raise ValueError(f"there is no such time as {hour}:{minute}")
    return second
