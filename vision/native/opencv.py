"""Whether the OpenCV that is installed rounds as the compiled modules do that follow it: one that rounds otherwise does it all
itself, so that what is seen does not depend on what is compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


@cache
def rounds_as(
    compiled: Callable[[Pixels], Sequence[Pixels | None]], opencv: Callable[[Pixels], Sequence[Pixels]]
) -> bool:
    """Whether both make the same of a picture of noise (64, 96, 3), but for what is not compiled (None). Found out once for the
    same two functions.
    """
    picture: np.ndarray[Any, np.dtype[np.uint8]] = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    return all(
        one is None or np.array_equal(one, other) for one, other in zip(compiled(picture), opencv(picture), strict=True)
    )
