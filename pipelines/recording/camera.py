"""One camera's recording: its ffmpeg, its growing segment, and why it is not recorded when it is not.

Driven by the recorder's loop, which owns the thread: `on_readable` when bytes came, `tick` a few times a second. ffmpeg
copies the stream into one endless fragmented MP4 on a pipe; the segments are cut here, so that what is known of a
segment (its bytes, hash, first key frame, time) is known from the bytes that arrived.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import secrets
import signal
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, Protocol

from pipelines.clock import Clock
from pipelines.errors import GatewatchError
from pipelines.media.ffmpeg import Ffmpeg, FfmpegProcess
from pipelines.recording.clockstate import CameraClock
from pipelines.recording.coverage import Cause, Gap
from pipelines.recording.desk import Close, Hole, Job, Outage, Resumed
from pipelines.recording.fmp4 import Fragment, NotMp4, StreamParser
from pipelines.recording.layout import Volume
from pipelines.recording.retries import Retries
from pipelines.recording.segments import SegmentWriter
from pipelines.recording.stream import LIVENESS_S, CameraSettings, end_stream, open_stream
from pipelines.recording.timeline import StreamTime

log = logging.getLogger(__name__)

#: A camera that sends no key frame for this long is connected again, which makes it send one.
KEY_FRAME_S: Final = 600.0
_READ_BYTES: Final = 1 << 18
_NO_PLACE_IN_MP4: Final = "codec not currently supported in container"
#: Nothing is written while less than this is free, so that the ledger itself always finds room.
LEDGER_ROOM_BYTES: Final = 32 * 1024 * 1024


class Loop(Protocol):
    """What a camera asks of the recorder's loop."""

    def watch(self, descriptor: int, camera: CameraRecorder) -> None: ...

    def unwatch(self, descriptor: int) -> None: ...

    def put(self, job: Job) -> None: ...

    def grows(self, writer: SegmentWriter) -> None: ...

    def why(self, url: str) -> Future[tuple[Cause, str]]: ...

    def disk_fault(self) -> str | None:
        """What forbids writing now (volume gone, too little room), None when nothing does."""
        ...


class CameraRecorder:
    """Constructing it starts nothing; `tick` does."""

    def __init__(
        self,
        settings: CameraSettings,
        *,
        volume: Volume,
        clock: Clock,
        binary: Ffmpeg,
        loop: Loop,
        retries: Retries,
        last_end_ms: int | None,
        reconnects: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self.settings = settings
        self._volume = volume
        self._clock = clock
        self._binary = binary
        self._loop = loop
        self._retries = retries
        self._count_reconnect = reconnects
        self._process: FfmpegProcess | None = None
        self._writer: SegmentWriter | None = None
        self._probe: Future[tuple[Cause, str]] | None = None
        self._retry_at_s = 0.0
        self._copy_audio = True
        self._last_end_ms = last_end_ms
        self._outage: Cause | None = Cause.RESTART  # as the sweep at start has written down
        self._stepped = False
        self._reset_run()

    @property
    def pid(self) -> int | None:
        """The process id of its ffmpeg."""
        return None if self._process is None else self._process.pid

    @property
    def recording(self) -> bool:
        return self._writer is not None

    def _reset_run(self) -> None:
        self._run = secrets.token_hex(4)
        self._parser = StreamParser()
        self._time = StreamTime(self._clock.now_s() - self._clock.monotonic_s())
        self._camera_clock = CameraClock()
        self._bytes_s = self._clock.monotonic_s()
        self._segment_from_s = 0.0
        self._segment_from_ms: int | None = None
        self._media_to_s = 0.0
        self._stepped = False

    # -- driven by the loop -------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Start what should run, end what is dead."""
        now_s = self._clock.monotonic_s()
        if self._process is not None:
            if now_s - self._bytes_s > LIVENESS_S:
                self._lost(f"no bytes for {LIVENESS_S:g} s")
            elif self._writer is not None and self._media_to_s - self._segment_from_s > KEY_FRAME_S:
                self._lost(f"no key frame for {KEY_FRAME_S:g} s")
            return
        if self._probe is not None:
            if self._probe.done():
                self._judge(self._probe)
            return
        if now_s >= self._retry_at_s:
            if self._retries.breaker_open:
                self._probe = self._loop.why(self.settings.url)
            else:
                self._start()

    def on_readable(self) -> None:
        """Bytes, or the end of the stream."""
        process = self._process
        if process is None:
            return
        try:
            chunk = os.read(process.stdout.fileno(), _READ_BYTES)
        except BlockingIOError:
            return
        if not chunk:
            self._lost("the stream ended")
            return
        self._bytes_s = self._clock.monotonic_s()
        try:
            for fragment in self._parser.feed(chunk):
                self._fragment(fragment)
        except NotMp4 as error:
            self._lost(f"not usable: {error}")

    def clock_stepped(self) -> None:
        """The host's clock was set: from the next key frame on, pictures are dated by what it says now."""
        self._stepped = True

    def terminate(self) -> None:
        """Tell ffmpeg to end; `stop` then need not wait long."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGTERM)

    def stop(self, cause: Cause, detail: str) -> None:
        """End ffmpeg, keep everything it still had, close the segment, say why nothing follows."""
        process = self._process
        if process is not None:
            self._loop.unwatch(process.stdout.fileno())
            self._process = None
            os.set_blocking(process.stdout.fileno(), True)
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)
            try:
                while self._writer is not None and (chunk := process.stdout.read(_READ_BYTES)):
                    for fragment in self._parser.feed(chunk):
                        self._fragment(fragment)
            except NotMp4:
                log.warning("camera %s: its last bytes were not usable", self.settings.camera_id)
            process.stop(grace_s=2.0)
        self._close_segment()
        self._say_outage(cause, detail)

    # -- the stream ---------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._reset_run()
        try:
            process = open_stream(self._binary, self.settings, copy_audio=self._copy_audio)
        except (GatewatchError, OSError) as error:
            log.error("camera %s: ffmpeg does not start: %s", self.settings.camera_id, error)
            self._say_outage(Cause.RESTART, "ffmpeg does not start")
            self._retry_at_s = self._clock.monotonic_s() + self._retries.failed()
            return
        self._process = process
        self._loop.watch(process.stdout.fileno(), self)

    def _fragment(self, fragment: Fragment) -> None:
        if fragment.start_s is None:
            if self._writer is not None:
                self._append(fragment.data)
            return
        self._time.add(fragment.end_s, self._clock.monotonic_s())
        if fragment.camera_s is not None:
            picture_s = self._time.utc_ms(fragment.start_s) / 1000
            self._camera_clock.add(fragment.camera_s, picture_s, self._clock.now_s())
        if fragment.key:
            long_enough = fragment.start_s - self._segment_from_s >= self.settings.segment_s
            if self._writer is not None and (long_enough or self._stepped):
                self._close_segment()
                self._stood_still(self._time.settle())
            if self._stepped:
                self._redate(fragment.start_s)
            if self._writer is None:
                self._open_segment(fragment.start_s)
        if self._append(fragment.data):
            self._media_to_s = fragment.end_s
            for from_s, to_s in fragment.holes:
                self._hole(from_s, to_s)

    def _redate(self, stream_s: float) -> None:
        """After a step of the host's clock: the same stream, a new date; the seconds stepped over never were."""
        self._stepped = False
        self._time.redate(self._clock.now_s() - self._clock.monotonic_s())
        self._camera_clock = CameraClock()
        self._run = secrets.token_hex(4)
        start_ms = self._time.utc_ms(stream_s)
        if self._last_end_ms is not None and self._outage is None and start_ms > self._last_end_ms:
            gap = Gap(self._last_end_ms, start_ms, Cause.CLOCK, "the host's clock was set forward")
            self._loop.put(Hole(self.settings.camera_id, gap))

    def _open_segment(self, stream_s: float) -> None:
        fault = self._loop.disk_fault()
        if fault is not None:
            self._say_outage(Cause.DISK, fault)
            return
        if self._parser.init is None:
            return
        start_ms = self._time.utc_ms(stream_s)
        if self._last_end_ms is not None and 0 < self._last_end_ms - start_ms <= 200:
            start_ms = self._last_end_ms  # the anchor crept back a little: segments follow each other without overlap
        writer = SegmentWriter(self._volume.root, self.settings.camera_id, self._run, start_ms, self._parser.init)
        try:
            writer.open()
        except OSError as error:
            self._disk_failed(error)
            return
        continued = self._segment_from_ms is not None
        self._writer = writer
        self._segment_from_s = self._media_to_s = stream_s
        self._segment_from_ms = start_ms if continued else None  # the first of a run is dated again when it closes
        self._loop.grows(writer)
        self._retries.worked()
        if self._outage is not None:
            self._outage = None
            self._loop.put(Resumed(self.settings.camera_id, start_ms))
            log.info("camera %s: recording", self.settings.camera_id)

    def _append(self, data: bytes) -> bool:
        if self._writer is None:
            return False
        try:
            self._writer.append(data)
        except OSError as error:
            self._close_segment()
            self._disk_failed(error)
            return False
        return True

    def _disk_failed(self, error: OSError) -> None:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        detail = "the volume is full" if full else f"a write failed: {error.strerror}"
        log.error("camera %s: %s", self.settings.camera_id, detail)
        self._say_outage(Cause.DISK, detail)

    def _close_segment(self) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        start_ms = self._segment_from_ms
        if start_ms is None:
            start_ms = self._time.utc_ms(self._segment_from_s)
            if self._last_end_ms is not None and 0 < self._last_end_ms - start_ms <= 2000:
                start_ms = self._last_end_ms
        end_ms = max(start_ms, self._time.utc_ms(self._media_to_s))
        self._segment_from_ms = start_ms
        self._last_end_ms = end_ms
        self._loop.put(Close(writer, start_ms, end_ms, self._camera_clock.offset_ms()))

    def _stood_still(self, seconds: float) -> None:
        """The stream came later and later without a jump in its own time: the camera did not look for that long."""
        if seconds > 0.0 and self._last_end_ms is not None:
            to_ms = self._last_end_ms + round(seconds * 1000)
            gap = Gap(self._last_end_ms, to_ms, Cause.CAMERA, "the stream stood still")
            self._loop.put(Hole(self.settings.camera_id, gap))

    def _hole(self, from_s: float, to_s: float) -> None:
        gap = Gap(self._time.utc_ms(from_s), self._time.utc_ms(to_s), Cause.CAMERA, "the stream's time jumped", True)
        self._loop.put(Hole(self.settings.camera_id, gap))

    # -- when it is lost ----------------------------------------------------------------------------------------------

    def _lost(self, detail: str) -> None:
        """End this connection; find out why."""
        process, self._process = self._process, None
        if process is None:
            return
        self._loop.unwatch(process.stdout.fileno())
        killed = end_stream(process)
        words = process.last_words()
        camera = self.settings.camera_id
        if _NO_PLACE_IN_MP4 in words and self._copy_audio:
            self._copy_audio = False  # G.711 has no place in MP4: AAC from now on
            self._retry_at_s = self._clock.monotonic_s()
            return
        log.warning("camera %s: %s%s", camera, detail, f" ({words.splitlines()[-1]})" if words else "")
        self._close_segment()
        self._retry_at_s = self._clock.monotonic_s() + self._retries.failed()
        if killed:
            self._count_reconnect("restart")
            self._say_outage(Cause.RESTART, f"ffmpeg was killed by signal {killed}")
        else:
            self._probe = self._loop.why(self.settings.url)

    def _judge(self, probe: Future[tuple[Cause, str]]) -> None:
        self._probe = None
        cause, detail = probe.result()
        self._count_reconnect(cause.value)
        self._say_outage(cause, detail)
        now_s = self._clock.monotonic_s()
        if self._retries.breaker_open and now_s >= self._retry_at_s:
            if cause is Cause.NETWORK:
                self._retry_at_s = now_s + self._retries.failed()
            else:
                self._start()
                self._retry_at_s = now_s

    def _say_outage(self, cause: Cause, detail: str) -> None:
        """From the last picture when this is news, from now on when only the cause has changed."""
        if self._outage is cause:
            return
        now_ms = round(self._clock.now_s() * 1000)
        known = self._outage is not None or self._last_end_ms is None
        from_ms = now_ms if known else min(now_ms, self._last_end_ms or now_ms)
        self._outage = cause
        self._loop.put(Outage(self.settings.camera_id, from_ms, cause, detail))
