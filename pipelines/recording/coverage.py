"""What of a span was recorded, and why the rest was not: arithmetic over intervals, no disk, no clock.

All times are UTC milliseconds, spans are half open [from, to).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

#: Holes shorter than this are rounding, not gaps (a frame or two between two segments).
ROUNDING_MS: Final = 50


class Cause(StrEnum):
    """Why a second is not recorded."""

    CAMERA = "camera"
    """Connected, but no valid media."""
    NETWORK = "network"
    """No connection."""
    DISK = "disk"
    """A write failed."""
    RESTART = "restart"
    """Our process or its ffmpeg was not running."""
    CONFIGURATION = "configuration"
    """The camera was not to be recorded."""
    CLOCK = "clock"
    """The host's clock was moved: those seconds never were."""
    UNKNOWN = "unknown"
    """None of the others can be shown: also footage that was there and is missing or damaged."""


class Span(NamedTuple):
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Seconds that are not on the disk. `inside` = a hole within a segment's file, which wins over the segment."""

    from_ms: int
    to_ms: int
    cause: Cause
    detail: str = ""
    inside: bool = False

    @property
    def duration_s(self) -> float:
        return (self.to_ms - self.from_ms) / 1000


@dataclass(frozen=True, slots=True)
class Coverage:
    """A whole span accounted for: `recorded` and `gaps` together fill it exactly, without overlap."""

    span: Span
    recorded: tuple[Span, ...]
    gaps: tuple[Gap, ...]

    @property
    def recorded_ms(self) -> int:
        return sum(to - start for start, to in self.recorded)

    @property
    def completeness(self) -> float:
        """0..1; an empty span is complete."""
        length = self.span.to_ms - self.span.from_ms
        return self.recorded_ms / length if length > 0 else 1.0

    @property
    def longest_gap(self) -> Gap | None:
        return max(self.gaps, key=lambda gap: gap.duration_s, default=None)


def union(spans: Iterable[Span], apart_ms: int = ROUNDING_MS) -> list[Span]:
    """Sorted, merged where they touch, overlap, or are at most `apart_ms` apart (by default: by rounding only)."""
    merged: list[Span] = []
    for span in sorted(spans):
        if span.to_ms <= span.from_ms:
            continue
        if merged and span.from_ms - merged[-1].to_ms <= apart_ms:
            if span.to_ms > merged[-1].to_ms:
                merged[-1] = Span(merged[-1].from_ms, span.to_ms)
        else:
            merged.append(span)
    return merged


def subtract(spans: Sequence[Span], holes: Sequence[Span]) -> list[Span]:
    """`spans` without `holes`; both sorted and merged."""
    left: list[Span] = []
    at = 0
    for span in spans:
        start = span.from_ms
        while at < len(holes) and holes[at].to_ms <= start:
            at += 1
        place = at
        while place < len(holes) and holes[place].from_ms < span.to_ms:
            if holes[place].from_ms > start:
                left.append(Span(start, holes[place].from_ms))
            start = max(start, holes[place].to_ms)
            place += 1
        if start < span.to_ms:
            left.append(Span(start, span.to_ms))
    return left


def clip(spans: Iterable[Span], within: Span) -> list[Span]:
    """The parts of `spans` inside `within`."""
    parts = (Span(max(s.from_ms, within.from_ms), min(s.to_ms, within.to_ms)) for s in spans)
    return [part for part in parts if part.to_ms > part.from_ms]


def cover(within: Span, segments: Iterable[Span], notes: Sequence[Gap]) -> Coverage:
    """Account for every millisecond of `within`.

    `segments` are what lies on the disk, `notes` what the recorder wrote down about causes. What neither explains is
    `unknown`; where two notes overlap the later one holds (it was written with more knowledge).
    """
    holes = union(Span(note.from_ms, note.to_ms) for note in notes if note.inside)
    recorded = clip(subtract(union(segments), holes), within)
    gaps: list[Gap] = []
    for hole in subtract([within], recorded) if within.to_ms > within.from_ms else []:
        gaps += _attribute(hole, notes)
    return Coverage(within, tuple(recorded), tuple(gaps))


def _attribute(hole: Span, notes: Sequence[Gap]) -> list[Gap]:
    """Split `hole` by what the notes say about it."""
    touching = [note for note in notes if note.from_ms < hole.to_ms and note.to_ms > hole.from_ms]
    edges = sorted(
        {hole.from_ms, hole.to_ms}
        | {min(max(edge, hole.from_ms), hole.to_ms) for note in touching for edge in (note.from_ms, note.to_ms)}
    )
    parts: list[Gap] = []
    for start, end in itertools.pairwise(edges):
        note = next((n for n in reversed(touching) if n.from_ms <= start and n.to_ms >= end), None)
        part = Gap(start, end, note.cause if note else Cause.UNKNOWN, note.detail if note else "")
        if parts and (parts[-1].cause, parts[-1].detail) == (part.cause, part.detail):
            part = Gap(parts.pop().from_ms, end, part.cause, part.detail)
        parts.append(part)
    return _absorb(parts)


def _absorb(parts: list[Gap]) -> list[Gap]:
    """Slivers of unknown beside a known cause belong to it: notes and segments are dated by different means."""
    result: list[Gap] = []
    for part in parts:
        sliver = part.cause is Cause.UNKNOWN and part.to_ms - part.from_ms <= 2000
        if sliver and result:
            before = result.pop()
            result.append(Gap(before.from_ms, part.to_ms, before.cause, before.detail))
        elif result and result[-1].cause is Cause.UNKNOWN and result[-1].to_ms - result[-1].from_ms <= 2000:
            result[-1] = Gap(result[-1].from_ms, part.to_ms, part.cause, part.detail)
        else:
            result.append(part)
    return result


def achieved_retention_ms(now_ms: int, recorded: Sequence[Span], tolerance_ms: int) -> int:
    """How far back from `now_ms` one can replay without meeting a hole longer than `tolerance_ms`.

    `recorded` is sorted and merged. Zero when even the newest footage is older than the tolerance.
    """
    oldest = now_ms
    for span in reversed(recorded):
        if oldest - span.to_ms > tolerance_ms:
            break
        oldest = min(oldest, span.from_ms)
    return now_ms - oldest


def timeline(coverage: Coverage, width: int) -> str:
    """A line of `width` characters: `#` recorded, `+` partly, else the first letter of the cause."""
    length = max(1, coverage.span.to_ms - coverage.span.from_ms)
    text = []
    for column in range(width):
        cell = Span(
            coverage.span.from_ms + length * column // width, coverage.span.from_ms + length * (column + 1) // width
        )
        have = sum(part.to_ms - part.from_ms for part in clip(coverage.recorded, cell))
        if have >= (cell.to_ms - cell.from_ms) * 0.999:
            text.append("#")
        else:
            lost = [(min(g.to_ms, cell.to_ms) - max(g.from_ms, cell.from_ms), g.cause.value) for g in coverage.gaps]
            worst = max((item for item in lost if item[0] > 0), default=(0, " "))
            text.append("+" if have > 0 and worst[0] < have else worst[1][0])
    return "".join(text)
