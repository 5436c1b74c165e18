"""Whether a camera still looks where it looked: the layout of edges in the picture against one that was learned.

Layouts are compared by orientation correlation (Fitch, Kadyrov, Christmas and Kittler, BMVC 2002): each cell says which way
its brightness rises and hardly how much, so light, weather and the camera's gain matter little. Twelve parts are compared
each for itself, so that a roll or a zoom shows as well as a turn.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from vision import native
from vision.brightness import brightness, shrunk
from vision.frame import Pixels
from vision.geometry import FloatArray

WIDTH: Final = 96
HEIGHT: Final = 72
_PART: Final = 24
_SOFT: Final = 6.0  # grey levels a cell: below it a slope is noise as much as anything
_SHRINK_TO: Final = 256  # pixels wide at least: halving is quick, what comes after it is not

#: A part that fits this well somewhere says where; parts that speak; by how many cells (hundredths of the width) the median
#: of them may be off. On 57 pictures of one car park, five days in sun, rain and dusk, each against each: 0.8 at most, and
#: the fit in place 0.2 at least; pictures of different cameras fit each other by 0.08 (99 of 100).
_PART_FITS: Final = 0.35
_LEAST_PARTS: Final = 4
_MOVED_CELLS: Final = 1.5
#: From here on no shift need be looked for: of 16 pictures of street and car park, each against itself moved, none that
#: counts as moved (two cells, three degrees, 6 % nearer) fits in place by more than 0.44; by one cell: 0.72 at most.
_SURELY_IN_PLACE: Final = 0.75
_WHOLE_FITS: Final = 0.3
_BETTER_BY: Final = 0.15
_ELSEWHERE: Final = 0.12
_HAS_EDGES: Final = 0.15
_NONE_LEFT: Final = 0.3

Layout = npt.NDArray[np.complex64]


@dataclass(frozen=True, slots=True)
class Fit:
    """`in_place` -1..1: how well the layout fits where it was learned. `shift`: how far it seems to have moved, as a share of
    the picture's width; None when it fits nowhere. `moved`: by more than may be. `lost`: it fits neither in place nor
    elsewhere.
    """

    in_place: float
    shift: float | None
    moved: bool
    lost: bool


def layout(picture: Pixels) -> Layout:
    """(72, 96) unit slopes of a picture (H, W, 3), or of its brightness (H, W): real part along x, imaginary along y; less
    where it is flat.
    """
    grey = cv2.resize(shrunk(brightness(picture), _SHRINK_TO), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    if native.view is not None:
        return native.view.slopes(np.ascontiguousarray(grey, np.uint8), _SOFT)
    along_x = cv2.Sobel(grey, cv2.CV_32F, 1, 0, ksize=3, scale=0.25)
    along_y = cv2.Sobel(grey, cv2.CV_32F, 0, 1, ksize=3, scale=0.25)
    size = np.sqrt(along_x * along_x + along_y * along_y) + np.float32(_SOFT)
    slopes = np.zeros((HEIGHT, WIDTH), np.complex64)
    inner = (slice(1, -1), slice(1, -1))
    slopes.real[inner] = (along_x / size)[inner]
    slopes.imag[inner] = (along_y / size)[inner]
    return slopes


def strengths(of: Layout) -> FloatArray:
    """(P,) how much of each part of a layout is edges, 0..1."""
    if native.view is not None:
        return native.view.strengths(of, _PART)
    parts = _parts(of).reshape(-1, _PART * _PART)
    size = np.sqrt(parts.real * parts.real + parts.imag * parts.imag)
    return np.asarray(_sum(size.T) / _PART**2)


def texture(of: FloatArray) -> float:
    """How much of a layout with these `strengths` is edges, 0..1."""
    return float(of.mean())


def emptied(before: FloatArray, after: FloatArray) -> float:
    """Share of the parts that had edges and have next to none left, by `strengths` (P,): what covers a lens is even, or out of
    focus. Between 57 pictures of one car park in all weather, and under a gamma of 2.2: 0.1 at most; behind something even:
    0.8 and more.
    """
    had = before >= _HAS_EDGES
    if np.count_nonzero(had) < _LEAST_PARTS:
        return 0.0
    return float(np.mean(after[had] < _NONE_LEFT * before[had]))


def fit_in_place(learned: Layout, now: Layout) -> float:
    """-1..1: how well two layouts agree without any shift."""
    if native.view is not None:
        return native.view.agreement(learned, now)
    a, b = (one.ravel().view(np.float32).astype(np.float64) for one in (learned, now))
    scale = float(np.sqrt(_sum(a * a)) * np.sqrt(_sum(b * b)))
    return float(_sum(a * b)) / max(scale, 1e-9)


def blended(mean: Layout, now: Layout, share: float) -> Layout:
    """`mean` moved by a `share` of the way to `now`."""
    if native.view is not None:
        return native.view.blended(mean, now, share)
    return np.asarray(mean + np.float32(share) * (now - mean), np.complex64)


def _sum(terms: npt.NDArray[Any]) -> FloatArray:
    """Of `terms` (N, ...) along the first axis, one added after another: compiled code adds alike, to the bit."""
    return np.asarray(np.add.accumulate(terms, axis=0, dtype=np.float64)[-1])


def compare(learned: Layout, now: Layout) -> Fit:
    """`now` against what was `learned`."""
    in_place = fit_in_place(learned, now)
    if in_place >= _SURELY_IN_PLACE:
        return Fit(in_place, 0.0, moved=False, lost=False)
    shifts = _part_shifts(learned, now)
    if len(shifts) >= _LEAST_PARTS and float(np.median(shifts)) < _MOVED_CELLS:
        return Fit(in_place, float(np.median(shifts)) / WIDTH, moved=False, lost=False)
    correlation = _correlation(learned[None], now[None])[0]
    in_place = float(correlation[np.ix_([-1, 0, 1], [-1, 0, 1])].max())
    best, shift = _peak(correlation)
    if len(shifts) >= _LEAST_PARTS:
        return Fit(in_place, float(np.median(shifts)) / WIDTH, moved=True, lost=False)
    far = best >= _WHOLE_FITS and best - in_place >= _BETTER_BY and shift >= _MOVED_CELLS
    return Fit(in_place, shift / WIDTH if far else None, moved=far, lost=not far and in_place < _ELSEWHERE)


def _part_shifts(learned: Layout, now: Layout) -> npt.NDArray[np.float64]:
    """(P,) by how many cells each part that fits somewhere is off."""
    correlation = _correlation(_parts(learned), _parts(now))
    found = [_peak(one) for one in correlation]
    return np.array([shift for fit, shift in found if fit >= _PART_FITS])


def _parts(of: Layout) -> Layout:
    cut = of.reshape(HEIGHT // _PART, _PART, WIDTH // _PART, _PART).transpose(0, 2, 1, 3)
    return np.asarray(cut.reshape(-1, _PART, _PART))


def _correlation(a: Layout, b: Layout) -> npt.NDArray[np.float32]:
    """(N, h, w) normalised correlation of each pair at every cyclic shift."""
    scale = np.linalg.norm(a, axis=(1, 2)) * np.linalg.norm(b, axis=(1, 2))
    product = np.conj(np.fft.fft2(a)) * np.fft.fft2(b)
    return np.asarray(np.fft.ifft2(product).real / np.maximum(scale, 1e-9)[:, None, None], np.float32)


def _peak(correlation: npt.NDArray[np.float32]) -> tuple[float, float]:
    """The best fit, and by how many cells it is off (to a fraction of a cell)."""
    height, width = correlation.shape
    row, column = divmod(int(correlation.argmax()), width)
    best = float(correlation[row, column])

    def vertex(before: float, after: float) -> float:
        bend = before - 2 * best + after
        return 0.0 if bend > -1e-9 else 0.5 * (before - after) / bend

    dy = row + vertex(float(correlation[row - 1, column]), float(correlation[(row + 1) % height, column]))
    dx = column + vertex(float(correlation[row, column - 1]), float(correlation[row, (column + 1) % width]))
    dy, dx = (dy - height if dy > height / 2 else dy), (dx - width if dx > width / 2 else dx)
    return best, float(np.hypot(dx, dy))


class Learned:
    """How the view looks when it is right: an anchor that stays, and a running mean that follows the light.

    The mean is compared with the anchor now and then: a camera that sinks by a hair a day is moved all the same.
    """

    _KNOWN_AFTER: Final = 5
    _COHERENT: Final = 0.5
    _FAINTLY: Final = 0.3
    _ANCHOR_AFTER: Final = 20
    _SLOW_S: Final = 300.0
    _DRIFT_EVERY: Final = 60

    def __init__(self) -> None:
        self._mean: Layout | None = None
        self._anchor: Layout | None = None
        self._count = 0
        self._texture = 0.0
        # Each layout is asked for its strengths several times: of which, and what they are.
        self._strengths: dict[str, tuple[Layout, FloatArray]] = {}

    @property
    def known(self) -> bool:
        """Whether there is a view to speak of: layouts of several pictures that agree. Those of a camera that pans all day, or
        of noise, average out.
        """
        return self._count >= self._KNOWN_AFTER and self.texture >= self._COHERENT * self._texture

    @property
    def texture(self) -> float:
        """How much of the mean is edges; as much as of one picture when the pictures agree."""
        return 0.0 if self._mean is None else texture(self._strengths_of("mean", self._mean))

    def _strengths_of(self, name: str, of: Layout) -> FloatArray:
        kept = self._strengths.get(name)
        if kept is None or kept[0] is not of:
            kept = self._strengths[name] = of, strengths(of)
        return kept[1]

    def compare(self, now: Layout) -> Fit | None:
        """None while there is nothing to compare with. What fits the anchor or the mean fits."""
        if self._mean is None or not self.known:
            return None
        fit = compare(self._mean, now)
        if not (fit.moved or fit.lost) or self._anchor is None:
            return fit
        first = compare(self._anchor, now)
        return first if not (first.moved or first.lost) else fit

    def emptied(self, now: Layout) -> float:
        """As the function of this name; 0 while there is nothing to compare with."""
        if self._mean is None or not self.known:
            return 0.0
        return emptied(self._strengths_of("mean", self._mean), self._strengths_of("now", now))

    def agrees(self, now: Layout) -> bool:
        """Whether a picture far too dark to be judged still has something of the view in it."""
        return self._mean is not None and self.known and fit_in_place(self._mean, now) >= self._FAINTLY

    def learn(self, now: Layout, passed_s: float) -> Fit | None:
        """`now` is right. A fit is given when the mean has drifted from the anchor."""
        self._count += 1
        share = max(1.0 / self._count, 1.0 - float(np.exp(-passed_s / self._SLOW_S)))
        self._texture += share * (texture(self._strengths_of("now", now)) - self._texture)
        if self._mean is None:
            self._mean = now
            return None
        self._mean = blended(self._mean, now, share)
        if self._anchor is None and self._count >= self._ANCHOR_AFTER and self.known:
            self._anchor = self._mean
        elif self._anchor is not None and self._count % self._DRIFT_EVERY == 0:
            drift = compare(self._anchor, self._mean)
            if drift.moved:
                self._mean = self._anchor  # what crept is not right because it crept
                return drift
        return None

    def snapshot(self) -> dict[str, Any]:
        """Rounded to 1/127: what is compared does not notice."""
        return {
            "count": self._count,
            "texture": self._texture,
            "mean": _to_text(self._mean),
            "anchor": _to_text(self._anchor),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._count, self._texture = int(state["count"]), float(state["texture"])
        self._mean, self._anchor = _from_text(state["mean"]), _from_text(state["anchor"])


def _to_text(of: Layout | None) -> str | None:
    if of is None:
        return None
    return base64.b64encode(np.round(of.view(np.float32) * 127).astype(np.int8).tobytes()).decode("ascii")


def _from_text(text: str | None) -> Layout | None:
    if text is None:
        return None
    raw = np.frombuffer(base64.b64decode(text, validate=True), np.int8).reshape(HEIGHT, 2 * WIDTH)
    return np.ascontiguousarray(raw.astype(np.float32) / 127).view(np.complex64)
