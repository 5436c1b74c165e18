"""A camera that changes its picture: in the middle of its stream, or from one connection to the next."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest

from pipelines.clock import SystemClock
from pipelines.media.ffmpeg import Ffmpeg, find_binary
from pipelines.recording import ledger
from pipelines.recording.clips import cut, segments_of
from pipelines.recording.coverage import Span
from pipelines.recording.index import Index
from pipelines.recording.layout import Volume
from pipelines.recording.recorder import Recorder
from pipelines.recording.segments import Segment
from pipelines.recording.stream import CameraSettings
from pipelines.recording.verify import Verifier
from pipelines.samples.cameras import RtspServer
from pipelines.testing import until

QUIET = ("-hide_banner", "-loglevel", "error", "-y")


def make(target: Path, size: str, codec: str, seconds: int) -> None:
    """A key frame each second, ten pictures a second."""
    options = {
        "h264": ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "10", "-pix_fmt", "yuv420p"],
        "hevc": ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "keyint=10:bframes=0:log-level=none"],
    }[codec]
    source = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=10:duration={seconds}"]
    tag = ["-tag:v", "hvc1"] if codec == "hevc" and target.suffix == ".mp4" else []
    subprocess.run([find_binary(), *QUIET, *source, *options, *tag, str(target)], check=True)


@contextmanager
def recording(volume: Volume, url: str) -> Iterator[None]:
    stop = threading.Event()
    recorder = Recorder([CameraSettings("gate", url, segment_s=1.0)], volume, SystemClock(), Ffmpeg.find())
    thread = threading.Thread(target=recorder.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30.0)
    assert not thread.is_alive()


def recorded(volume: Volume) -> list[Segment]:
    if not volume.index.exists():
        return []
    with Index.open(volume.index) as index:
        return ledger.segments(index, "gate", Span(0, 2**62))


def shown(path: Path) -> list[tuple[int, int]]:
    """(width, height) of every picture that can be decoded, edit lists obeyed; fails when one cannot."""
    with av.open(str(path)) as file:
        return [(frame.width, frame.height) for frame in file.decode(video=0) if (frame.pts or 0) >= 0]


def codec(path: Path) -> str:
    with av.open(str(path)) as file:
        return str(file.streams.video[0].codec_context.name)


def clip(volume: Volume, span: Span, target: Path) -> Path:
    with Index.open(volume.index) as index:
        found = segments_of(index, "gate", span)
    cut(Ffmpeg.find(), volume.root, found, span, target)
    return target


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume.open(tmp_path / "volume", create=True)


def patiently(condition: Callable[[], object]) -> None:
    until(condition, within_s=60.0)


@pytest.mark.slow
def test_a_new_size_in_mid_stream_loses_nothing_and_every_segment_stands_for_itself(
    volume: Volume, tmp_path: Path
) -> None:
    """Over RTSP: new parameter sets before a key frame, no new session."""
    for name, size in (("a", "320x240"), ("b", "640x480")):
        make(tmp_path / f"{name}.h264", size, "h264", 3)
    both = tmp_path / "both.h264"
    both.write_bytes((tmp_path / "a.h264").read_bytes() + (tmp_path / "b.h264").read_bytes())
    served = tmp_path / "served"
    served.mkdir()
    stamped = ["-bsf:v", "setts=ts=N*9000", "-f", "mpegts", str(tmp_path / "both.ts")]
    subprocess.run(
        [find_binary(), *QUIET, "-r", "10", "-f", "h264", "-i", str(both), "-c", "copy", *stamped], check=True
    )
    fragmented = ["-movflags", "frag_keyframe+empty_moov+default_base_moof", str(served / "x.mp4")]
    subprocess.run([find_binary(), *QUIET, "-i", str(tmp_path / "both.ts"), "-c", "copy", *fragmented], check=True)
    camera = RtspServer(served)
    camera.start()
    try:
        with recording(volume, camera.url("x.mp4")):
            patiently(lambda: len(recorded(volume)) >= 9)
    finally:
        camera.stop()
    segments = recorded(volume)
    assert len({segment.run for segment in segments}) == 1, "it was not connected again"
    assert all(0 <= b.start_ms - a.end_ms <= 60 for a, b in itertools.pairwise(segments))
    sizes = [set(shown(volume.root / segment.path)) for segment in segments]
    assert {(320, 240), (640, 480)} <= set().union(*sizes)
    span = Span(segments[0].start_ms, segments[-1].end_ms)
    with Index.open(volume.index) as index:
        assert ledger.coverage(index, "gate", span, span.to_ms).completeness == 1.0
        assert Verifier(index, volume).run("gate", (0, 99999999)).findings == []
    whole = shown(clip(volume, span, tmp_path / "clip.mp4"))
    assert set(whole) == {(320, 240), (640, 480)}
    assert len(whole) == pytest.approx((span.to_ms - span.from_ms) / 100, abs=3)


@pytest.mark.slow
def test_another_codec_after_a_reconnection_begins_a_new_run_and_a_clip_spans_both(
    volume: Volume, tmp_path: Path
) -> None:
    make(tmp_path / "h264.mp4", "320x240", "h264", 6)
    make(tmp_path / "hevc.mp4", "640x480", "hevc", 6)
    served = tmp_path / "served"
    served.mkdir()
    shutil.copy(tmp_path / "h264.mp4", served / "x.mp4")
    camera = RtspServer(served)
    camera.start()
    try:
        with recording(volume, camera.url("x.mp4")):
            patiently(lambda: len(recorded(volume)) >= 2)
            camera.stop()
            shutil.copy(tmp_path / "hevc.mp4", served / "x.mp4")
            before = {segment.run for segment in recorded(volume)}
            camera.start()
            patiently(lambda: len([one for one in recorded(volume) if one.run not in before]) >= 3)
    finally:
        camera.stop()
    segments = recorded(volume)
    assert {codec(volume.root / segment.path) for segment in segments} == {"h264", "hevc"}
    for segment in segments:
        assert len(set(shown(volume.root / segment.path))) == 1
    with Index.open(volume.index) as index:
        assert Verifier(index, volume).run("gate", (0, 99999999)).findings == []
        span = Span(segments[0].start_ms, segments[-1].end_ms)
        causes = {gap.cause.value for gap in ledger.coverage(index, "gate", span, span.to_ms).gaps}
    assert causes <= {"network", "camera"}
    made = clip(volume, span, tmp_path / "clip.mp4")
    assert codec(made) == "h264"
    assert set(shown(made)) == {(640, 480)}
    there = sum(segment.duration_s for segment in segments)
    with av.open(str(made)) as file:
        assert (file.duration or 0) / 1e6 == pytest.approx(there, abs=1.0)
