"""Smooth live video of a camera: its own H.264, repackaged and never re-encoded.

One copying ffmpeg per watched stream however many look, ended some seconds after its last viewer. A viewer begins with
the newest key frame; one that cannot keep up loses its place and is sent away, since waiting for it would make the others
late.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

from pipelines.clock import Clock
from pipelines.errors import Unavailable
from pipelines.media.ffmpeg import Ffmpeg, FfmpegError, FfmpegProcess
from pipelines.media.relay import open_relay
from pipelines.recording.fmp4 import Fragment, Init, NotMp4, StreamParser

_READ_BYTES: Final = 1 << 16
#: What a new viewer is given at once: the pictures since the last key frame. A camera with a longer way between key
#: frames than this holds is joined at its next one.
_GROUP_BYTES: Final = 16 << 20
#: A viewer that is this much behind is sent away.
_BEHIND_BYTES: Final = 16 << 20
_START_WITHIN_S: Final = 15.0


class NotPlayable(Unavailable):
    """The stream is there and is nothing that a browser plays; the message says what it is."""


@dataclass(eq=False)
class Viewer:
    """Chunks for one who looks. `put` from the copying thread, `chunks` in the event loop."""

    loop: asyncio.AbstractEventLoop
    _queue: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    _behind_bytes: int = 0
    _gone: bool = False

    def put(self, chunk: bytes) -> bool:
        """False: this viewer is gone or too far behind."""
        if self._gone or self._behind_bytes > _BEHIND_BYTES:
            return False
        self._behind_bytes += len(chunk)
        return self._send(chunk)

    def end(self) -> None:
        """What is on its way still comes; then `chunks` ends."""
        self._send(None)

    def _send(self, chunk: bytes | None) -> bool:
        try:
            self.loop.call_soon_threadsafe(self._queue.put_nowait, chunk)
        except RuntimeError:  # its loop is closed: the server stops
            return False
        return True

    async def chunks(self) -> AsyncIterator[bytes]:
        """Until the stream ends."""
        while (chunk := await self._queue.get()) is not None:
            self._behind_bytes -= len(chunk)
            yield chunk

    def leave(self) -> None:
        self._gone = True


class _Copy:
    """One stream being copied to its viewers. `run` in a thread of its own."""

    def __init__(self, binary: Ffmpeg, url: str, clock: Clock, linger_s: float, ended: Callable[[_Copy], None]) -> None:
        self._binary = binary
        self._url = url
        self._clock = clock
        self._linger_s = linger_s
        self._ended = ended
        self._lock = threading.Lock()
        self._viewers: set[Viewer] = set()
        self._group: list[bytes] = []
        self._group_bytes = 0
        self._parser = StreamParser()
        self._lonely_since_s: float | None = None
        self._process: FfmpegProcess | None = None
        self.ready = threading.Event()
        self.over = False
        self.fault = ""

    @property
    def init(self) -> Init | None:
        return self._parser.init

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def join(self, viewer: Viewer) -> bool:
        """False: this copy has ended."""
        with self._lock:
            init = self._parser.init
            if self.over or init is None:
                return False
            for chunk in (init.data, *self._group):
                viewer.put(chunk)
            self._viewers.add(viewer)
            self._lonely_since_s = None
            return True

    def leave(self, viewer: Viewer) -> None:
        with self._lock:
            self._viewers.discard(viewer)
            if not self._viewers and self._lonely_since_s is None:
                self._lonely_since_s = self._clock.monotonic_s()

    def stop(self) -> None:
        process = self._process
        if process is not None:
            process.stop(grace_s=0.5)

    def lonely(self) -> bool:
        """Nobody has looked for a while."""
        since_s = self._lonely_since_s
        return since_s is not None and self._clock.monotonic_s() - since_s > self._linger_s

    def run(self) -> None:
        try:
            self._process = open_relay(self._binary, self._url)
            descriptor = self._process.stdout
            while chunk := descriptor.read1(_READ_BYTES):  # type: ignore[attr-defined]
                for fragment in self._parser.feed(chunk):
                    self._give(fragment)
                if self._parser.init is not None:
                    self.ready.set()
                if self.lonely():
                    break
            self.fault = self._process.last_words()
        except (FfmpegError, OSError, NotMp4) as error:
            self.fault = str(error)
        finally:
            with self._lock:
                self.over = True
                for viewer in self._viewers:
                    viewer.end()
                self._viewers.clear()
            if self._process is not None:
                self._process.stop(grace_s=0.5)
            self.ready.set()
            self._ended(self)

    def _give(self, fragment: Fragment) -> None:
        with self._lock:
            if fragment.key:
                self._group, self._group_bytes = [], 0
            # After a group that grew too long nothing is kept until the next key frame.
            if fragment.key or self._group:
                self._group.append(fragment.data)
                self._group_bytes += len(fragment.data)
                if self._group_bytes > _GROUP_BYTES:
                    self._group = []
            for viewer in [one for one in self._viewers if not one.put(fragment.data)]:
                viewer.end()
                self._viewers.discard(viewer)
            if not self._viewers and self._lonely_since_s is None:
                self._lonely_since_s = self._clock.monotonic_s()


class LiveVideos:
    """Every stream that is looked at. Starts nothing before the first `watch`; `close` ends what runs."""

    def __init__(self, binary: Callable[[], Ffmpeg], clock: Clock, linger_s: float = 10.0) -> None:
        self._binary = binary
        self._clock = clock
        self._linger_s = linger_s
        self._lock = threading.Lock()
        self._copies: dict[str, _Copy] = {}

    def codec(self, url: str) -> str:
        """What the stream is, as a browser's MIME parameter (`avc1.64001f`); starts copying it.

        Blocks until it is known. Raises Unavailable: no video comes; NotPlayable: a browser has no decoder for it.
        """
        copy = self._copy(url)
        copy.ready.wait(_START_WITHIN_S)
        init = copy.init
        if init is None:
            raise Unavailable(f"no video comes from the camera: {copy.fault or 'it does not answer'}")
        if init.video.codec != "avc1":
            raise NotPlayable(f"the camera sends {init.video.codec}, which browsers do not play; H.264 is needed")
        place = init.data.find(b"avcC")
        return f"avc1.{init.data[place + 5 : place + 8].hex()}"

    def watch(self, url: str, loop: asyncio.AbstractEventLoop) -> Viewer | None:
        """A new viewer of a stream that `codec` has started; None: it ended meanwhile."""
        viewer = Viewer(loop)
        with self._lock:
            copy = self._copies.get(url)
        return viewer if copy is not None and copy.join(viewer) else None

    def leave(self, url: str, viewer: Viewer) -> None:
        viewer.leave()
        with self._lock:
            copy = self._copies.get(url)
        if copy is not None:
            copy.leave(viewer)

    @property
    def running(self) -> int:
        """How many streams are being copied."""
        with self._lock:
            return len(self._copies)

    def close(self) -> None:
        with self._lock:
            copies = list(self._copies.values())
        for copy in copies:
            copy.stop()

    def _copy(self, url: str) -> _Copy:
        with self._lock:
            copy = self._copies.get(url)
            if copy is None or copy.over:
                copy = _Copy(self._binary(), url, self._clock, self._linger_s, self._forget)
                self._copies[url] = copy
                threading.Thread(target=copy.run, name="live-video", daemon=True).start()
            return copy

    def _forget(self, copy: _Copy) -> None:
        with self._lock:
            self._copies = {url: one for url, one in self._copies.items() if one is not copy}
