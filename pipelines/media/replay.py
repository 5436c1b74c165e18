"""A recorded stream sent again as a camera sends it: packets from memory, each when it is due, round and round.

What a camera's reader sees is the same as over RTSP, without the network and without a server that takes the
processor from what is measured.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import av.error

from pipelines.clock import Clock
from pipelines.errors import BadInput
from pipelines.media.decoding import open_video
from pipelines.media.demand import Demand
from pipelines.media.rtsp import RtspReader


@dataclass(frozen=True, slots=True)
class _Stored:
    content: bytes
    at_s: float
    is_key: bool


class StoredStream:
    """A file's video packets. One is shared by all cameras that play it; it holds no decoder."""

    def __init__(self, path: Path) -> None:
        """Raises BadInput: it cannot be read, or holds fewer than two pictures."""
        try:
            container, stream = open_video(str(path), {}, None)
        except (av.error.FFmpegError, LookupError, OSError, ValueError) as error:
            raise BadInput(f"{path}: is not a video that can be sent") from error
        with container:
            self.codec: Final = stream.codec_context.name
            self.extradata: Final = stream.codec_context.extradata
            self.packets: Final = [
                _Stored(bytes(packet), float(packet.pts * packet.time_base), packet.is_keyframe)
                for packet in container.demux(stream)
                if packet.size and packet.pts is not None and packet.time_base is not None
            ]
        if len(self.packets) < 2:
            raise BadInput(f"{path}: holds fewer than two pictures")
        self.interval_s: Final = (self.packets[-1].at_s - self.packets[0].at_s) / (len(self.packets) - 1)
        self.keys: Final = [number for number, packet in enumerate(self.packets) if packet.is_key]
        self.keys_apart_s: Final = self.interval_s * len(self.packets) / max(1, len(self.keys))


class Replay:
    """One camera's session: what `RtspReader` takes for container and stream. It begins at the `start`-th key picture,
    `later_s` after it is opened: cameras are not in step, but sessions that are opened together would be.

    `on_cpu` gets the processor seconds that pacing took, which a camera would not take from this machine.
    """

    def __init__(
        self,
        stored: StoredStream,
        start: int,
        stop: threading.Event,
        on_cpu: Callable[[float], None],
        later_s: float = 0.0,
    ) -> None:
        self._stored = stored
        self._first = stored.keys[start % len(stored.keys)]
        self._stop = stop
        self.on_cpu = on_cpu
        self._later_s = later_s
        self._number = 0
        context: Any = av.CodecContext.create(stored.codec, "r")
        context.extradata = stored.extradata
        context.thread_count = 1
        self.codec_context: Final = context

    def demux(self, _stream: object) -> Iterator[av.Packet[Any]]:
        """Packets without an end, until `stop` is set; their pts go on growing from loop to loop."""
        begin_s = time.monotonic() + self._later_s
        while True:
            cpu_s = time.thread_time()
            if self._stop.wait(max(0.0, begin_s + self.due_s - time.monotonic())):
                return
            packet = self.next()
            self.on_cpu(time.thread_time() - cpu_s)
            yield packet

    @property
    def due_s(self) -> float:
        """When the next packet is due, in seconds since the session's start."""
        return self._number * self._stored.interval_s

    def next(self) -> av.Packet[Any]:
        """The next packet, due or not."""
        stored = self._stored.packets[(self._first + self._number) % len(self._stored.packets)]
        base = Fraction(1, 90_000)
        packet: Any = av.Packet(stored.content)
        packet.pts = packet.dts = round(self.due_s / base)
        packet.time_base = base
        self._number += 1
        sent: av.Packet[Any] = packet
        return sent

    def close(self) -> None:
        """Nothing is open."""


class SteppedReader(RtspReader):
    """Reads a replay in the caller's thread, as far as `clock` has come whenever it is told to: for a clock that stands still
    while its user works. Nothing is ever late then.
    """

    def __init__(self, session: Replay, begin_s: float, clock: Clock, camera_id: str, **more: Any) -> None:
        """The session's first packet is due at `begin_s` (monotonic); `more` as for `RtspReader`."""
        super().__init__(camera_id, "rtsp://127.0.0.1/replay", clock=clock, **more)
        self._session = session
        self._begin_s = begin_s
        self._next_s = -math.inf
        self._demand = Demand(session.codec_context, self._pace)
        self._time.start_run()

    def run(self, stop: threading.Event) -> None:
        """Nothing to do: `read_on` reads."""

    def read_on(self) -> None:
        """All that is due. What making the packets took is in `on_cpu` of the reader and of the session, as in real time."""
        if self._next_s > self._clock.monotonic_s():
            return
        cpu_s = time.thread_time()
        while (due_s := self._begin_s + self._session.due_s) <= self._clock.monotonic_s():
            packet = self._session.next()
            sent_s = time.thread_time()
            for picture in self._pictures(self._session, packet, self._demand, due_s):
                self._offer(picture, self.camera_id, due_s)
            began_s, cpu_s = cpu_s, time.thread_time()
            self._session.on_cpu(sent_s - began_s)
            self._on_cpu(cpu_s - began_s)
        self._next_s = due_s
