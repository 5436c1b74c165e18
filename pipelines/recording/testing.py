"""For tests of what is recorded: the pictures that a player shows, and a volume of footage of any age."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av

from pipelines.recording import ledger
from pipelines.recording.blur import Pixels
from pipelines.recording.holds import Holds, mark_incident
from pipelines.recording.index import Index
from pipelines.recording.journal import Journal
from pipelines.recording.layout import Volume
from pipelines.recording.retention import CameraFootage
from pipelines.recording.segments import Segment


def pictures(path: Path) -> list[Pixels]:
    """Every picture that a player shows (edit lists obeyed), as BGR."""
    with av.open(str(path)) as file:
        shown: list[Any] = [frame.to_ndarray(format="bgr24") for frame in file.decode(video=0) if (frame.pts or 0) >= 0]
    return shown


def fake_site(
    root: Path, site: dict[str, CameraFootage], now_ms: int
) -> tuple[Volume, Index, dict[tuple[str, int], int]]:
    """A volume with a small file for each row, its holds and its incidents; returns index ids by (camera, row id)."""
    volume = Volume.open(root, create=True)
    index = Index.open(volume.index, durable=True, create=True)
    ids = {}
    for camera, content in site.items():
        with index.transaction() as cursor:
            ledger.touch_camera(cursor, camera, now_ms, now_ms)
            for number, item in enumerate(content.rows, 1):
                segment = Segment(
                    camera,
                    20260101,
                    number,
                    f"{number:08x}",
                    item.start_ms,
                    item.end_ms,
                    item.size_bytes,
                    0,
                    "00",
                    "00",
                )
                ledger.insert_segment(cursor, segment)
                (volume.root / segment.path).parent.mkdir(parents=True, exist_ok=True)
                (volume.root / segment.path).write_bytes(b"x")
                ids[camera, item.row_id] = int(cursor.execute("SELECT last_insert_rowid()").fetchone()[0])
            cursor.execute("UPDATE cameras SET seen_ms = ?", (now_ms,))
        for span in content.holds:
            if span.to_ms > span.from_ms:
                audit = Journal(volume.journal / "audit.jsonl")
                Holds(index, audit).place([camera], span, reason="r", owner="o", actor="a", now_ms=now_ms)
        for number, span in enumerate(content.incidents):
            mark_incident(index, f"{camera}-{number}", camera, span)
    return volume, index, ids
