"""Segments: what is known of one, how one is written, and how one is read back from the disk.

A segment file is the stream's header, a `uuid` box saying where it comes from, the fragments exactly as they came, and,
once closed, a second `uuid` box with its place in the chain. Players skip `uuid` boxes (ISO/IEC 14496-12, 11.1). So every
file says by itself what the index knows of it.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pipelines.recording.fmp4 import BoxReader, Init, NotMp4, StreamParser, VideoRun, parse_fragment
from pipelines.recording.index import PRESENT
from pipelines.recording.layout import PART, segment_path

#: The type of our `uuid` boxes (made once, at random).
BOX_UUID: Final = bytes.fromhex("9f3b1c62d0e84a57a6c1775e2b94d803")
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a camera's chain of one UTC day: the `seq`-th segment (from 1) after the link `previous` (hex)."""

    day: int
    seq: int
    previous: str


@dataclass(frozen=True, slots=True)
class Segment:
    """One closed segment. Times are UTC milliseconds; `sha256` and `link` are hex; `offset_ms` is the camera's clock
    minus ours, None when unknown; `state` one of the constants in `index`."""

    camera: str
    day: int
    seq: int
    run: str
    start_ms: int
    end_ms: int
    size_bytes: int
    mtime_ns: int
    sha256: str
    link: str
    state: int = PRESENT
    offset_ms: int | None = None

    @property
    def path(self) -> str:
        """Below the volume."""
        return segment_path(self.camera, self.start_ms, self.run)

    @property
    def duration_s(self) -> float:
        return (self.end_ms - self.start_ms) / 1000


def genesis(camera: str, day: int) -> str:
    """What the first segment of a day follows."""
    return hashlib.sha256(f"gatewatch chain 1\n{camera}\n{day}".encode()).hexdigest()


def segment_link(previous: str, segment: Segment) -> str:
    """sha256 over the link before and everything that a segment's row claims: changing, swapping or moving one shows.

    `segment.link` itself is not looked at.
    """
    claims = (
        segment.camera,
        segment.day,
        segment.seq,
        segment.start_ms,
        segment.end_ms,
        segment.size_bytes,
        segment.sha256,
    )
    return hashlib.sha256("\n".join([previous, *map(str, claims)]).encode()).hexdigest()


def note_box(note: dict[str, Any]) -> bytes:
    """A `uuid` box with JSON in it."""
    body = BOX_UUID + json.dumps(note, sort_keys=True, separators=(",", ":")).encode()
    return (len(body) + 8).to_bytes(4, "big") + b"uuid" + body


def read_note(box: bytes) -> dict[str, Any] | None:
    """The JSON of a `uuid` box of ours (header included), None for somebody else's."""
    if box[8:24] != BOX_UUID:
        return None
    try:
        note = json.loads(box[24:])
    except ValueError:
        return None
    return note if isinstance(note, dict) else None


class SegmentWriter:
    """A growing segment. The thread that appends is not the one that syncs and closes; `size_bytes` only ever covers
    whole fragments."""

    def __init__(self, root: Path, camera: str, run: str, start_ms: int, init: Init) -> None:
        self.camera = camera
        self.run = run
        self.path = root / (segment_path(camera, start_ms, run) + PART)
        self.size_bytes = 0
        self._root = root
        self._init = init
        self._hash = hashlib.sha256()
        self._descriptor: int | None = None
        self._start_ms = start_ms
        self._place: Place | None = None

    def open(self) -> None:
        """Raises OSError; then there is no file either."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        note = {"v": 1, "camera": self.camera, "run": self.run, "start_ms": self._start_ms}
        try:
            self.append(self._init.data + note_box(note))
        except OSError:
            os.close(self._descriptor)
            self._descriptor = None
            self.path.unlink()
            raise

    def append(self, data: bytes) -> None:
        """All of `data` or nothing: what was written of a failed append is cut off again. Raises OSError."""
        descriptor = self._open_descriptor()
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(descriptor, view) :]
        except OSError:
            os.ftruncate(descriptor, self.size_bytes)
            os.lseek(descriptor, self.size_bytes, os.SEEK_SET)
            raise
        self._hash.update(data)
        self.size_bytes += len(data)

    def sync(self) -> None:
        """Bytes written so far survive a power cut. Raises OSError."""
        if self._descriptor is not None:
            os.fdatasync(self._descriptor)

    def close(self, start_ms: int, end_ms: int, place: Place, offset_ms: int | None) -> Segment:
        """Seal, sync and rename; may be tried again after an OSError, which it raises."""
        descriptor = self._open_descriptor()
        if self._place is None:
            self.append(trailer(self.camera, self.run, (start_ms, end_ms), place, offset_ms))
            self._place = place
        place = self._place
        os.fsync(descriptor)
        target = self._root / segment_path(self.camera, start_ms, self.run)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.path.rename(target)
        sync_folder(target.parent)
        mtime_ns = os.fstat(descriptor).st_mtime_ns
        os.close(descriptor)
        self._descriptor = None
        draft = Segment(
            self.camera,
            0,
            0,
            self.run,
            start_ms,
            end_ms,
            self.size_bytes,
            mtime_ns,
            self._hash.hexdigest(),
            "",
            offset_ms=offset_ms,
        )
        return finished(draft, place)

    def _open_descriptor(self) -> int:
        if self._descriptor is None:
            raise ValueError(f"{self.path.name} is not open")
        return self._descriptor


def trailer(camera: str, run: str, span_ms: tuple[int, int], place: Place, offset_ms: int | None) -> bytes:
    """The box that ends a closed segment."""
    return note_box(
        {
            "v": 1,
            "camera": camera,
            "run": run,
            "start_ms": span_ms[0],
            "end_ms": span_ms[1],
            "day": place.day,
            "seq": place.seq,
            "previous": place.previous,
            "offset_ms": offset_ms,
        }
    )


def finished(draft: Segment, place: Place) -> Segment:
    """The row of a file that has just been closed: `draft` at its place in the chain."""
    placed = replace(draft, day=place.day, seq=place.seq)
    return replace(placed, link=segment_link(place.previous, placed))


def sync_folder(folder: Path) -> None:
    """A rename in `folder` survives a power cut. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_file(path: Path) -> str:
    """Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Scan:
    """What a segment file says of itself. `good_bytes` is the length of its whole boxes up to the last whole fragment
    (with the trailer, if there is one); `media_s` the video's length; `head` and `tail` our boxes."""

    size_bytes: int
    good_bytes: int
    media_s: float
    head: dict[str, Any] | None
    tail: dict[str, Any] | None


def scan(path: Path) -> Scan:
    """Read a segment file from end to end. Raises: NotMp4: not even a header in it; OSError."""
    reader, parser = BoxReader(), StreamParser()
    place = good = 0
    video: VideoRun | None = None
    first_s: float | None = None
    last_s = 0.0
    head: dict[str, Any] | None = None
    tail: dict[str, Any] | None = None
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                for box in reader.feed(chunk):
                    place += len(box.data)
                    note = read_note(box.data) if box.kind == b"uuid" else None
                    if note is not None:
                        if "end_ms" in note:
                            tail, good = note, place
                        else:
                            head = note
                    elif box.kind == b"moof" and parser.init is not None:
                        video = parse_fragment(box.data, parser.init)
                    elif box.kind == b"mdat" and parser.init is not None:
                        good = place
                        if video is not None:
                            first_s = video.start_s if first_s is None else first_s
                            last_s = max(last_s, video.start_s + video.duration_s)
                    elif box.kind in (b"ftyp", b"moov"):
                        parser.take_header(box)
    except NotMp4:
        if parser.init is None:
            raise
    if parser.init is None:
        raise NotMp4(f"{path.name}: no header")
    return Scan(path.stat().st_size, good, 0.0 if first_s is None else last_s - first_s, head, tail)
