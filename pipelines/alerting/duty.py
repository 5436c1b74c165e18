"""Who can be told now: people and their quiet hours, rosters and their shifts. Pure; time is an argument."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Final

from pipelines.config.schedule import Schedule

_DAY_S: Final = 86400.0


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody, and the channels that reach them. In `quiet` hours only level 1 is told to them."""

    name: str
    channels: tuple[str, ...]
    quiet: Schedule | None = None
    called: str = ""

    def hears(self, severity: int, time_s: float) -> bool:
        return severity == 1 or self.quiet is None or not self.quiet.active(time_s)


@dataclass(frozen=True, slots=True)
class Shift:
    """Who is on duty while `schedule` is active."""

    schedule: Schedule
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Roster:
    """Shifts that may overlap (all of them are on duty) or leave holes (nobody is)."""

    name: str
    shifts: tuple[Shift, ...]

    def on_duty(self, time_s: float) -> tuple[str, ...]:
        """Each once, in the roster's order."""
        people = (name for shift in self.shifts if shift.schedule.active(time_s) for name in shift.people)
        return tuple(dict.fromkeys(people))


@dataclass(frozen=True, slots=True)
class Staff:
    """Everybody who can be told."""

    people: Mapping[str, Recipient] = field(default_factory=dict)
    rosters: Mapping[str, Roster] = field(default_factory=dict)

    def named(self, names: Sequence[str], time_s: float) -> tuple[Recipient, ...]:
        """Who is meant by names of people and rosters at this moment, each once; rosters stand for who is on duty."""
        found: dict[str, Recipient] = {}
        for name in names:
            roster = self.rosters.get(name)
            for person in roster.on_duty(time_s) if roster is not None else (name,):
                if person in self.people:
                    found.setdefault(person, self.people[person])
        return tuple(found.values())

    def shift_ends_s(self, names: Sequence[str], time_s: float, within_s: float) -> float | None:
        """The first moment after `time_s` (at most `within_s` later) at which others are meant by `names`; None: there is
        none."""
        now = {person.name for person in self.named(names, time_s)}
        rosters = [self.rosters[name] for name in names if name in self.rosters]
        edges = {
            edge
            for roster in rosters
            for shift in roster.shifts
            for edge in edges_s(shift.schedule, time_s, time_s + within_s)
        }
        for edge in sorted(edges):
            if {person.name for person in self.named(names, edge)} != now:
                return edge
        return None

    def quiet_ends_s(self, names: Sequence[str], severity: int, time_s: float, within_s: float) -> float:
        """The first moment after `time_s` at which one of `names` hears of this level again, at most `within_s` later."""
        schedules = [person.quiet for person in self.people.values() if person.quiet is not None]
        schedules += [shift.schedule for name in names if name in self.rosters for shift in self.rosters[name].shifts]
        until_s = time_s + within_s
        edges = {edge for schedule in schedules for edge in edges_s(schedule, time_s, until_s)}
        for edge in sorted(edges):
            if any(person.hears(severity, edge) for person in self.named(names, edge)):
                return edge
        return until_s


def edges_s(schedule: Schedule, from_s: float, until_s: float) -> Iterator[float]:
    """Moments in (from_s, until_s] at which the schedule may begin or end, in no order: every begin and end is among
    them, also where a clock is put forward or back."""
    zone = schedule.timezone
    day = datetime.fromtimestamp(from_s, zone).date() - timedelta(days=2)
    last = datetime.fromtimestamp(until_s, zone).date()
    while day <= last:
        midnight = datetime.combine(day, time(0), zone)
        for part in schedule.parts:
            for hours in part.hours:
                for second in hours:
                    for fold in (0, 1):
                        # Wall-clock arithmetic: what a clock on the wall shows, whichever of its two passes is meant.
                        wall = (midnight.replace(tzinfo=None) + timedelta(seconds=second)).replace(
                            tzinfo=zone, fold=fold
                        )
                        at_s = wall.astimezone(UTC).timestamp()
                        if from_s < at_s <= until_s:
                            yield at_s
        yield from _clock_changes_s(datetime.combine(day, time(0), zone), from_s, until_s)
        day += timedelta(days=1)


def _clock_changes_s(midnight: datetime, from_s: float, until_s: float) -> Iterator[float]:
    """When the wall clock is put forward or back on the day that begins at `midnight`: to the minute, which is where the
    law puts it."""
    zone = midnight.tzinfo
    assert zone is not None
    first_s = midnight.astimezone(UTC).timestamp()

    def offset(at_s: float) -> timedelta | None:
        return datetime.fromtimestamp(at_s, zone).utcoffset()

    low, high = first_s, first_s + _DAY_S
    if offset(low) == offset(high):
        return
    while high - low > 60.0:
        middle = (low + high) // 120.0 * 60.0
        if offset(middle) == offset(low):
            low = middle
        else:
            high = middle
    if from_s < high <= until_s:
        yield high
