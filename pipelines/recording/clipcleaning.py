"""Clips of incidents that have had their time: hold -> floor -> age, then record, file, row, as for segments."""

from __future__ import annotations

import logging
from collections.abc import Callable

from pipelines.recording import holds
from pipelines.recording.coverage import Span
from pipelines.recording.index import Index
from pipelines.recording.journal import Journal
from pipelines.recording.layout import Volume
from pipelines.recording.retention import Limits

log = logging.getLogger(__name__)


def clean_clips(index: Index, volume: Volume, records: Journal, limits: Callable[[str], Limits], now_ms: int) -> int:
    """Delete clips older than their camera's `keep_incidents`; returns how many. Raises Unavailable."""
    rows = index.read("SELECT incident_id, camera, from_ms, to_ms, path, sha256 FROM clips ORDER BY to_ms").fetchall()
    count = 0
    for incident_id, camera, from_ms, to_ms, path, sha256 in rows:
        if now_ms - to_ms < limits(camera).incidents_ms:
            continue
        with index.transaction() as cursor:
            if holds.held(cursor, camera, Span(from_ms, to_ms), now_ms):
                continue
            # The record is written inside the transaction that has seen the holds: no hold can come in between.
            data = {"camera": camera, "incident_id": incident_id, "from_ms": from_ms, "to_ms": to_ms, "sha256": sha256}
            records.append(at_ms=now_ms, action="delete_clip", actor="janitor", reason="incident", data=data)
            try:
                (volume.root / path).unlink(missing_ok=True)
            except OSError as error:
                log.error("%s cannot be deleted: %s", path, error.strerror)
                continue
            cursor.execute("DELETE FROM clips WHERE incident_id = ?", (incident_id,))
            cursor.execute("DELETE FROM marks WHERE incident_id = ?", (incident_id,))
        count += 1
    return count
