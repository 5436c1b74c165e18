"""How much what happens in a region looks like a fight: crops of three moments, the detector's backbone, a small head.

A *stack* is one crop at three moments 0.1 s apart, as three grey channels: what stands still is grey in it, what moves
leaves fringes. The first layers of the person detector read the stack, and once more the differences of its channels;
a head of ours judges the last 1.6 s of what they say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, Self

import cv2
import numpy as np
import numpy.typing as npt

from vision.detection import Float32Array
from vision.frame import Pixels
from vision.geometry import FloatArray
from vision.interaction import Region, RegionFinder

STACK_PX: Final = 192
GAP_S: Final = 0.1
STEP_S: Final = 0.2
WINDOW_S: Final = 1.6
#: Fewer stacks than this are no window: nothing is said of the first moments of a region.
LEAST_STACKS: Final = 5

_PADDING: Final = 114
_DIFFERENCE_GAIN: Final = 3
_TALLEST_PX: Final = 1080  # taller pictures are halved before they are kept: it bounds the memory
_SLACK_S: Final = 0.03


class FeatureReader(Protocol):
    """Something that describes pictures with numbers."""

    def read(self, pictures: Pixels) -> Float32Array:
        """(N, STACK_PX, STACK_PX, 3) uint8 -> (N, D)."""
        ...


class RegionScorer(Protocol):
    """Describes stacks and judges windows of what it said of them."""

    def embed(self, stack: Pixels) -> Float32Array:
        """One stack (STACK_PX, STACK_PX, 3) uint8, oldest moment first -> (D,)."""
        ...

    def judge(self, window: Sequence[Float32Array]) -> float:
        """The probability 0..1 that a window (oldest first) is of a fight, were fights as frequent as ordinary scenes."""
        ...


@dataclass(frozen=True, slots=True)
class ScoredRegion:
    """`score` is that of the last window, None while there are too few stacks; `scores` are all of its (time_s, score) of
    the last ten seconds; `window` is what was said of the stacks of the last window, oldest first.
    """

    region: Region
    score: float | None
    scores: tuple[tuple[float, float], ...] = ()
    window: tuple[Float32Array, ...] = ()


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


def differences(stack: Pixels) -> Pixels:
    """How the channels of a stack differ from each other, amplified: second from first, third from second, third from
    first.
    """
    wide = stack.astype(np.int16)
    pairs = ((1, 0), (2, 1), (2, 0))
    apart = np.stack([np.abs(wide[..., a] - wide[..., b]) for a, b in pairs], axis=-1)
    return np.asarray(np.minimum(apart * _DIFFERENCE_GAIN, 255), np.uint8)


def summary(window: npt.ArrayLike) -> FloatArray:
    """(T, D) -> (3 D,): mean, standard deviation and maximum over the window."""
    said = np.asarray(window, np.float64)
    return np.concatenate([said.mean(axis=0), said.std(axis=0), said.max(axis=0)])


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """What was learnt: standardising, a projection, a linear and a kernel judge of it, and the calibration.

    `projection` (K, 3 D) is applied to the standardised summary; the linear judge is `linear` (K,) + `bias`, the kernel
    judge sums `weights` (M,) x exp(-gamma |p - support|^2) over `support` (M, K), plus `offset`. Each one's value is
    divided by its `spread` (2,), they are averaged and calibrated: probability = sigmoid(slope x value + shift)
    (Platt, 1999, on held-out folds).
    """

    mean: Float32Array
    scale: Float32Array
    projection: Float32Array
    linear: Float32Array
    bias: float
    support: Float32Array
    weights: Float32Array
    offset: float
    gamma: float
    spread: Float32Array
    slope: float
    shift: float
    trained_on: tuple[str, ...] = ()

    def value(self, summarised: npt.ArrayLike) -> float:
        """The uncalibrated judgement of one summary (3 D,)."""
        standard = (np.asarray(summarised, np.float64) - self.mean) / self.scale
        place = self.projection @ standard.astype(np.float32)
        linear = float(self.linear @ place) + self.bias
        apart = np.sum(np.square(self.support - place), axis=1)
        kernel = float(self.weights @ np.exp(-self.gamma * apart)) + self.offset
        return (linear / float(self.spread[0]) + kernel / float(self.spread[1])) / 2

    def probability(self, value: float) -> float:
        return float(1 / (1 + np.exp(-(self.slope * value + self.shift))))

    def save(self, path: Path) -> None:
        """Write it; `load` reads it back exactly."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        fields["trained_on"] = np.array(self.trained_on, dtype=np.str_)
        np.savez_compressed(path, **fields)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises: ValueError: the file is missing or is no head."""
        try:
            with np.load(path, allow_pickle=False) as held:
                arrays: dict[str, Any] = {name: held[name] for name in cls.__dataclass_fields__}
        except (OSError, KeyError, ValueError) as error:
            raise ValueError(f"{path}: is no head of the aggression score ({type(error).__name__})") from error
        trained_on = tuple(str(name) for name in arrays.pop("trained_on"))
        values: dict[str, Any] = {name: float(a) if a.ndim == 0 else a for name, a in arrays.items()}
        return cls(**values, trained_on=trained_on)


class AggressionModel:
    """The `RegionScorer` in use: the detector's backbone and our head."""

    def __init__(self, reader: FeatureReader, head: Head) -> None:
        self._reader = reader
        self._head = head

    def embed(self, stack: Pixels) -> Float32Array:
        return embed(self._reader, stack)

    def judge(self, window: Sequence[Float32Array]) -> float:
        return self._head.probability(self._head.value(summary(np.stack(window))))


def embed(reader: FeatureReader, stack: Pixels) -> Float32Array:
    """What `reader` says of a stack and of its differences, joined: (2 D,)."""
    return np.asarray(reader.read(np.stack([stack, differences(stack)])).reshape(-1), np.float32)


@dataclass(slots=True)
class _Past:
    embeddings: deque[tuple[float, Float32Array]] = field(default_factory=deque)
    scores: deque[tuple[float, float]] = field(default_factory=deque)


class RegionWatch:
    """Follows the regions of one camera and scores each, five times a second, while it exists.

    Give it the people after each detection, and every picture (more often is better, up to ten a second). Without
    people it keeps nothing and computes nothing.
    """

    def __init__(self, scorer: RegionScorer, finder: RegionFinder | None = None) -> None:
        self._scorer = scorer
        self._finder = RegionFinder() if finder is None else finder
        self._pictures: deque[tuple[float, Pixels]] = deque()
        self._past: dict[int, _Past] = {}
        self._scored: tuple[ScoredRegion, ...] = ()

    @property
    def scored(self) -> tuple[ScoredRegion, ...]:
        return self._scored

    @property
    def awake(self) -> bool:
        return self._finder.awake

    @property
    def active(self) -> bool:
        """Whether a region exists, and with it the wish for `interaction.RATE_HZ` pictures a second."""
        return bool(self._finder.regions)

    def step(self, pixels: Pixels, time_s: float, people_px: npt.ArrayLike | None) -> tuple[ScoredRegion, ...]:
        """One picture (H, W, 3) BGR; `people_px` (N, 4) boxes in its pixels, None when no detector looked at it."""
        shrink = 0.5 if pixels.shape[0] > _TALLEST_PX else 1.0
        if people_px is not None:
            self._finder.see_people(np.asarray(people_px, np.float32).reshape(-1, 4) * shrink, time_s)
        if not self._finder.awake:
            self._pictures.clear()
            self._past.clear()
            self._scored = ()
            self._finder.see_picture(_EMPTY, time_s)
            return ()
        if self._pictures and time_s - self._pictures[-1][0] < GAP_S - _SLACK_S:
            return self._scored
        grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
        if shrink != 1.0:
            grey = np.asarray(cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8)
        regions = self._finder.see_picture(grey, time_s)
        self._pictures.append((time_s, grey))
        while len(self._pictures) > 3:
            self._pictures.popleft()
        back = 1 / shrink
        self._scored = tuple(self._score(region, time_s, back) for region in regions)
        alive = {region.region_id for region in regions}
        self._past = {region_id: past for region_id, past in self._past.items() if region_id in alive}
        return self._scored

    def _score(self, region: Region, time_s: float, back: float) -> ScoredRegion:
        past = self._past.setdefault(region.region_id, _Past())
        due = not past.embeddings or time_s - past.embeddings[-1][0] >= STEP_S - _SLACK_S
        stack = self._stack(region, time_s) if due else None
        if stack is not None:
            past.embeddings.append((time_s, self._scorer.embed(stack)))
            while time_s - past.embeddings[0][0] > WINDOW_S + 1e-6:
                past.embeddings.popleft()
            if len(past.embeddings) >= LEAST_STACKS:
                past.scores.append((time_s, self._scorer.judge([said for _, said in past.embeddings])))
        while past.scores and time_s - past.scores[0][0] > 10.0:
            past.scores.popleft()
        window = tuple(said for _, said in past.embeddings) if past.scores else ()
        x, y, side = region.square_px
        whole = Region(
            region.region_id,
            (x * back, y * back, side * back),
            region.since_s,
            region.seen_s,
            region.people,
            region.closeness_heights,
            region.change,
            region.surprise,
        )
        return ScoredRegion(whole, past.scores[-1][1] if past.scores else None, tuple(past.scores), window)

    def _stack(self, region: Region, time_s: float) -> Pixels | None:
        """The crop at the last three moments; None while there are not three in half a second."""
        if len(self._pictures) < 3 or time_s - self._pictures[0][0] > 0.5:
            return None
        shapes = {grey.shape for _, grey in self._pictures}
        if len(shapes) != 1:
            return None
        return np.stack([cut(grey, region.square_px) for _, grey in self._pictures], axis=-1)


_EMPTY: Final[Pixels] = np.zeros((8, 8), np.uint8)
