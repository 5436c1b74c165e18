"""The site's calendar and its schedules, as a loaded configuration has them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from pipelines.config.schedule import Schedule, SchoolCalendar, parse, parse_dates
from pipelines.config.schema import Config


def school_calendar(config: Config) -> SchoolCalendar:
    """The site's school days. Raises ValueError for a date that is none: a loaded configuration has none."""
    return SchoolCalendar(
        terms=tuple(parse_dates(text) for text in config.calendar.terms),
        holidays=tuple(parse_dates(text) for text in config.calendar.holidays),
        extra_school_days=tuple(parse_dates(text) for text in config.calendar.extra_school_days),
    )


def schedule(config: Config, text: str) -> Schedule:
    """A schedule by its text or name, on the site's calendar and clock."""
    return Schedule(parse(text, config.schedules), ZoneInfo(config.site.timezone), school_calendar(config))
