"""Writes pictures with their own times to an MP4 (H.264): annotated videos, and streams for benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av
import av.error

from pipelines.errors import BadInput
from vision.frame import Pixels

_TIME_BASE: Final = Fraction(1, 90_000)
_FOR_PLAYERS: Final = {"preset": "veryfast", "crf": "23"}


class VideoWriter:
    """A context manager. The file grows under `NAME.part` and gets its name only when it is complete."""

    def __init__(self, path: Path, fps: float, options: Mapping[str, str] = _FOR_PLAYERS) -> None:
        """`fps` is only the rate that players are told; each picture keeps its own time. The name must end in `.mp4`.
        `options` are those of libx264.
        """
        if path.suffix.lower() != ".mp4":
            raise BadInput(f"{path}: a video is written as .mp4; give a name that ends in .mp4")
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._fps = fps
        self._options: dict[str, object] = dict(options)
        self._output: av.container.OutputContainer | None = None
        self._stream: av.VideoStream | None = None

    def __enter__(self) -> Self:
        try:
            self._output = av.open(str(self._part), "w", format="mp4", options={"movflags": "faststart"})
        except (av.error.FFmpegError, OSError) as error:
            raise BadInput(f"{self._path}: cannot be written: {error.strerror or error}") from error
        return self

    def write(self, pixels: Pixels, time_s: float) -> None:
        """Add one (H, W, 3) uint8 BGR picture at `time_s` from the video's start; times must grow."""
        assert self._output is not None
        if self._stream is None:
            height, width = pixels.shape[:2]
            self._stream = self._output.add_stream("libx264", rate=Fraction(self._fps).limit_denominator(1000))
            self._stream.width, self._stream.height = width - width % 2, height - height % 2
            self._stream.pix_fmt = "yuv420p"
            self._stream.options = self._options
            self._stream.codec_context.time_base = _TIME_BASE
        even = pixels[: self._stream.height, : self._stream.width]
        frame = av.VideoFrame.from_ndarray(even, format="bgr24")
        frame.time_base = _TIME_BASE
        frame.pts = round(time_s / _TIME_BASE)
        for packet in self._stream.encode(frame):
            self._output.mux(packet)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._output is not None
        if self._stream is not None and kind is None:
            for packet in self._stream.encode():
                self._output.mux(packet)
        self._output.close()
        if kind is None:
            self._part.replace(self._path)
        else:
            self._part.unlink(missing_ok=True)
