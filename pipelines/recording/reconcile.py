"""Disk against index, both ways: leftovers are adopted, missing files recorded, damaged ones put into quarantine."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pipelines.clock import Clock
from pipelines.recording import ledger
from pipelines.recording.chain import next_place
from pipelines.recording.coverage import Span
from pipelines.recording.fmp4 import NotMp4
from pipelines.recording.index import MISSING, PRESENT, QUARANTINED, Index
from pipelines.recording.layout import PART, Volume, hour_folder, parse_name, segment_path
from pipelines.recording.segments import (
    Place,
    Segment,
    finished,
    scan,
    segment_link,
    sha256_file,
    sync_folder,
    trailer,
)

log = logging.getLogger(__name__)

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS


@dataclass(slots=True)
class Found:
    """What one comparison changed, as paths below the volume."""

    adopted: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.adopted or self.missing or self.quarantined or self.returned)


class Reconciler:
    """Made by whoever owns the index's write side; `tails` is shared with it: the newest link per camera."""

    def __init__(self, index: Index, volume: Volume, clock: Clock, tails: dict[str, Segment]) -> None:
        self._index = index
        self._volume = volume
        self._clock = clock
        self._tails = tails

    def run_once(self, active: Iterable[str]) -> Found:
        """The last two hours of every camera and one older day of each, so that the whole disk is seen in turn."""
        now_ms = round(self._clock.now_s() * 1000)
        turn = int(self._index.meta("reconcile_turn") or 0) + 1
        found = Found()
        for camera, since_ms in ledger.cameras(self._index).items():
            self._span(camera, Span(now_ms - 2 * _HOUR_MS, now_ms + _HOUR_MS), set(active), found)
            days = max(1, (now_ms - since_ms) // _DAY_MS + 1)
            start = now_ms - (turn % days) * _DAY_MS
            self._span(camera, Span(start - _DAY_MS, start), set(active), found)
        self._index.set_meta("reconcile_turn", str(turn))
        self._say(found)
        return found

    def sweep(self) -> Found:
        """At start, nothing is being written: every `.part` is a leftover, every file without a row is adopted."""
        found = Found()
        for folder in sorted(p for p in self._volume.root.iterdir() if p.is_dir()):
            camera = folder.name
            if folder in (self._volume.journal, self._volume.quarantine, self._volume.clips):
                continue
            newest = ledger.last_end_ms(self._index, camera)
            after = None if newest is None else hour_folder(camera, newest - _HOUR_MS)
            for hour in _hours(folder):
                if after is None or hour.relative_to(self._volume.root).as_posix() >= after:
                    self._adopt_folder(camera, hour, set(), found)
            if newest is not None:
                now_ms = round(self._clock.now_s() * 1000)
                self._rows(camera, Span(newest - 2 * _HOUR_MS, now_ms), found)
        self._say(found)
        return found

    def everything(self) -> Found:
        """The whole disk, as after a lost index."""
        found = Found()
        for folder in sorted(p for p in self._volume.root.iterdir() if p.is_dir()):
            if folder not in (self._volume.journal, self._volume.quarantine, self._volume.clips):
                for hour in _hours(folder):
                    self._adopt_folder(folder.name, hour, set(), found)
        return found

    def _say(self, found: Found) -> None:
        if found:
            log.warning(
                "disk and index differed: %d adopted, %d missing, %d damaged, %d back again",
                len(found.adopted),
                len(found.missing),
                len(found.quarantined),
                len(found.returned),
            )

    def _span(self, camera: str, span: Span, active: set[str], found: Found) -> None:
        moment = span.from_ms - span.from_ms % _HOUR_MS
        while moment < span.to_ms:
            self._adopt_folder(camera, self._volume.root / hour_folder(camera, moment), active, found)
            moment += _HOUR_MS
        self._rows(camera, span, found)

    def _rows(self, camera: str, span: Span, found: Found) -> None:
        """Index -> disk. A file whose time of change is not the one that was noted is read again."""
        for segment in ledger.segments(self._index, camera, span, states=(PRESENT, MISSING)):
            path = self._volume.root / segment.path
            try:
                status = path.stat()
            except FileNotFoundError:
                if segment.state == PRESENT:
                    self._state(segment, MISSING)
                    found.missing.append(segment.path)
                continue
            touched = status.st_mtime_ns != segment.mtime_ns or status.st_size != segment.size_bytes
            if segment.state == PRESENT and not touched:
                continue
            if status.st_size == segment.size_bytes and sha256_file(path) == segment.sha256:
                self._state(segment, PRESENT, status.st_mtime_ns)
                if segment.state == MISSING:
                    found.returned.append(segment.path)
            else:
                self.quarantine(segment)
                found.quarantined.append(segment.path)

    def quarantine(self, segment: Segment) -> None:
        """Move a damaged file aside, never delete it; its row stays and says so. Raises OSError, Unavailable."""
        source = self._volume.root / segment.path
        target = self._volume.quarantine / segment.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.exists():
            source.rename(target)
        self._state(segment, QUARANTINED)

    def _state(self, segment: Segment, state: int, mtime_ns: int | None = None) -> None:
        with self._index.transaction() as cursor:
            cursor.execute(
                "UPDATE segments SET state = ?, mtime_ns = ? WHERE camera = ? AND day = ? AND seq = ?",
                (state, mtime_ns or segment.mtime_ns, segment.camera, segment.day, segment.seq),
            )

    def _adopt_folder(self, camera: str, folder: Path, active: set[str], found: Found) -> None:
        """Disk -> index."""
        try:
            names = sorted(entry.name for entry in os.scandir(folder) if parse_name(entry.name) is not None)
        except FileNotFoundError:
            return
        if not names:
            return
        known = {row[0].rsplit("/", 1)[-1] for row in self._known(camera, folder, names)}
        for name in names:
            if name in active or name in known:
                continue
            segment = self.adopt(camera, folder / name)
            relative = (folder / name).relative_to(self._volume.root).as_posix()
            if segment is not None:
                found.adopted.append(relative)
            elif (self._volume.quarantine / relative).exists():
                found.quarantined.append(relative)

    def _known(self, camera: str, folder: Path, names: list[str]) -> Iterator[tuple[str]]:
        parsed = [parse_name(name) for name in names]
        starts = [item[0] for item in parsed if item is not None]
        for table in ("segments", "deletions"):
            extra = "" if table == "segments" else " AND finished = 0"
            for start_ms, run in self._index.read(
                f"SELECT start_ms, run FROM {table} WHERE camera = ? AND start_ms BETWEEN ? AND ?{extra}",
                (camera, min(starts), max(starts)),
            ):
                yield (segment_path(camera, start_ms, run),)

    def adopt(self, camera: str, path: Path) -> Segment | None:
        """Take a file without a row into the index; None when there is nothing usable in it (quarantine)."""
        named = parse_name(path.name)
        if named is None:
            raise ValueError(f"{path.name} is not a segment's name")
        try:
            seen = scan(path)
        except NotMp4:
            if path.name.endswith(PART) and path.stat().st_size == 0:
                path.unlink()
            else:
                self._aside(path)
            return None
        if seen.media_s <= 0.0 and seen.tail is None and path.name.endswith(PART):
            path.unlink()  # opened, and nothing came: there is no footage in it
            return None
        if seen.tail is not None and seen.good_bytes == seen.size_bytes:
            segment = self._with_trailer(camera, path, seen.tail, seen.size_bytes)
        else:
            segment = self._leftover(camera, path, named, seen.good_bytes, seen.media_s)
        self._tails.pop(camera, None)
        with self._index.transaction() as cursor:
            ledger.insert_segment(cursor, segment)
        return segment

    def _with_trailer(self, camera: str, path: Path, tail: dict[str, Any], size_bytes: int) -> Segment:
        """It was closed, only its row is gone: back to its own place in the chain when that is free."""
        place = Place(int(tail["day"]), int(tail["seq"]), str(tail["previous"]))
        span = (int(tail["start_ms"]), int(tail["end_ms"]))
        target = self._volume.root / segment_path(camera, span[0], str(tail["run"]))
        if path != target:
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
            sync_folder(target.parent)
        taken = self._index.read(
            "SELECT 1 FROM segments WHERE camera = ?1 AND day = ?2 AND seq = ?3 UNION ALL"
            " SELECT 1 FROM deletions WHERE camera = ?1 AND day = ?2 AND seq = ?3",
            (camera, place.day, place.seq),
        ).fetchone()
        if taken is not None:
            place = next_place(self._index, camera, span[0], self._tails.get(camera))
        digest = sha256_file(target)
        mtime_ns = target.stat().st_mtime_ns
        offset_ms = tail.get("offset_ms")
        draft = Segment(camera, 0, 0, str(tail["run"]), *span, size_bytes, mtime_ns, digest, "", offset_ms=offset_ms)
        return finished(draft, place)

    def _leftover(self, camera: str, path: Path, named: tuple[int, str], good_bytes: int, media_s: float) -> Segment:
        """A crash left it growing: keep its whole fragments, give it its end, close it."""
        start_ms, run = named
        span = (start_ms, start_ms + round(media_s * 1000))
        place = next_place(self._index, camera, start_ms, self._tails.get(camera))
        with path.open("r+b") as file:
            file.truncate(good_bytes)
            file.seek(good_bytes)
            file.write(trailer(camera, run, span, place, None))
            file.flush()
            os.fsync(file.fileno())
        target = path.with_name(path.name.removesuffix(PART))
        path.rename(target)
        sync_folder(target.parent)
        status = target.stat()
        digest = sha256_file(target)
        return finished(Segment(camera, 0, 0, run, *span, status.st_size, status.st_mtime_ns, digest, ""), place)

    def _aside(self, path: Path) -> None:
        target = self._volume.quarantine / path.relative_to(self._volume.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)


def _hours(camera_folder: Path) -> Iterator[Path]:
    """CAMERA/YYYY/MM/DD/HH folders, oldest first."""
    yield from sorted(camera_folder.glob("[0-9][0-9][0-9][0-9]/[0-9][0-9]/[0-9][0-9]/[0-9][0-9]"))


def consistent(segment: Segment, previous: str) -> bool:
    """Whether a row follows `previous` in its chain."""
    return segment.link == segment_link(previous, segment)
