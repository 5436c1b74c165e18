"""Fitting the head of the aggression score, and judging it on sources that it has not seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pipelines.bullying.windows import Windows
from vision.aggression_head import Head
from vision.detection import BoolArray, Int64Array
from vision.geometry import FloatArray

FOLDS: Final = 5
_INNER_FOLDS: Final = 4
_COMPONENTS: Final = 256
#: Of the kernel machine: C, and gamma times the number of features. Neighbours do as well; chosen anew inside the part that
#: teaches they cost a point of accuracy, because so few sources choose by chance.
_KERNEL: Final = (2.0, 0.25)
#: What a clip in which no region was found is worth: it raises nothing.
NO_REGION: Final = -4.0


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """What heads said of clips and windows that they were not trained on, one row for each seed: probabilities. `fold`
    (S, clips): in which fold a clip was judged.
    """

    clips: FloatArray
    windows: FloatArray
    fold: Int64Array


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
    bare = _bare(windows, np.flatnonzero(np.isin(windows.of_clip, clips)), names)
    values = np.zeros(len(windows.is_fight))
    for learn, judge in splits(windows, _INNER_FOLDS, seed, clips):
        values[judge] = of_clips(_machine(bare, windows, learn), windows)[judge]
    known = clips[windows.told[clips]]
    slope, shift = platt(values[known], windows.is_fight[known])
    return replace(_machine(bare, windows, clips), slope=slope, shift=shift)


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


def _bare(windows: Windows, rows: Int64Array, names: tuple[str, ...]) -> Head:
    """A head that judges nothing yet: how these lessons are standardised and projected."""
    features = windows.lessons[rows].astype(np.float64)
    mean = features.mean(axis=0)
    scale = features.std(axis=0) + 1e-3
    projection = _components((features - mean) / scale, min(_COMPONENTS, len(rows) - 1))
    nothing = np.zeros(0, np.float32)
    return Head(
        mean=mean.astype(np.float32),
        scale=scale.astype(np.float32),
        projection=_half(projection),
        support=np.zeros((0, len(projection)), np.float32),
        weights=nothing,
        offset=0.0,
        gamma=0.0,
        slope=1.0,
        shift=0.0,
        trained_on=names,
    )


def _machine(bare: Head, windows: Windows, clips: Int64Array) -> Head:
    """The kernel machine from the lessons of these clips; both labels weigh the same, and each clip of a label."""
    from sklearn.svm import SVC

    rows = np.flatnonzero(np.isin(windows.of_clip, clips))
    truth = windows.is_fight[windows.of_clip[rows]]
    weight = windows.weight[rows]
    weight = len(rows) * weight * np.where(truth, 0.5 / weight[truth].sum(), 0.5 / weight[~truth].sum())
    place = ((windows.lessons[rows] - bare.mean) / bare.scale) @ bare.projection.T
    c, spread = _KERNEL
    gamma = spread / windows.lessons.shape[1]
    kernel: Any = SVC(C=c, gamma=gamma).fit(place.astype(np.float64), truth, sample_weight=weight)
    return replace(
        bare,
        support=_half(kernel.support_vectors_),
        weights=kernel.dual_coef_[0].astype(np.float32),
        offset=float(kernel.intercept_[0]),
        gamma=gamma,
    )


def _half(array: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """As it will be read back: large arrays are stored in half precision."""
    return np.asarray(array).astype(np.float16).astype(np.float32)


def _components(standard: FloatArray, count: int) -> FloatArray:
    """The first principal components (count, features), by way of the small Gram matrix; signs fixed."""
    values, vectors = np.linalg.eigh(standard @ standard.T)
    order = np.argsort(-values)[:count]
    found = (standard.T @ vectors[:, order] / np.sqrt(np.maximum(values[order], 1e-9))).T
    sign = np.sign(found[np.arange(len(found)), np.abs(found).argmax(axis=1)])
    return np.asarray(found * sign[:, None])


def of_clips(head: Head, windows: Windows) -> FloatArray:
    """What a head says of each clip as a whole, the mean of its parts; `NO_REGION` where no region was found."""
    count = np.bincount(windows.of_part, minlength=len(windows.told))
    values = head.values(windows.whole) if len(windows.of_part) else np.zeros(0)
    total = np.bincount(windows.of_part, values, minlength=len(windows.told))
    return np.where(windows.told, total / np.maximum(count, 1), NO_REGION)


def cross_validate(windows: Windows, seeds: Sequence[int]) -> HeldOut:
    """Five folds by source for each seed; every head is calibrated inside its own part."""
    clips = np.zeros((len(seeds), len(windows.is_fight)))
    single = np.zeros((len(seeds), len(windows.clip)))
    fold = np.zeros(clips.shape, np.int64)
    for row, seed in enumerate(seeds):
        for number, (learn, judge) in enumerate(splits(windows, FOLDS, seed)):
            head = fit(windows, learn, seed)
            fold[row, judge] = number
            clips[row, judge] = head.probabilities(of_clips(head, windows))[judge]
            mine = np.isin(windows.clip, judge)
            if mine.any():
                single[row, mine] = head.probabilities(head.values(windows.features[mine]))
    return HeldOut(clips, single, fold)


def openings_s(
    windows: Windows, probability: FloatArray, clip: int, threshold: float, needed: int, of: int, *, beyond: bool = True
) -> list[float]:
    """For each region of a clip in which it happened: when `needed` of the last `of` windows first reached the threshold.
    Not `beyond`: only what the clip really shows counts, not what it was continued by.
    """
    first: list[float] = []
    rows = np.flatnonzero((windows.clip == clip) & (beyond | ~windows.beyond))
    for region in np.unique(windows.region[rows]):
        mine = rows[windows.region[rows] == region]
        mine = mine[np.argsort(windows.time_s[mine], kind="stable")]
        high = probability[mine] >= threshold
        for end in range(len(mine)):
            if high[max(0, end - of + 1) : end + 1].sum() >= needed:
                first.append(float(windows.time_s[mine[end]]))
                break
    return first
