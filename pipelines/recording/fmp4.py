"""Reads fragmented MP4 (ISO/IEC 14496-12) as a stream of bytes: just enough to cut it, date it and find damage.

The recorder cuts one endless fragmented MP4 into segments itself, so it must know where a fragment ends, whether it
starts with a key frame, and which part of the stream's own time it covers. Samples are never touched.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from pipelines.errors import GatewatchError

#: No box of a sane camera is larger; a larger size means that the bytes are not a box.
MAX_BOX_BYTES: Final = 256 * 1024 * 1024
#: A picture that lasts longer than this is a hole in the stream.
HOLE_S: Final = 2.0
_NON_SYNC: Final = 0x00010000
_NTP_EPOCH_S: Final = 2_208_988_800
_KNOWN_TOP: Final = frozenset(
    (b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"prft", b"uuid", b"free", b"skip", b"sidx", b"mfra", b"emsg")
)


class NotMp4(GatewatchError):
    """The bytes are not the fragmented MP4 that was expected."""


class Box(NamedTuple):
    """One top-level box: its four letters and its whole bytes, header included."""

    kind: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Track:
    """`timescale` is ticks per second; the defaults come from `trex`; `description` is the whole `stsd` box: two tracks
    with the same one can be decoded by one decoder."""

    track_id: int
    handler: str
    codec: str
    timescale: int
    default_duration: int = 0
    default_flags: int = 0
    description: bytes = b""


@dataclass(frozen=True, slots=True)
class Init:
    """The `ftyp` and `moov` that every fragment of a run needs. `video` is the track that segments are cut by."""

    data: bytes
    tracks: tuple[Track, ...]

    @property
    def video(self) -> Track:
        for track in self.tracks:
            if track.handler == "vide":
                return track
        raise NotMp4("no video track in the stream")


@dataclass(frozen=True, slots=True)
class Fragment:
    """One `moof` + `mdat` (with the boxes before it). Times are seconds of the stream's own time; `start_s` is None
    when the fragment has no video. `camera_s` is the producer's wall clock at `start_s` (seconds since the Unix epoch,
    from the `prft` box), None when there is none. `holes` are (from, to) where one picture stands for longer than
    `HOLE_S`: the stream's own time jumped there.
    """

    data: bytes
    start_s: float | None
    duration_s: float
    key: bool
    camera_s: float | None
    holes: tuple[tuple[float, float], ...] = ()

    @property
    def end_s(self) -> float:
        return (self.start_s or 0.0) + self.duration_s


class BoxReader:
    """Splits bytes as they arrive into whole top-level boxes."""

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def held_bytes(self) -> int:
        """Bytes of a box that is not complete yet."""
        return len(self._held)

    def feed(self, chunk: bytes) -> list[Box]:
        """Boxes that `chunk` completes. Raises NotMp4."""
        self._held += chunk
        boxes: list[Box] = []
        offset = 0
        while len(self._held) - offset >= 8:
            size, kind = struct.unpack_from(">I4s", self._held, offset)
            if size == 1:
                if len(self._held) - offset < 16:
                    break
                (size,) = struct.unpack_from(">Q", self._held, offset + 8)
            if kind not in _KNOWN_TOP or not 8 <= size <= MAX_BOX_BYTES:
                raise NotMp4(f"no MP4 box where one was expected ({kind!r}, {size} bytes)")
            if len(self._held) - offset < size:
                break
            boxes.append(Box(kind, bytes(memoryview(self._held)[offset : offset + size])))
            offset += size
        if offset:
            del self._held[:offset]
        return boxes


class StreamParser:
    """Turns ffmpeg's output into one `Init` and then `Fragment`s."""

    def __init__(self) -> None:
        self._reader = BoxReader()
        self._head = b""
        self._before = b""
        self._camera_s: float | None = None
        self.init: Init | None = None

    def feed(self, chunk: bytes) -> list[Fragment]:
        """Fragments that `chunk` completes; `init` is set once the header is there. Raises NotMp4."""
        return [fragment for box in self._reader.feed(chunk) if (fragment := self._take(box)) is not None]

    def take_header(self, box: Box) -> None:
        """`ftyp` and `moov` of a stream whose boxes somebody else splits. Raises NotMp4."""
        if box.kind == b"ftyp":
            self._head = box.data
        elif box.kind == b"moov":
            self.init = Init(self._head + box.data, parse_tracks(box.data))

    def _take(self, box: Box) -> Fragment | None:
        if box.kind in (b"ftyp", b"moov"):
            self.take_header(box)
        elif box.kind == b"prft":
            self._camera_s = _producer_time_s(box.data)
            self._before += box.data
        elif box.kind == b"moof":
            self._before += box.data
        elif box.kind == b"mdat":
            return self._fragment(box)
        return None

    def _fragment(self, mdat: Box) -> Fragment:
        if self.init is None:
            raise NotMp4("media before the header")
        before, camera_s = self._before, self._camera_s
        self._before, self._camera_s = b"", None
        moof = before[before.index(b"moof") - 4 :] if b"moof" in before else b""
        if not moof:
            raise NotMp4("media without its description")
        video = parse_fragment(moof, self.init)
        data = before + mdat.data
        if video is None:
            return Fragment(data, None, 0.0, False, camera_s)
        return Fragment(data, video.start_s, video.duration_s, video.key, camera_s, video.holes)


def children(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, first byte of the payload, end) of each box in `data[start:end]`. Raises NotMp4."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        if size < 8 or start + size > end:
            raise NotMp4(f"box {kind!r} does not fit into its parent")
        yield kind, start + 8, start + size
        start += size


def parse_tracks(moov: bytes) -> tuple[Track, ...]:
    """The tracks of a `moov` box (header included)."""
    try:
        tracks: dict[int, Track] = {}
        extends: dict[int, tuple[int, int]] = {}
        for kind, first, end in children(moov, 8, len(moov)):
            if kind == b"trak":
                track = _track(moov, first, end)
                tracks[track.track_id] = track
            elif kind == b"mvex":
                for inner, at, _ in children(moov, first, end):
                    if inner == b"trex":
                        track_id, _, duration, _, flags = struct.unpack_from(">5I", moov, at + 4)
                        extends[track_id] = (duration, flags)
    except (struct.error, IndexError) as error:
        raise NotMp4(f"damaged header: {error}") from error
    return tuple(
        Track(t.track_id, t.handler, t.codec, t.timescale, *extends.get(t.track_id, (0, 0)), t.description)
        for t in tracks.values()
    )


def _track(moov: bytes, first: int, end: int) -> Track:
    track_id, handler, codec, timescale, description = 0, "", "", 0, b""
    pending = [(first, end)]
    while pending:
        for kind, at, stop in children(moov, *pending.pop()):
            if kind == b"tkhd":
                (track_id,) = struct.unpack_from(">I", moov, at + (20 if moov[at] else 12))
            elif kind == b"mdhd":
                (timescale,) = struct.unpack_from(">I", moov, at + (20 if moov[at] else 12))
            elif kind == b"hdlr":
                handler = moov[at + 8 : at + 12].decode("latin-1")
            elif kind == b"stsd":
                codec, description = moov[at + 12 : at + 16].decode("latin-1"), moov[at:stop]
            elif kind in (b"mdia", b"minf", b"stbl"):
                pending.append((at, stop))
    if not timescale:
        raise NotMp4("a track without a time scale")
    return Track(track_id, handler, codec, timescale, description=description)


def picture_size(description: bytes) -> tuple[int, int]:
    """(width, height) in pixels, from a video track's description (ISO/IEC 14496-12, 12.1.3)."""
    width, height = struct.unpack_from(">HH", description, 40)
    return width, height


class VideoRun(NamedTuple):
    """The video of one fragment, in seconds of the stream's time."""

    start_s: float
    duration_s: float
    key: bool
    holes: tuple[tuple[float, float], ...]


def parse_fragment(moof: bytes, init: Init) -> VideoRun | None:
    """The video in a `moof` box (header included), None when it has none. Raises NotMp4."""
    video = init.video
    try:
        for kind, first, end in children(moof, 8, len(moof)):
            if kind == b"traf":
                found = _run(moof, first, end, video)
                if found is not None:
                    return found
    except (struct.error, IndexError) as error:
        raise NotMp4(f"damaged fragment: {error}") from error
    return None


def _run(moof: bytes, first: int, end: int, video: Track) -> VideoRun | None:
    default_duration, default_flags = video.default_duration, video.default_flags
    start = 0
    durations: list[int] = []
    key: bool | None = None
    for kind, at, _ in children(moof, first, end):
        if kind == b"tfhd":
            flags, track_id = struct.unpack_from(">II", moof, at)
            if track_id != video.track_id:
                return None
            place = at + 8 + (8 if flags & 1 else 0) + (4 if flags & 2 else 0)
            if flags & 0x08:
                (default_duration,) = struct.unpack_from(">I", moof, place)
                place += 4
            place += 4 if flags & 0x10 else 0
            if flags & 0x20:
                (default_flags,) = struct.unpack_from(">I", moof, place)
        elif kind == b"tfdt":
            (start,) = struct.unpack_from(">Q" if moof[at] else ">I", moof, at + 4)
        elif kind == b"trun":
            took, first_flags = _samples(moof, at, default_duration, default_flags)
            durations += took
            if key is None and took:
                key = not first_flags & _NON_SYNC
    holes: list[tuple[float, float]] = []
    place = start
    for duration in durations:
        if duration > HOLE_S * video.timescale:
            holes.append((place / video.timescale, (place + duration) / video.timescale))
        place += duration
    return VideoRun(start / video.timescale, (place - start) / video.timescale, bool(key), tuple(holes))


def _samples(moof: bytes, at: int, default_duration: int, default_flags: int) -> tuple[list[int], int]:
    """(duration of each sample in ticks, flags of the first sample) of one `trun`."""
    head, count = struct.unpack_from(">II", moof, at)
    flags = head & 0xFFFFFF
    place = at + 8 + (4 if flags & 1 else 0)
    first_flags: int | None = None
    if flags & 4:
        (first_flags,) = struct.unpack_from(">I", moof, place)
        place += 4
    fields = [bit for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit]
    words = struct.unpack_from(f">{count * len(fields)}I", moof, place)
    if 0x400 in fields and first_flags is None and count:
        first_flags = words[fields.index(0x400)]
    durations = list(words[:: len(fields)]) if 0x100 in fields else [default_duration] * count
    return durations, default_flags if first_flags is None else first_flags


def _producer_time_s(prft: bytes) -> float:
    (ntp,) = struct.unpack_from(">Q", prft, 16)
    return float(ntp) / 2**32 - _NTP_EPOCH_S
