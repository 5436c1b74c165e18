"""Reading a recorded video, as fast as the reader goes, each picture with its own time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import av.error

from pipelines.errors import BadInput
from pipelines.media.decoding import BgrConverter, open_video, pts_s, reason_of
from pipelines.media.pace import Pace
from pipelines.media.urls import is_live, is_url, redact
from vision.frame import Frame

#: Pictures in a row that cannot be decoded before a file is given up.
_BAD_PACKETS = 500
_TIMEOUT_S = (15.0, 15.0)


class FileSource:
    """Iterates the pictures of a file (or of a URL that is read to its end, e.g. `http://.../clip.mp4`, `rtsp://...`).

    `fps` picks pictures by pts, None gives every one; none is given twice and none is made up. `time_s` of a frame is
    `start_s` + its pts, counted from the first picture, and always grows. Each iteration reads the file anew.
    A lost live stream is not the end of a file: it raises.
    """

    def __init__(self, path: str, camera_id: str, fps: float | None = None, start_s: float = 0.0) -> None:
        self.path = path
        self.camera_id = camera_id
        self.fps = fps
        self.start_s = start_s
        self.bad_packets = 0
        """Packets of the last reading that could not be decoded."""
        self.duration_s: float | None = None
        """Length as the container states it, known after `probe()` or the first picture."""
        self.native_fps: float | None = None
        """Average rate as the container states it, known with `duration_s`."""

    @property
    def name(self) -> str:
        """What is read, without credentials."""
        return redact(self.path)

    def probe(self) -> FileSource:
        """Open and close the file, to learn `duration_s` and `native_fps`. Raises BadInput as iterating does."""
        container, _ = self._open()
        container.close()
        return self

    def __iter__(self) -> Iterator[Frame]:
        """The pictures, in order.

        Raises:
            BadInput: no such file, not a video, or nothing in it can be decoded.
        """
        container, stream = self._open()
        try:
            yield from self._frames(container, stream)
        finally:
            container.close()

    def _open(self) -> tuple[av.container.InputContainer, av.VideoStream]:
        if not is_url(self.path) and not Path(self.path).is_file():
            raise BadInput(f"{self.path}: no such file")
        live = is_live(self.path)
        options = {"rtsp_transport": "tcp"} if self.path.lower().startswith("rtsp") else {}
        try:
            container, stream = open_video(self.path, options, _TIMEOUT_S if is_url(self.path) else None)
        except LookupError as error:
            raise BadInput(f"{self.name}: holds no video") from error
        except (av.error.FFmpegError, ValueError) as error:
            what = f"cannot be opened ({reason_of(error)})" if is_url(self.path) else "is not a video that can be read"
            raise BadInput(f"{self.name}: {what}") from error
        if not live:
            self.duration_s = None if container.duration is None else container.duration / av.time_base
        rate = stream.average_rate
        self.native_fps = float(rate) if rate else None
        return container, stream

    def _frames(self, container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[Frame]:
        pace = Pace(self.fps)
        converter = BgrConverter()
        self.bad_packets = 0
        zero_s: float | None = None
        last_s = -1.0
        for picture in self._pictures(container, stream):
            at_s = pts_s(picture)
            if at_s is None:
                continue
            zero_s = at_s if zero_s is None else zero_s
            since_s = at_s - zero_s
            if since_s <= last_s:
                # A break in the file's clock (joined recordings, a looped stream): go on one picture later.
                since_s = last_s + (1.0 / self.native_fps if self.native_fps else 0.04)
                zero_s = at_s - since_s
            last_s = since_s
            if pace.pick(since_s):
                yield Frame(self.camera_id, self.name, self.start_s + since_s, converter.convert(picture))
        if zero_s is None:
            raise BadInput(f"{self.name}: no picture in it can be decoded")

    def _pictures(self, container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
        in_a_row = 0
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.EOFError:
                return
            except (av.error.FFmpegError, OSError) as error:
                if is_url(self.path):
                    raise BadInput(f"{self.name}: the stream was lost ({reason_of(error)})") from error
                # A file that was cut short (a crashed recorder) is read as far as it goes.
                self.bad_packets += 1
                return
            try:
                pictures = stream.codec_context.decode(packet)
            except av.error.FFmpegError:
                self.bad_packets += 1
                in_a_row += 1
                if in_a_row >= _BAD_PACKETS:
                    return
                continue
            in_a_row = 0
            yield from pictures


def open_source(place: str, camera_id: str, fps: float | None = None, start_s: float = 0.0) -> FileSource:
    """What `gatewatch analyse` reads: a file or a URL, opened once to see that it can be read.

    Raises:
        BadInput: it cannot.
    """
    return FileSource(place, camera_id, fps, start_s).probe()
