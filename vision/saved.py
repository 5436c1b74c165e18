"""Numbers of a saved state: what JSON can say and no camera can mean must be refused when it is read, as the next picture would
end the worker, and every one after it started anew.
"""

from __future__ import annotations

import math
import operator
from typing import Any, Final

from vision.geometry import Box

_INT64: Final = 2**63
#: So many pictures away no camera has seen anything, and OpenCV refuses to look.
_FAR: Final = 100.0


def finite(value: Any) -> float:
    """Raises TypeError or ValueError: it is no number, or not a finite one."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is not finite")
    return float(value)


def whole(value: Any) -> int:
    """Raises TypeError or ValueError: it is no whole number, or takes more than 64 bits."""
    number = operator.index(value)
    if not -_INT64 <= number < _INT64:
        raise ValueError(f"{number} takes more than 64 bits")
    return number


def box(value: Any) -> Box:
    """In parts of the picture. Raises TypeError or ValueError: it is not four numbers, or far from any picture."""
    x1, y1, x2, y2 = map(finite, value)
    if max(map(abs, (x1, y1, x2, y2))) > _FAR:
        raise ValueError(f"{value} is nowhere near the picture")
    return x1, y1, x2, y2
