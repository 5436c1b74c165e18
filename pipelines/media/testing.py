"""For tests of the live reader: one at work with what it said and gave, and clips for a camera to show."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Event

import ffmpeg

from pipelines.clock import SystemClock
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.media.rtsp import RtspReader
from pipelines.testing_relay import Relay
from vision.frame import Frame


class HastyClock(SystemClock):
    """Waits between sessions are noted and cut short."""

    def __init__(self) -> None:
        self.waits_s: list[float] = []

    def wait(self, stop: Event, timeout_s: float) -> bool:
        self.waits_s.append(timeout_s)
        return stop.wait(min(timeout_s, 0.05))


class Running:
    """A reader with its thread, what it said and what it gave."""

    def __init__(self, url: str, fps: float = 10.0, open_timeout_s: float = 3.0, read_timeout_s: float = 1.5) -> None:
        self.events: Counter[tuple[str, str]] = Counter()
        self.clock = HastyClock()
        self.reader = RtspReader(
            "gate",
            url,
            fps=fps,
            clock=self.clock,
            on_event=self._note,
            open_timeout_s=open_timeout_s,
            read_timeout_s=read_timeout_s,
        )
        self.frames: list[Frame] = []
        self._stop = Event()
        self._thread = threading.Thread(target=self.reader.run, args=(self._stop,), daemon=True)

    def _note(self, kind: str, reason: str) -> None:
        self.events[kind, reason] += 1

    def __enter__(self) -> Running:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()

    def reconnects(self) -> set[str]:
        """Why it had to connect again."""
        return {reason for kind, reason in self.events if kind == "reconnect"}

    def take_until(self, condition: Callable[[], bool], timeout_s: float = 90.0) -> None:
        """Take pictures until `condition()`. Raises AssertionError after `timeout_s`: a bound for a hang, not a speed."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, (dict(self.events), self.reader.last_error, len(self.frames))
            frame = self.reader.take(0.1)
            if frame is not None:
                self.frames.append(frame)

    def take(self, count: int, timeout_s: float = 90.0) -> list[Frame]:
        """The next `count` pictures."""
        wanted = len(self.frames) + count
        self.take_until(lambda: len(self.frames) >= wanted, timeout_s)
        return self.frames[-count:]


def make_clip(out: Path, size: str = "320x240", codec: str = "libx264", seconds: int = 20, **options: object) -> None:
    """A test picture at 10 a second, a key frame each second, no B-frames; `options` are ffmpeg's."""
    source = ffmpeg.input(f"testsrc2=size={size}:rate=10:duration={seconds}", f="lavfi")
    common = {"vcodec": codec, "preset": "ultrafast", "g": 10, "bf": 0, "pix_fmt": "yuv420p", **options}
    Ffmpeg.find().run(source.output(str(out), **common))


def through(relay: Relay, name: str = "a.mp4", login: str = "") -> str:
    """The address of a looping clip behind a relay; `login`: `user:password@`."""
    return f"rtsp://{login}127.0.0.1:{relay.port}/{name}?play_count=0"
