"""Clips and evidence pictures of incidents that have had their time: hold -> floor -> age, as for segments.

Clips lie on the recording volume, pictures in the site's data folder, where the worker that saw the incident put them
(`YYYY-MM-DD/INCIDENT/ROLE.jpg`, a JSON beside each). What is due is decided by one pure function, which the dry run and
the clean-up share.
"""

from __future__ import annotations

import logging
import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from pipelines.files import json_object
from pipelines.recording import holds
from pipelines.recording.coverage import Span
from pipelines.recording.index import Index
from pipelines.recording.journal import Journal
from pipelines.recording.layout import Volume
from pipelines.recording.retention import Limits
from pipelines.recording.segments import sha256_file

log = logging.getLogger(__name__)

CLIP: Final = "clip"
PICTURE: Final = "picture"
_BATCH: Final = 200
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class IncidentFile:
    """One file of an incident. `camera` None: nothing says whose it is, so a hold of any camera keeps it. `sha256` is
    that of the file when it was made, "" when nobody wrote it down."""

    kind: str
    incident_id: str
    camera: str | None
    span: Span
    path: Path
    sha256: str


def due(
    files: Sequence[IncidentFile],
    limits: Callable[[str], Limits],
    held: Mapping[str, Sequence[Span]],
    now_ms: int,
) -> list[IncidentFile]:
    """Those that go now, oldest first: older than their camera's `keep_incidents` (which is never below its floor) and
    not touched by a hold. `held`: the spans of holds in force, by camera."""

    def kept(file: IncidentFile) -> bool:
        spans = (
            held.get(file.camera, ()) if file.camera is not None else [span for one in held.values() for span in one]
        )
        return any(span.from_ms <= file.span.to_ms and span.to_ms >= file.span.from_ms for span in spans)

    old = [file for file in files if now_ms - file.span.to_ms >= limits(file.camera or "").incidents_ms]
    return sorted((file for file in old if not kept(file)), key=lambda file: (file.span.to_ms, str(file.path)))


def clips_on(index: Index, volume: Volume) -> list[IncidentFile]:
    """Every clip. Raises Unavailable."""
    rows = index.read("SELECT incident_id, camera, from_ms, to_ms, path, sha256 FROM clips").fetchall()
    return [IncidentFile(CLIP, row[0], row[1], Span(row[2], row[3]), volume.root / row[4], row[5]) for row in rows]


def pictures_in(folder: Path, before_ms: int, index: Index) -> list[IncidentFile]:
    """The pictures of the days that ended before `before_ms`. Raises OSError, Unavailable."""
    found: list[IncidentFile] = []
    marks = None
    for day in sorted(folder.iterdir()) if folder.is_dir() else ():
        end_ms = _end_of_day_ms(day.name)
        if end_ms is None or end_ms - _DAY_MS > before_ms or not day.is_dir():
            continue
        if marks is None:
            marks = {row[0]: row[1:] for row in index.read("SELECT incident_id, camera, from_ms, to_ms FROM marks")}
        for incident in sorted(day.iterdir()):
            if incident.is_dir():
                found += _of_incident(incident, end_ms, marks.get(incident.name))
    return found


def _end_of_day_ms(name: str) -> int | None:
    if _DAY.fullmatch(name) is None:
        return None
    try:
        day = date.fromisoformat(name)
    except ValueError:
        return None
    return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000) + _DAY_MS


def _of_incident(folder: Path, end_ms: int, mark: tuple[str, int, int] | None) -> Iterator[IncidentFile]:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    pictures = {path.stem for path in files if path.suffix != ".json"}
    for path in files:
        # A note goes with its picture; one whose picture is not there (who made it was killed) goes by itself.
        if path.suffix == ".json" and path.stem in pictures:
            continue
        note = json_object(path.with_suffix(".json"))
        camera = note.get("camera") or (mark[0] if mark else None)
        at_ms = _moment_ms(note.get("captured_at")) or end_ms
        # A hold on any part of the incident keeps its pictures, not only one on the very second.
        span = Span(min(at_ms, mark[1]), max(at_ms, mark[2])) if mark else Span(at_ms, at_ms)
        yield IncidentFile(PICTURE, folder.name, camera, span, path, str(note.get("sha256", "")))


def _moment_ms(text: object) -> int | None:
    try:
        return round(datetime.fromisoformat(str(text)).timestamp() * 1000)
    except ValueError:
        return None


def delete(index: Index, files: Sequence[IncidentFile], journals: tuple[Journal, Journal], now_ms: int) -> int:
    """Delete, each batch in one transaction in which the holds are looked at again; returns how many went.

    `journals` are the deletion records and the audit; both have their lines before the first file goes. Raises Unavailable.
    """
    count = 0
    for start in range(0, len(files), _BATCH):
        with index.transaction() as cursor:
            gone = [file for file in files[start : start + _BATCH] if _may_go(cursor, file, now_ms)]
            _record(gone, journals, now_ms)
            for file in gone:
                count += _remove(cursor, file)
    return count


def _may_go(cursor: sqlite3.Connection, file: IncidentFile, now_ms: int) -> bool:
    # A hold's span is half open, a picture's is a moment: widened, so that both its ends count.
    if holds.held(cursor, file.camera, Span(file.span.from_ms - 1, file.span.to_ms + 1), now_ms):
        return False
    if file.path.exists() and not os.access(file.path.parent, os.W_OK):
        log.error("%s cannot be deleted: its folder is not writable", file.path)
        return False
    return True


def _record(files: Sequence[IncidentFile], journals: tuple[Journal, Journal], now_ms: int) -> None:
    groups: dict[tuple[str, str], list[IncidentFile]] = {}
    for file in files:
        groups.setdefault((file.kind, file.camera or ""), []).append(file)
    records, audit = journals
    for (kind, camera), group in groups.items():
        span = {"from_ms": min(one.span.from_ms for one in group), "to_ms": max(one.span.to_ms for one in group)}
        lines = [[one.incident_id, one.path.name, *one.span, one.sha256 or _sha256(one.path)] for one in group]
        common: dict[str, Any] = {"at_ms": now_ms, "action": f"delete_{kind}", "actor": "janitor", "reason": "incident"}
        records.append(**common, data={"camera": camera, "rule": "incident", "files": lines})
        audit.append(**common, data={"camera": camera, "files": len(group), **span})


def _sha256(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError:
        return ""


def _remove(cursor: sqlite3.Connection, file: IncidentFile) -> bool:
    try:
        file.path.unlink(missing_ok=True)
        if file.kind == PICTURE:
            file.path.with_suffix(".json").unlink(missing_ok=True)
    except OSError as error:
        log.error("%s cannot be deleted: %s", file.path, error.strerror)
        return False
    if file.kind == CLIP:
        cursor.execute("DELETE FROM clips WHERE incident_id = ?", (file.incident_id,))
        cursor.execute("DELETE FROM marks WHERE incident_id = ?", (file.incident_id,))
    else:
        with suppress(OSError):  # not empty: another picture is in it
            file.path.parent.rmdir()
            file.path.parent.parent.rmdir()
    return True


def oldest_day_kept(limits: Sequence[Limits], now_ms: int) -> int:
    """UTC milliseconds before which pictures may be due: nothing younger need be looked at."""
    return now_ms - min(one.incidents_ms for one in limits)
