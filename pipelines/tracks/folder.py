"""Where chunks lie: DATA/tracks/CAMERA/YYYY/MM/DD/HHMMSS.parquet, by the UTC time of their first frame; and before they are
made DATA/tracks/CAMERA/YYYYMMDDTHHMMSS-*.spool.
"""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pipelines.files import write_atomically

SUFFIX: Final = ".parquet"
#: A chunk that grows, or that no worker has any more: `pipelines.tracks.spool`. A number behind it: so often it was begun to
#: make a chunk of it.
SPOOL: Final = ".spool"
#: Put behind the name of a spool of which no chunk can be made.
DAMAGED: Final = ".damaged"
_SPOOL_NAME: Final = re.compile(rf"(\d{{8}}T\d{{6}})-[^.]*{re.escape(SPOOL)}(\.\d+|{re.escape(DAMAGED)})?")
DELETIONS: Final = "deletions.jsonl"
#: No chunk is longer; one that begins this long before a moment cannot hold it.
LONGEST_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class ChunkFile:
    """One file, by its name alone: `from_s` is the whole second of its first frame."""

    path: Path
    camera_id: str
    from_s: float


def write_chunk(root: Path, camera_id: str, from_s: float, content: bytes) -> Path:
    """Atomic: a crash leaves the whole file or none. A file of that time which is this very chunk is left as it is, so that
    writing it again, when nobody knows whether it was written, does nothing. Raises OSError when the disk refuses.
    """
    moment = datetime.fromtimestamp(int(from_s), UTC)
    folder = root / camera_id / f"{moment:%Y}" / f"{moment:%m}" / f"{moment:%d}"
    path = folder / f"{moment:%H%M%S}{SUFFIX}"
    number = 1
    while path.exists():
        if path.stat().st_size == len(content) and path.read_bytes() == content:
            return path
        number += 1
        path = folder / f"{moment:%H%M%S}-{number}{SUFFIX}"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content, durable=False)
    return path


def spools(root: Path, camera_id: str) -> list[ChunkFile]:
    """What is no chunk yet, or can be none (see `DAMAGED`), in order of time."""
    found = []
    for path in (root / camera_id).glob(f"*{SPOOL}*"):
        name = _SPOOL_NAME.fullmatch(path.name)
        if name is not None and (from_s := _time_of(name[1], "%Y%m%dT%H%M%S")) is not None:
            found.append(ChunkFile(path, camera_id, from_s))
    return sorted(found, key=lambda file: file.path.name)


def cameras(root: Path) -> list[str]:
    """Cameras of which something is kept."""
    try:
        return sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    except FileNotFoundError:
        return []


def chunks(root: Path, camera_id: str, from_s: float = float("-inf"), to_s: float = float("inf")) -> list[ChunkFile]:
    """The files that may hold frames of [from_s, to_s), in order of time. What has no such name is passed over."""
    found = [file for file in _files(root, camera_id) if from_s - LONGEST_S - 1 < file.from_s < to_s]
    return sorted(found, key=lambda file: (file.from_s, len(file.path.name), file.path.name))


def _files(root: Path, camera_id: str) -> Iterator[ChunkFile]:
    folder = root / camera_id
    for path in folder.glob(f"[0-9]*/[0-9]*/[0-9]*/[0-9]*{SUFFIX}"):
        text = "".join(path.relative_to(folder).parts[:3]) + path.name[:6]
        from_s = _time_of(text, "%Y%m%d%H%M%S")
        if from_s is not None:
            yield ChunkFile(path, camera_id, from_s)


def _time_of(text: str, pattern: str) -> float | None:
    try:
        return datetime.strptime(text, pattern).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class TrackDeletion:
    """A chunk that goes, and why."""

    camera: str
    path: str
    from_s: float
    size_bytes: int
    reason: str
    at_s: float


def too_old(files: Sequence[ChunkFile], now_s: float, keep_s: float) -> list[ChunkFile]:
    """What is older than it may be, oldest first. A chunk goes when its newest frame is that old."""
    return sorted((file for file in files if file.from_s + LONGEST_S < now_s - keep_s), key=lambda file: file.from_s)


def delete_old(root: Path, now_s: float, keep_s: float, most: int = 2_000) -> list[TrackDeletion]:
    """Delete at most `most` chunks and spools that are older than `keep_s`, and write down each one before it goes.

    Raises:
        OSError: the folder cannot be written; what was deleted so far is written down.
    """
    files = ((*chunks(root, camera), *spools(root, camera)) for camera in cameras(root))
    old = [file for one in files for file in too_old(one, now_s, keep_s)][:most]
    gone: list[TrackDeletion] = []
    if not old:
        return gone
    with (root / DELETIONS).open("a", encoding="utf-8") as record:
        for file in old:
            try:
                size = file.path.stat().st_size
            except FileNotFoundError:
                continue  # another janitor was quicker
            deletion = TrackDeletion(file.camera_id, str(file.path.relative_to(root)), file.from_s, size, "keep", now_s)
            record.write(json.dumps(asdict(deletion), ensure_ascii=False) + "\n")
            record.flush()
            file.path.unlink(missing_ok=True)
            _remove_empty(file.path.parent, root / file.camera_id)
            gone.append(deletion)
    return gone


def _remove_empty(folder: Path, top: Path) -> None:
    """Days, months and years in which nothing is left. `top` itself stays."""
    while folder != top:
        try:
            folder.rmdir()
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                raise
            return
        folder = folder.parent
