"""Writing a video from pictures."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av

from vision.frame import Pixels


def write_video(pictures: Iterable[Pixels], out: Path, fps: int, crf: int = 12, preset: str = "ultrafast") -> int:
    """Pictures (H, W, 3) uint8 BGR, all of one even size, as H.264 in `out` (its ending names the container).

    Returns how many there were. `out` appears whole or not at all. Raises av.error.FFmpegError when it cannot be written.
    """
    part = out.with_name(f".{out.stem}.{os.getpid()}.part{out.suffix}")
    count = 0
    try:
        with av.open(str(part), "w") as container:
            stream: Any = None
            for picture in pictures:
                if stream is None:
                    stream = container.add_stream("libx264", rate=fps)
                    stream.height, stream.width = picture.shape[:2]
                    stream.pix_fmt = "yuv420p"
                    stream.options = {"crf": str(crf), "preset": preset}
                    stream.thread_count = 2
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
                count += 1
            if stream is not None:
                container.mux(stream.encode(None))
        os.replace(part, out)  # noqa: PTH105 - atomic, and overwrites
    finally:
        part.unlink(missing_ok=True)
    return count
