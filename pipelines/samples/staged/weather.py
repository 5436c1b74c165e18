"""What spoils a picture: noise, night, headlights, moving shadow, rain, a shaking or turned camera, lost pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from vision.frame import Pixels

_NOISE_TILES: Final = 7

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Weather:
    """All of it seeded by `seed` and the picture's number: the same picture every time.

    `noise` standard deviation in grey levels; `gamma` above 1 darkens, `gain` multiplies; `headlights` (from, to, x_px,
    y_px) bright cones; `shadow` moves a hard shadow over the road at so many pixels a second; `rain` drops and `snow`
    flakes per picture; `shake_px` amplitude of a pole in the wind; `turned` (from s, degrees) a camera that was pushed;
    `lost` share of pictures that never arrive. `covered`, `frozen` (from s, to s); `blurred` (from s, to s, standard
    deviation in px); `infrared` from that second on: no colour, other brightness.
    """

    noise: float = 1.6
    gamma: float = 1.0
    gain: float = 1.0
    headlights: tuple[tuple[float, float, float, float], ...] = ()
    shadow: float = 0.0
    rain: int = 0
    snow: int = 0
    shake_px: float = 0.0
    turned: tuple[float, float] | None = None
    lost: float = 0.0
    covered: tuple[float, float] | None = None
    frozen: tuple[float, float] | None = None
    blurred: tuple[float, float, float] | None = None
    infrared: float | None = None
    seed: int = 1

    def drops(self, number: int) -> bool:
        """Whether this picture is lost on the way."""
        return self.lost > 0 and number > 0 and bool(np.random.default_rng((self.seed, number, 1)).random() < self.lost)

    def apply(self, picture: Pixels, number: int, time_s: float) -> Pixels:
        """The picture (H, W, 3) uint8 BGR as this camera would give it."""
        random = np.random.default_rng((self.seed, number, 2))
        out = self._move(picture, number, time_s)
        if self.blurred is not None and self.blurred[0] <= time_s < self.blurred[1]:
            out = np.asarray(cv2.GaussianBlur(out, (0, 0), self.blurred[2]), np.uint8)
        if self.covered is not None and self.covered[0] <= time_s < self.covered[1]:
            out = np.full_like(out, 45)  # a bag over the camera: a little light comes through
        values = out.astype(np.float32)
        if self.shadow:
            self._cast_shadow(values, time_s)
        if self.gamma != 1.0 or self.gain != 1.0:
            values = self.gain * 255.0 * (values / 255.0) ** self.gamma
        if self.infrared is not None and time_s >= self.infrared:
            # Lamps beside the lens: no colour, red things bright, the middle lit, the edges dark.
            values[:] = (0.1 * values[..., 0] + 0.3 * values[..., 1] + 0.6 * values[..., 2])[..., None]
            values *= self._lamp(values.shape)
        for start_s, end_s, x, y in self.headlights:
            if start_s <= time_s < end_s:
                self._shine(values, x, y, min(1.0, (time_s - start_s) / 1.0, (end_s - time_s) / 1.0))
        if self.rain:
            self._rain(values, random)
        if self.snow:
            self._snow(values, random)
        if self.noise:
            # One field of noise, shifted: as good to look at as a new one each time, and ten times as quick.
            shift = (int(random.integers(0, 64)), int(random.integers(0, 64)))
            values += np.roll(self._field(values.shape, number % _NOISE_TILES), shift, axis=(0, 1))
        return np.asarray(np.clip(values + 0.5, 0, 255), np.uint8)

    def _lamp(self, shape: tuple[int, ...]) -> Values:
        y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
        return np.asarray(1.15 - 0.55 * np.sqrt(x * x + y * y)[..., None], np.float32)

    def held(self, time_s: float) -> float:
        """The moment that is shown at `time_s`: a frozen camera shows one and the same."""
        stands = self.frozen is not None and self.frozen[0] <= time_s < self.frozen[1]
        return self.frozen[0] if stands and self.frozen is not None else time_s

    def _field(self, shape: tuple[int, ...], tile: int) -> Values:
        random = np.random.default_rng((self.seed, tile, 3))
        # Coarser than a pixel, as the noise of a small sensor is after its own sharpening and compression.
        fine = random.standard_normal((shape[0] // 2 + 1, shape[1] // 2 + 1, 3), dtype=np.float32) * self.noise
        grown = cv2.resize(fine, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
        return np.asarray(grown * np.float32(1.5), np.float32)

    def _move(self, picture: Pixels, number: int, time_s: float) -> Pixels:
        angle = self.turned[1] if self.turned is not None and time_s >= self.turned[0] else 0.0
        if not self.shake_px and not angle:
            return picture
        height, width = picture.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
        phase = 2 * np.pi * 1.3 * time_s
        matrix[:, 2] += np.array([self.shake_px * np.sin(phase), 0.6 * self.shake_px * np.sin(1.7 * phase + 1.0)])
        if angle:
            matrix[:, 2] += np.array([6.0 * angle, 2.0 * angle])
        moved = cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        return np.asarray(moved, np.uint8)

    def _cast_shadow(self, values: Values, time_s: float) -> None:
        height, width = values.shape[:2]
        x = -350.0 + (self.shadow * time_s) % (width + 700.0)
        mask = np.zeros((height, width), np.float32)
        corners = [(x, 0), (x + 220, 0), (x + 340, height), (x + 60, height)]
        cv2.fillPoly(mask, [np.array(corners, np.int32)], 1.0)
        values *= 1 - 0.45 * cv2.GaussianBlur(mask, (15, 15), 0)[:, :, None]

    def _shine(self, values: Values, x: float, y: float, power: float) -> None:
        height, width = values.shape[:2]
        ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
        pool = np.exp(-(((xs - x) / 150.0) ** 2 + ((ys - y) / 60.0) ** 2))
        lamps = np.exp(-(((xs - x) / 9.0) ** 2 + ((ys - y + 30) / 9.0) ** 2))
        values += power * (110.0 * pool + 255.0 * lamps)[:, :, None]

    def _rain(self, values: Values, random: np.random.Generator) -> None:
        height, width = values.shape[:2]
        streaks = np.zeros((height, width), np.float32)
        for x, y, long in zip(
            random.integers(0, width, self.rain),
            random.integers(0, height, self.rain),
            random.integers(8, 22, self.rain),
            strict=True,
        ):
            cv2.line(streaks, (int(x), int(y)), (int(x) - int(long) // 5, int(y) + int(long)), 1.0, 1)
        values *= 0.93
        values += 12.0
        values += 70.0 * cv2.GaussianBlur(streaks, (3, 3), 0)[:, :, None]

    def _snow(self, values: Values, random: np.random.Generator) -> None:
        height, width = values.shape[:2]
        flakes = np.zeros((height, width), np.float32)
        for x, y, size in zip(
            random.integers(0, width, self.snow),
            random.integers(0, height, self.snow),
            # The nearest are large, and most are far.
            1 + (3 * random.random(self.snow) ** 3).astype(int),
            strict=True,
        ):
            cv2.ellipse(flakes, (int(x), int(y)), (int(size), 2 * int(size)), 10.0, 0, 360, 1.0, -1)
        share = 0.8 * cv2.GaussianBlur(flakes, (5, 5), 0)[:, :, None]
        values *= 0.92 * (1 - share)
        values += 14.0 + 215.0 * share
