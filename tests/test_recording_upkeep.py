"""The footage's door for the others, clean-up of clips, sound that MP4 cannot hold, cameras that stay dead."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.clock import SystemClock
from pipelines.errors import Unavailable
from pipelines.media.ffmpeg import Ffmpeg, find_binary
from pipelines.recording import retries
from pipelines.recording.alarms import GapAlarms
from pipelines.recording.cleaner import Cleaner, Settings
from pipelines.recording.clockstate import CameraClock, CameraOffset, HostClock, grade, host_clock
from pipelines.recording.coverage import Cause, Span
from pipelines.recording.footage import Footage
from pipelines.recording.holds import Holds
from pipelines.recording.index import Index
from pipelines.recording.journal import Journal
from pipelines.recording.layout import Volume
from pipelines.recording.ledger import close_gap, open_gap
from pipelines.recording.recorder import Recorder
from pipelines.recording.retention import Limits
from pipelines.recording.stream import CameraSettings
from pipelines.testing import FakeClock

if TYPE_CHECKING:
    from conftest import FilledVolume

MORNING_MS = 1_772_438_400_000
MORNING_S = MORNING_MS / 1000
DAY_MS = 86_400_000


@pytest.fixture
def footage(filled: FilledVolume) -> Footage:
    filled.add(count=10)
    return Footage(filled.volume, Ffmpeg.find(), FakeClock(MORNING_S + 60), pre_s=2.0, post_s=3.0)


def test_the_door_finds_plays_and_cuts(footage: Footage, tmp_path: Path) -> None:
    assert len(footage.segments("gate", MORNING_S + 3, MORNING_S + 7)) == 3
    assert footage.coverage("gate", MORNING_S, MORNING_S + 20).completeness == 1.0
    footage.cut("gate", MORNING_S + 3, MORNING_S + 4, tmp_path / "x.mp4")
    assert (tmp_path / "x.mp4").stat().st_size > 1000
    clip = footage.make_clip("i-1", "gate", MORNING_S + 5, MORNING_S + 8)
    assert clip.span == Span(MORNING_MS + 3000, MORNING_MS + 11000)
    assert footage.path(clip).is_file()
    assert footage.clip("i-1") == clip
    assert footage.clip("i-2") is None
    with pytest.raises(Unavailable, match="the clip ends"):
        footage.make_clip("i-2", "gate", MORNING_S + 15, MORNING_S + 19)


def test_who_viewed_stands_in_the_audit(footage: Footage, filled: FilledVolume) -> None:
    footage.saw(
        "guard-7", "view", "incident case-1", {"camera": "gate", "from_ms": MORNING_MS, "to_ms": MORNING_MS + 1}
    )
    audit = Journal(filled.volume.journal / "audit.jsonl")
    (entry,) = audit.entries()
    assert (entry.action, entry.actor, entry.reason, entry.at_ms) == (
        "view",
        "guard-7",
        "incident case-1",
        MORNING_MS + 60_000,
    )
    assert audit.verify() == []


def test_a_clip_goes_when_its_time_is_over_but_not_while_it_is_held(footage: Footage, filled: FilledVolume) -> None:
    clip = footage.make_clip("i-1", "gate", MORNING_S + 5, MORNING_S + 8)
    now_ms = MORNING_MS + 95 * DAY_MS
    holds = Holds(filled.index, Journal(filled.volume.journal / "audit.jsonl"))
    held = holds.place(["gate"], clip.span, reason="court", owner="police", actor="a", now_ms=now_ms)
    limits = Limits(30 * DAY_MS, 30 * DAY_MS, 90 * DAY_MS, 90 * DAY_MS)
    cleaner = Cleaner(
        filled.volume, Settings({}, limits, 0, 1.0), FakeClock(now_ms / 1000), boot="b", free_bytes=lambda: 1
    )
    with filled.index.transaction() as cursor:
        cursor.execute("UPDATE cameras SET seen_ms = 0")
    cleaner.run_once(filled.index)
    assert footage.path(clip).is_file()
    assert len(footage.segments("gate", 0, 2e9)) == 5  # 3 s to 11 s, whole segments
    holds.release(held.hold.hold_id, reason="closed", actor="a", now_ms=now_ms)
    cleaner.run_once(filled.index)
    assert not footage.path(clip).exists()
    assert footage.clip("i-1") is None
    records = [entry.action for entry in Journal(filled.volume.journal / "ledger.jsonl").entries()]
    assert records.count("delete_clip") == 1


def test_alarms_wait_for_the_bus_and_go_once(footage: Footage, filled: FilledVolume) -> None:
    alarms = GapAlarms(after_s=60.0)
    with filled.index.transaction() as cursor:
        open_gap(cursor, "gate", MORNING_MS + 20_000, Cause.NETWORK, "no connection")
    alarms.look(filled.index, MORNING_MS + 70_000)
    assert footage.forward(lambda _body: pytest.fail("too early")) == 0
    alarms.look(filled.index, MORNING_MS + 90_000)
    alarms.look(filled.index, MORNING_MS + 95_000)

    def away(_body: dict[str, Any]) -> None:
        raise Unavailable("the bus is away")

    with pytest.raises(Unavailable):
        footage.forward(away)
    told: list[dict[str, Any]] = []
    assert footage.forward(told.append) == 1
    with filled.index.transaction() as cursor:
        close_gap(cursor, "gate", MORNING_MS + 120_000)
    GapAlarms(after_s=60.0).look(filled.index, MORNING_MS + 121_000)  # after a restart of the recorder
    assert footage.forward(told.append) == 1
    assert footage.forward(told.append) == 0
    opened, closed = told
    assert (opened["kind"], opened["phase"], opened["camera_id"]) == ("recording_gap", "opened", "gate")
    assert opened["evidence"]["cause"]["value"] == "network"
    assert opened["first_seen_s"] == MORNING_S + 20
    assert (closed["incident_id"], closed["revision"]) == (opened["incident_id"], 2)
    assert closed["closed_s"] == MORNING_S + 120
    assert closed["evidence"]["gap"] == {"value": 100.0, "unit": "s"}


# -- clocks -----------------------------------------------------------------------------------------------------------


def camera_clock(offset_s: float, *, reports: bool) -> int | None:
    clock = CameraClock()
    for second in range(20):
        picture_s = 1000.0 + second
        arrived_s = picture_s + 1.05
        clock.add(picture_s + offset_s if reports else arrived_s - 0.004, picture_s, arrived_s)
    return clock.offset_ms()


def test_a_cameras_clock_is_known_by_its_sender_reports_and_unknown_without() -> None:
    assert camera_clock(0.25, reports=True) == 250
    assert camera_clock(-7.0, reports=True) == -7000
    assert camera_clock(0.0, reports=False) is None
    assert camera_clock(-1.7e9, reports=True) is None, "counts from the camera's start, which says no date"
    assert CameraClock().offset_ms() is None


@pytest.mark.parametrize(
    ("offset_ms", "host", "good", "why"),
    [
        (200, HostClock(True, 0.01), True, "within 1.0 s"),
        (1400, HostClock(True, 0.01), False, "the camera's clock is +1.4 s off"),
        (-1400, HostClock(True, 0.01), False, "-1.4 s off"),
        (200, HostClock(False, None), False, "not synchronised"),
        (200, HostClock(True, 3.0), False, "may be 3.0 s off"),
        (200, HostClock(None, None), False, "is not known"),
        (None, HostClock(True, 0.01), False, "unknown"),
    ],
)
def test_evidence_grade(offset_ms: int | None, host: HostClock, good: bool, why: str) -> None:
    camera = None if offset_ms is None else CameraOffset(offset_ms, 0, "RTCP sender reports")
    judged = grade(camera, host)
    assert judged.evidence_grade is good
    assert why in judged.why


def test_the_kernel_can_be_asked() -> None:
    host = host_clock()
    assert host.synchronised in (True, False, None)
    assert (host.error_s is not None) == (host.synchronised is True)


# -- the recorder -----------------------------------------------------------------------------------------------------


def run_for(recorder: Recorder, enough: Any, timeout_s: float = 30.0) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=recorder.run, args=(stop,))
    thread.start()
    deadline = time.monotonic() + timeout_s
    try:
        while not enough():
            assert time.monotonic() < deadline, "did not happen in time"
            time.sleep(0.05)
    finally:
        stop.set()
        thread.join(20.0)
    assert not thread.is_alive()


def test_g711_becomes_aac(tmp_path: Path) -> None:
    source = tmp_path / "g711.mkv"
    command = [
        find_binary(),
        "-hide_banner",
        "-loglevel",
        "error",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=320x240:rate=10",
    ]
    command += [
        "-f",
        "lavfi",
        "-i",
        "sine",
        "-t",
        "5",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-bf",
        "0",
        "-g",
        "10",
    ]
    subprocess.run([*command, "-c:a", "pcm_alaw", "-ar", "8000", str(source)], check=True)
    volume = Volume.open(tmp_path / "v", create=True)
    camera = CameraSettings("gate", str(source), segment_s=2.0, audio=True)
    recorder = Recorder([camera], volume, SystemClock(), Ffmpeg.find())
    run_for(recorder, lambda: list(volume.root.glob("gate/*/*/*/*/*.mp4")))
    path = sorted(volume.root.glob("gate/*/*/*/*/*.mp4"))[0]
    said = subprocess.run([find_binary(), "-i", str(path)], capture_output=True, text=True, check=False).stderr
    assert "Audio: aac" in said
    assert "Video: h264" in said


def test_nothing_leaks_with_cameras_that_stay_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_S", 0.02)
    monkeypatch.setattr(retries, "LONGEST_S", 0.05)
    volume = Volume.open(tmp_path / "v", create=True)
    cameras = [CameraSettings(f"dead-{n}", f"rtsp://u:pw@127.0.0.1:{1 + n}/x") for n in range(4)]
    reconnects: list[tuple[str, str]] = []
    sizes: dict[int, tuple[int, int]] = {}

    def failed(camera: str, reason: str) -> None:
        reconnects.append((camera, reason))
        sizes[len(reconnects)] = (len(list(Path("/proc/self/fd").iterdir())), threading.active_count())

    recorder = Recorder(cameras, volume, SystemClock(), Ffmpeg.find(), on_reconnect=failed)
    run_for(recorder, lambda: len(reconnects) >= 90, 60.0)
    assert {reason for _, reason in reconnects} == {"network"}
    early = max(size for count, size in sizes.items() if 20 <= count < 50)
    late = max(size for count, size in sizes.items() if count >= 60)
    assert late[0] <= early[0] + 4
    assert late[1] <= early[1] + 2
    with Index.open(volume.index) as index:
        # One outage, one cause, one row: not one for each attempt.
        rows = index.read("SELECT cause, count(*) FROM gaps WHERE camera = 'dead-0' GROUP BY cause").fetchall()
    assert dict(rows) == {"network": 1, "restart": 2}
    assert b"pw" not in b"".join(path.read_bytes() for path in volume.journal.iterdir())


def test_a_camera_taken_out_of_the_configuration_is_a_gap_of_that_cause(tmp_path: Path) -> None:
    volume = Volume.open(tmp_path / "v", create=True)
    cameras = [CameraSettings("one", "rtsp://127.0.0.1:1/x"), CameraSettings("two", "rtsp://127.0.0.1:1/x")]
    recorder = Recorder(cameras, volume, SystemClock(), Ffmpeg.find())

    def out() -> bool:
        recorder.reconfigure(cameras[:1])
        if not volume.index.exists():
            return False
        with Index.open(volume.index) as index:
            found = index.read("SELECT cause FROM gaps WHERE camera = 'two' AND to_ms IS NULL").fetchall()
        return found == [("configuration",)]

    run_for(recorder, out)
