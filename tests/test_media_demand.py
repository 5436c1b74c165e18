"""Packets that nobody needs are not decoded, and every picture that is looked at is the same to the bit."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from typing import Any

import av
import cv2
import ffmpeg
import numpy as np
import pytest

from pipelines.bench.stepped import STEP_S, SteppedClock
from pipelines.media.capture_time import CaptureTime
from pipelines.media.demand import Demand
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.media.pace import Pace
from pipelines.media.replay import Replay, SteppedReader, StoredStream

FPS = 12.5
SECONDS = 8
CLOSED = {"x265-params": "log-level=none:open-gop=0"}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")

    def make(name: str, codec: str = "libx264", group: int = 25, between: int = 0, **options: Any) -> None:
        source = ffmpeg.input(f"testsrc2=size=160x120:rate={FPS}:duration={SECONDS}", f="lavfi")
        told = {"vcodec": codec, "preset": "ultrafast", "g": group, "keyint_min": group, "sc_threshold": 0}
        Ffmpeg.find().run(source.output(str(folder / name), bf=between, pix_fmt="yuv420p", **(told | options)))

    make("long_units.mp4")
    make("marked_units.ts")
    make("hevc.mp4", "libx265", preset="superfast", **CLOSED)
    make("hevc.ts", "libx265", preset="superfast", **CLOSED)
    make("between.mp4", between=2)
    make("between.ts", between=2)
    make("another.mp4", "mpeg4", preset="", sc_threshold=-1)
    make("open.mp4", flags="-cgop", **{"x264-params": "open-gop=1:bframes=2"})
    return folder


class Decoded:
    """A clip decoded as a reader does it; `fps` of its pictures are picked."""

    def __init__(self, path: Path, fps: float) -> None:
        self.picked: dict[int, np.ndarray] = {}
        self.packets = self.put = 0
        pace, time = Pace(fps), 1_790_000_000.0
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            demand, first = Demand(stream.codec_context, pace), None
            for packet in container.demux(stream):
                self.packets += packet.size > 0
                at_s = None if packet.pts is None else time + float(packet.pts * packet.time_base)
                given = demand.put(packet, at_s, at_s or 0.0)
                assert not given or given[-1] is packet
                pictures: list[av.VideoFrame] = []
                for one in given:
                    self.put += one.size > 0
                    pictures = list(stream.codec_context.decode(one))
                for picture in pictures:
                    first = picture.pts if first is None else first
                    if pace.pick(time + float(picture.pts * picture.time_base)):
                        self.picked[picture.pts] = picture.to_ndarray()


def every_picture(path: Path) -> dict[int, np.ndarray]:
    with av.open(str(path)) as container:
        return {picture.pts: picture.to_ndarray() for picture in container.decode(video=0)}


@pytest.mark.parametrize("fps", [5.0, 3.0, 1.0, 0.4])
@pytest.mark.parametrize("name", ["long_units.mp4", "marked_units.ts", "hevc.mp4", "hevc.ts"])
def test_what_is_looked_at_is_the_same_and_what_lies_before_a_key_picture_is_not_decoded(
    clips: Path, name: str, fps: float
) -> None:
    seen, every = Decoded(clips / name, fps), every_picture(clips / name)
    assert seen.packets == len(every) == FPS * SECONDS
    assert all(np.array_equal(pixels, every[pts]) for pts, pixels in seen.picked.items())
    assert len(seen.picked) == pytest.approx(fps * SECONDS, abs=2)
    # Two of 25 with five a second; of one a second the twelve behind the second; of fewer the whole but the key picture.
    least = {5.0: 5, 3.0: 5, 1.0: 30, 0.4: 40}[fps]
    assert least <= seen.packets - seen.put < 0.97 * seen.packets


@pytest.mark.parametrize("name", ["between.mp4", "between.ts", "another.mp4", "open.mp4"])
def test_where_pictures_come_in_another_order_or_in_another_code_all_are_decoded(clips: Path, name: str) -> None:
    seen, every = Decoded(clips / name, 5.0), every_picture(clips / name)
    # A decoder learns of another order from the first pictures.
    assert seen.packets - seen.put <= 1
    assert all(np.array_equal(pixels, every[pts]) for pts, pixels in seen.picked.items())
    assert len(seen.picked) == pytest.approx(5 * SECONDS, abs=2)


def test_nothing_waits_for_long(clips: Path) -> None:
    with av.open(str(clips / "long_units.mp4")) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        pace = Pace(0.001)
        demand = Demand(stream.codec_context, pace)
        assert pace.pick(100.0)
        # None stands alone: the first key picture is left out.
        waited = [len(demand.put(packet, 100.1 + n / 2, n / 2)) for n, packet in enumerate(packets[1:20])]
        assert waited[:10] == [0, 0, 0, 0, 0, 6, 0, 0, 0, 0]
        for packet in packets[1:20]:
            demand.put(packet, 150.0, 50.0)
        assert len(demand._waiting) < 50


def test_what_is_no_picture_is_decoded_at_once_with_all_before_it(clips: Path) -> None:
    with av.open(str(clips / "marked_units.ts")) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        pace = Pace(0.1)
        demand = Demand(stream.codec_context, pace)
        assert pace.pick(100.0)
        assert demand.put(packets[1], 101.0, 1.0) == []
        parameters = av.Packet(b"\0\0\0\1\x67\x42\0\x0a" + bytes(packets[2]))
        parameters.pts = parameters.dts = packets[2].pts
        assert demand.put(parameters, 101.1, 1.1) == [packets[1], parameters]
        for damaged in (b"", b"\0", b"\0\0\1", bytes(100), b"\xff" * 100):
            packet = av.Packet(damaged)
            packet.pts = packet.dts = packets[2].pts
            assert demand.put(packet, 101.2, 1.2) == [packet]
            measured = Demand(stream.codec_context, pace)
            measured._length_bytes = 4
            assert measured.put(packet, 101.2, 1.2) == [packet]
        assert demand.put(packets[3], None, 1.3) == [packets[3]]


def test_a_reader_gives_the_same_pictures_at_the_same_times(clips: Path) -> None:
    stored = StoredStream(clips / "long_units.mp4")
    every = list(every_picture(clips / "long_units.mp4").values())
    decoded: list[int] = []

    class Counting(SteppedReader):
        def _decode(self, stream: Any, packet: av.Packet[Any]) -> list[av.VideoFrame]:
            decoded.append(packet.pts)
            return super()._decode(stream, packet)

    clock = SteppedClock(1_790_000_000.0)
    reader = Counting(Replay(stored, 0, threading.Event(), lambda _: None), clock.monotonic_s(), clock, "gate", fps=5.0)
    began_s, frames = clock.monotonic_s(), []
    while clock.monotonic_s() < began_s + 20:
        clock.advance(STEP_S)
        reader.read_on()
        frame = reader.take(0.0)
        if frame is not None:
            frames.append(frame)
    numbers = [round((frame.time_s - began_s) * FPS) for frame in frames]
    for frame, number in zip(frames, numbers, strict=True):
        assert np.array_equal(frame.grey, _grey(every[number % len(every)])), number
    assert len(frames) == pytest.approx(100, abs=2)
    # From the first key picture on: that one, and two and three on by turns.
    steady = numbers[numbers.index(25) :]
    assert {b - a for a, b in itertools.pairwise(steady)} == {2, 3}
    assert all(number % 25 in {0, 2, 5, 7, 10, 12, 15, 17, 20, 22} for number in steady)
    assert len(decoded) == pytest.approx(250 - 2 * 9, abs=2)


def test_a_camera_whose_pictures_wait_is_not_silent(clips: Path) -> None:
    clock = SteppedClock(1_790_000_000.0)
    stored = StoredStream(clips / "long_units.mp4")
    reader = SteppedReader(
        Replay(stored, 0, threading.Event(), lambda _: None), clock.monotonic_s(), clock, "gate", fps=0.1
    )
    behind_s = []
    for _ in range(round(12 / STEP_S)):
        clock.advance(STEP_S)
        reader.read_on()
        behind_s.append(clock.now_s() - reader.last_time_s)
    assert max(behind_s[round(1 / STEP_S) :]) < 1.1 / FPS + STEP_S


def _grey(planes: np.ndarray) -> np.ndarray:
    made = av.VideoFrame.from_ndarray(planes, format="yuv420p").reformat(format="bgr24", threads=1)
    return np.asarray(cv2.cvtColor(made.to_ndarray(), cv2.COLOR_BGR2GRAY))


def test_what_a_picture_s_time_will_be_is_known_before_it_is_there() -> None:
    time = CaptureTime()
    assert time.expected_s(0.0) is None
    for n in range(50):
        expected_s = time.expected_s(n / 10)
        stamp = time.stamp(n / 10, 500 + n / 10, 9000 + n / 10)
        assert (expected_s is None) == (n < 2)
        if expected_s is not None and stamp is not None:
            assert stamp.time_s == pytest.approx(expected_s, abs=0.002)
    assert time.expected_s(3.0) is None
    assert time.expected_s(6.0) == pytest.approx(9006.0, abs=0.002)
