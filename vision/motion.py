"""Which parts of a fixed camera's picture changed: cheap enough for every frame, so that the detector need not be.

A grid of block means of the picture's brightness is compared with a background that follows slowly (running average,
as in Stauffer and Grimson's simplest case, one mode), in units of each block's own noise, which is learned from the
picture. The change of light that all blocks share is taken out first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from vision import native
from vision.brightness import thumbnail
from vision.detection import BoolArray, Float32Array
from vision.frame import Picture, Pixels, size_px, whole

Region = tuple[float, float, float, float]

#: From here on a block is white: part of its pixels are at the sensor's end.
_WHITE: Final = 215.0
#: Mean deviation of a block, in levels of 255, above which it is no sensor's noise any more.
_MOST_NOISE: Final = 3.0


@dataclass(frozen=True, slots=True)
class MotionResult:
    """`regions_norm`: boxes (x1, y1, x2, y2), 0..1, around what changed, with a margin; none when nothing did.

    `whole` says that the picture cannot be compared with what was there before (the first one, a new size, a jump of
    the light or of the camera): then one region covers all of it. `share` is the part of the picture that changed.
    """

    changed: bool
    regions_norm: tuple[Region, ...]
    share: float
    whole: bool


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """A block has changed when it differs from the background by `noise_factor` times the noise and by `least_levels` of 255 at
    least. The background follows within about `follow_s`, the noise within ten times that. More than `whole_share` of the
    picture changed at once is no motion: the light or the camera jumped. A block counts where `least_blocks` of the nine
    around it changed; a region is widened by `margin_blocks`.
    """

    noise_factor: float = 6.0
    least_levels: float = 2.5
    follow_s: float = 4.0
    whole_share: float = 0.6
    margin_blocks: int = 1
    least_blocks: int = 3


class MotionGate:
    """The memory of one camera. `update` wants the pictures of that camera in order of time."""

    def __init__(self, settings: MotionSettings | None = None) -> None:
        self._settings = settings or MotionSettings()
        self._around = np.ones((2 * self._settings.margin_blocks + 1,) * 2, np.uint8)
        self._picture_px: tuple[int, int] | None = None
        self._background: Float32Array | None = None
        self._noise: Float32Array | None = None
        self._shared = self._least_noise = self._settings.least_levels / self._settings.noise_factor
        self._limits = (
            self._least_noise,
            _MOST_NOISE,
            self._settings.noise_factor,
            self._settings.whole_share,
            _WHITE,
        )
        self._time_s = 0.0
        self._now: Pixels | None = None
        self._changed: BoolArray | None = None
        """What differed in the last picture; written over by the next."""
        self._was_looked_at = False

    def update(self, picture: Picture, time_s: float, small: Pixels | None = None) -> MotionResult:
        """Compare a picture (a frame, or (H, W, 3) uint8 BGR, or its brightness (H, W)) with the background, and let that follow.
        `small` is its thumbnail, if there is one already.

        Raises:
            ValueError: `time_s` goes back.
        """
        s, size = self._settings, size_px(picture)
        blocks = thumbnail(whole(picture)) if small is None else small
        background, noise = self._background, self._noise
        if background is None or noise is None or size != self._picture_px:
            self._restart(blocks, size, time_s)
            return _everything()
        if time_s < self._time_s:
            raise ValueError(f"time_s goes back from {self._time_s} to {time_s}")
        self._settle(background)
        elapsed_s, self._time_s = time_s - self._time_s, time_s
        pace = 1.0 - math.exp(-elapsed_s / s.follow_s)
        if native.motion is not None:
            changed = np.empty(blocks.shape, np.bool_) if self._changed is None else self._changed
            share, self._shared = native.motion.update(
                blocks, background, noise, changed, self._shared, pace, *self._limits
            )
        else:
            share, changed = self._compare(blocks.astype(np.float32), background, noise, pace)
        if share > s.whole_share:
            self._restart(blocks, size, time_s)
            return _everything()
        self._now, self._changed, self._was_looked_at = blocks, changed, False
        regions = self._regions(changed) if share > 0 else ()
        return MotionResult(bool(regions), regions, share, whole=False)

    def looked(self) -> None:
        """What changed in the last picture has been looked at: from now on it counts as what was there before.

        So a region says "changed since it was last looked at". Without it the background follows by itself, within
        four times `follow_s`. Where nothing changed the background stays the mean of many pictures, which is steadier.
        """
        self._was_looked_at = True

    def _settle(self, background: Float32Array) -> None:
        # Not at once, but when the background is needed anyhow: between two pictures it goes out of all caches.
        if not self._was_looked_at or self._now is None or self._changed is None:
            return
        if native.motion is not None:
            native.motion.looked(background, self._now, self._changed)
        else:
            np.copyto(background, self._now, where=self._changed)

    def _restart(self, blocks: Pixels, size: tuple[int, int], time_s: float) -> None:
        self._picture_px, self._time_s = size, time_s
        self._background = blocks.astype(np.float32)
        self._noise = np.full_like(self._background, self._least_noise)
        self._now = self._changed = None

    def _compare(
        self, blocks: Float32Array, background: Float32Array, noise: Float32Array, pace: float
    ) -> tuple[float, BoolArray]:
        """The share of the blocks that changed, and which; unless that is the whole, background and noise follow."""
        expected = background * _common_light(blocks, background)
        # Sensors stop at 255: two values of nearly white are the same.
        difference = np.minimum(blocks, np.float32(_WHITE))
        difference -= np.minimum(expected, np.float32(_WHITE))
        np.abs(difference, out=difference)
        limit = np.maximum(noise, np.float32(self._shared_noise(difference, pace)))
        limit *= np.float32(self._settings.noise_factor)
        changed: BoolArray = difference > limit
        share = float(np.count_nonzero(changed)) / changed.size
        if share <= self._settings.whole_share:
            self._learn(blocks, expected, noise, changed, np.float32(pace))
        return share, changed

    def _shared_noise(self, difference: Float32Array, pace: float) -> float:
        """The noise that all blocks have in common: it is there at once, while that of one block is learned.

        Taken from the middle of the differences, which what moves does not bend; but never far above what was learned,
        or a camera that was turned away would pass for a noisy one.
        """
        now = max(self._least_noise, _median(difference[::2, ::2]))
        used = min(now, 2 * self._shared + self._least_noise, _MOST_NOISE)
        self._shared += pace * (used - self._shared)
        return used

    def _learn(
        self, blocks: Float32Array, expected: Float32Array, noise: Float32Array, changed: BoolArray, pace: np.float32
    ) -> None:
        # What moves enters the background too, four times slower: a car that parked becomes background at last.
        rate = np.where(changed, pace / 4, pace)
        off = blocks - expected
        expected += rate * off
        self._background = expected
        # Mean absolute deviation, learned where nothing moves; a block that always flickers (leaves) gets used to it.
        # Up to a limit, or a doorway where people always walk would grow blind for them.
        np.abs(off, out=off)
        np.minimum(off, np.float32(_MOST_NOISE), out=off)
        off -= noise
        off *= rate
        off /= np.float32(10)
        noise += off

    def _regions(self, changed: BoolArray) -> tuple[Region, ...]:
        if native.regions is not None:
            return native.regions.boxes(changed, self._settings.least_blocks, self._settings.margin_blocks)
        rows, columns = changed.shape
        blocks = changed.view(np.uint8)
        # One block or two are noise, and specks between two walkers would make one region of both.
        together = cv2.boxFilter(blocks, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
        solid = blocks & (together >= self._settings.least_blocks).view(np.uint8)
        joined = cv2.dilate(solid, self._around)
        count, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8, ltype=cv2.CV_16U)
        return tuple(
            (x / columns, y / rows, (x + width) / columns, (y + height) / rows)
            for x, y, width, height, _ in stats[1:count].tolist()
        )


def _common_light(blocks: Float32Array, background: Float32Array) -> np.float32:
    """The factor by which all of the picture got brighter: the median, which what moves does not bend."""
    return np.float32(_median((blocks[::2, ::2] + 1) / (background[::2, ::2] + 1)))


def _median(values: Float32Array) -> float:
    """The middle one; `np.median` spends four times as long on looking for what is not a number."""
    flat = values.ravel()
    middle = flat.size // 2
    return float(np.partition(flat, middle)[middle])


def _everything() -> MotionResult:
    return MotionResult(True, ((0.0, 0.0, 1.0, 1.0),), 1.0, whole=True)
