"""What to delete: one pure function over rows. Order of the rules: hold -> floor -> policy -> disk pressure.

It reads no clock and no disk, so that what it says in a dry run, in a test and in the cleaner is the same. All times are
UTC milliseconds.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
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


class _Spans:
    """Does any of these spans touch a segment?"""

    def __init__(self, spans: Iterable[Span]) -> None:
        merged = union(spans, 0)
        self._starts = [span.from_ms for span in merged]
        self._ends = [span.to_ms for span in merged]

    def touch(self, row: Row) -> bool:
        place = bisect.bisect_left(self._starts, row.end_ms)
        return place > 0 and self._ends[place - 1] > row.start_ms


def _candidates(cameras: Mapping[str, CameraFootage], now_ms: int) -> Iterator[tuple[str, Row | None, bool]]:
    """(camera, row, whether it is an incident's) of everything above its floor; the row is None when it is held."""
    for camera, footage in cameras.items():
        holds = _Spans(footage.holds) if footage.holds else None
        incidents = _Spans(footage.incidents) if footage.incidents else None
        floor = now_ms - footage.limits.floor_ms
        for row in footage.rows:
            if row[2] > floor:
                continue
            if holds is not None and holds.touch(row):
                yield camera, None, False
            else:
                yield camera, row, incidents is not None and incidents.touch(row)


def _rule(limits: Limits, age_ms: int, *, marked: bool) -> Rule | None:
    """By which rule a segment of that age goes, without looking at the disk; None when it may stay."""
    if age_ms >= limits.ceiling_ms:
        return Rule.CEILING
    if marked:
        return Rule.INCIDENT if age_ms >= limits.incidents_ms else None
    return Rule.TARGET if age_ms >= limits.target_ms else None


def plan(
    cameras: Mapping[str, CameraFootage],
    *,
    now_ms: int,
    free_bytes: int,
    reserve_bytes: int,
    cap_share: float = 1.0,
) -> Plan:
    """Decide. `cap_share` is the greatest share of all segments that one run deletes (but always at least one)."""
    due: list[Deletion] = []
    held = 0
    considered = sum(len(footage.rows) + footage.others for footage in cameras.values())
    for camera, row, marked in _candidates(cameras, now_ms):
        if row is None:
            held += 1
            continue
        rule = _rule(cameras[camera].limits, now_ms - row.end_ms, marked=marked)
        if rule is not None:
            due.append(Deletion(camera, row, rule))
    due.sort(key=lambda deletion: (deletion[2] is not Rule.CEILING, deletion[1][1]))
    missing = reserve_bytes - free_bytes - sum(deletion[1][3] for deletion in due)
    if missing > 0:
        spare = [
            (marked, row.start_ms, camera, row)
            for camera, row, marked in _candidates(cameras, now_ms)
            if row is not None and _rule(cameras[camera].limits, now_ms - row.end_ms, marked=marked) is None
        ]
        spare.sort(key=lambda item: item[:2])  # ordinary footage before incidents', oldest first
        for _, _, camera, row in spare:
            if missing <= 0:
                break
            due.append(Deletion(camera, row, Rule.PRESSURE))
            missing -= row.size_bytes
    cap = max(1, int(considered * cap_share))
    now, later = due[:cap], due[cap:]
    by_rule: dict[Rule, int] = {}
    for deletion in now:
        by_rule[deletion.rule] = by_rule.get(deletion.rule, 0) + 1
    total = sum(deletion.row.size_bytes for deletion in now)
    return Plan(tuple(now), len(later), max(0, missing), held, considered, total, by_rule)


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
