"""The one path that deletes footage: row, file, row. What to delete is decided by `retention.plan` alone."""

from __future__ import annotations

import fcntl
import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from pipelines.clock import Clock
from pipelines.errors import Unavailable
from pipelines.recording import guard, holds, incidentfiles, ledger
from pipelines.recording.alarms import Faults
from pipelines.recording.coverage import Span
from pipelines.recording.incidentfiles import IncidentFile
from pipelines.recording.index import DELETING, MISSING, PRESENT, QUARANTINED, Index
from pipelines.recording.journal import Journal
from pipelines.recording.layout import Volume, segment_path
from pipelines.recording.retention import CameraFootage, Deletion, Forecast, Limits, Plan, Row, forecast, plan

log = logging.getLogger(__name__)

_BATCH: Final = 200
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Settings:
    """`limits` of every camera that may be cleaned; footage of cameras that are not in it falls under `default`.
    `pictures` is the folder of incidents' evidence pictures, None when there is none here."""

    limits: Mapping[str, Limits]
    default: Limits
    reserve_bytes: int
    cap_share: float = 0.1
    pictures: Path | None = None

    def of(self, camera: str) -> Limits:
        return self.limits.get(camera, self.default)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did. With `refused` nothing was planned; `deleted` counts what really went. `files`: the clips and
    pictures of incidents that are due besides."""

    refused: str | None
    plan: Plan | None
    files: tuple[IncidentFile, ...] = ()
    deleted: int = 0
    deleted_bytes: int = 0
    forecast: Forecast | None = None


class Cleaner:
    """`index` is the caller's, opened `durable=True` in its thread."""

    def __init__(
        self,
        volume: Volume,
        settings: Settings,
        clock: Clock,
        *,
        boot: str | None = None,
        free_bytes: Callable[[], int] | None = None,
        on_deleted: Callable[[str, str, int], None] = lambda _camera, _rule, _bytes: None,
    ) -> None:
        self._volume = volume
        self._settings = settings
        self._clock = clock
        self._boot = guard.boot_id() if boot is None else boot
        self._free_bytes = free_bytes or (lambda: volume.space().free_bytes)
        self._on_deleted = on_deleted
        self._audit = Journal(volume.journal / "audit.jsonl")
        self._records = Journal(volume.journal / "ledger.jsonl")

    def dry_run(self, index: Index) -> Outcome:
        """What `run_once` would do now. Raises Unavailable."""
        refused = guard.refusal(index, self._volume, self._clock, self._boot)
        if refused is not None:
            return Outcome(refused, None)
        files = tuple(self._incident_files(index))
        return Outcome(None, self._plan(index), files, forecast=self._forecast(index))

    def run_once(self, index: Index) -> Outcome:
        """Plan and delete. Raises Unavailable."""
        now_ms = round(self._clock.now_s() * 1000)
        faults = Faults(index, now_ms)
        with self._alone() as alone:
            if not alone:
                return Outcome("another run is at work", None)
            refused = guard.refusal(index, self._volume, self._clock, self._boot)
            if refused is not None:
                log.error("nothing is deleted: %s", refused)
                faults.raised("retention_refused", refused)
                return Outcome(refused, None)
            guard.remember(index, self._clock, self._boot)
            faults.over("retention_refused")
            self._finish(index)
            decided = self._plan(index)
            count, size = self._delete(index, decided.deletions)
            files = tuple(self._incident_files(index))
            incidentfiles.delete(index, files, (self._records, self._audit), round(self._clock.now_s() * 1000))
            ahead = self._forecast(index)
            self._floor(faults, decided, ahead)
            return Outcome(None, decided, files, count, size, ahead)

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        try:
            with (self._volume.root / ".cleaner.lock").open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    yield False
                    return
                yield True
        except OSError as error:
            raise Unavailable(f"{self._volume.root}: cannot be written: {error.strerror}") from error

    def _incident_files(self, index: Index) -> list[IncidentFile]:
        """Clips and pictures that are due. Raises Unavailable."""
        now_ms, wanted = round(self._clock.now_s() * 1000), self._settings
        files = incidentfiles.clips_on(index, self._volume)
        if wanted.pictures is not None:
            since_ms = incidentfiles.oldest_day_kept([wanted.default, *wanted.limits.values()], now_ms)
            try:
                files += incidentfiles.pictures_in(wanted.pictures, since_ms, index)
            except OSError as error:
                log.error("%s: old pictures cannot be looked for: %s", wanted.pictures, error.strerror)
        return incidentfiles.due(files, wanted.of, holds.spans_in_force(index, now_ms), now_ms)

    def _footage(self, index: Index) -> dict[str, CameraFootage]:
        now_ms = round(self._clock.now_s() * 1000)
        held = holds.spans_in_force(index, now_ms)
        marked = holds.marks(index)
        states = f"state IN ({PRESENT}, {MISSING}, {QUARANTINED})"
        found: dict[str, CameraFootage] = {}
        for camera in ledger.cameras(index):
            limits = self._settings.of(camera)
            old = (camera, now_ms - limits.floor_ms)
            # Plain tuples in the order of `Row`: a million of them are made faster than a million named ones.
            rows: list[Row] = index.read(
                "SELECT id, start_ms, end_ms, size_bytes FROM segments INDEXED BY segments_time"
                f" WHERE camera = ? AND start_ms <= ? AND {states} ORDER BY start_ms",
                old,
            ).fetchall()
            (others,) = index.read(
                "SELECT count(*) FROM segments INDEXED BY segments_time"
                f" WHERE camera = ? AND start_ms > ? AND {states}",
                old,
            ).fetchone()
            found[camera] = CameraFootage(limits, rows, held.get(camera, ()), marked.get(camera, ()), int(others))
        return found

    def _plan(self, index: Index) -> Plan:
        return plan(
            self._footage(index),
            now_ms=round(self._clock.now_s() * 1000),
            free_bytes=self._free(),
            reserve_bytes=self._settings.reserve_bytes,
            cap_share=self._settings.cap_share,
        )

    def _free(self) -> int:
        try:
            return self._free_bytes()
        except OSError as error:
            raise Unavailable(f"{self._volume.root}: cannot be read: {error.strerror}") from error

    # -- row, file, row -----------------------------------------------------------------------------------------------

    def _delete(self, index: Index, deletions: Sequence[Deletion]) -> tuple[int, int]:
        count = size = 0
        rest = iter(deletions)
        while batch := list(islice(rest, _BATCH)):
            marked = self._mark(index, batch)
            if not marked:
                continue
            self._finish(index)
            count += len(marked)
            size += sum(deletion.row.size_bytes for deletion in marked)
            for deletion in marked:
                self._on_deleted(deletion.camera, deletion.rule.value, deletion.row.size_bytes)
        return count, size

    def _mark(self, index: Index, batch: Sequence[Deletion]) -> list[Deletion]:
        """Mark rows and write their deletion records in one transaction, in which the holds are looked at again."""
        now_ms = round(self._clock.now_s() * 1000)
        marked: list[Deletion] = []
        lines: dict[tuple[str, str], list[list[Any]]] = {}
        with index.transaction() as cursor:
            for deletion in batch:
                row = deletion.row
                if holds.held(cursor, deletion.camera, Span(row.start_ms, row.end_ms), now_ms):
                    continue
                line = self._record(cursor, deletion, now_ms)
                if line is not None:
                    lines.setdefault((deletion.camera, deletion.rule.value), []).append(line)
                    marked.append(deletion)
        for (camera, rule), records in lines.items():
            self._records.append(
                at_ms=now_ms,
                action="delete",
                actor="janitor",
                reason=rule,
                data={"camera": camera, "rule": rule, "segments": records},
            )
            self._audit.append(
                at_ms=now_ms,
                action="delete",
                actor="janitor",
                reason=rule,
                data={"camera": camera, "segments": len(records), "from_ms": records[0][3], "to_ms": records[-1][4]},
            )
        return marked

    @staticmethod
    def _record(cursor: sqlite3.Connection, deletion: Deletion, now_ms: int) -> list[Any] | None:
        """None when the row went or changed since the plan was made."""
        found = cursor.execute(
            "UPDATE segments SET state = ? WHERE id = ? AND camera = ? AND start_ms = ? AND state != ?"
            " RETURNING day, seq, run, start_ms, end_ms, size_bytes, sha256, link",
            (DELETING, deletion.row.row_id, deletion.camera, deletion.row.start_ms, DELETING),
        ).fetchone()
        if found is None:
            return None
        cursor.execute(
            "INSERT INTO deletions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            (deletion.camera, *found, now_ms, deletion.rule.value),
        )
        return [*found[:6], found[6].hex(), found[7].hex()]

    def _finish(self, index: Index) -> None:
        """Remove the files of marked rows, then the rows; also what a crash left half done."""
        rows = index.read(
            "SELECT d.camera, d.day, d.seq, d.start_ms, d.run FROM deletions AS d WHERE finished = 0"
        ).fetchall()
        gone = []
        for camera, day, seq, start_ms, run in rows:
            relative = segment_path(camera, start_ms, run)
            try:
                (self._volume.root / relative).unlink(missing_ok=True)
                (self._volume.quarantine / relative).unlink(missing_ok=True)
            except OSError as error:
                log.error("%s cannot be deleted: %s", relative, error.strerror)
                continue
            gone.append((camera, day, seq))
        with index.transaction() as cursor:
            cursor.executemany("DELETE FROM segments WHERE camera = ? AND day = ? AND seq = ?", gone)
            cursor.executemany("UPDATE deletions SET finished = 1 WHERE camera = ? AND day = ? AND seq = ?", gone)

    # -- what is ahead ------------------------------------------------------------------------------------------------

    def _forecast(self, index: Index) -> Forecast:
        now_ms = round(self._clock.now_s() * 1000)
        daily: dict[str, int] = {}
        leaving = recorded = 0
        for camera in ledger.cameras(index):
            newest, oldest, size = index.read(
                "SELECT max(end_ms), min(start_ms), coalesce(sum(size_bytes), 0) FROM segments WHERE camera = ? AND start_ms > ?",
                (camera, now_ms - _DAY_MS),
            ).fetchone()
            if newest is not None and newest > oldest:
                daily[camera] = round(size * _DAY_MS / max(newest - oldest, 3_600_000))
            edge = now_ms - self._settings.of(camera).target_ms
            goes, stays = (
                index.read(
                    "SELECT coalesce(sum(size_bytes), 0) FROM segments INDEXED BY segments_time"
                    f" WHERE camera = ? AND start_ms {which} ?",
                    (camera, edge + _DAY_MS),
                ).fetchone()[0]
                for which in ("<", ">=")
            )
            leaving, recorded = leaving + goes, recorded + goes + stays
        return forecast(
            daily,
            {camera: self._settings.of(camera).floor_ms for camera in daily},
            leaving_per_day_bytes=leaving,
            recorded_bytes=recorded,
            free_bytes=self._free(),
            reserve_bytes=self._settings.reserve_bytes,
        )

    @staticmethod
    def _floor(faults: Faults, decided: Plan, ahead: Forecast) -> None:
        if decided.short_bytes:
            detail = (
                f"{decided.short_bytes / 2**30:.1f} GiB short of reserve_free, and everything left is under its floor"
            )
            log.error("the floor is reached: %s", detail)
            faults.raised("retention_floor", detail)
        elif ahead.floor_in_danger:
            faults.raised("retention_floor", f"at this rate only {ahead.floor_days or 0.0:.1f} days fit on the volume")
        else:
            faults.over("retention_floor")
