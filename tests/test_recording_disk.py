"""When the disk is full, or read-only: on a small volume of its own (needs root to mount one)."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.clock import SystemClock
from pipelines.media.ffmpeg import Ffmpeg, find_binary
from pipelines.recording import ledger
from pipelines.recording.alarms import waiting
from pipelines.recording.cleaner import Cleaner, Settings
from pipelines.recording.coverage import Span
from pipelines.recording.index import Index
from pipelines.recording.layout import Volume
from pipelines.recording.recorder import Recorder
from pipelines.recording.retention import Limits
from pipelines.recording.stream import CameraSettings
from pipelines.recording.verify import Verifier
from pipelines.samples.cameras import RtspServer
from pipelines.testing import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small volume needs root"),
]


def mount(*words: str) -> bool:
    return subprocess.run(["mount", *words], capture_output=True, check=False).returncode == 0


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 24 MiB."""
    root = tmp_path / "small"
    root.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=24m", "tmpfs", str(root)):
        pytest.skip("this container may not mount a tmpfs")
    try:
        yield root
    finally:
        while os.path.ismount(root):
            subprocess.run(["umount", "-l", str(root)], check=True)


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[str]:
    """The address of a camera of about 2 Mbit/s, a key frame each second."""
    folder = tmp_path / "clips"
    folder.mkdir()
    command = [find_binary(), "-hide_banner", "-loglevel", "error", "-f", "lavfi", "-i"]
    command += ["testsrc2=size=640x360:rate=10:duration=10", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0"]
    command += ["-g", "10", "-b:v", "2M", "-minrate", "2M", "-maxrate", "2M", "-bufsize", "1M", "-pix_fmt", "yuv420p"]
    subprocess.run([*command, str(folder / "clip.mp4")], check=True)
    server = RtspServer(folder)
    server.start()
    try:
        yield server.url("clip.mp4")
    finally:
        server.stop()


class Running:
    """A recorder at work in a thread."""

    def __init__(self, volume: Volume, url: str, room_bytes: int) -> None:
        settings = CameraSettings("gate", url, segment_s=1.0)
        self.volume = volume
        self._recorder = Recorder(
            [settings], volume, SystemClock(), Ffmpeg.find(), alarm_after_s=2.0, ledger_room_bytes=room_bytes
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._recorder.run, args=(self._stop,))

    def __enter__(self) -> Running:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30.0)
        assert not self._thread.is_alive()

    def segments(self) -> int:
        if not self.volume.index.exists():
            return 0
        with Index.open(self.volume.index) as index:
            return int(index.read("SELECT count(*) FROM segments").fetchone()[0])

    def causes(self) -> list[tuple[str, str]]:
        now_ms = round(time.time() * 1000)
        with Index.open(self.volume.index) as index:
            span = Span(ledger.cameras(index)["gate"], ledger.accounted_until(index, "gate", now_ms))
            return [
                (gap.cause.value, gap.detail)
                for gap in ledger.coverage(index, "gate", span, now_ms).gaps
                if gap.duration_s >= 0.5
            ]


def assert_sound(volume: Volume) -> None:
    with Index.open(volume.index) as index:
        assert Verifier(index, volume).run("gate", (0, 99999999)).findings == []


def fill(root: Path, leave_bytes: int) -> Path:
    """Somebody else's file takes the room."""
    ballast = root / "ballast.bin"
    status = os.statvfs(root)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(4096, status.f_bavail * status.f_frsize - leave_bytes))
    return ballast


def test_full_keeps_the_ledger_says_disk_and_goes_on_when_there_is_room(small: Path, camera: str) -> None:
    """The room for the ledger is kept: nothing is written into it, and what happened is known."""
    with Running(Volume.open(small, create=True), camera, room_bytes=4 << 20) as recorder:
        until(lambda: recorder.segments() >= 2)
        ballast = fill(small, leave_bytes=(4 << 20) - 65536)
        until(lambda: any("kept for the ledger" in detail for cause, detail in recorder.causes() if cause == "disk"))
        full = recorder.segments()
        with Index.open(recorder.volume.index) as index:
            until(lambda: "disk" in [item.body["evidence"]["cause"]["value"] for item in waiting(index)])
        ballast.unlink()
        until(lambda: recorder.segments() >= full + 2)
    assert_sound(recorder.volume)
    assert {cause for cause, _ in recorder.causes()} <= {"restart", "disk"}


def test_really_full_to_the_last_byte_loses_nothing_that_was_there(small: Path, camera: str) -> None:
    """No room is kept at all: writes fail in the middle of a fragment, and the index cannot be written either."""
    with Running(Volume.open(small, create=True), camera, room_bytes=0) as recorder:
        until(lambda: recorder.segments() >= 2)
        ballast = fill(small, leave_bytes=0)
        before = recorder.segments()
        time.sleep(4.0)  # full for a while
        ballast.unlink()
        until(lambda: recorder.segments() >= before + 3)
    assert_sound(recorder.volume)
    causes = recorder.causes()
    assert "disk" in {cause for cause, _ in causes}
    assert {cause for cause, _ in causes} <= {"restart", "disk"}
    assert list(small.rglob("*.part")) == []


def test_under_pressure_the_oldest_goes_and_recording_goes_on(small: Path, camera: str) -> None:
    volume = Volume.open(small, create=True)
    day_ms = 86_400_000
    limits = Limits(0, 30 * day_ms, 30 * day_ms, 30 * day_ms)
    cleaner = Cleaner(volume, Settings({}, limits, reserve_bytes=16 << 20, cap_share=1.0), SystemClock())
    with Running(volume, camera, room_bytes=1 << 20) as recorder:
        until(lambda: recorder.segments() >= 4)
        fill(small, leave_bytes=(16 << 20) - 300_000)
        with Index.open(volume.index, durable=True) as index:
            oldest = index.read("SELECT min(start_ms) FROM segments").fetchone()[0]
            outcome = cleaner.run_once(index)
            assert outcome.plan is not None
            assert outcome.deleted >= 1
            assert index.read("SELECT min(start_ms) FROM segments").fetchone()[0] > oldest
        left = recorder.segments()
        until(lambda: recorder.segments() >= left + 2)
    assert_sound(volume)


def test_read_only_is_a_gap_of_the_disk_and_ends_when_it_is_writable_again(small: Path, camera: str) -> None:
    with Running(Volume.open(small, create=True), camera, room_bytes=1 << 20) as recorder:
        until(lambda: recorder.segments() >= 2)
        # A remount is refused while something is open for writing: wait for one of the moments between two segments,
        # or put a read-only view of the same volume over it, which is all that the recorder can see.
        if not mount("-o", "remount,ro", str(small)):
            assert mount("--bind", str(small), str(small))
            assert mount("-o", "remount,bind,ro", str(small))
        time.sleep(4.0)
        if not mount("-o", "remount,bind,rw", str(small)):
            assert mount("-o", "remount,rw", str(small))
        again = recorder.segments()
        until(lambda: recorder.segments() >= again + 3)
    assert_sound(recorder.volume)
    assert "disk" in {cause for cause, _ in recorder.causes()}
