"""Whether two pictures of one camera show the same moment: places that were found on one may only then be hidden on the other.

Two streams of a camera are dated each by its own clock and delay. What shows that they are apart is whoever stands on one
where on the other there is nothing; that is looked for everywhere but where it is hidden anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from pipelines.media.hiding import Box, Pixels

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
    a, b = (cv2.GaussianBlur(_grey(one), (0, 0), whole_px[0] * _FINE) for one in (first, second))
    apart = np.abs(a - b - np.median(a - b)) > _FAINT
    for box in covered:
        x1, y1 = max(0, int(box.x1_px)), max(0, int(box.y1_px))
        apart[y1 : max(0, int(box.y2_px) + 1), x1 : max(0, int(box.x2_px) + 1)] = False
    count, _, about, _ = cv2.connectedComponentsWithStats(apart.astype(np.uint8))
    largest = max((int(about[one, cv2.CC_STAT_AREA]) for one in range(1, count)), default=0)
    return largest < _SMALLEST * whole_px[0] * whole_px[1]


def _grey(picture: Pixels) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.float32)
