"""A recorded stream sent again as a camera sends it: packets from memory, each when it is due, round and round.

What a camera's reader sees is the same as over RTSP, without the network and without a server that takes the
processor from what is measured.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import av.error

from pipelines.errors import BadInput
from pipelines.media.decoding import open_video


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


class Replay:
    """One camera's session: what `RtspReader` takes for container and stream. It begins at the `start`-th key picture.

    `on_cpu` gets the processor seconds that pacing took, which a camera would not take from this machine.
    """

    def __init__(
        self, stored: StoredStream, start: int, stop: threading.Event, on_cpu: Callable[[float], None]
    ) -> None:
        self._stored = stored
        self._first = stored.keys[start % len(stored.keys)]
        self._stop = stop
        self._on_cpu = on_cpu
        context: Any = av.CodecContext.create(stored.codec, "r")
        context.extradata = stored.extradata
        context.thread_count = 1
        self.codec_context: Final = context

    def demux(self, _stream: object) -> Iterator[av.Packet[Any]]:
        """Packets without an end, until `stop` is set; their pts go on growing from loop to loop."""
        packets, interval_s = self._stored.packets, self._stored.interval_s
        base = Fraction(1, 90_000)
        begin_s = time.monotonic()
        number = 0
        while True:
            cpu_s = time.thread_time()
            due_s = number * interval_s
            if self._stop.wait(max(0.0, begin_s + due_s - time.monotonic())):
                return
            stored = packets[(self._first + number) % len(packets)]
            packet: Any = av.Packet(stored.content)
            packet.pts = packet.dts = round(due_s / base)
            packet.time_base = base
            number += 1
            self._on_cpu(time.thread_time() - cpu_s)
            yield packet

    def close(self) -> None:
        """Nothing is open."""
