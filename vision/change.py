"""How a part of the picture changed of late: crops of four moments, their differences and their movement as pictures."""

from __future__ import annotations

from collections import deque
from typing import Final

import cv2
import numpy as np

from vision.detection import Float32Array
from vision.frame import Pixels
from vision.interaction import Region

STACK_PX: Final = 192
#: What `change` makes of a stack.
PICTURES: Final = 4
#: The moments of a stack, seconds ago, oldest first; the first two are those of the slow difference with the last.
MOMENTS_S: Final = (0.4, 0.2, 0.1, 0.0)
STEP_S: Final = 0.2
GAP_S: Final = 0.1
SLACK_S: Final = 0.03

_PADDING: Final = 114
_DIFFERENCE_GAIN: Final = 2.0
#: Grey levels of the spread of an ordinary picture's parts, what is added so that noise in an even wall is not made much of,
#: and the least and the most gain; measured over a square of so many pixels, a limb's width.
_CONTRAST, _FAINT, _RELIEF, _AROUND_PX = 45.0, 8.0, (0.5, 3.0), 31
#: Grey levels for a pixel that moved by one within 0.1 s. A square is 1.6 people high: a hand that hits is at the end of the
#: scale, somebody who walks is at a third.
_MOVEMENT_GAIN: Final = 8
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
    """How three moments (H, W, 3) differ from each other, in proportion to the contrast around each pixel of the newest, as the
    channels of one picture: second from first, third from second, third from first.

    So the same blow is nearly as bright in a dark or hazy picture as in a clear one.
    """
    seen = moments.astype(np.float32)
    gain = (_DIFFERENCE_GAIN * _relief(seen[..., 2]))[..., None]
    apart = np.stack([np.abs(seen[..., a] - seen[..., b]) for a, b in ((1, 0), (2, 1), (2, 0))], axis=-1)
    return np.asarray(np.minimum(apart * gain, 255), np.uint8)


def _relief(grey: Float32Array) -> Float32Array:
    """By how much the contrast around each pixel of (H, W) falls short of an ordinary one, within bounds."""
    size = (_AROUND_PX, _AROUND_PX)
    mean = cv2.blur(grey, size)
    spread = np.sqrt(np.maximum(cv2.blur(grey * grey, size) - mean * mean, 0))
    return np.asarray(np.clip(_CONTRAST / (spread + _FAINT), *_RELIEF), np.float32)


def movement(search: cv2.DISOpticalFlow, earlier: Pixels, later: Pixels, gain: float) -> Pixels:
    """How far what is seen moved between two grey crops (H, W), as the channels of one picture: sideways, up or down, and in
    all; black is at rest. By optical flow (dense inverse search, Kroeger et al., ECCV 2016).

    A difference is as strong as the contrast is; movement hardly hangs on it: in the dark it is seen nearly as well.
    """
    moved = search.calc(earlier, later, None)  # type: ignore[call-overload]  # it may be None
    sideways, upright = np.abs(moved[..., 0]), np.abs(moved[..., 1])
    far = np.stack([sideways, upright, np.hypot(sideways, upright)], axis=-1)
    return np.asarray(np.minimum(far * gain, 255), np.uint8)


def change(stack: Pixels) -> Pixels:
    """A stack (H, W, 4) as four pictures (PICTURES, H, W, 3): its quick differences (0.1 s), its slow ones (0.2 s), and its
    movement within 0.1 s and within 0.2 s.
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOpticalFlow_PRESET_FAST)
    fifth, tenth, now = (np.ascontiguousarray(stack[..., index]) for index in (1, 2, 3))
    return np.stack(
        [
            differences(stack[..., 1:]),
            differences(stack[..., [0, 1, 3]]),
            movement(search, tenth, now, _MOVEMENT_GAIN),
            movement(search, fifth, now, _MOVEMENT_GAIN / 2),
        ]
    )


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
