"""Where things lie on the recording volume, and whether it is still the volume that it was.

VOLUME/.gatewatch-volume          the marker: says which volume this is
VOLUME/index.sqlite               the index (rebuildable)
VOLUME/journal/*.jsonl            what cannot be read back from footage: gaps, holds, deletions, who did what
VOLUME/quarantine/...             damaged segments, kept
VOLUME/clips/...                  clips of incidents
VOLUME/CAMERA/YYYY/MM/DD/HH/20261123T232001.123Z-1a2b3c4d.mp4      a segment; UTC of its first picture, run
"""

from __future__ import annotations

import os
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pipelines.errors import BadInput, Unavailable

MARKER: Final = ".gatewatch-volume"
PART: Final = ".part"
SUFFIX: Final = ".mp4"
_CAMERA: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_RESERVED: Final = frozenset(("journal", "quarantine", "clips", "index.sqlite"))
_NAME: Final = re.compile(r"(\d{8}T\d{6}\.\d{3})Z-([0-9a-f]{8})\.mp4(\.part)?")


def check_camera_id(camera: str) -> str:
    """The id when it can be a folder's name. Raises BadInput."""
    if not _CAMERA.fullmatch(camera) or camera in _RESERVED:
        raise BadInput(
            f"camera {camera!r}: its id names a folder, so only letters, digits, '.', '_' and '-' are allowed"
        )
    return camera


def utc(ms: int) -> datetime:
    """Milliseconds since the Unix epoch as a datetime in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def rfc3339(ms: int) -> str:
    """`2026-11-23T23:20:01.123Z`."""
    return utc(ms).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def day_of(ms: int) -> int:
    """The UTC day as a number, 20261123."""
    moment = utc(ms)
    return moment.year * 10000 + moment.month * 100 + moment.day


def segment_path(camera: str, start_ms: int, run: str) -> str:
    """The segment's path below the volume."""
    moment = utc(start_ms)
    name = f"{moment:%Y%m%dT%H%M%S}.{start_ms % 1000:03d}Z-{run}{SUFFIX}"
    return f"{camera}/{moment:%Y/%m/%d/%H}/{name}"


def hour_folder(camera: str, ms: int) -> str:
    return f"{camera}/{utc(ms):%Y/%m/%d/%H}"


def parse_name(name: str) -> tuple[int, str] | None:
    """(start_ms, run) of a segment's file name, None for any other file."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        moment = datetime.strptime(match[1], "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)
    except ValueError:
        return None
    return round(moment.timestamp() * 1000), match[2]


@dataclass(frozen=True, slots=True)
class DiskSpace:
    total_bytes: int
    free_bytes: int


class Volume:
    """One recording volume. `open` reads the marker; `check` says whether the same volume is still mounted there."""

    def __init__(self, root: Path, volume_id: str) -> None:
        self.root = root
        self.volume_id = volume_id

    @classmethod
    def open(cls, root: Path, *, create: bool) -> Volume:
        """Raises: Unavailable: no marker and `create` is False, or the folder cannot be made or read."""
        marker = root / MARKER
        try:
            if not marker.exists() and create:
                root.mkdir(parents=True, exist_ok=True)
                if (root / "index.sqlite").exists():
                    raise Unavailable(
                        f"{root}: holds an index but no {MARKER} file; is this the right volume? See docs/footage.md"
                    )
                temporary = root / f"{MARKER}.{os.getpid()}"
                temporary.write_text(uuid.uuid4().hex + "\n")
                temporary.rename(marker)
            return cls(root, marker.read_text().strip())
        except FileNotFoundError as error:
            raise Unavailable(
                f"{root}: no recording volume there (no {MARKER} file); record first, or mount it"
            ) from error
        except OSError as error:
            raise Unavailable(f"{root}: recording volume cannot be used: {error.strerror}") from error

    def check(self) -> str | None:
        """None while the volume is the one that was opened, else what is wrong."""
        try:
            found = (self.root / MARKER).read_text().strip()
        except OSError as error:
            return f"its marker file cannot be read ({error.strerror}): is it mounted?"
        if found != self.volume_id:
            return f"another volume is mounted there ({found}, expected {self.volume_id})"
        return None

    def space(self) -> DiskSpace:
        """Raises OSError."""
        status = os.statvfs(self.root)
        return DiskSpace(status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize)

    @property
    def index(self) -> Path:
        return self.root / "index.sqlite"

    @property
    def journal(self) -> Path:
        return self.root / "journal"

    @property
    def quarantine(self) -> Path:
        return self.root / "quarantine"

    @property
    def clips(self) -> Path:
        return self.root / "clips"
