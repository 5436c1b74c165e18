"""What the configuration says about telling: routes, chains, limits. Pure values, and questions to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pipelines.alerting.duty import Recipient, Roster, Shift, Staff
from pipelines.config.alerting import StepModel
from pipelines.config.schedule import Schedule
from pipelines.config.schema import Config
from pipelines.config.timetable import schedule
from pipelines.store.incidents import Notice

#: The recipient while the configuration names no people: whoever sits in the control room.
CONTROL_ROOM: Final = "control-room"
#: The chain of what no route takes.
DEFAULT: Final = "default"
_LEVELS: Final = {1: 30.0, 2: 60.0, 3: 300.0, 4: None}
#: Nobody waits longer for the end of quiet hours or of a shift.
_LONGEST_S: Final = 2 * 86400.0


@dataclass(frozen=True, slots=True)
class Step:
    """Those who are told at once: names of people and rosters. `within_s` None: the level's limit."""

    tell: tuple[str, ...]
    within_s: float | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Empty: whatever. `exempt`: nobody is told, and this is why."""

    chain: str = DEFAULT
    kinds: frozenset[str] = frozenset()
    levels: frozenset[int] = frozenset()
    cameras: frozenset[str] = frozenset()
    zones: frozenset[str] = frozenset()
    schedule: Schedule | None = None
    exempt: str = ""
    cooldown_s: float = 0.0

    def takes(self, notice: Notice, now_s: float) -> bool:
        if self.exempt and notice.severity == 1:
            return False
        return (
            (not self.kinds or notice.kind in self.kinds)
            and (not self.levels or notice.severity in self.levels)
            and (not self.cameras or notice.camera in self.cameras)
            and (not self.zones or notice.zone in self.zones)
            and (self.schedule is None or self.schedule.active(now_s))
        )


@dataclass(frozen=True, slots=True)
class StormRule:
    """More than `more_than` alerts to one recipient in `within_s` are gathered for `gather_s`."""

    more_than: int
    within_s: float
    gather_s: float


@dataclass(frozen=True, slots=True)
class Reached:
    """A step of a chain as it is at one moment: whom it tells, by when one of them must answer, and when a dispatcher has
    to look again (that, or the change of a shift before it)."""

    step: int
    people: tuple[Recipient, ...]
    deadline_s: float
    look_s: float


@dataclass(frozen=True, slots=True)
class Policy:
    """`recipients` are all who can be told. `warnings`: also tell `incident.warned`."""

    recipients: tuple[Recipient, ...]
    warnings: bool = False
    rosters: Mapping[str, Roster] = field(default_factory=dict)
    chains: Mapping[str, tuple[Step, ...]] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    limits_s: Mapping[int, float | None] = field(default_factory=lambda: dict(_LEVELS))
    shift_s: float = 8 * 3600.0
    reach_within_s: float = 60.0
    storm: StormRule | None = None
    drill: Schedule | None = None
    drill_within_s: float = 120.0

    @property
    def staff(self) -> Staff:
        return Staff({person.name: person for person in self.recipients}, self.rosters)

    def route_of(self, notice: Notice, now_s: float) -> Route:
        """The first that takes it, else the default chain."""
        return next((route for route in self.routes if route.takes(notice, now_s)), Route())

    def steps(self, chain: str) -> tuple[Step, ...]:
        """A chain that is there no more, or never was, is the default one, else everybody at once."""
        everybody = (Step(tuple(person.name for person in self.recipients)),)
        return self.chains.get(chain) or self.chains.get(DEFAULT) or everybody

    def reach(self, chain: str, after: int, severity: int, now_s: float) -> Reached | None:
        """The first step after `after` (-1: from the beginning) that comes to somebody now; steps whose people are all off
        duty or in their quiet hours are passed over. None: there is none."""
        staff = self.staff
        for number, step in enumerate(self.steps(chain)):
            if number <= after:
                continue
            people = tuple(one for one in staff.named(step.tell, now_s) if one.hears(severity, now_s))
            if people:
                deadline_s = self.deadline_s(step, severity, now_s)
                look_s = staff.shift_ends_s(step.tell, now_s, deadline_s - now_s)
                return Reached(number, people, deadline_s, deadline_s if look_s is None else look_s)
        return None

    def anybody(self, chain: str, severity: int, now_s: float) -> Reached | None:
        """When a chain comes to nobody, for nobody is on duty in it: everybody who hears this level now, as its last step."""
        people = tuple(one for one in self.recipients if one.hears(severity, now_s))
        deadline_s = now_s + (self.limits_s.get(severity) or self.shift_s)
        return Reached(len(self.steps(chain)) - 1, people, deadline_s, deadline_s) if people else None

    def deadline_s(self, step: Step, severity: int, now_s: float) -> float:
        """By when one of those who are told now must answer."""
        limit_s = step.within_s if step.within_s is not None else self.limits_s.get(severity)
        if limit_s is not None:
            return now_s + limit_s
        ends_s = self.staff.shift_ends_s(step.tell, now_s, _LONGEST_S)
        return now_s + self.shift_s if ends_s is None else ends_s

    def only_quiet(self, chain: str, now_s: float) -> bool:
        """Whether somebody of the chain is there, so that only quiet hours can keep it from coming to them."""
        return any(self.staff.named(step.tell, now_s) for step in self.steps(chain))

    def wakes_s(self, chain: str, severity: int, now_s: float) -> float:
        """When quiet hours end for the first of a chain who is in them."""
        names = tuple(name for step in self.steps(chain) for name in step.tell)
        return self.staff.quiet_ends_s(names, severity, now_s, _LONGEST_S)


def policy_of(config: Config, channels: Sequence[str]) -> Policy:
    """The configuration's policy. Without `recipients` the control room is told everything through all `channels`."""
    alerts = config.alerts
    limits = alerts.limits
    storm = alerts.storm
    room = (Recipient(CONTROL_ROOM, tuple(channels)),) if channels else ()
    people = tuple(
        Recipient(name, tuple(person.channels), _hours(config, person.quiet), person.name or name)
        for name, person in config.recipients.items()
    )
    return Policy(
        recipients=people or room,
        warnings=config.channels.warnings,
        rosters={
            name: Roster(name, tuple(Shift(schedule(config, one.schedule), tuple(one.people)) for one in shifts))
            for name, shifts in config.rosters.items()
        },
        chains={name: tuple(_step(step) for step in steps) for name, steps in config.escalation.items()},
        routes=tuple(
            Route(
                chain=route.chain or DEFAULT,
                kinds=frozenset(route.kinds),
                levels=frozenset(route.levels),
                cameras=frozenset(route.cameras),
                zones=frozenset(route.zones),
                schedule=None if route.schedule == "always" else schedule(config, route.schedule),
                exempt=route.exempt or "",
                cooldown_s=route.cooldown,
            )
            for route in config.routes
        ),
        limits_s={1: limits.level_1, 2: limits.level_2, 3: limits.level_3, 4: limits.level_4},
        shift_s=alerts.shift,
        reach_within_s=alerts.reach_within,
        # What takes everything through all channels is often a machine, and was promised each incident.
        storm=StormRule(storm.more_than, storm.within, storm.gather) if storm is not None and people else None,
        drill=_hours(config, alerts.drill.schedule),
        drill_within_s=alerts.drill.within,
    )


def _step(step: StepModel) -> Step:
    return Step(tuple(step.tell), step.within)


def _hours(config: Config, text: str) -> Schedule | None:
    return None if text == "never" else schedule(config, text)
