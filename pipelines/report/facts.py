"""Everything that a sheet is made from, read once: the record, the recording volume, the configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from pipelines.alerting import drill
from pipelines.config.schema import Config
from pipelines.config.timetable import schedule
from pipelines.history.sums import Sums
from pipelines.report.footage import FootageFacts, footage_of
from pipelines.report.period import Period
from pipelines.store import history, inspection, recent
from pipelines.store.columns import DENSITIES, Columns
from pipelines.store.database import Database
from pipelines.store.inspection import Case, Line
from pipelines.store.queries import IncidentFilter
from pipelines.workers.overload import EVERY_CAMERA

#: A picture that does not show what it should. The worker judges that.
PICTURE_FAULTS: Final = ("frozen", "dark", "covered", "blurred", "view_moved")
#: And a camera that gives none, as the recorder and the worker see it.
CAMERA_FAULTS: Final = ("recording_gap", "signal_lost", *PICTURE_FAULTS)
#: GB/T 29315-2012 (reported): a fault of the system is mended within a day.
FAULT_S: Final = 86_400.0
#: Cameras of this name are the site itself.
NO_CAMERA: Final = ("", "-", EVERY_CAMERA)


@dataclass(frozen=True, slots=True)
class Crowds:
    """Minutes of one camera in which a crowd's density is known, and was at least each of `DENSITIES`."""

    known_min: float
    above_min: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Drill:
    """One that was due at `start_s`. `arrivals`: how many of its messages arrived, of how many; `slowest_s` the longest delay
    of those that did."""

    start_s: float
    incident_id: str
    made: bool
    arrived: int
    sent: int
    slowest_s: float | None


@dataclass(frozen=True, slots=True)
class Facts:
    """`cameras`: the configured ones that the one who asks may see, with what people call them. `limits_s`: by level, within
    what time an alert is to be answered. `earlier`: camera faults that opened before the period and were not over by then.
    `drills` None: none is scheduled. `crowd_rules`: camera -> whether its ground is known, so that a density is. `judged`:
    camera -> which of its own faults are told of."""

    site: str
    period: Period
    now_s: float
    cameras: Mapping[str, str]
    partial: bool
    limits_s: Mapping[int, float]
    fault_s: float
    cases: Sequence[Case]
    earlier: Sequence[Case]
    undelivered: Mapping[str, int]
    audit: Sequence[Line]
    footage: FootageFacts
    drills: Sequence[Drill] | None
    crowds: Mapping[str, Crowds] = field(default_factory=dict)
    crowd_rules: Mapping[str, bool] = field(default_factory=dict)
    judged: Mapping[str, Sequence[str]] = field(default_factory=dict)


def facts_of(
    config: Config, database: Database, period: Period, now_s: float, cameras: frozenset[str] | None = None
) -> Facts:
    """Read what there is. `cameras`: only these, as whoever asks may see no others.

    Raises: BadInput: there is no store yet, or it is another version's. Unavailable: the store is away.
    """
    names = {name: camera.name or name for name, camera in config.cameras.items() if cameras is None or name in cameras}
    with database.reading() as connection:
        cases = inspection.cases(connection, period.from_s, period.until_s, cameras)
        earlier = inspection.still_open(connection, period.from_s, CAMERA_FAULTS, cameras)
        undelivered = inspection.undelivered(connection, [one.incident_id for one in cases if not one.drill])
        lines = inspection.lines(connection, period.from_s, period.until_s)
        began_s = inspection.began_s(connection)
        wanted = IncidentFilter(
            since_s=period.from_s, until_s=period.until_s, kind="crowding", drills=False, cameras=cameras
        )
        crowds = _crowds(list(history.stream(connection, wanted)), period.timezone)
        drills = _drills(config, period, now_s, began_s)
        if drills is not None:
            made = {one.incident_id for one in cases if one.drill}
            drills = [_followed(one, recent.arrivals(connection, one.incident_id), made) for one in drills]
    # What was there once and is configured no more still has its history.
    for one in (*cases, *earlier):
        if one.camera not in NO_CAMERA and one.camera not in config.cameras:
            names[one.camera] = one.camera_name or one.camera
    limits = config.alerts.limits
    levels = {1: limits.level_1, 2: limits.level_2, 3: limits.level_3, 4: limits.level_4}
    return Facts(
        site=config.site.name,
        period=period,
        now_s=now_s,
        cameras=names,
        partial=cameras is not None,
        limits_s={level: config.alerts.shift if limit is None else limit for level, limit in levels.items()},
        fault_s=FAULT_S,
        cases=cases,
        earlier=earlier,
        undelivered=undelivered,
        audit=lines,
        footage=footage_of(config, list(names), period, now_s),
        drills=None if cameras is not None else drills,
        crowds=crowds,
        crowd_rules={
            name: bool(camera.ground)
            for name, camera in config.cameras.items()
            if any(rule.kind == "crowding" for rule in camera.rules)
        },
        judged={name: camera.health.kinds for name, camera in config.cameras.items()},
    )


def _crowds(portions: Sequence[Columns], timezone: str) -> dict[str, Crowds]:
    sums = Sums(timezone)
    for columns in portions:
        sums.add(columns)
    found: dict[str, Crowds] = {}
    for camera in {camera for camera, _ in sums.crowd_s}:
        mine = [seconds for (name, _), seconds in sums.crowd_s.items() if name == camera]
        known_min, *above_min = (np.sum(mine, axis=0) / 60).tolist()
        found[camera] = Crowds(known_min, tuple(zip(DENSITIES, above_min, strict=True)))
    return found


def _drills(config: Config, period: Period, now_s: float, began_s: float | None) -> list[Drill] | None:
    """Those that were due, none of them judged yet. Before the record began nothing could have made one."""
    text = config.alerts.drill.schedule
    if text == "never":
        return None
    until_s = min(period.until_s, now_s - config.alerts.drill.within)
    from_s = max(period.from_s, now_s if began_s is None else began_s)
    starts = drill.starts(schedule(config, text), from_s - 0.001, until_s) if from_s < until_s else []
    return [Drill(start_s, drill.id_of(start_s), False, 0, 0, None) for start_s in starts]


def _followed(one: Drill, arrivals: list[tuple[str, str, str, float | None]], made: set[str]) -> Drill:
    delays = [delay_s for _, _, state, delay_s in arrivals if state == "sent" and delay_s is not None]
    return Drill(
        one.start_s,
        one.incident_id,
        one.incident_id in made,
        sum(state == "sent" for _, _, state, _ in arrivals),
        len(arrivals),
        max(delays, default=None),
    )
