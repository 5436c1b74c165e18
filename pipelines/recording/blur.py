"""A copy of a video on which heads and number plates cannot be made out.

Not a face detector: the upper part of every person's box and the lower part of every vehicle's is replaced by a few grey
blocks, wherever the detector saw one in this picture or shortly before or after it. What the detector does not see is not
hidden; docs/footage.md says how much that was when measured. A detector that fails ends the export: a picture that was
not looked at is never let out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from pipelines.errors import Unavailable
from pipelines.media.hiding import LINGER_S, Box, Pixels, hidden_region, hide

__all__ = ["LINGER_S", "Blurred", "Box", "Finder", "Pixels", "blur", "hidden_region", "hide"]

#: Looks at one BGR picture (H, W, 3); raises when it cannot.
Finder = Callable[[Pixels], Sequence[Box]]


@dataclass(frozen=True, slots=True)
class Blurred:
    pictures: int
    boxes: int


def blur(source: Path, target: Path, find: Finder) -> Blurred:
    """Decode `source`, hide, encode to `target` (H.264, no sound). Raises Unavailable, and whatever `find` raises."""
    pictures = boxes = 0
    try:
        with av.open(str(source)) as reader, av.open(str(target), "w", format="mp4") as writer:
            video = reader.streams.video[0]
            rate = video.average_rate or Fraction(25)
            out: Any = writer.add_stream("libx264", rate=rate, options={"crf": "23", "preset": "veryfast"})
            out.width, out.height, out.pix_fmt = video.width & ~1, video.height & ~1, "yuv420p"
            out.time_base = video.time_base
            for time_s, pts, picture, found in _with_neighbours(reader, video, find):
                del time_s
                hide(picture, found)
                frame = av.VideoFrame.from_ndarray(
                    np.ascontiguousarray(picture[: out.height, : out.width]), format="bgr24"
                )
                frame.pts, frame.time_base = pts, video.time_base
                writer.mux(out.encode(frame))
                pictures, boxes = pictures + 1, boxes + len(found)
            writer.mux(out.encode(None))
    except (av.FFmpegError, OSError) as error:
        raise Unavailable(f"{source.name} cannot be blurred: {error}") from error
    return Blurred(pictures, boxes)


def _with_neighbours(reader: Any, video: Any, find: Finder) -> Iterator[tuple[float, int, Pixels, list[Box]]]:
    """(time, pts, picture, boxes of this picture and of those within `LINGER_S`)."""
    window: deque[tuple[float, int, Pixels, list[Box]]] = deque()
    ready = 0
    for frame in reader.decode(video):
        if frame.pts is None:
            continue
        picture = frame.to_ndarray(format="bgr24")
        window.append((float(frame.pts * video.time_base), int(frame.pts), picture, list(find(picture))))
        while ready < len(window) and window[-1][0] - window[ready][0] >= LINGER_S:
            yield _shown(window, ready)
            ready += 1
            while window[ready][0] - window[0][0] > LINGER_S:
                window.popleft()
                ready -= 1
    while ready < len(window):
        yield _shown(window, ready)
        ready += 1


def _shown(window: deque[tuple[float, int, Pixels, list[Box]]], place: int) -> tuple[float, int, Pixels, list[Box]]:
    time_s, pts, picture, _ = window[place]
    near = [box for other in window if abs(other[0] - time_s) <= LINGER_S for box in other[3]]
    # `picture` itself may still be looked at by a neighbour's turn: only boxes are, so hiding in place is safe.
    return time_s, pts, picture, near
