"""Whether two pictures of one camera show the same moment: places that were found on one may only then be hidden on the other.

Two streams of a camera are dated each by its own clock and delay. What shows that they are apart is whoever stands on one
where on the other there is nothing; that is looked for everywhere. Of whoever is hidden it is the head (of a vehicle the plate):
the rest of such a box may differ, for people move, but then somebody else's head may have come there, and all of it is hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from pipelines.media.hiding import Box, Pixels, hidden_region

#: What two encodings of one picture differ by is finer than this part of the width of the whole, or fainter than this.
_FINE: Final = 1 / 320
_FAINT: Final = 16.0
#: Somebody far away: this part of the whole picture.
_SMALLEST: Final = 1.5e-4


def agree(first: Pixels, second: Pixels, covered: Sequence[Box], whole_px: tuple[float, float]) -> bool:
    """Whether two pictures of one size show the same everywhere outside the boxes `covered`, down to somebody far away; one
    may be brighter than the other as a whole. `whole_px`: (width, height) that the whole picture has at their scale, of which
    they may be a part.
    """
    apart = _apart(first, second, whole_px)
    for box in covered:
        apart[_part(box)] = False
    count, _, about, _ = cv2.connectedComponentsWithStats(apart.astype(np.uint8))
    largest = max((int(about[one, cv2.CC_STAT_AREA]) for one in range(1, count)), default=0)
    return largest < _SMALLEST * whole_px[0] * whole_px[1]


def stirred(
    first: Pixels, second: Pixels, covered: Sequence[Box], whole_px: tuple[float, float], drawn: Sequence[Box] = ()
) -> list[bool]:
    """For each of the boxes, whether anything differs in it that is neither hidden, by this box or another, nor `drawn`."""
    apart = _apart(first, second, whole_px)
    for box in drawn:
        apart[_part(box)] = False
    for box in covered:
        x1, y1, x2, y2 = hidden_region(box, (apart.shape[0], apart.shape[1]))
        apart[y1:y2, x1:x2] = False
    return [bool(apart[_part(box)].any()) for box in covered]


def _part(box: Box) -> tuple[slice, slice]:
    x1, y1 = max(0, int(box.x1_px)), max(0, int(box.y1_px))
    return slice(y1, max(0, int(box.y2_px) + 1)), slice(x1, max(0, int(box.x2_px) + 1))


def _apart(
    first: Pixels, second: Pixels, whole_px: tuple[float, float]
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    a, b = (cv2.GaussianBlur(_grey(one), (0, 0), whole_px[0] * _FINE) for one in (first, second))
    return np.asarray(np.abs(a - b - np.median(a - b)) > _FAINT)


def _grey(picture: Pixels) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.float32)
