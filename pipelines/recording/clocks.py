"""What was known of clocks when: rows in the index, so that an incident or a package of last month has the clocks of then.

The camera "" is this host, as its kernel says. `low_ms` and `high_ms` bound the clock's error (a camera's minus ours);
NULL = not synchronised. The clocks of cameras that send RTCP sender reports stand with their segments.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final, NamedTuple

from pipelines.recording import ledger
from pipelines.recording.clockstate import CameraOffset, ClockGrade, HostClock, grade
from pipelines.recording.coverage import Span
from pipelines.recording.index import Index

HOST: Final = ""
KERNEL: Final = "kernel"
#: One row speaks for at most this long, and goes on only while looks follow each other closely.
_LONGEST_MS: Final = 3_600_000
_FOLLOWS_MS: Final = 1_200_000
#: What was seen this long before or after still says something of a moment.
_NEAR_MS: Final = 900_000
_SEGMENTS_NEAR_MS: Final = 60_000
_HOST_NEAR_MS: Final = 300_000


class Row(NamedTuple):
    """From the first to the last look at it, the error lay between `low_ms` and `high_ms`."""

    camera: str
    source: str
    from_ms: int
    to_ms: int
    low_ms: int | None
    high_ms: int | None


def note(
    cursor: sqlite3.Connection, camera: str, source: str, at_ms: int, bounds_ms: tuple[int, int] | None
) -> Row | None:
    """Write down a look at a clock; inside a transaction. Returns the row that has ended with it, if one has."""
    low, high = bounds_ms or (None, None)
    found = cursor.execute(
        "SELECT rowid, camera, source, from_ms, to_ms, low_ms, high_ms FROM clocks WHERE camera = ? AND source = ?"
        " ORDER BY from_ms DESC LIMIT 1",
        (camera, source),
    ).fetchone()
    before = None if found is None else Row(*found[1:])
    if before is not None and _goes_on(before, at_ms, low, high):
        if camera == HOST and low is not None and before.low_ms is not None and before.high_ms is not None:
            low, high = min(low, before.low_ms), max(high or 0, before.high_ms)
        cursor.execute(
            "UPDATE clocks SET to_ms = ?, low_ms = ?, high_ms = ? WHERE rowid = ?", (at_ms, low, high, found[0])
        )
        return None
    cursor.execute("INSERT INTO clocks VALUES (?, ?, ?, ?, ?, ?)", (camera, source, at_ms, at_ms, low, high))
    return before


def _goes_on(row: Row, at_ms: int, low: int | None, high: int | None) -> bool:
    if not row.to_ms <= at_ms <= row.to_ms + _FOLLOWS_MS or at_ms - row.from_ms >= _LONGEST_MS:
        return False
    if low is None or high is None or row.low_ms is None or row.high_ms is None:
        return low is None and row.low_ms is None
    return low <= row.high_ms and high >= row.low_ms


def replay(cursor: sqlite3.Connection, rows: Sequence[Sequence[object]]) -> None:
    """Rows as the journal has them, back into the index."""
    cursor.executemany("INSERT INTO clocks VALUES (?, ?, ?, ?, ?, ?)", [tuple(row) for row in rows])


def grade_of(index: Index, camera: str, span: Span, now_ms: int, host_now: HostClock) -> ClockGrade:
    """How far times of `camera` in `span` can be trusted: the worst that was known near it. Raises Unavailable.

    `host_now` is what the kernel says at `now_ms`, used when that is near the span.
    """
    return grade(_camera(index, camera, span), _host(index, span, now_ms, host_now))


def _rows(index: Index, camera: str, span: Span, near_ms: int) -> list[Row]:
    found = index.read(
        "SELECT camera, source, from_ms, to_ms, low_ms, high_ms FROM clocks"
        " WHERE camera = ? AND from_ms BETWEEN ? AND ? AND to_ms >= ?",
        (camera, span.from_ms - near_ms - _LONGEST_MS, span.to_ms + near_ms, span.from_ms - near_ms),
    )
    return [Row(*row) for row in found.fetchall()]


def _camera(index: Index, camera: str, span: Span) -> CameraOffset | None:
    wide = Span(span.from_ms - _SEGMENTS_NEAR_MS, span.to_ms + _SEGMENTS_NEAR_MS)
    reports = [one.offset_ms for one in ledger.segments(index, camera, wide) if one.offset_ms is not None]
    known = [CameraOffset(offset_ms, 0, "RTCP sender reports") for offset_ms in reports]
    for row in _rows(index, camera, span, _NEAR_MS):
        if row.low_ms is not None and row.high_ms is not None:
            middle = (row.low_ms + row.high_ms) // 2
            known.append(CameraOffset(middle, (row.high_ms - row.low_ms + 1) // 2, row.source))
    return max(known, key=lambda one: abs(one.offset_ms) + one.error_ms, default=None)


def _host(index: Index, span: Span, now_ms: int, host_now: HostClock) -> HostClock:
    rows = [row for row in _rows(index, HOST, span, _HOST_NEAR_MS) if row.source == KERNEL]
    if not rows:
        near = span.from_ms - _HOST_NEAR_MS <= now_ms <= span.to_ms + _HOST_NEAR_MS
        return host_now if near else HostClock(None, None)
    if any(row.low_ms is None for row in rows):
        return HostClock(False, None)
    return HostClock(True, max(row.high_ms or 0 for row in rows) / 1000)
