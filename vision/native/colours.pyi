from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_Plane = npt.NDArray[np.uint8]

def fits(height: int, width: int) -> bool: ...
def tiles(height: int, width: int) -> tuple[int, int]: ...
def fill(
    y: _Plane,
    u: _Plane,
    v: _Plane,
    shares: Sequence[int],
    out: npt.NDArray[np.uint8],
    done: npt.NDArray[np.uint8],
    parts: Sequence[tuple[int, int, int, int]],
) -> None: ...
def grey(y: _Plane, u: _Plane, v: _Plane, shares: Sequence[int], step: int) -> npt.NDArray[np.uint8]: ...
def thumbnail(y: _Plane, u: _Plane, v: _Plane, shares: Sequence[int], step: int) -> npt.NDArray[np.uint8] | None: ...
