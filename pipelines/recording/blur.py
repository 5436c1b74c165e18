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
from typing import Any, Final

import av
import numpy as np
import numpy.typing as npt

from pipelines.errors import Unavailable

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Box:
    """Something to hide: `kind` is `person` or `vehicle`; corners in pixels."""

    kind: str
    x1_px: float
    y1_px: float
    x2_px: float
    y2_px: float


#: Looks at one BGR picture (H, W, 3); raises when it cannot.
Finder = Callable[[Pixels], Sequence[Box]]

#: A box stays hidden this long before and after the pictures in which it was seen.
LINGER_S: Final = 0.5
_BLOCKS: Final = 3
_MARGIN: Final = 0.15


@dataclass(frozen=True, slots=True)
class Blurred:
    pictures: int
    boxes: int


def hidden_region(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """(x1, y1, x2, y2) of what is hidden of a box, in whole pixels inside a picture of `size` (height, width)."""
    w, h = box.x2_px - box.x1_px, box.y2_px - box.y1_px
    if box.kind == "person":
        top, bottom = box.y1_px - _MARGIN * h, box.y1_px + 0.35 * h
    else:
        top, bottom = box.y1_px + 0.35 * h, box.y2_px + 0.05 * h
    x1, x2 = max(0, int(box.x1_px - _MARGIN * w)), min(size[1], int(box.x2_px + _MARGIN * w) + 1)
    return x1, max(0, int(top)), x2, min(size[0], int(bottom) + 1)


def hide(picture: Pixels, boxes: Sequence[Box]) -> None:
    """Replace heads and plates in place by a mosaic of 3 x 3 blocks of their mean."""
    size = (picture.shape[0], picture.shape[1])
    for box in boxes:
        x1, y1, x2, y2 = hidden_region(box, size)
        if x2 <= x1 or y2 <= y1:
            continue
        xs, ys = np.linspace(x1, x2, _BLOCKS + 1).astype(int), np.linspace(y1, y2, _BLOCKS + 1).astype(int)
        for row in range(_BLOCKS):
            for column in range(_BLOCKS):
                part = picture[ys[row] : ys[row + 1], xs[column] : xs[column + 1]]
                if part.size:
                    part[:] = part.mean(axis=(0, 1)).astype(np.uint8)


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
