"""Decoded pictures whose colours are made where somebody reads them, where that gives what libswscale gives, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import av
import numpy as np

from vision import native
from vision.frame import Pixels
from vision.yuv import Planes, Shares, YuvFrame

#: Shares of V in red, U in blue, U and V in green, in 1/65536, where Y, U and V do not use all 256 levels: as libswscale has
#: them, of ITU-R BT.601, BT.709, FCC, SMPTE 240M and BT.2020.
_MATRICES: Final = (
    (104597, 132201, 25675, 53279),
    (117489, 138438, 13975, 34925),
    (104448, 132798, 24759, 53109),
    (117579, 136230, 16907, 35559),
    (110013, 140363, 12277, 42626),
)
#: All 256 levels, or 16 to 235 of Y and 16 to 240 of U and V.
_FORMATS: Final = frozenset({"yuv420p", "yuvj420p"})
#: Rows of the noise on which it is tried.
_TRIED_ROWS: Final = 16


def _words() -> tuple[Shares, ...]:
    every: list[Shares] = []
    for red, blue, green_u, green_v in _MATRICES:
        every.append((16 << 3, _word(65536 * 255 // 219), _word(blue), _word(-green_u), _word(-green_v), _word(red)))
        blue_u, red_v = _word(blue * 224 // 255), _word(red * 224 // 255)
        every.append((0, _word(65536), blue_u, _word(-(green_u * 224 // 255)), _word(-(green_v * 224 // 255)), red_v))
    return tuple(every)


def _word(share: int) -> int:
    """13 bits behind the point."""
    return ((share << 13) + (1 << 15)) >> 16


class LateColours:
    """Of one thread. `convert` is what is held against it: a picture's pixels by libswscale."""

    def __init__(self, convert: Callable[[av.VideoFrame], Pixels]) -> None:
        self._convert = convert
        self._known: dict[tuple[object, ...], Shares | None] = {}

    def frame(self, camera_id: str, run_id: str, time_s: float, picture: av.VideoFrame) -> YuvFrame | None:
        """The picture as a frame; None where it cannot be exact (another format, processor, libswscale)."""
        if native.colours is None:
            return None
        kind = (picture.format.name, picture.width, picture.height, picture.colorspace, picture.color_range)
        if kind not in self._known:
            self._known[kind] = self._find(picture)
        shares = self._known[kind]
        return None if shares is None else YuvFrame(camera_id, run_id, time_s, _planes(picture, shares))

    def _find(self, picture: av.VideoFrame) -> Shares | None:
        if picture.format.name not in _FORMATS or not native.colours.fits(picture.height, picture.width):
            return None
        noise = _noise_like(picture)
        for shares in _words():
            # The noise has all that there can be; the picture has whatever else may turn libswscale another way.
            if all(self._agrees(one, shares) for one in (noise, picture)):
                return shares
        return None

    def _agrees(self, picture: av.VideoFrame, shares: Shares) -> bool:
        return np.array_equal(YuvFrame("", "", 0.0, _planes(picture, shares)).pixels, self._convert(picture))


def _planes(picture: av.VideoFrame, shares: Shares) -> Planes:
    height, width = picture.height, picture.width
    y, u, v = picture.planes
    half = (height // 2, width // 2)
    return Planes(_plane(y, (height, width)), _plane(u, half), _plane(v, half), shares)


def _plane(plane: Any, size: tuple[int, int]) -> Pixels:
    return np.ndarray(size, np.uint8, plane, strides=(plane.line_size, 1))


def _noise_like(picture: av.VideoFrame) -> av.VideoFrame:
    noise = av.VideoFrame(picture.width, _TRIED_ROWS, picture.format.name)
    random = np.random.default_rng(0)
    for plane in noise.planes:
        plane.update(random.bytes(plane.buffer_size))
    noise.colorspace, noise.color_range = picture.colorspace, picture.color_range
    return noise
