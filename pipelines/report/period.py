"""Which time a report is about: whole local days of the site, as its calendar names them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from pipelines.config.schedule import DateRange, parse_dates
from pipelines.errors import BadInput

Kind = Literal["week", "month", "term"]
#: Nothing of ours is older, nor will be asked of later; calendars and clocks end somewhere.
_FIRST_YEAR: Final = 1971
_LAST_YEAR: Final = 2200


@dataclass(frozen=True, slots=True)
class Period:
    """`first` to `last`, both included, on the site's clock. `until_s` (UTC, not included) is the end of `last`, or now while
    the time still runs (`running`). `named`: it is the calendar's own week, month or term, not one that somebody cut."""

    kind: Kind
    first: date
    last: date
    from_s: float
    until_s: float
    running: bool
    named: bool
    timezone: str

    @property
    def title(self) -> str:
        """`2026-W47`, `2026-11`, or the two dates."""
        if self.named and self.kind == "week":
            year, week, _ = self.first.isocalendar()
            return f"{year}-W{week:02d}"
        if self.named and self.kind == "month":
            return f"{self.first:%Y-%m}"
        return f"{self.first.isoformat()}/{self.last.isoformat()}"

    def seconds_of(self, day: date) -> tuple[float, float]:
        """When a day of it begins and ends; the last one ends with the period."""
        zone = ZoneInfo(self.timezone)
        return _begins_s(day, zone), min(_begins_s(day + timedelta(days=1), zone), self.until_s)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for. `on`: the one that holds this day; `current`: the one that runs now; `since`, `until` (not
    included) cut one freely; none of them: the last one that is over."""

    kind: Kind = "week"
    on: date | None = None
    current: bool = False
    since: date | None = None
    until: date | None = None


def resolve(wanted: Wanted, terms: Sequence[str], timezone: str, now_s: float) -> Period:
    """The time that is meant. `terms` as the configuration's `calendar.terms`.

    Raises: BadInput: arguments that contradict, a time that has not begun, or a term that the calendar does not have.
    """
    zone = ZoneInfo(timezone)
    today = datetime.fromtimestamp(now_s, zone).date()
    if sum((wanted.on is not None, wanted.current, wanted.since is not None)) > 1:
        raise BadInput("give one of --date, --current and --from: each says which time is meant")
    for day in (wanted.on, wanted.since, wanted.until):
        if day is not None and not _FIRST_YEAR <= day.year <= _LAST_YEAR:
            raise BadInput(f"{day} is too far away: no report goes beyond the years {_FIRST_YEAR} to {_LAST_YEAR}")
    if wanted.until is not None and wanted.since is None:
        raise BadInput("--to needs --from")
    if wanted.since is not None:
        chosen = _cut(wanted.kind, wanted.since, wanted.until, terms)
    elif wanted.kind == "term":
        chosen = _term(wanted, terms, today)
    elif wanted.on is not None or wanted.current:
        chosen = _around(wanted.kind, wanted.on or today)
    else:
        chosen = _around(wanted.kind, _around(wanted.kind, today).first - timedelta(days=1))
    from_s, end_s = _begins_s(chosen.first, zone), _begins_s(chosen.last + timedelta(days=1), zone)
    if from_s >= now_s:
        raise BadInput(f"the time from {chosen.first} has not begun: today is {today} ({timezone})")
    named = wanted.since is None or chosen == _around_or_none(wanted.kind, chosen.first, terms)
    return Period(
        wanted.kind,
        chosen.first,
        chosen.last,
        from_s,
        min(end_s, round(now_s, 3)),
        running=end_s > now_s,
        named=named,
        timezone=timezone,
    )


def _begins_s(day: date, zone: ZoneInfo) -> float:
    """Midnight on the site's clock; where a change of the clocks leaves it out, the first moment after it."""
    return datetime.combine(day, time(), zone).astimezone(UTC).timestamp()


def _around(kind: Kind, day: date) -> DateRange:
    """The ISO week or the calendar month that holds `day`."""
    if kind == "week":
        first = day - timedelta(days=day.weekday())
        return DateRange(first, first + timedelta(days=6))
    first = day.replace(day=1)
    return DateRange(first, _next_month(first) - timedelta(days=1))


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, day.day)


def _around_or_none(kind: Kind, day: date, terms: Sequence[str]) -> DateRange | None:
    if kind != "term":
        return _around(kind, day)
    return next((term for term in map(parse_dates, terms) if term.holds(day)), None)


def _term(wanted: Wanted, terms: Sequence[str], today: date) -> DateRange:
    known = sorted(map(parse_dates, terms))
    if not known:
        raise BadInput("a term's report needs the school's terms: add calendar: {terms: [2026-09-01/2027-01-20]}")
    listed = ", ".join(f"{term.first}/{term.last}" for term in known)
    if wanted.on is not None or wanted.current:
        day = wanted.on or today
        found = next((term for term in known if term.holds(day)), None)
        if found is None:
            raise BadInput(f"{day} lies in no term of calendar.terms (there: {listed})")
        return found
    over = [term for term in known if term.last < today]
    if not over:
        raise BadInput(f"no term of calendar.terms is over yet (there: {listed}): --current takes the one that runs")
    return over[-1]


def _cut(kind: Kind, since: date, until: date | None, terms: Sequence[str]) -> DateRange:
    if until is not None:
        if until <= since:
            raise BadInput(f"--to {until} is not after --from {since}: it is the first day that does not belong to it")
        return DateRange(since, until - timedelta(days=1))
    if kind == "week":
        return DateRange(since, since + timedelta(days=6))
    if kind == "month":
        # From the 31st on, a month ends with the month.
        following = _next_month(since.replace(day=1))
        last = min(since.day, (_next_month(following) - timedelta(days=1)).day)
        return DateRange(since, following.replace(day=last) - timedelta(days=1))
    found = _around_or_none("term", since, terms)
    if found is None:
        raise BadInput(f"--from {since} lies in no term of calendar.terms: give --to as well")
    return DateRange(since, found.last)
