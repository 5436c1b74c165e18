"""What to delete: one pure function over rows. Order of the rules: hold -> floor -> policy -> disk pressure.

It reads no clock and no disk, so that what it says in a dry run, in a test and in the cleaner is the same. All times are
UTC milliseconds.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from pipelines.recording.coverage import Span, union


class Rule(StrEnum):
    """Why a segment is deleted."""

    CEILING = "ceiling"
    """Older than the longest time that it may be kept."""
    TARGET = "target"
    """Its purpose is met: older than `keep`, and no incident's."""
    INCIDENT = "incident"
    """An incident's, and older than `keep_incidents`."""
    PRESSURE = "pressure"
    """The disk is short; above the floor, and the oldest of what may go."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Ages in milliseconds. Invariant: floor <= target <= ceiling and floor <= incidents <= ceiling."""

    floor_ms: int
    target_ms: int
    incidents_ms: int
    ceiling_ms: int

    def __post_init__(self) -> None:
        if not 0 <= self.floor_ms <= min(self.target_ms, self.incidents_ms):
            raise ValueError("the floor must not be above what is kept")
        if max(self.target_ms, self.incidents_ms) > self.ceiling_ms:
            raise ValueError("the ceiling must not be below what is kept")


class Row(NamedTuple):
    """A segment as the plan sees it; `row_id` is the index's."""

    row_id: int
    start_ms: int
    end_ms: int
    size_bytes: int


#: (start_ms, number of its camera, row).
_Entry = tuple[int, int, Row]


@dataclass(frozen=True, slots=True)
class CameraFootage:
    """Everything of one camera that the plan needs. `rows` in order of `start_ms`; `others` counts segments that are not
    among them because they began under the floor, which the plan would leave alone anyway."""

    limits: Limits
    rows: Sequence[Row]
    holds: Sequence[Span] = ()
    incidents: Sequence[Span] = ()
    others: int = 0


class Deletion(NamedTuple):
    camera: str
    row: Row
    rule: Rule


@dataclass(frozen=True, slots=True)
class Plan:
    """`deletions`: what goes now, oldest first within each rule. `postponed`: what would go but for the cap. `short_bytes`:
    what is still missing of `reserve_free` although everything above the floor goes: the floor is reached."""

    deletions: tuple[Deletion, ...]
    postponed: int
    short_bytes: int
    held: int
    considered: int
    bytes: int = 0
    by_rule: Mapping[Rule, int] = field(default_factory=dict)


def _touched(rows: Sequence[Row], spans: Iterable[Span]) -> set[int]:
    """Places in `rows` (in order of `start_ms`) that any of `spans` touches."""
    merged = union(spans, 0)
    if not merged or not rows:
        return set()
    starts = [row[1] for row in rows]
    longest = max(row[2] - row[1] for row in rows)
    return {
        place
        for span in merged
        for place in range(bisect.bisect_left(starts, span.from_ms - longest), bisect.bisect_left(starts, span.to_ms))
        if rows[place][2] > span.from_ms
    }


class _Sorted:
    """What the rules say of every segment above its floor. Entries are (start_ms, number of the camera, row): their
    natural order is the order in which they go. A million of them pass here, so most of the work is done in one pass."""

    def __init__(self, cameras: Sequence[CameraFootage], now_ms: int) -> None:
        self.held = 0
        self.due: dict[Rule, list[_Entry]] = {Rule.CEILING: [], Rule.TARGET: [], Rule.INCIDENT: []}
        #: May stay, if the disk lets them: ordinary footage, that of incidents.
        self.spare: tuple[list[_Entry], list[_Entry]] = ([], [])
        for number, footage in enumerate(cameras):
            self._take(number, footage, now_ms)

    def _take(self, number: int, footage: CameraFootage, now_ms: int) -> None:
        limits = footage.limits
        floor, target, ceiling = (now_ms - age for age in (limits.floor_ms, limits.target_ms, limits.ceiling_ms))
        rows = footage.rows
        held = _touched(rows, footage.holds)
        apart = _touched(rows, footage.incidents) | held
        plain: Iterable[Row] = rows
        if apart:
            plain = (row for place, row in enumerate(rows) if place not in apart)
        gone, due, spare = self.due[Rule.CEILING], self.due[Rule.TARGET], self.spare[0]
        for row in plain:
            end_ms = row[2]
            if end_ms > floor:
                continue
            (gone if end_ms <= ceiling else due if end_ms <= target else spare).append((row[1], number, row))
        for place in sorted(apart):
            row = rows[place]
            if row[2] > floor:
                continue
            if place in held:
                self.held += 1
            elif row[2] <= ceiling:
                gone.append((row[1], number, row))
            elif row[2] <= now_ms - limits.incidents_ms:
                self.due[Rule.INCIDENT].append((row[1], number, row))
            else:
                self.spare[1].append((row[1], number, row))


def plan(
    cameras: Mapping[str, CameraFootage],
    *,
    now_ms: int,
    free_bytes: int,
    reserve_bytes: int,
    cap_share: float = 1.0,
) -> Plan:
    """Decide. `cap_share` is the greatest share of all segments that one run deletes (but always at least one)."""
    names = list(cameras)
    considered = sum(len(footage.rows) + footage.others for footage in cameras.values())
    cap = max(1, int(considered * cap_share))
    found = _Sorted(list(cameras.values()), now_ms)
    # Past the ceiling first: that is a duty. Then whatever has had its time, then what the disk asks for.
    aged = found.due[Rule.TARGET] + found.due[Rule.INCIDENT]
    rule_of_aged = {id(entry): Rule.INCIDENT for entry in found.due[Rule.INCIDENT]}
    steps = [(sorted(found.due[Rule.CEILING]), Rule.CEILING), (sorted(aged), Rule.TARGET)]
    missing = reserve_bytes - free_bytes - sum(entry[2][3] for entries, _ in steps for entry in entries)
    pressed: list[_Entry] = []
    for entry in itertools.chain(*map(sorted, found.spare)) if missing > 0 else ():
        if missing <= 0:
            break
        pressed.append(entry)
        missing -= entry[2][3]
    steps.append((pressed, Rule.PRESSURE))
    now: list[Deletion] = []
    for entries, rule in steps:
        now += [
            Deletion(names[entry[1]], Row._make(entry[2]), rule_of_aged.get(id(entry), rule))
            for entry in entries[: cap - len(now)]
        ]
    total = sum(len(entries) for entries, _ in steps)
    by_rule: dict[Rule, int] = {}
    for deletion in now:
        by_rule[deletion.rule] = by_rule.get(deletion.rule, 0) + 1
    size = sum(deletion.row.size_bytes for deletion in now)
    return Plan(tuple(now), total - len(now), max(0, missing), found.held, considered, size, by_rule)


@dataclass(frozen=True, slots=True)
class Forecast:
    """`days_to_full` None: at this rate the volume does not fill, because as much is deleted as is recorded.
    `floor_days` is how many days of every camera fit at this rate; `floor_in_danger` when that is less than a floor."""

    bytes_per_day: int
    days_to_full: float | None
    floor_days: float | None
    floor_in_danger: bool


def forecast(
    daily_bytes: Mapping[str, int],
    floors_ms: Mapping[str, int],
    *,
    leaving_per_day_bytes: int,
    recorded_bytes: int,
    free_bytes: int,
    reserve_bytes: int,
) -> Forecast:
    """From what each camera wrote in the last day. `leaving_per_day_bytes` is what retention deletes in the next one."""
    rate = sum(daily_bytes.values())
    growth = rate - leaving_per_day_bytes
    room = max(0, free_bytes - reserve_bytes)
    fits = recorded_bytes + free_bytes - reserve_bytes
    needed = sum(rate_bytes * floors_ms.get(camera, 0) / 86_400_000 for camera, rate_bytes in daily_bytes.items())
    return Forecast(
        bytes_per_day=rate,
        days_to_full=room / growth if growth > 0 else None,
        floor_days=fits / rate if rate > 0 else None,
        floor_in_danger=rate > 0 and needed > fits,
    )
