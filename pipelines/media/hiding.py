"""What is hidden of people and vehicles on a picture that leaves the house: heads and number plates, as grey blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

#: A box stays hidden this long before and after the pictures in which it was seen.
LINGER_S: Final = 0.5
_BLOCKS: Final = 3
_MARGIN: Final = 0.15
#: Of a person's height what is hidden, of a vehicle's where it begins.
_HEAD: Final = 0.35


@dataclass(frozen=True, slots=True)
class Box:
    """Something to hide: `kind` is `person` or `vehicle`; corners in pixels."""

    kind: str
    x1_px: float
    y1_px: float
    x2_px: float
    y2_px: float


def boxes_to_json(boxes: Sequence[Box]) -> list[dict[str, float | str]]:
    """As they are kept beside a picture: each is the arguments of its `Box`."""
    return [
        {"kind": box.kind, "x1_px": box.x1_px, "y1_px": box.y1_px, "x2_px": box.x2_px, "y2_px": box.y2_px}
        for box in boxes
    ]


def grown(box: Box, sideways_px: float, upwards_px: float) -> Box:
    """A box of which at least so much more is hidden: to both sides, and above and below what is hidden of it."""
    x1, x2 = box.x1_px - sideways_px, box.x2_px + sideways_px
    if box.kind == "person":
        # Hidden is from above the box down to a part of its height: the box grows downwards so that this part does too.
        return Box(box.kind, x1, box.y1_px - upwards_px, x2, box.y2_px + upwards_px * (2 / _HEAD - 1))
    return Box(box.kind, x1, box.y1_px - 2 * upwards_px, x2, box.y2_px + upwards_px)


def whole(box: Box) -> Box:
    """A box of which everything is hidden, and as much above it as of a person, and below."""
    margin = _MARGIN * (box.y2_px - box.y1_px)
    height = (box.y2_px - box.y1_px + 2 * margin) / (_MARGIN + _HEAD)
    top = box.y1_px - margin + _MARGIN * height
    return Box("person", box.x1_px, top, box.x2_px, top + height)


def hidden_region(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """(x1, y1, x2, y2) of what is hidden of a box, in whole pixels inside a picture of `size` (height, width)."""
    w, h = box.x2_px - box.x1_px, box.y2_px - box.y1_px
    if box.kind == "person":
        top, bottom = box.y1_px - _MARGIN * h, box.y1_px + _HEAD * h
    else:
        top, bottom = box.y1_px + _HEAD * h, box.y2_px + 0.05 * h
    x1, x2 = max(0, int(box.x1_px - _MARGIN * w)), min(size[1], int(box.x2_px + _MARGIN * w) + 1)
    # Nothing of what lies above or left of the picture: a slice to a negative end would be nearly all of it.
    return x1, max(0, int(top)), max(0, x2), max(0, min(size[0], int(bottom) + 1))


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
