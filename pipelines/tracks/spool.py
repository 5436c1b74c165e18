"""A chunk while it grows, on the disk: what was seen is there two seconds later, whatever becomes of the worker.

A file begins with `MAGIC` and goes on in records: length of its content and CRC-32 of that length and the content (each four
bytes, little endian), then the content. The first is the chunk's origin as JSON, each other one a `PackedFrames` that follows
the one before. Where a record is not whole the file ends: a crash or a full disk cut it off there. Who writes it holds a lock
on it (`flock`), which ends with the process; who finds it unlocked may make a chunk of it.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import json
import os
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pipelines.errors import GatewatchError
from pipelines.tracks.chunk import Chunk, Origin
from pipelines.tracks.folder import SPOOL
from pipelines.tracks.packed import PackedFrames

VERSION: Final = 1
MAGIC: Final = b"gatewatch tracks\n"
_RECORD: Final = struct.Struct("<II")
_LENGTH: Final = struct.Struct("<I")


class DamagedSpool(GatewatchError):
    """A file is no spool, or not of this version, or its records hold something else."""


class Spool:
    """The file of one chunk that grows. Not for two threads at once."""

    def __init__(self, root: Path, origin: Origin, from_s: float) -> None:
        """Makes it. Raises OSError when the disk refuses, ValueError or TypeError when `origin` is no JSON."""
        meta = {
            "version": VERSION,
            "camera": origin.camera_id,
            "config_version": origin.config_version,
            "state": origin.state,
            "rules": origin.rules,
        }
        content = json.dumps(meta, separators=(",", ":")).encode()
        self._fd, self.path = _create(root / origin.camera_id, from_s)
        try:
            self._write(MAGIC + _record(content))
        except BaseException:
            with suppress(OSError):
                self.path.unlink()
            self.close()
            raise

    def append(self, frames: PackedFrames) -> None:
        """Raises OSError when the disk refuses, or somebody deleted the file: then nothing more may be appended."""
        if not os.fstat(self._fd).st_nlink:
            raise FileNotFoundError(errno.ENOENT, "it was deleted while it was written", str(self.path))
        self._write(_record(frames.to_bytes()))

    def close(self) -> None:
        """From now on anybody may make a chunk of it."""
        # What a disk elsewhere refuses only now is missing at the end, and is told of when a chunk is made.
        with suppress(OSError):
            os.close(self._fd)

    def _write(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(self._fd, rest) :]


def _create(folder: Path, from_s: float) -> tuple[int, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    moment = datetime.fromtimestamp(int(from_s), UTC)
    for number in itertools.count(1):
        path = folder / f"{moment:%Y%m%dT%H%M%S}-{os.getpid()}-{number}{SPOOL}"
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)
        except FileExistsError:
            continue
        try:
            if lock(fd, path):
                return fd, path
        except OSError:
            path.unlink()
            os.close(fd)
            raise
        os.close(fd)  # somebody took it for one that a worker had left
    raise AssertionError


def lock(fd: int, path: Path) -> bool:
    """Whether the file is ours alone now, and is still the one that has this name. Raises OSError."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(fd), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _record(content: bytes) -> bytes:
    return _RECORD.pack(len(content), _sum(content)) + content


def _sum(content: bytes) -> int:
    # With the length: a disk that lost power may leave zeros, which must be no record.
    return zlib.crc32(content, zlib.crc32(_LENGTH.pack(len(content))))


@dataclass(frozen=True, slots=True, eq=False)
class Spooled:
    """What a spool holds. `chunk` None: no frame. `cut_bytes`: what is not whole at its end."""

    chunk: Chunk | None
    cut_bytes: int


def read(content: bytes) -> Spooled:
    """Raises DamagedSpool."""
    if not content.startswith(MAGIC):
        if MAGIC.startswith(content):
            return Spooled(None, len(content))
        raise DamagedSpool("it does not begin as a spool of tracks")
    records, end = _records(content)
    cut_bytes = len(content) - end
    if not records:
        return Spooled(None, cut_bytes)
    try:
        meta = json.loads(records[0])
        if meta["version"] != VERSION:
            raise DamagedSpool(f"version {meta['version']!r}; this program reads {VERSION}")
        origin = Origin(meta["camera"], meta["config_version"], meta["state"], meta["rules"])
        frames = PackedFrames()
        for record in records[1:]:
            frames.extend(PackedFrames.from_bytes(record))
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedSpool(f"its records are not those of a spool of tracks ({error})") from error
    return Spooled(Chunk(origin, frames) if len(frames) else None, cut_bytes)


def _records(content: bytes) -> tuple[list[bytes], int]:
    """Those that are whole, and where they end."""
    found, at = [], len(MAGIC)
    while at + _RECORD.size <= len(content):
        length, told = _RECORD.unpack_from(content, at)
        one = content[at + _RECORD.size : at + _RECORD.size + length]
        if len(one) != length or _sum(one) != told:
            break
        found.append(one)
        at += _RECORD.size + length
    return found, at
