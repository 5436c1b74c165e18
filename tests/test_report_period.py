"""Which days a report is about, on the site's clock."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipelines.errors import BadInput
from pipelines.report.period import Wanted, resolve

TERMS = ["2026-02-16/2026-07-03", "2026-09-01/2027-01-20"]


def at(text: str, zone: str = "Asia/Shanghai") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("wanted", "now", "title", "first", "last", "running"),
    [
        # The Monday's first minute ends the week before it; the Sunday's last one does not.
        ({}, "2026-11-23T00:00", "2026-W47", "2026-11-16", "2026-11-22", False),
        ({}, "2026-11-22T23:59", "2026-W46", "2026-11-09", "2026-11-15", False),
        ({"current": True}, "2026-11-22T23:59", "2026-W47", "2026-11-16", "2026-11-22", True),
        ({"on": date(2026, 1, 1)}, "2026-11-22", "2026-W01", "2025-12-29", "2026-01-04", False),
        ({"kind": "month"}, "2026-03-01T00:00", "2026-02", "2026-02-01", "2026-02-28", False),
        ({"kind": "month"}, "2026-01-31", "2025-12", "2025-12-01", "2025-12-31", False),
        ({"kind": "month", "current": True}, "2028-02-10", "2028-02", "2028-02-01", "2028-02-29", True),
        ({"kind": "term"}, "2026-11-22", "2026-02-16/2026-07-03", "2026-02-16", "2026-07-03", False),
        ({"kind": "term", "current": True}, "2026-11-22", "2026-09-01/2027-01-20", "2026-09-01", "2027-01-20", True),
        ({"kind": "term", "on": date(2026, 7, 3)}, "2026-11-22", TERMS[0], "2026-02-16", "2026-07-03", False),
        ({"since": date(2026, 11, 18)}, "2026-11-30", "2026-11-18/2026-11-24", "2026-11-18", "2026-11-24", False),
        ({"since": date(2026, 11, 16)}, "2026-11-30", "2026-W47", "2026-11-16", "2026-11-22", False),
        (
            {"kind": "month", "since": date(2026, 1, 31)},
            "2026-11-30",
            "2026-01-31/2026-02-27",
            "2026-01-31",
            "2026-02-27",
            False,
        ),
        (
            {"kind": "term", "since": date(2026, 10, 8)},
            "2026-11-30",
            "2026-10-08/2027-01-20",
            "2026-10-08",
            "2027-01-20",
            True,
        ),
        (
            {"since": date(2026, 11, 1), "until": date(2026, 11, 2)},
            "2026-11-30",
            "2026-11-01/2026-11-01",
            "2026-11-01",
            "2026-11-01",
            False,
        ),
    ],
)
def test_which_days(wanted: dict[str, Any], now: str, title: str, first: str, last: str, running: bool) -> None:
    found = resolve(Wanted(**wanted), TERMS, "Asia/Shanghai", at(now))
    assert (found.title, found.first.isoformat(), found.last.isoformat(), found.running) == (
        title,
        first,
        last,
        running,
    )
    assert found.from_s == at(first)
    assert found.until_s == (at(now) if running else at(f"{last}T00:00") + 86_400)


def test_a_week_in_which_the_clocks_change() -> None:
    found = resolve(Wanted(on=date(2026, 10, 25)), [], "Europe/Berlin", at("2026-11-22"))
    assert found.until_s - found.from_s == (7 * 24 + 1) * 3600
    # Where a change leaves midnight out, the day begins at one.
    found = resolve(Wanted(since=date(2026, 9, 6)), [], "America/Santiago", at("2026-11-22"))
    assert datetime.fromtimestamp(found.from_s, ZoneInfo("America/Santiago")).isoformat() == "2026-09-06T01:00:00-03:00"


@pytest.mark.parametrize(
    ("wanted", "terms", "told"),
    [
        ({"kind": "term"}, [], "add calendar: {terms:"),
        ({"kind": "term"}, ["2026-09-01/2027-01-20"], "--current takes the one that runs"),
        (
            {"kind": "term", "on": date(2026, 8, 1)},
            TERMS,
            "2026-08-01 lies in no term of calendar.terms (there: 2026-02",
        ),
        ({"kind": "term", "since": date(2026, 8, 1)}, TERMS, "give --to as well"),
        ({"on": date(2026, 11, 30)}, [], "the time from 2026-11-30 has not begun: today is 2026-11-22"),
        ({"on": date(2026, 1, 1), "current": True}, [], "give one of --date, --current and --from"),
        ({"on": date(1, 1, 1)}, [], "0001-01-01 is too far away"),
        ({"since": date(2026, 1, 1), "until": date.max}, [], "9999-12-31 is too far away"),
        ({"until": date(2026, 1, 1)}, [], "--to needs --from"),
        ({"since": date(2026, 1, 2), "until": date(2026, 1, 2)}, [], "--to 2026-01-02 is not after --from 2026-01-02"),
    ],
)
def test_what_cannot_be_had(wanted: dict[str, Any], terms: list[str], told: str) -> None:
    with pytest.raises(BadInput) as refused:
        resolve(Wanted(**wanted), terms, "Asia/Shanghai", at("2026-11-22T12:00"))
    assert told in str(refused.value)
