"""The coverage ledger in the index: which camera is recorded since when, why seconds are missing, which clock steps."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from pipelines.recording.coverage import Cause, Coverage, Gap, Span, cover, union
from pipelines.recording.index import MISSING, PRESENT, QUARANTINED, Index
from pipelines.recording.segments import Segment

#: No segment is longer (the recorder reconnects a camera that sends no key frame for ten minutes), so one that overlaps
#: a moment started at most this long before it.
LONGEST_SEGMENT_MS: Final = 3_600_000
#: The recorder gives a sign of life every five seconds.
ALIVE_MS: Final = 30_000
_COLUMNS: Final = "camera, day, seq, run, start_ms, end_ms, size_bytes, mtime_ns, sha256, link, state, offset_ms"


def to_segment(row: tuple[Any, ...]) -> Segment:
    """A row in the order of `_COLUMNS`."""
    camera, day, seq, run, start_ms, end_ms, size_bytes, mtime_ns, sha256, link, state, offset_ms = row
    return Segment(
        camera, day, seq, run, start_ms, end_ms, size_bytes, mtime_ns, sha256.hex(), link.hex(), state, offset_ms
    )


def segments(index: Index, camera: str, span: Span, *, states: Iterable[int] = (PRESENT,)) -> list[Segment]:
    """Segments that overlap `span`, in order of time."""
    marks = ",".join(str(int(state)) for state in states)
    rows = index.read(
        f"SELECT {_COLUMNS} FROM segments WHERE camera = ? AND start_ms > ? AND start_ms < ? AND end_ms > ?"
        f" AND state IN ({marks}) ORDER BY start_ms",
        (camera, span.from_ms - LONGEST_SEGMENT_MS, span.to_ms, span.from_ms),
    )
    return [to_segment(row) for row in rows]


def insert_segment(cursor: sqlite3.Connection, segment: Segment) -> None:
    """Inside a transaction. Raises sqlite3.IntegrityError when the place in the chain is taken."""
    cursor.execute(
        f"INSERT INTO segments ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            segment.camera,
            segment.day,
            segment.seq,
            segment.run,
            segment.start_ms,
            segment.end_ms,
            segment.size_bytes,
            segment.mtime_ns,
            bytes.fromhex(segment.sha256),
            bytes.fromhex(segment.link),
            segment.state,
            segment.offset_ms,
        ),
    )
    touch_camera(cursor, segment.camera, segment.start_ms, segment.end_ms)


def touch_camera(cursor: sqlite3.Connection, camera: str, since_ms: int, seen_ms: int) -> None:
    """`since_ms` only ever goes back, `seen_ms` only forward."""
    cursor.execute(
        "INSERT INTO cameras VALUES (?, ?, ?) ON CONFLICT (camera) DO UPDATE SET"
        " since_ms = min(since_ms, excluded.since_ms), seen_ms = max(seen_ms, excluded.seen_ms)",
        (camera, since_ms, seen_ms),
    )


def cameras(index: Index) -> dict[str, int]:
    """Every camera that the ledger knows, with the moment from which it accounts for it."""
    return dict(index.read("SELECT camera, since_ms FROM cameras ORDER BY camera").fetchall())


def last_end_ms(index: Index, camera: str) -> int | None:
    """End of the newest segment of a camera, also of deleted ones."""
    newest = [
        index.read(f"SELECT end_ms FROM {table} WHERE camera = ? ORDER BY start_ms DESC LIMIT 1", (camera,)).fetchone()
        for table in ("segments", "deletions")
    ]
    return max((int(row[0]) for row in newest if row is not None), default=None)


def open_gap(cursor: sqlite3.Connection, camera: str, from_ms: int, cause: Cause, detail: str) -> None:
    """From `from_ms` on nothing is recorded, because of `cause`; an open gap of another cause ends there."""
    row = cursor.execute("SELECT id, from_ms, cause FROM gaps WHERE camera = ? AND to_ms IS NULL", (camera,)).fetchone()
    if row is not None:
        if row[2] == cause.value:
            return
        if row[1] >= from_ms:
            cursor.execute("DELETE FROM gaps WHERE id = ?", (row[0],))
        else:
            cursor.execute("UPDATE gaps SET to_ms = ? WHERE id = ?", (from_ms, row[0]))
    cursor.execute(
        "INSERT INTO gaps (camera, from_ms, to_ms, cause, detail) VALUES (?, ?, NULL, ?, ?)",
        (camera, from_ms, cause.value, detail),
    )


def close_gap(cursor: sqlite3.Connection, camera: str, to_ms: int) -> None:
    """Media has come again."""
    cursor.execute("DELETE FROM gaps WHERE camera = ? AND to_ms IS NULL AND from_ms >= ?", (camera, to_ms))
    cursor.execute("UPDATE gaps SET to_ms = ? WHERE camera = ? AND to_ms IS NULL", (to_ms, camera))


def has_open_gap(index: Index, camera: str) -> bool:
    return index.read("SELECT 1 FROM gaps WHERE camera = ? AND to_ms IS NULL", (camera,)).fetchone() is not None


def add_gap(cursor: sqlite3.Connection, camera: str, gap: Gap) -> None:
    """A gap whose both ends are known."""
    cursor.execute(
        "INSERT INTO gaps (camera, from_ms, to_ms, cause, detail, inside) VALUES (?, ?, ?, ?, ?, ?)",
        (camera, gap.from_ms, gap.to_ms, gap.cause.value, gap.detail, int(gap.inside)),
    )


def add_clock_step(cursor: sqlite3.Connection, at_ms: int, step_ms: int) -> None:
    """The host's clock was set by `step_ms`; it says `at_ms` since."""
    cursor.execute("INSERT INTO clock_steps (at_ms, step_ms) VALUES (?, ?)", (at_ms, step_ms))


def accounted_until(index: Index, camera: str, now_ms: int) -> int:
    """Until when the ledger can speak of a camera: what is growing right now is neither recorded yet nor missing."""
    newest = last_end_ms(index, camera)
    if newest is None or has_open_gap(index, camera) or not _alive(index, now_ms):
        return now_ms
    return min(now_ms, newest)


def _alive(index: Index, now_ms: int) -> bool:
    """Whether a recorder has given a sign of life lately."""
    return now_ms - int(index.meta("alive_ms") or 0) <= ALIVE_MS


def notes(index: Index, camera: str, span: Span, now_ms: int) -> list[Gap]:
    """What was written down about causes in `span`; one that is still open ends at `now_ms`."""
    rows = index.read(
        "SELECT from_ms, coalesce(to_ms, ?), cause, detail, inside FROM gaps"
        " WHERE camera = ? AND from_ms < ? AND coalesce(to_ms, ?) > ? ORDER BY id",
        (max(now_ms, span.to_ms), camera, span.to_ms, max(now_ms, span.to_ms), span.from_ms),
    )
    found = [Gap(row[0], row[1], Cause(row[2]), row[3], bool(row[4])) for row in rows]
    lost = index.read(
        f"SELECT start_ms, end_ms, state FROM segments WHERE state IN ({MISSING}, {QUARANTINED})"
        " AND camera = ? AND start_ms < ? AND end_ms > ?",
        (camera, span.to_ms, span.from_ms),
    )
    for start_ms, end_ms, state in lost:
        what = "the file is missing" if state == MISSING else "the file was damaged and is in quarantine"
        found.append(Gap(start_ms, end_ms, Cause.UNKNOWN, f"was recorded; {what}"))
    newest = last_end_ms(index, camera)
    if newest is not None and newest < span.to_ms and not _alive(index, now_ms) and not has_open_gap(index, camera):
        found.append(Gap(newest, now_ms, Cause.RESTART, "the recorder is not running"))
    return found


def recorded_spans(index: Index, camera: str, span: Span, *, deleted: bool) -> list[Span]:
    """Sorted, merged spans that lie on the disk; with `deleted` also those that retention has deleted since."""
    lookback = (camera, span.from_ms - LONGEST_SEGMENT_MS, span.to_ms, span.from_ms)
    where = "WHERE camera = ? AND start_ms > ? AND start_ms < ? AND end_ms > ?"
    spans = [Span(*row) for row in index.read(f"SELECT start_ms, end_ms FROM segments {where} AND state < 2", lookback)]
    if deleted:
        spans += [Span(*row) for row in index.read(f"SELECT start_ms, end_ms FROM deletions {where}", lookback)]
    return union(spans)


def coverage(index: Index, camera: str, span: Span, now_ms: int) -> Coverage:
    """Account for `span`: what was recorded (deleted by retention since, or not) and each gap with its cause."""
    return cover(span, recorded_spans(index, camera, span, deleted=True), notes(index, camera, span, now_ms))


def replayable(index: Index, camera: str, span: Span, now_ms: int) -> Coverage:
    """As `coverage`, but only what can still be played counts as recorded."""
    return cover(span, recorded_spans(index, camera, span, deleted=False), notes(index, camera, span, now_ms))
