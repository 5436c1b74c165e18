"""How a part of the picture changed of late: crops of four moments, and their differences as pictures."""

from __future__ import annotations

from collections import deque
from typing import Final

import cv2
import numpy as np

from vision.frame import Pixels
from vision.interaction import Region

STACK_PX: Final = 192
#: The moments of a stack, seconds ago, oldest first; the first two are those of the slow difference with the last.
MOMENTS_S: Final = (0.4, 0.2, 0.1, 0.0)
STEP_S: Final = 0.2
GAP_S: Final = 0.1
SLACK_S: Final = 0.03

_PADDING: Final = 114
_DIFFERENCE_GAIN: Final = 3
_LONGEST_S: Final = 0.6  # older pictures are not of one movement with this one


def cut(grey: Pixels, square_px: tuple[float, float, float], size_px: int = STACK_PX) -> Pixels:
    """The square (x, y, side) of a grey picture at `size_px`, moved inside the picture where it fits, else padded."""
    x, y, side = square_px
    height, width = grey.shape
    if side <= width:
        x = min(max(x, 0.0), width - side)
    if side <= height:
        y = min(max(y, 0.0), height - side)
    left, top, right, bottom = int(np.floor(x)), int(np.floor(y)), int(np.ceil(x + side)), int(np.ceil(y + side))
    part = grey[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    if left < 0 or top < 0 or right > width or bottom > height:
        part = np.asarray(
            cv2.copyMakeBorder(
                part,
                max(0, -top),
                max(0, bottom - height),
                max(0, -left),
                max(0, right - width),
                cv2.BORDER_CONSTANT,
                value=_PADDING,
            ),
            np.uint8,
        )
    method = cv2.INTER_AREA if part.shape[0] > size_px else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, (size_px, size_px), interpolation=method), np.uint8)


def differences(moments: Pixels) -> Pixels:
    """How three moments (H, W, 3) differ from each other, amplified, as the channels of one picture: second from first,
    third from second, third from first.
    """
    wide = moments.astype(np.int16)
    pairs = ((1, 0), (2, 1), (2, 0))
    apart = np.stack([np.abs(wide[..., a] - wide[..., b]) for a, b in pairs], axis=-1)
    return np.asarray(np.minimum(apart * _DIFFERENCE_GAIN, 255), np.uint8)


def change(stack: Pixels) -> Pixels:
    """A stack (H, W, 4) as two pictures (2, H, W, 3): its quick differences (0.1 s) and its slow ones (0.2 s)."""
    return np.stack([differences(stack[..., 1:]), differences(stack[..., [0, 1, 3]])])


class Pictures:
    """The few grey pictures of the past that stacks are cut from: at most four, and between two stacks only what the next
    one needs, because at full resolution each takes two megabytes.
    """

    def __init__(self) -> None:
        self._held: deque[tuple[float, Pixels]] = deque()
        self._stacked_s = float("-inf")

    def __len__(self) -> int:
        return len(self._held)

    def clear(self) -> None:
        self._held.clear()

    @property
    def last_s(self) -> float | None:
        return self._held[-1][0] if self._held else None

    def add(self, time_s: float, grey: Pixels) -> None:
        """The newest picture (H, W). One of another size starts anew."""
        if self._held and self._held[-1][1].shape != grey.shape:
            self._held.clear()
        while self._held and time_s - self._held[0][0] > _LONGEST_S:
            self._held.popleft()
        self._held.append((time_s, grey))

    @property
    def due(self) -> bool:
        """Whether stacks shall be cut now: three pictures are there, and the last were cut `STEP_S` ago."""
        return len(self._held) >= 3 and self._held[-1][0] - self._stacked_s >= STEP_S - SLACK_S

    def stack(self, region: Region) -> Pixels:
        """The region's crop (STACK_PX, STACK_PX, 4) at the moments that come closest to `MOMENTS_S` before the newest."""
        crops: dict[float, Pixels] = {}
        for time_s, grey in self._wanted():
            if time_s not in crops:
                crops[time_s] = cut(grey, region.square_px)
        return np.stack([crops[time_s] for time_s, _ in self._wanted()], axis=-1)

    def thin(self) -> None:
        """Stacks were cut: keep what the next ones want of what is there."""
        self._stacked_s = self._held[-1][0]
        self._held = deque([self._wanted()[1], self._held[-1]])

    def _wanted(self) -> list[tuple[float, Pixels]]:
        now_s = self._held[-1][0]
        return [min(self._held, key=lambda held: abs(now_s - held[0] - ago_s)) for ago_s in MOMENTS_S]
