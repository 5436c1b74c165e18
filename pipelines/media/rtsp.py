"""Reading a live camera: always draining, newest picture first, reconnecting until told to stop."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from typing import Any, Final

import av
import av.error

from pipelines.clock import Clock
from pipelines.errors import BadInput
from pipelines.media.capture_time import CaptureTime
from pipelines.media.decoding import BgrConverter, open_video, pts_s, reason_of
from pipelines.media.demand import Demand
from pipelines.media.pace import Pace
from pipelines.media.urls import is_url, redact
from vision.frame import Frame

OPEN_TIMEOUT_S: Final = 10.0
READ_TIMEOUT_S: Final = 5.0
#: A picture older than this when it is taken is dropped.
STALE_S: Final = 1.0
#: A stream that has been behind for so long will not catch up by itself: a new session starts at the live edge.
BEHIND_S: Final = 15.0
#: Packets arrive and no picture comes of them: another codec than announced, or a broken encoder.
NO_PICTURE_S: Final = 15.0
BACKOFF_S: Final = (1.0, 30.0)
#: Cameras lock an account after a few wrong passwords: asking again and again makes it worse.
UNAUTHORISED_BACKOFF_S: Final = (30.0, 300.0)

#: libav reads ahead to learn the stream's parameters, by default for seconds. Half a second is enough for a decoder.
_PROBE: Final = {"analyzeduration": "500000", "fpsprobesize": "0"}
_RTSP: Final = {"rtsp_transport": "tcp", "allowed_media_types": "video"}


class SessionEnded(Exception):
    """One connection to the camera is over; the text is the reason, one word."""


@dataclass(frozen=True, slots=True)
class _Picked:
    picture: av.VideoFrame
    run_id: str
    time_s: float
    edge_s: float


#: (address, options of libav, (open, read) time-out in seconds) -> (container, stream), as `decoding.open_video`.
OpenVideo = Callable[[str, dict[str, str], tuple[float, float]], tuple[Any, Any]]


def _nothing(_kind: str, _reason: str) -> None:
    pass


def _uncounted(_cpu_s: float) -> None:
    pass


def _untold() -> None:
    pass


class RtspReader:
    """One camera. `run` works in a thread of its own, `take` is called from one other.

    Every packet is read as it comes, and decoded when a picture that is picked (by `fps`, which may be set at any time) is made
    of it (`demand`); only what is taken is converted to BGR.
    A picture that was not taken before the next is dropped: `on_event("drop", reason)` with
    `superseded` (analysis is slower than `fps`), `stale` (older than 1 s when taken: the stream is behind its own live
    edge, see `capture_time`), `no_pts`, `corrupt`, `undecodable`, `unconvertible`. At the end of each session
    `on_event("reconnect", reason)`: `refused`, `unreachable`, `io_error`, `unauthorised`, `not_found`, `timeout`, `no_data`,
    `connection_lost`, `ended`, `garbage`, `no_video`, `undecodable`, `stale`, `not_supported`, `server_error`, `failed`.
    `on_event` is called in both threads and must be quick; `on_cpu` gets the processor seconds that reading and decoding
    took, after each packet.
    """

    def __init__(
        self,
        camera_id: str,
        url: str,
        *,
        fps: float,
        clock: Clock,
        not_before_s: float = 0.0,
        on_event: Callable[[str, str], None] = _nothing,
        on_cpu: Callable[[float], None] = _uncounted,
        open_stream: OpenVideo = open_video,
        jitter: random.Random | None = None,
        open_timeout_s: float = OPEN_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        """Raises BadInput for an address that is none. `not_before_s`: the last time of an earlier process."""
        if not is_url(url):
            raise BadInput(f"camera {camera_id}: {redact(url)!r} is not a URL such as rtsp://192.0.2.10/stream")
        self.camera_id = camera_id
        self.sessions = 0
        """Connections that were opened."""
        self.on_frame = _untold
        """Called in `run`'s thread when a picture waits to be taken; may be set before it runs, and must be quick."""
        self.last_error = ""
        """What the last session ended with, in words, without credentials."""
        self.superseded = 0
        """Pictures that a newer one replaced before they were taken."""
        self._url = url
        self._timeouts_s = (open_timeout_s, read_timeout_s)
        self._clock = clock
        self._on_event = on_event
        self._on_cpu = on_cpu
        self._open_stream = open_stream
        self._jitter = random.Random() if jitter is None else jitter
        self._time = CaptureTime(not_before_s)
        self._pace = Pace(fps)
        self._converter = BgrConverter()
        self._fresh = threading.Condition()
        self._slot: _Picked | None = None
        self._last_packet_s: float | None = None
        self._waits_s = 0.0
        self._seen_picture = False

    @property
    def fps(self) -> float:
        """Pictures offered per second, at most; may be set while running."""
        return self._pace.fps or 0.0

    @fps.setter
    def fps(self, value: float) -> None:
        if value <= 0:
            raise ValueError(f"fps must be above 0, got {value}")
        self._pace.fps = value

    @property
    def next_time_s(self) -> float | None:
        """Capture time of the picture that waits; None when none does."""
        waiting = self._slot
        return None if waiting is None else waiting.time_s

    @property
    def last_packet_age(self) -> float | None:
        """Seconds since bytes arrived; None before the first. A camera is alive when this is small, nothing else."""
        return None if self._last_packet_s is None else self._clock.monotonic_s() - self._last_packet_s

    @property
    def last_time_s(self) -> float:
        """The newest capture time so far: what another reader of this camera must be given as `not_before_s`."""
        return max(self._time.last_time_s, self._waits_s)  # what is not decoded yet has come: the camera is not silent

    def take(self, timeout_s: float) -> Frame | None:
        """The newest picture, each at most once; None when none came within `timeout_s`."""
        with self._fresh:
            if self._slot is None:
                self._fresh.wait(timeout_s)
            picked, self._slot = self._slot, None
        if picked is None:
            return None
        if self._clock.monotonic_s() - picked.edge_s > STALE_S:
            self._on_event("drop", "stale")
            return None
        try:
            return self._converter.frame(self.camera_id, picked.run_id, picked.time_s, picked.picture)
        except (av.error.FFmpegError, ValueError):
            self._on_event("drop", "unconvertible")
            return None

    def run(self, stop: Event) -> None:
        """Connect, read, reconnect with back-off and jitter, until `stop` is set."""
        wait_s = BACKOFF_S[0]
        while not stop.is_set():
            began_s = self._clock.monotonic_s()
            reason = "failed"
            try:
                self.run_once(stop)
                return
            except SessionEnded as ended:
                reason = str(ended)
            low_s, high_s = UNAUTHORISED_BACKOFF_S if reason == "unauthorised" else BACKOFF_S
            # A session that held for longer than its wait was a good one: the next wait is short again.
            held = self._seen_picture and self._clock.monotonic_s() - began_s > wait_s
            wait_s = low_s if held else min(max(wait_s, low_s), high_s)
            self._on_event("reconnect", reason)
            if self._clock.wait(stop, wait_s * self._jitter.uniform(0.5, 1.0)):
                return
            wait_s = min(wait_s * 2, high_s)

    def run_once(self, stop: Event) -> None:
        """One session, until `stop` (returns) or until it is over.

        Raises:
            SessionEnded: with the reason.
        """
        self._seen_picture = False
        options = dict(_PROBE)
        if self._url.lower().startswith("rtsp"):
            # The socket's own time-out as well: PyAV's does not cover the closing of a session.
            options |= _RTSP | {"timeout": str(int(max(self._timeouts_s) * 1_000_000))}
        began_s = self._clock.monotonic_s()
        try:
            container, stream = self._open_stream(self._url, options, self._timeouts_s)
        except LookupError as error:
            self.last_error = "the stream holds no video"
            raise SessionEnded("no_video") from error
        except (av.error.FFmpegError, OSError, ValueError) as error:
            ended = self._ended(error, "timeout")
            # libav calls an answer that never came invalid data, as it does one that makes no sense.
            if str(ended) == "garbage" and self._clock.monotonic_s() - began_s >= 0.9 * self._timeouts_s[0]:
                raise SessionEnded("timeout") from error
            raise ended from error
        self.sessions += 1
        try:
            self._read(container, stream, stop)
        finally:
            container.close()
            with self._fresh:
                self._slot = None

    def _ended(self, error: BaseException, when_timed_out: str) -> SessionEnded:
        reason = reason_of(error)
        self.last_error = redact(str(error))
        return SessionEnded(when_timed_out if reason == "timeout" else reason)

    def _read(self, container: av.container.InputContainer, stream: av.VideoStream, stop: Event) -> None:
        self._time.start_run()
        run_id = f"{self.camera_id}@{datetime.fromtimestamp(self._clock.now_s(), UTC):%Y%m%dT%H%M%S.%fZ}"
        packets, demand = container.demux(stream), Demand(stream.codec_context, self._pace)
        picture_s = fresh_s = self._clock.monotonic_s()
        spent_s = time.thread_time()
        while not stop.is_set():
            try:
                packet = next(packets)
            except StopIteration as error:
                self.last_error = "the camera closed the stream"
                raise SessionEnded("ended") from error
            except (av.error.FFmpegError, OSError) as error:
                raise self._ended(error, "no_data") from error
            arrival_s = self._clock.monotonic_s()
            if packet.size:
                self._last_packet_s = arrival_s
            for picture in self._pictures(stream, packet, demand, arrival_s):
                picture_s = arrival_s
                if self._offer(picture, run_id, arrival_s):
                    fresh_s = arrival_s
            before_s, spent_s = spent_s, time.thread_time()
            self._on_cpu(spent_s - before_s)
            if arrival_s - picture_s > NO_PICTURE_S:
                self.last_error = "packets arrive, but no picture can be decoded from them"
                raise SessionEnded("undecodable")
            if arrival_s - fresh_s > BEHIND_S:
                self.last_error = "the stream is behind its live edge and does not catch up"
                raise SessionEnded("stale")

    def _pictures(
        self, stream: Any, packet: av.Packet[Any], demand: Demand, arrival_s: float
    ) -> Iterable[av.VideoFrame]:
        """What comes of a packet, and of those that waited for it; of these only what somebody wants."""
        at_s = pts_s(packet)
        time_s = None if at_s is None else self._time.expected_s(at_s)
        pictures: Iterable[av.VideoFrame] = ()
        wanted = demand.put(packet, time_s, arrival_s)
        if time_s is not None and not wanted:
            self._waits_s = time_s
        for one in wanted:
            pictures = self._decode(stream, one)
        return pictures

    def _decode(self, stream: Any, packet: av.Packet[Any]) -> list[av.VideoFrame]:
        try:
            return list(stream.codec_context.decode(packet))
        except av.error.FFmpegError:
            self._on_event("drop", "undecodable")
            return []

    def _offer(self, picture: av.VideoFrame, run_id: str, arrival_s: float) -> bool:
        """Put a picture where `take` finds it, if it is wanted. False when the stream is behind its live edge."""
        at_s = pts_s(picture)
        if at_s is None:
            self._on_event("drop", "no_pts")
            return True
        stamp = self._time.stamp(at_s, arrival_s, self._clock.now_s())
        if stamp is None:
            return True
        self._seen_picture = True
        behind = arrival_s - stamp.edge_s > STALE_S
        if picture.is_corrupt:
            self._on_event("drop", "corrupt")
        elif self._pace.pick(stamp.time_s):
            with self._fresh:
                superseded = self._slot is not None
                self._slot = _Picked(picture, run_id, stamp.time_s, stamp.edge_s)
                self._fresh.notify()
            self.on_frame()
            if superseded:
                self.superseded += 1
                self._on_event("drop", "superseded")
        return not behind
