"""Fitting the head of the aggression score, and judging it on sources that it has not seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pipelines.bullying.clips import Clip, Moment
from vision.aggression import Head
from vision.detection import BoolArray, Float32Array, Int64Array
from vision.geometry import FloatArray

FOLDS: Final = 5
_INNER_FOLDS: Final = 4
_COMPONENTS: Final = 128
_EVERY: Final = 2  # windows overlap: every second one teaches as much
_LINEAR_C: Final = 0.003
_KERNEL_C: Final = 2.0
#: What a clip in which no region was found is worth: it raises nothing.
NO_REGION: Final = -6.0


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Every window of every clip in parallel arrays: `features` (N, 3 D), `clip` (N,) the index of its clip, `rank`
    (N,), `time_s` (N,), `region` (N,), `beyond` (N,) as in `Moment`; `is_fight` and `group` are of the clips.
    """

    features: Float32Array
    clip: Int64Array
    rank: Int64Array
    time_s: FloatArray
    region: Int64Array
    beyond: BoolArray
    is_fight: BoolArray
    group: npt.NDArray[np.str_]

    @classmethod
    def gather(cls, clips: Sequence[Clip], said: Sequence[Sequence[Moment]]) -> Windows:
        flat = [(index, moment) for index, one in enumerate(said) for moment in one]
        wide = len(flat[0][1].features) if flat else 0
        return cls(
            np.array([m.features for _, m in flat], np.float32).reshape(len(flat), wide),
            np.array([i for i, _ in flat], np.int64),
            np.array([m.rank for _, m in flat], np.int64),
            np.array([m.time_s for _, m in flat], np.float64),
            np.array([m.region_id for _, m in flat], np.int64),
            np.array([m.beyond for _, m in flat], bool),
            np.array([c.is_fight for c in clips], bool),
            np.array([c.group for c in clips], np.str_),
        )

    def lessons(self, clips: Int64Array) -> tuple[Int64Array, FloatArray]:
        """Which windows teach, and with what weight: of these clips, those of the region with most change; each clip
        counts the same.
        """
        chosen = [
            np.flatnonzero((self.clip == clip) & (self.rank == 0) & ~self.beyond)[::-1][::_EVERY] for clip in clips
        ]
        rows = np.concatenate([c for c in chosen if len(c)]).astype(np.int64)
        weight = np.concatenate([np.full(len(c), 3.0 / len(c)) for c in chosen if len(c)])
        return rows, weight

    def of_clips(self, values: npt.ArrayLike, empty: float) -> FloatArray:
        """One value for each clip: the mean over its moments of the highest of the regions then; `empty` where no
        region was found.
        """
        said = np.asarray(values, np.float64)
        result = np.full(len(self.is_fight), empty)
        for clip in np.unique(self.clip[~self.beyond]):
            rows = np.flatnonzero((self.clip == clip) & ~self.beyond)
            times = np.unique(self.time_s[rows])
            result[clip] = np.mean([said[rows[self.time_s[rows] == t]].max() for t in times])
        return result


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """What heads said of clips and windows that they were not trained on, one row for each seed: probabilities."""

    clips: FloatArray
    windows: FloatArray


def splits(
    windows: Windows, folds: int, seed: int, within: Int64Array | None = None
) -> Iterator[tuple[Int64Array, Int64Array]]:
    """Clips to learn from and clips to judge, never two of one source on different sides."""
    from sklearn.model_selection import StratifiedGroupKFold

    clips = np.arange(len(windows.is_fight)) if within is None else within
    cut = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for learn, judge in cut.split(clips, windows.is_fight[clips], windows.group[clips]):
        yield clips[learn], clips[judge]


def fit(windows: Windows, clips: Int64Array, seed: int, names: tuple[str, ...] = ()) -> Head:
    """A head from these clips, calibrated on inner splits by source. Deterministic."""
    head = _fit(windows, clips, names)
    values = np.zeros(len(windows.features))
    inner_spread = []
    for learn, judge in splits(windows, _INNER_FOLDS, seed, clips):
        inner = _fit(windows, learn, ())
        rows = np.isin(windows.clip, judge)
        parts = _parts(inner, windows.features[rows])
        inner_spread.append(parts.std(axis=0))
        values[rows] = (parts / parts.std(axis=0)).mean(axis=1)
    spread = np.mean(inner_spread, axis=0).astype(np.float32)
    seen = np.isin(windows.clip, clips)
    clip_values = windows.of_clips(np.where(seen, values, 0.0), np.nan)[clips]
    known = np.isfinite(clip_values)
    slope, shift = platt(clip_values[known], windows.is_fight[clips][known])
    return replace(head, spread=spread, slope=slope, shift=shift)


def platt(values: FloatArray, truth: BoolArray) -> tuple[float, float]:
    """Slope and shift of the sigmoid that makes values probabilities (Platt, 1999, with his smoothed targets). Both
    labels weigh the same.
    """
    from scipy.optimize import minimize

    fights, others = int(truth.sum()), int((~truth).sum())
    target = np.where(truth, (fights + 1) / (fights + 2), 1 / (others + 2))
    weight = np.where(truth, 0.5 / max(1, fights), 0.5 / max(1, others))

    def loss(p: FloatArray) -> float:
        z = p[0] * values + p[1]
        return float(weight @ (np.logaddexp(0, z) - target * z))

    found = minimize(loss, np.array([1.0, 0.0]), method="BFGS")
    return max(0.05, float(found.x[0])), float(found.x[1])


def _fit(windows: Windows, clips: Int64Array, names: tuple[str, ...]) -> Head:
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    rows, weight = windows.lessons(clips)
    truth = windows.is_fight[windows.clip[rows]]
    features = windows.features[rows].astype(np.float64)
    mean = features.mean(axis=0)
    scale = features.std(axis=0) + 1e-3
    standard = (features - mean) / scale
    projection = _components(standard, min(_COMPONENTS, len(rows) - 1))
    place = standard @ projection.T
    linear: Any = LogisticRegression(C=_LINEAR_C, max_iter=500).fit(place, truth, sample_weight=weight)
    gamma = 1.0 / standard.shape[1]
    kernel: Any = SVC(C=_KERNEL_C, gamma=gamma).fit(place, truth, sample_weight=weight)
    return Head(
        mean=mean.astype(np.float32),
        scale=scale.astype(np.float32),
        projection=projection.astype(np.float16).astype(np.float32),
        linear=linear.coef_[0].astype(np.float32),
        bias=float(linear.intercept_[0]),
        support=kernel.support_vectors_.astype(np.float32),
        weights=kernel.dual_coef_[0].astype(np.float32),
        offset=float(kernel.intercept_[0]),
        gamma=gamma,
        spread=np.ones(2, np.float32),
        slope=1.0,
        shift=0.0,
        trained_on=names,
    )


def _components(standard: FloatArray, count: int) -> FloatArray:
    """The first principal components (count, features), by way of the small Gram matrix; signs fixed."""
    values, vectors = np.linalg.eigh(standard @ standard.T)
    order = np.argsort(-values)[:count]
    found = (standard.T @ vectors[:, order] / np.sqrt(np.maximum(values[order], 1e-9))).T
    sign = np.sign(found[np.arange(len(found)), np.abs(found).argmax(axis=1)])
    return np.asarray(found * sign[:, None])


def _parts(head: Head, features: npt.ArrayLike) -> FloatArray:
    """(N, 2): the linear and the kernel judge of each summary (N, 3 D)."""
    place = ((np.asarray(features, np.float64) - head.mean) / head.scale) @ head.projection.T.astype(np.float64)
    apart = (
        np.sum(place**2, axis=1)[:, None]
        - 2 * place @ head.support.T.astype(np.float64)
        + np.sum(head.support.astype(np.float64) ** 2, axis=1)
    )
    kernel = np.exp(-head.gamma * np.maximum(apart, 0)) @ head.weights.astype(np.float64) + head.offset
    return np.stack([place @ head.linear.astype(np.float64) + head.bias, kernel], axis=1)


def values_of(head: Head, features: npt.ArrayLike) -> FloatArray:
    """What `Head.value` says, for many summaries (N, 3 D) at once."""
    return np.asarray((_parts(head, features) / head.spread).mean(axis=1))


def probabilities(head: Head, values: npt.ArrayLike) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-(head.slope * np.asarray(values, np.float64) + head.shift))))


def cross_validate(windows: Windows, seeds: Sequence[int]) -> HeldOut:
    """Five folds by source for each seed; every head is calibrated inside its own part."""
    clips = np.zeros((len(seeds), len(windows.is_fight)))
    single = np.zeros((len(seeds), len(windows.clip)))
    for row, seed in enumerate(seeds):
        for learn, judge in splits(windows, FOLDS, seed):
            head = fit(windows, learn, seed)
            mine = np.isin(windows.clip, judge)
            values = np.zeros(len(windows.clip))
            values[mine] = values_of(head, windows.features[mine])
            clips[row, judge] = probabilities(head, windows.of_clips(values, NO_REGION))[judge]
            single[row, mine] = probabilities(head, values[mine])
    return HeldOut(clips, single)


def opening_s(
    windows: Windows, probability: FloatArray, clip: int, threshold: float, needed: int, of: int
) -> float | None:
    """When `needed` of the last `of` windows of one region of a clip first reached the threshold; None: never."""
    first: list[float] = []
    rows = np.flatnonzero(windows.clip == clip)
    for region in np.unique(windows.region[rows]):
        mine = rows[windows.region[rows] == region]
        mine = mine[np.argsort(windows.time_s[mine], kind="stable")]
        high = probability[mine] >= threshold
        for end in range(len(mine)):
            if high[max(0, end - of + 1) : end + 1].sum() >= needed:
                first.append(float(windows.time_s[mine[end]]))
                break
    return min(first) if first else None
