"""Weekly schedules on the site's calendar, against literals and against a brute-force reading of the grammar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.config.schedule import (
    DateRange,
    Schedule,
    SchoolCalendar,
    UnknownSchedule,
    needs_calendar,
    parse,
    parse_dates,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
CALENDAR = SchoolCalendar(
    terms=(parse_dates("2026-09-01/2027-01-20"),),
    holidays=(parse_dates("2026-10-01/2026-10-07"),),
    extra_school_days=(parse_dates("2026-10-10"),),
)


def active(text: str, local: str, timezone: ZoneInfo = SHANGHAI, named: dict[str, str] | None = None) -> bool:
    moment = datetime.fromisoformat(local).replace(tzinfo=timezone).timestamp()
    return Schedule(parse(text, named or {}), timezone, CALENDAR).active(moment)


@pytest.mark.parametrize(
    ("text", "local", "expected"),
    [
        ("always", "2026-02-03T04:05:06", True),
        ("never", "2026-09-01T07:00:00", False),
        ("daily 06:00-08:00", "2026-09-05T06:00:00", True),
        ("daily 06:00-08:00", "2026-09-05T05:59:59.999", False),
        ("daily 06:00-08:00", "2026-09-05T07:59:59.999", True),
        ("daily 06:00-08:00", "2026-09-05T08:00:00", False),
        ("daily", "2026-09-05T00:00:00", True),
        ("daily 00:00-24:00", "2026-09-05T23:59:59", True),
        ("mon-fri 07:00-09:00", "2026-09-04T08:00:00", True),  # a Friday
        ("mon-fri 07:00-09:00", "2026-09-05T08:00:00", False),  # a Saturday
        ("sat,sun", "2026-09-06T12:00:00", True),
        ("sat, sun 10:00-11:00", "2026-09-06T10:30:00", True),
        ("fri-mon", "2026-09-06T12:00:00", True),  # over the week's end
        ("fri-mon", "2026-09-08T12:00:00", False),
        ("fri 22:00-06:00", "2026-09-05T05:59:00", True),  # Friday's night ends on Saturday
        ("fri 22:00-06:00", "2026-09-04T05:59:00", False),  # Friday morning is Thursday's night
        ("fri 22:00-00:00", "2026-09-04T23:59:00", True),
        ("school_days 06:30-18:30", "2026-09-01T06:30:00", True),
        ("school_days 06:30-18:30", "2026-08-31T06:30:00", False),  # the day before the term
        ("school_days 06:30-18:30", "2027-01-20T12:00:00", True),  # its last day
        ("school_days 06:30-18:30", "2027-01-21T12:00:00", False),
        ("school_days 06:30-18:30", "2026-10-07T12:00:00", False),  # a holiday
        ("school_days 06:30-18:30", "2026-10-08T12:00:00", True),
        ("school_days 06:30-18:30", "2026-10-10T12:00:00", True),  # a make-up Saturday
        ("school_days 06:30-18:30", "2026-10-17T12:00:00", False),  # any other Saturday
        ("school_days 06:30-07:30, 16:00-17:00", "2026-09-01T16:30:00", True),
        ("school_days 06:30-07:30, 16:00-17:00", "2026-09-01T12:00:00", False),
        ("non_school_days", "2026-10-03T12:00:00", True),
        ("non_school_days", "2026-10-10T12:00:00", False),
        ("school_days 07:00-08:00; sat 09:00-10:00", "2026-10-17T09:30:00", True),
        ("school_days 22:00-02:00", "2026-10-11T01:00:00", True),  # the night of the make-up Saturday
    ],
)
def test_moment_is_in_or_outside_the_schedule(text: str, local: str, expected: bool) -> None:
    assert active(text, local) is expected


def test_named_schedules_may_name_each_other_and_be_joined() -> None:
    named = {"dismissal": "school_days 16:20-17:10", "busy": "dismissal; sat 09:00-12:00"}
    assert active("busy", "2026-09-01T16:30:00", named=named)
    assert active("busy", "2026-09-05T09:30:00", named=named)
    assert not active("busy", "2026-09-01T09:30:00", named=named)


def test_clock_hour_that_comes_twice_counts_twice_and_one_that_is_skipped_never() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    schedule = Schedule(parse("daily 02:00-03:00", {}), berlin)
    autumn = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)  # 02:00 summer time; 02:00 again at 01:00 UTC
    minutes = [schedule.active((autumn + timedelta(minutes=minute)).timestamp()) for minute in range(180)]
    assert minutes == [True] * 120 + [False] * 60
    spring = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)  # 01:00; at 01:00 UTC it is 03:00
    assert not any(schedule.active((spring + timedelta(minutes=minute)).timestamp()) for minute in range(180))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a part of the schedule is empty"),
        ("daily 06:00-08:00;", "a part of the schedule is empty"),
        ("daily 6:00-8:00", "'6:00-8:00' is not a range of hours such as 06:30-18:30"),
        ("daily 06:00 - 08:00 h", "'06:00 - 08:00 h' is not a range of hours such as 06:30-18:30"),
        ("daily 06:00-25:00", "there is no such time as 25:00"),
        ("daily 06:60-07:00", "there is no such time as 06:60"),
        ("daily 24:00-07:00", "a range cannot begin at 24:00"),
        ("daily 07:00-07:00", "the range 07:00-07:00 is empty; a whole day is 00:00-24:00"),
        ("monday 07:00-08:00", "'monday' is not a day"),
        ("mon,die", "'die' is not a day"),
        ("always 07:00-08:00", "'always' is not a day"),
        ("loop", "schedules name each other in a circle: loop -> pool -> loop"),
    ],
)
def test_wrong_schedules_say_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(text, {"loop": "pool", "pool": "loop"})
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["dismisal", "mon-frei", "daily; dismisal"])
def test_unknown_name_is_told_apart_from_a_wrong_day(text: str) -> None:
    with pytest.raises(UnknownSchedule) as caught:
        parse(text, {"dismissal": "daily"})
    assert caught.value.name == text.removeprefix("daily; ")


def test_schedules_that_multiply_each_other_are_refused() -> None:
    named = {f"s{index}": ";".join([f"s{index + 1}"] * 10) for index in range(30)} | {"s30": "daily"}
    with pytest.raises(ValueError, match="more than 200 parts"):
        parse("s0", named)


def test_only_schedules_on_school_days_need_a_calendar() -> None:
    assert needs_calendar(parse("daily; non_school_days 07:00-08:00", {}))
    assert not needs_calendar(parse("mon-fri 07:00-08:00; always", {}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-02-30", "there is no such day as 2026-02-30"),
        ("2026-10-07/2026-10-01", "ends (2026-10-01) before it begins (2026-10-07)"),
        ("1.10.2026", "expected a date such as 2026-10-01, or two with a slash such as 2026-10-01/2026-10-07"),
        ("20261001", "expected a date such as 2026-10-01, or two with a slash such as 2026-10-01/2026-10-07"),
        ("2026-10-01/", "expected a date such as 2026-10-01, or two with a slash such as 2026-10-01/2026-10-07"),
    ],
)
def test_wrong_dates_say_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_dates(text)
    assert str(caught.value) == message


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "UTC")
STARTS = ("2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31", "2026-12-31")
minutes_of_day = st.integers(0, 24 * 60 - 1)

Data = list[tuple[str, list[int], list[tuple[int, int]]]]


@st.composite
def schedules(draw: st.DrawFn) -> tuple[str, Data]:
    """A schedule as text, and the same as data for the oracle."""
    texts: list[str] = []
    data: Data = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["days", "daily", "school_days", "non_school_days"]))
        days = sorted(draw(st.sets(st.integers(0, 6), min_size=1))) if kind == "days" else list(range(7))
        times = st.tuples(minutes_of_day, minutes_of_day).filter(lambda pair: pair[0] != pair[1])
        pairs = draw(st.lists(times, max_size=3))
        words = ",".join(DAYS[day] for day in days) if kind == "days" else kind
        hours = ", ".join(f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in pairs)
        texts.append(f"{words} {hours}".strip())
        data.append((kind, days, pairs))
    return "; ".join(texts), data


def school_day(day: date, term: DateRange, holidays: set[date], extra: set[date]) -> bool:
    return day in extra or (term.first <= day <= term.last and day.weekday() < 5 and day not in holidays)


@settings(max_examples=150, deadline=None)
@given(
    case=schedules(),
    zone=st.sampled_from(ZONES),
    start=st.sampled_from(STARTS),
    holidays=st.sets(st.integers(0, 3)),
    extra=st.sets(st.integers(0, 3)),
    offset_s=st.integers(0, 7 * 60),
)
def test_agrees_with_a_brute_force_oracle_across_changes_of_the_clock(
    case: tuple[str, Data], zone: str, start: str, holidays: set[int], extra: set[int], offset_s: int
) -> None:
    text, data = case
    first = date.fromisoformat(start)
    holiday_dates = {first + timedelta(days=day) for day in holidays}
    extra_dates = {first + timedelta(days=day) for day in extra}
    term = DateRange(date(2026, 3, 1), date(2026, 12, 31))
    calendar = SchoolCalendar(
        (term,),
        tuple(DateRange(day, day) for day in holiday_dates),
        tuple(DateRange(day, day) for day in extra_dates),
    )
    # The oracle: every minute of the wall clock that is in the schedule, as (date, minute of the day).
    wanted: set[tuple[date, int]] = set()
    for day in (first + timedelta(days=step) for step in range(-2, 5)):
        is_school = school_day(day, term, holiday_dates, extra_dates)
        for kind, days, pairs in data:
            counts = {"school_days": is_school, "non_school_days": not is_school}.get(kind, day.weekday() in days)
            for begin, end in (pairs or [(0, 24 * 60)]) if counts else []:
                length = (end - begin) % (24 * 60) or 24 * 60
                for minute in range(begin, begin + length):
                    wanted.add((day + timedelta(days=minute // 1440), minute % 1440))
    timezone = ZoneInfo(zone)
    schedule = Schedule(parse(text, {}), timezone, calendar)
    begin_s = int(datetime(first.year, first.month, first.day, tzinfo=timezone).timestamp())
    for moment_s in range(begin_s + offset_s, begin_s + 3 * 86_400, 7 * 60):
        local = datetime.fromtimestamp(moment_s, timezone)
        expected = (local.date(), local.hour * 60 + local.minute) in wanted
        assert schedule.active(moment_s) is expected, (text, zone, local)
