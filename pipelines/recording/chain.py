"""The chain of each camera's UTC day, its signed head, and where the next segment goes."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pipelines.recording.index import Index
from pipelines.recording.layout import day_of
from pipelines.recording.ledger import to_segment
from pipelines.recording.segments import Place, Segment, genesis


def tail(index: Index, camera: str) -> Segment | None:
    """The newest link of a camera's chain, also of a segment deleted since."""
    row = index.read(
        "SELECT camera, day, seq, run, start_ms, end_ms, size_bytes, mtime_ns, sha256, link, state, offset_ms FROM segments"
        " WHERE camera = ?1 UNION ALL"
        " SELECT camera, day, seq, run, start_ms, end_ms, size_bytes, 0, sha256, link, 1, NULL FROM deletions"
        " WHERE camera = ?1 ORDER BY day DESC, seq DESC LIMIT 1",
        (camera,),
    ).fetchone()
    return None if row is None else to_segment(row)


def last_head_day(index: Index, camera: str) -> int:
    """The newest day whose chain is signed and so closed; 0 when there is none."""
    (day,) = index.read("SELECT coalesce(max(day), 0) FROM heads WHERE camera = ?", (camera,)).fetchone()
    return int(day)


def next_place(index: Index, camera: str, start_ms: int, newest: Segment | None) -> Place:
    """Where a segment that is closed now goes. `newest` is the last one closed when its row may not be written yet.

    A chain grows in the order of closing, so its day never goes back, not even when the clock does, and never into a
    day whose head is signed already.
    """
    newest = newest or tail(index, camera)
    day = max(day_of(start_ms), newest.day if newest else 0)
    headed = last_head_day(index, camera)
    if day <= headed:
        day = headed + 1  # only its order counts: a day is a label of the chain, times stand in the segment itself
    if newest is not None and newest.day == day:
        return Place(day, newest.seq + 1, newest.link)
    return Place(day, 1, genesis(camera, day))


def canonical(body: dict[str, Any]) -> bytes:
    """The bytes that are signed."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def head_digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(body)).hexdigest()
