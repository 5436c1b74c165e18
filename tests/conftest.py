"""What several test files need: real footage as ffmpeg makes it, and a recording volume filled with it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.media.ffmpeg import find_binary
from pipelines.recording import ledger
from pipelines.recording.chain import next_place
from pipelines.recording.fmp4 import Fragment, Init, StreamParser
from pipelines.recording.index import Index
from pipelines.recording.layout import Volume
from pipelines.recording.segments import Segment, SegmentWriter

#: 2026-03-02 08:00:00 UTC.
MORNING_MS = 1_772_438_400_000


@dataclass(frozen=True)
class Stream:
    """A recorded stream: its header and its fragments, a key frame each second."""

    data: bytes
    init: Init
    fragments: list[Fragment]


@pytest.fixture(scope="session")
def stream() -> Stream:
    """Twelve seconds of H.264, 10 pictures a second, as the recorder gets them from ffmpeg."""
    command = [find_binary(), "-hide_banner", "-loglevel", "error", "-f", "lavfi", "-i"]
    command += ["testsrc2=size=320x240:rate=10:duration=12", "-c:v", "libx264", "-preset", "ultrafast", "-g", "10"]
    command += [
        "-pix_fmt",
        "yuv420p",
        "-f",
        "mp4",
        "-movflags",
        "frag_keyframe+empty_moov+default_base_moof+skip_trailer",
    ]
    data = subprocess.run([*command, "pipe:1"], capture_output=True, check=True).stdout
    parser = StreamParser()
    fragments = parser.feed(data)
    assert parser.init is not None
    return Stream(data, parser.init, fragments)


class FilledVolume:
    """A volume with real segments of two seconds each, one after the other."""

    def __init__(self, root: Path, stream: Stream) -> None:
        self.volume = Volume.open(root, create=True)
        self.index = Index.open(self.volume.index, create=True)
        self.index.set_meta("alive_ms", str(2**53))  # as if a recorder were at work
        self._stream = stream

    def add(
        self, camera: str = "gate", start_ms: int = MORNING_MS, count: int = 1, run: str = "0a1b2c3d"
    ) -> list[Segment]:
        """`count` segments from `start_ms` on."""
        made: list[Segment] = []
        for number in range(count):
            at_ms = start_ms + number * 2000
            place = 2 * (number % (len(self._stream.fragments) // 2))
            writer = SegmentWriter(self.volume.root, camera, run, at_ms, self._stream.init)
            writer.open()
            for fragment in self._stream.fragments[place : place + 2]:
                writer.append(fragment.data)
            segment = writer.close(at_ms, at_ms + 2000, next_place(self.index, camera, at_ms, None), None)
            with self.index.transaction() as cursor:
                ledger.insert_segment(cursor, segment)
            made.append(segment)
        return made

    def path(self, segment: Segment) -> Path:
        return self.volume.root / segment.path


@pytest.fixture
def filled(tmp_path: Path, stream: Stream) -> FilledVolume:
    return FilledVolume(tmp_path / "volume", stream)
