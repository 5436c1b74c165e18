"""Where people and vehicles of the analysed picture are on the main stream's, and whether they still are there.

A picture's JSON (`beside`) has its boxes in its own pixels; a close-up's are those of the enlarged part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import cv2
import numpy as np

from pipelines.media.agreement import agree, stirred
from pipelines.media.hiding import Box, Pixels, grown, whole
from vision.frame import Frame

#: How far the two streams' times may be apart beyond what the still says, and how fast people move, in heights of theirs.
_APART_S: Final = 0.2
_HEIGHTS_PER_S: Final = 1.0


def moved(one: Mapping[str, Any], beside: Mapping[str, Any], frame: Frame, off_s: float) -> Box:
    """A box to hide of the analysed picture, on the main stream's: in its pixels, and larger by how far somebody walks in the
    time that may be between the two."""
    left, top, times = 0, 0, 1
    if "cut_px" in beside:  # a close-up's boxes lie on the enlarged part
        (left, top), times = beside["cut_px"][:2], beside["enlarged"]
    wide, high = beside.get("frame_px") or (beside["width"], beside["height"])
    x, y = frame.width_px / wide, frame.height_px / high
    box = Box(
        str(one["kind"]),
        (one["x1_px"] / times + left) * x,
        (one["y1_px"] / times + top) * y,
        (one["x2_px"] / times + left) * x,
        (one["y2_px"] / times + top) * y,
    )
    walked_px = (abs(off_s) + _APART_S) * _HEIGHTS_PER_S * (box.y2_px - box.y1_px)
    return grown(box, walked_px, 0.25 * walked_px)


def to_hide(analysed_jpeg: bytes, beside: Mapping[str, Any], main: Pixels, boxes: Sequence[Box]) -> list[Box] | None:
    """What is to be hidden of the main stream's picture, from the boxes there; all of one in which something moved.

    None: it does not show what the analysed one does.
    """
    analysed = cv2.imdecode(np.frombuffer(analysed_jpeg, np.uint8), cv2.IMREAD_COLOR)
    width, height = int(beside["width"]), int(beside["height"])
    if analysed is None or analysed.shape[0] < height or analysed.shape[1] < width:
        return None
    x, y = width / main.shape[1], height / main.shape[0]
    covered = [Box(one.kind, one.x1_px * x, one.y1_px * y, one.x2_px * x, one.y2_px * y) for one in boxes]
    times = beside.get("enlarged", 1)
    wide, high = (times * side for side in beside.get("frame_px") or (width, height))
    outline: list[Box] = []
    if "cut_px" not in beside and beside.get("box_norm"):
        outline = _outline(beside["box_norm"], width, height)
    small = cv2.resize(main, (width, height), interpolation=cv2.INTER_AREA)
    pair = np.asarray(analysed[:height, :width], np.uint8), np.asarray(small, np.uint8)
    if not agree(*pair, [*covered, *outline], (wide, high)):
        return None
    moving = stirred(*pair, covered, (wide, high), drawn=outline)
    return [whole(box) if moves else box for box, moves in zip(boxes, moving, strict=True)]


def _outline(box_norm: Sequence[float], width: int, height: int) -> list[Box]:
    """The four sides that are drawn around the subject on the analysed picture, and what a blur makes of them."""
    (x1, x2), (y1, y2) = (sorted((box_norm[n] * size, box_norm[n + 2] * size)) for n, size in ((0, width), (1, height)))
    by = max(6.0, width / 64)
    sides = ((x1, y1, x2, y1), (x1, y2, x2, y2), (x1, y1, x1, y2), (x2, y1, x2, y2))
    return [Box("outline", left - by, top - by, right + by, bottom + by) for left, top, right, bottom in sides]
