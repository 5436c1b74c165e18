"""The recorder against real RTSP servers, and what it writes down when they, its ffmpegs or its clock fail."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.clock import SystemClock
from pipelines.media.ffmpeg import Ffmpeg, find_binary
from pipelines.recording import ledger
from pipelines.recording.alarms import waiting
from pipelines.recording.coverage import Coverage, Span
from pipelines.recording.fmp4 import StreamParser
from pipelines.recording.index import Index
from pipelines.recording.layout import Volume
from pipelines.recording.recorder import Recorder
from pipelines.recording.segments import sha256_file
from pipelines.recording.stream import CameraSettings
from pipelines.recording.verify import Verifier
from pipelines.samples.cameras import RtspServer, free_port
from pipelines.testing import until


class SteppedClock(SystemClock):
    """The machine's clock with a hand on it."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now_s(self) -> float:
        return super().now_s() + self.ahead_s


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """clip.mp4: H.264; sound.mp4: with AAC; hevc.mp4: H.265. A key frame each second."""
    folder = tmp_path_factory.mktemp("clips")
    common = [find_binary(), "-hide_banner", "-loglevel", "error", "-y", "-f", "lavfi", "-i"]
    picture = [*common, "testsrc2=size=320x240:rate=10:duration=20"]
    h264 = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "10", "-pix_fmt", "yuv420p"]
    subprocess.run([*picture, *h264, str(folder / "clip.mp4")], check=True)
    sound = ["-f", "lavfi", "-i", "sine=duration=20", "-c:a", "aac", "-shortest"]
    subprocess.run([*picture, *sound[:4], *h264, *sound[4:], str(folder / "sound.mp4")], check=True)
    h265 = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "keyint=10:bframes=0:log-level=none"]
    subprocess.run([*picture, *h265, "-pix_fmt", "yuv420p", "-tag:v", "hvc1", str(folder / "hevc.mp4")], check=True)
    return folder


@contextmanager
def server(clips: Path) -> Iterator[RtspServer]:
    one = RtspServer(clips)
    one.start()
    try:
        yield one
    finally:
        one.stop()


@contextmanager
def recording(
    volume: Volume, cameras: dict[str, str], clock: SystemClock | None = None, **options: object
) -> Iterator[Recorder]:
    """A recorder at work on `cameras` (id -> URL) in a thread of this process, stopped in order at the end."""
    chosen = [CameraSettings(name, url, segment_s=1.0, audio=name == "sound") for name, url in cameras.items()]
    recorder = Recorder(chosen, volume, clock or SystemClock(), Ffmpeg.find(), **options)  # type: ignore[arg-type]
    stop, failed = threading.Event(), []

    def work() -> None:
        try:
            recorder.run(stop)
        except BaseException as error:
            failed.append(error)
            raise

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield recorder
    finally:
        stop.set()
        thread.join(30.0)
        assert not thread.is_alive()
        assert failed == []


def count(volume: Volume, camera: str) -> int:
    if not volume.index.exists():
        return 0
    with Index.open(volume.index) as index:
        return int(index.read("SELECT count(*) FROM segments WHERE camera = ? AND state = 0", (camera,)).fetchone()[0])


def covered(volume: Volume, camera: str, now_ms: int | None = None) -> Coverage:
    """From the camera's first moment in the ledger to now."""
    now_ms = round(time.time() * 1000) if now_ms is None else now_ms
    with Index.open(volume.index) as index:
        return ledger.coverage(index, camera, Span(ledger.cameras(index)[camera], now_ms), now_ms)


def causes(coverage: Coverage) -> list[str]:
    """Causes in order, without those shorter than half a second."""
    return [gap.cause.value for gap in coverage.gaps if gap.duration_s >= 0.5]


def assert_sound(volume: Volume, camera: str) -> None:
    with Index.open(volume.index) as index:
        assert Verifier(index, volume).run(camera, (0, 99999999)).findings == []


def decodes(path: Path) -> str:
    """What ffmpeg says of the streams in a file that it decodes without an error."""
    command = [find_binary(), "-hide_banner", "-v", "info", "-xerror", "-i", str(path), "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume.open(tmp_path / "volume", create=True)


def test_records_h264_h265_and_sound_without_touching_them(volume: Volume, clips: Path) -> None:
    with server(clips) as camera:
        urls = {"clip": camera.url("clip.mp4"), "sound": camera.url("sound.mp4"), "hevc": camera.url("hevc.mp4")}
        urls["clip"] = urls["clip"].replace("rtsp://", "rtsp://guard:s3cret@")
        with recording(volume, urls) as recorder:
            until(lambda: all(count(volume, name) >= 3 for name in urls))
            pids = recorder.pids()
            for pid in pids.values():
                assert b"s3cret" not in Path(f"/proc/{pid}/cmdline").read_bytes()
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids.values())
    for name, codec in (("clip", "h264"), ("sound", "aac"), ("hevc", "hevc")):
        assert_sound(volume, name)
        with Index.open(volume.index) as index:
            segments = ledger.segments(index, name, Span(0, 2**62))
        assert all(a.end_ms == b.start_ms for a, b in itertools.pairwise(segments))
        assert all(0.9 <= segment.duration_s <= 2.1 for segment in segments[:-1])
        for segment in segments:
            assert sha256_file(volume.root / segment.path) == segment.sha256
            said = decodes(volume.root / segment.path)
            assert codec in said
            assert ("Audio" in said) == (name == "sound")
        assert list(volume.root.rglob("*.part")) == []
        # Between its first picture and its last closed segment nothing is missing.
        span = Span(segments[0].start_ms, segments[-1].end_ms)
        with Index.open(volume.index) as index:
            assert ledger.coverage(index, name, span, span.to_ms).completeness == 1.0
        assert causes(covered(volume, name))[:1] in ([], ["restart"])


@pytest.mark.slow
def test_dead_ffmpeg_dead_server_and_frozen_camera(volume: Volume, clips: Path) -> None:
    """Three cameras, three faults, one sitting."""
    with server(clips) as steady, server(clips) as dying, server(clips) as freezing:
        urls = {
            "steady": steady.url("clip.mp4"),
            "killed": steady.url("clip.mp4"),
            "dying": dying.url("clip.mp4"),
            "frozen": freezing.url("clip.mp4"),
        }
        with recording(volume, urls, alarm_after_s=4.0) as recorder:
            until(lambda: all(count(volume, name) >= 2 for name in urls))
            began = {name: count(volume, name) for name in urls}
            killed_at = time.monotonic()
            os.kill(recorder.pids()["killed"], signal.SIGKILL)
            assert dying._process is not None
            assert freezing._process is not None
            dying._process.kill()
            dying._process.wait()
            os.kill(freezing._process.pid, signal.SIGSTOP)
            frozen_at = time.monotonic()
            time.sleep(8.0)  # the outage itself
            dying.start()
            until(lambda: count(volume, "killed") >= began["killed"] + 3)
            killed_s = time.monotonic() - killed_at
            until(lambda: time.monotonic() - frozen_at >= 30.0, 40.0)
            os.kill(freezing._process.pid, signal.SIGCONT)
            until(lambda: count(volume, "dying") >= began["dying"] + 2, 60.0)
            until(lambda: count(volume, "frozen") >= began["frozen"] + 3, 60.0)
            frozen_s = time.monotonic() - frozen_at
    for name in urls:
        assert_sound(volume, name)
    stopped = ["restart"]  # the start-up, and nothing else where nothing happened
    assert set(causes(covered(volume, "steady"))) <= set(stopped)
    assert set(causes(covered(volume, "killed"))) == {"restart"}
    killed = [gap for gap in covered(volume, "killed").gaps if "signal 9" in gap.detail]
    assert len(killed) == 1
    assert killed[0].duration_s < killed_s
    assert "network" in causes(covered(volume, "dying"))
    assert "camera" in causes(covered(volume, "frozen"))
    frozen = sum(gap.duration_s for gap in covered(volume, "frozen").gaps if gap.cause.value == "camera")
    assert 25.0 <= frozen <= frozen_s + 2.0
    with Index.open(volume.index) as index:
        told = {(item.body["camera_id"], item.body["phase"]) for item in waiting(index)}
    assert {("dying", "opened"), ("dying", "closed"), ("frozen", "opened"), ("frozen", "closed")} <= told
    assert ("steady", "opened") not in told


@pytest.mark.slow
def test_the_recorder_killed_in_the_middle_loses_a_second_and_says_so(
    volume: Volume, clips: Path, tmp_path: Path
) -> None:
    with server(clips) as camera:
        url = camera.url("clip.mp4")
        program = (
            "import sys, threading\n"
            "from pathlib import Path\n"
            "from pipelines.clock import SystemClock\n"
            "from pipelines.media.ffmpeg import Ffmpeg\n"
            "from pipelines.recording.layout import Volume\n"
            "from pipelines.recording.recorder import Recorder\n"
            "from pipelines.recording.stream import CameraSettings\n"
            "volume = Volume.open(Path(sys.argv[1]), create=False)\n"
            "camera = CameraSettings('gate', sys.argv[2], segment_s=600.0)\n"
            "Recorder([camera], volume, SystemClock(), Ffmpeg.find()).run(threading.Event())\n"
        )
        import sys

        process = subprocess.Popen([sys.executable, "-c", program, str(volume.root), url])
        try:
            until(lambda: any(path.stat().st_size > 60_000 for path in volume.root.rglob("*.part")))
            (growing,) = volume.root.rglob("*.part")
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            assert children
        finally:
            process.kill()
            process.wait()
        killed_ms = round(time.time() * 1000)
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), 90)
        written = StreamParser().feed(growing.read_bytes())
        time.sleep(3.0)  # the outage itself
        with recording(volume, {"gate": url}):
            until(lambda: count(volume, "gate") >= 3)
        again_ms = round(time.time() * 1000)
    assert not growing.exists()
    with Index.open(volume.index) as index:
        first = ledger.segments(index, "gate", Span(0, 2**62))[0]
    # Everything that was written whole is kept; what is not yet is the picture's last second, which was under way.
    assert first.end_ms - first.start_ms >= 1000 * sum(one.duration_s for one in written) - 100
    assert max(one.duration_s for one in written) <= 1.1
    assert_sound(volume, "gate")
    coverage = covered(volume, "gate")
    (outage,) = [gap for gap in coverage.gaps if gap.from_ms >= first.end_ms - 100 and "not running" in gap.detail]
    assert outage.cause.value == "restart"
    assert 2.5 <= outage.duration_s <= (again_ms - killed_ms) / 1000 + 2.5


@pytest.mark.slow
def test_clock_steps_both_ways_are_noted_and_lose_nothing(volume: Volume, clips: Path) -> None:
    clock = SteppedClock()
    with server(clips) as camera, recording(volume, {"gate": camera.url("clip.mp4")}, clock):
        until(lambda: count(volume, "gate") >= 2)
        clock.ahead_s = 3600.0
        forward = count(volume, "gate")
        until(lambda: count(volume, "gate") >= forward + 3)
        clock.ahead_s = 0.0
        back = count(volume, "gate")
        until(lambda: count(volume, "gate") >= back + 3)
    assert_sound(volume, "gate")
    with Index.open(volume.index) as index:
        steps = [round(row[0] / 1000) for row in index.read("SELECT step_ms FROM clock_steps ORDER BY id")]
        rows = index.read("SELECT start_ms, end_ms FROM segments ORDER BY id").fetchall()
        notes = index.read("SELECT to_ms - from_ms FROM gaps WHERE cause = 'clock'").fetchall()
    assert steps == [3600, -3600]
    # One hole of an hour that never was; going back makes none.
    assert len(notes) == 1
    assert notes[0][0] == pytest.approx(3_600_000, abs=1500)
    # No picture was lost: the media go on from segment to segment, whatever the clock said.
    jumps = [b[0] - a[1] for a, b in itertools.pairwise(rows)]
    small = [jump for jump in jumps if abs(jump) < 60_000]
    assert all(abs(jump) <= 60 for jump in small)
    assert sorted(round(jump / 3_600_000) for jump in jumps if abs(jump) >= 60_000) == [-1, 1]


@pytest.mark.slow
def test_the_command_records_follows_its_configuration_and_shows_coverage(clips: Path, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "pipelines.cli"]
    config = tmp_path / "site.yaml"

    def write(*names: str) -> None:
        cameras = "".join(f"  {name}: {{main: {{url: '{camera.url('clip.mp4')}'}}}}\n" for name in names)
        config.write_text(
            f"data: {tmp_path / 'data'}\ncameras:\n{cameras}recording: {{segment: 2s, reserve_free: 0}}\n"
            f"recorder: {{metrics: {{port: {free_port()}}}}}\n"
        )

    with server(clips) as camera:
        write("one")
        process = subprocess.Popen([*program, "record", "-c", str(config)], stderr=subprocess.PIPE, text=True)
        volume = tmp_path / "data" / "recordings"
        try:
            until(lambda: list(volume.glob("one/*/*/*/*/*.mp4")))
            write("one", "two")
            until(lambda: list(volume.glob("two/*/*/*/*/*.mp4")))
            shown = subprocess.run(
                [*program, "footage", "coverage", "-c", str(config), "--json"],
                capture_output=True,
                text=True,
                check=True,
            )
        finally:
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=90)[1]
    assert process.returncode == 0, said
    days = json.loads(shown.stdout)
    assert {day["camera"] for day in days} == {"one", "two"}
    for day in days:
        assert set(day) >= {"completeness", "gaps", "achieved_retention_s"}
        assert all(set(gap) >= {"from", "to", "cause"} for gap in day["gaps"])
        assert {gap["cause"] for gap in day["gaps"]} <= {"restart", "configuration"}
        assert day["achieved_retention_s"] > 0
    verified = subprocess.run(
        [*program, "footage", "verify", "-c", str(config)], capture_output=True, text=True, check=False
    )
    assert verified.returncode == 0, verified.stdout
