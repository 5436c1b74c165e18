"""What both readers do with PyAV: open the video stream with one decoder thread, turn a picture into BGR, name errors."""

from __future__ import annotations

import errno
from typing import Any, Final

import av
import av.container
import av.error
import av.video
import numpy as np
from av.video.reformatter import VideoReformatter

from pipelines.media.colours import LateColours
from vision.frame import Frame, Pixels

#: From libav's error to the word that metrics and the ledger use. First match wins, so the special ones come first.
_REASONS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (av.error.HTTPUnauthorizedError, "unauthorised"),
    (av.error.HTTPForbiddenError, "unauthorised"),
    (av.error.HTTPNotFoundError, "not_found"),
    (av.error.HTTPClientError, "refused"),
    (av.error.HTTPServerError, "server_error"),
    (ConnectionRefusedError, "refused"),
    (TimeoutError, "timeout"),
    (av.error.ExitError, "timeout"),
    (av.error.EOFError, "ended"),
    (ConnectionError, "connection_lost"),
    (BrokenPipeError, "connection_lost"),
    (av.error.InvalidDataError, "garbage"),
    (av.error.ProtocolNotFoundError, "not_supported"),
    (av.error.DemuxerNotFoundError, "not_supported"),
    (av.error.DecoderNotFoundError, "not_supported"),
    # libav says EIO both for a name that does not resolve and for a peer whose words it cannot read.
    (OSError, "io_error"),
)

#: The system's own words for a host or a network that cannot be reached.
_UNREACHABLE: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})


def reason_of(error: BaseException) -> str:
    """One word for what went wrong: bounded, fit for a metric's label."""
    if isinstance(error, OSError) and error.errno in _UNREACHABLE:
        return "unreachable"
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), "failed")


def open_video(
    place: str, options: dict[str, str], timeout_s: tuple[float, float] | None
) -> tuple[av.container.InputContainer, av.video.VideoStream]:
    """Open a file or a URL; `timeout_s` = (open, read). One decoder thread: many streams share few cores.

    Raises:
        av.error.FFmpegError: as libav says.
        LookupError: it holds no video (or none that can be decoded).
    """
    container = av.open(place, mode="r", options=options, timeout=timeout_s)
    try:
        stream = next((found for found in container.streams.video if found.codec_context is not None), None)
        if stream is None:
            raise LookupError("no video")
        stream.codec_context.thread_count = 1
    except BaseException:
        container.close()
        raise
    return container, stream


def pts_s(picture: av.VideoFrame | av.Packet[Any]) -> float | None:
    """The picture's own time in seconds on the stream's clock."""
    # The time base is a new fraction each time that it is asked for, and multiplying one takes longer than dividing.
    pts, base = picture.pts, picture.time_base
    return None if pts is None or base is None else pts * base.numerator / base.denominator


class BgrConverter:
    """Turns decoded pictures into (H, W, 3) uint8 BGR at full resolution. One per thread: it keeps libswscale's state."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._late = LateColours(self.convert)

    def convert(self, picture: av.VideoFrame) -> Pixels:
        """The picture's pixels, a copy of its own.

        Raises:
            av.error.FFmpegError, ValueError: the pixel format cannot be converted.
        """
        # Left alone, libswscale starts a thread per core for each camera, to share out what takes a tenth of a millisecond.
        array: Any = self._reformatter.reformat(picture, format="bgr24", threads=1).to_ndarray()
        return np.ascontiguousarray(array, dtype=np.uint8)

    def frame(self, camera_id: str, run_id: str, time_s: float, picture: av.VideoFrame) -> Frame:
        """The picture as a frame, converted where its pixels are read and when, if that gives the same. Raises as `convert`."""
        late = self._late.frame(camera_id, run_id, time_s, picture)
        return Frame(camera_id, run_id, time_s, self.convert(picture)) if late is None else late
