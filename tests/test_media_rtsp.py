"""The live reader against a real RTSP server: every picture once, with its own time, at the rate that is asked."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import ffmpeg
import numpy as np
import pytest

from pipelines.clock import SystemClock
from pipelines.errors import BadInput
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.media.rtsp import RtspReader
from pipelines.media.testing import Running, make_clip, through
from pipelines.samples.cameras import RtspServer
from pipelines.testing import until
from pipelines.testing_relay import Relay


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    make_clip(folder / "a.mp4")
    make_clip(folder / "short.mp4", seconds=3)
    make_clip(folder / "hevc.mp4", codec="libx265", seconds=6, **{"x265-params": "log-level=none"})
    make_clip(folder / "large.mp4", size="640x480", seconds=6)
    return folder


@pytest.fixture(scope="module")
def server(clips: Path) -> Iterator[RtspServer]:
    server = RtspServer(clips)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def relay(server: RtspServer) -> Iterator[Relay]:
    relay = Relay(server.port).start()
    yield relay
    relay.stop()


def test_pictures_come_with_their_own_times_each_once(server: RtspServer) -> None:
    with Running(server.url("a.mp4"), fps=5) as running:
        frames = running.take(15)
        running.take_until(lambda: (running.reader.last_packet_age or 99.0) < 2)
    times = [frame.time_s for frame in frames]
    # 10 pictures a second, every second one: the distances are the stream's own, to the millisecond. On a busy machine one
    # may be passed over for a newer one; none comes twice, and none after a later one.
    steps = [(b - a) / 0.2 for a, b in itertools.pairwise(times)]
    assert all(step > 0.9 and abs(step - round(step)) < 0.05 for step in steps), steps
    assert abs(times[-1] - time.time()) < 5
    assert frames[0].pixels.shape == (240, 320, 3)
    assert len({frame.run_id for frame in frames}) == 1
    assert all(not np.array_equal(a.pixels, b.pixels) for a, b in itertools.pairwise(frames))


def test_a_looping_camera_goes_on_over_the_end_of_its_clip(server: RtspServer) -> None:
    with Running(server.url("short.mp4"), read_timeout_s=20.0) as running:
        frames = running.take(60)
    assert running.reconnects() == set()
    # On a busy machine some are passed over for newer ones, each a tenth of a second: those are counted.
    passed_over = sum(number for (kind, _), number in running.events.items() if kind == "drop")
    assert all(0.05 < b.time_s - a.time_s < 0.7 + 0.1 * passed_over for a, b in itertools.pairwise(frames))


def test_the_newest_picture_wins_and_the_others_are_counted(server: RtspServer) -> None:
    with Running(server.url("a.mp4")) as running:
        last = running.take(2)[-1]
        before = running.events["drop", "superseded"]
        until(lambda: running.events["drop", "superseded"] >= before + 6)  # analysis is busy meanwhile
        (frame,) = running.take(1)
        # Six of a tenth of a second each were passed over: it is not one of them.
        assert frame.time_s - last.time_s > 0.65


def test_the_rate_changes_without_a_reconnect(server: RtspServer) -> None:
    with Running(server.url("a.mp4"), fps=1, read_timeout_s=20.0) as running:
        slow = running.take(2)
        running.reader.fps = 10
        running.take(1)
        running.take_until(lambda: any(b.time_s - a.time_s < 0.5 for a, b in itertools.pairwise(running.frames[2:])))
        assert slow[0].run_id == running.frames[-1].run_id
    assert running.reader.sessions == 1
    with pytest.raises(ValueError, match="above 0"):
        running.reader.fps = 0


def test_h265_is_read_as_well(server: RtspServer) -> None:
    with Running(server.url("hevc.mp4")) as running:
        assert running.take(5)[-1].pixels.shape == (240, 320, 3)


def test_another_resolution_and_another_codec_after_a_reconnect(server: RtspServer, clips: Path, relay: Relay) -> None:
    name = "changing.mp4"
    place = clips / name
    place.write_bytes((clips / "a.mp4").read_bytes())
    with Running(through(relay, name)) as running:
        assert running.take(3)[-1].width_px == 320
        for other, width in (("large.mp4", 640), ("hevc.mp4", 320)):
            place.write_bytes((clips / other).read_bytes())
            relay.drop()
            running.take_until(lambda width=width: bool(running.frames) and running.frames[-1].width_px == width)  # type: ignore[misc]
            assert running.take(3)[-1].width_px == width


def test_another_resolution_in_the_middle_of_a_stream(clips: Path, server: RtspServer) -> None:
    binary = Ffmpeg.find()
    for name in ("a", "large"):
        graph = ffmpeg.input(str(clips / f"{name}.mp4"), t=2).output(str(clips / f"{name}.h264"), c="copy", f="h264")
        binary.run(graph)
    joined = clips / "joined.h264"
    joined.write_bytes((clips / "a.h264").read_bytes() + (clips / "large.h264").read_bytes())
    binary.run(ffmpeg.input(str(joined), r=10).output(str(clips / "joined.mp4"), c="copy"))
    with Running(server.url("joined.mp4")) as running:
        running.take_until(lambda: {frame.width_px for frame in running.frames} == {320, 640})
        assert running.frames[-1].pixels.shape[0] in (240, 480)


def test_what_is_no_url_is_refused_without_showing_a_password() -> None:
    with pytest.raises(BadInput, match=r"camera gate: 'clip\.mp4' is not a URL"):
        RtspReader("gate", "clip.mp4", fps=5, clock=SystemClock())
