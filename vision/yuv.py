"""A picture as decoders give it, YUV 4:2:0, which becomes BGR only where somebody reads it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np

from vision import native
from vision.brightness import Pixels, brightness, by_opencv, step_px, thumbnail
from vision.frame import Frame
from vision.native.opencv import rounds_as

#: Six words of which `vision.native.colours` makes colours: offset and share of Y, shares of U in blue and green, of V in green
#: and red.
Shares = tuple[int, int, int, int, int, int]


class Planes(NamedTuple):
    """`y` (H, W), `u` and `v` (H / 2, W / 2) uint8; their rows may lie apart."""

    y: Pixels
    u: Pixels
    v: Pixels
    shares: Shares


class YuvFrame(Frame):
    """A `Frame` of planes that nobody writes to any more. `vision.native.colours` must be compiled, and take pictures of that
    size (`fits`).
    """

    def __init__(self, camera_id: str, run_id: str, time_s: float, planes: Planes) -> None:
        for name, value in (("camera_id", camera_id), ("run_id", run_id), ("time_s", time_s)):
            object.__setattr__(self, name, value)
        height, width = planes.y.shape
        self._planes: Planes | None = planes
        self._canvas: Pixels = np.empty((height, width, 3), np.uint8)
        self._done: Pixels = np.zeros(native.colours.tiles(height, width), np.uint8)

    def at(self, parts: Sequence[tuple[int, int, int, int]]) -> Pixels:
        planes = self._planes
        if planes is not None and parts:
            native.colours.fill(*planes, self._canvas, self._done, parts)
        return self._canvas

    @property
    def pixels(self) -> Pixels:
        if self._planes is not None:
            self.at(((0, 0, self.width_px, self.height_px),))
            self._planes = None  # the decoder has its memory back
        return self._canvas

    @property
    def grey(self) -> Pixels:
        planes = self._planes
        if planes is None or not rounds_as(_try_compiled, _try_opencv):
            return brightness(self.pixels)
        return native.colours.grey(*planes, 1)

    @cached_property
    def small(self) -> Pixels:
        planes = self._planes
        if planes is not None and rounds_as(_try_compiled, _try_opencv):
            made = native.colours.thumbnail(*planes, step_px(self.width_px))
            if made is not None:
                return made
        return thumbnail(self.pixels)

    @property
    def width_px(self) -> int:
        return int(self._canvas.shape[1])

    @property
    def height_px(self) -> int:
        return int(self._canvas.shape[0])


#: Those of ITU-R BT.601 with Y from 16 to 235.
BT601: Final[Shares] = (128, 9539, 16525, -3209, -6660, 13075)
#: Half blocks which are tried on noise.
_TRIED: Final = (1, 2, 4, 8)


def _noise(noise: Pixels) -> Planes:
    y, u, v = (np.ascontiguousarray(noise[..., n]) for n in range(3))
    return Planes(y, u[::2, ::2].copy(), v[::2, ::2].copy(), BT601)


def _try_compiled(noise: Pixels) -> list[Pixels | None]:
    planes = _noise(noise)
    return [native.colours.grey(*planes, 1), *(native.colours.thumbnail(*planes, step) for step in _TRIED)]


def _try_opencv(noise: Pixels) -> list[Pixels]:
    pixels = YuvFrame("", "", 0.0, _noise(noise)).pixels
    return [brightness(pixels), *(by_opencv(pixels, step) for step in _TRIED)]
