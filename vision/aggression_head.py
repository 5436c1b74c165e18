"""What was learnt about fights: the judge of one window of one region, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from vision.detection import Float32Array
from vision.geometry import FloatArray
from vision.learnt import load_learnt, save_learnt

#: How many numbers `summary` makes of each.
STATISTICS: Final = 3
#: Of K projected numbers, D numbers of a summary, M supports.
_SHAPES: Final = {
    "mean": ("D",),
    "scale": ("D",),
    "projection": ("K", "D"),
    "support": ("M", "K"),
    "weights": ("M",),
    "offset": (),
    "gamma": (),
    "slope": (),
    "shift": (),
}


def summary(window: npt.ArrayLike) -> FloatArray:
    """(T, D) -> (3 D,): mean, standard deviation and maximum over the window, each as its root with its sign: a few strong
    channels would else outweigh the many.
    """
    said = np.asarray(window, np.float64)
    whole = np.concatenate([said.mean(axis=0), said.std(axis=0), said.max(axis=0)])
    return np.asarray(np.sign(whole) * np.sqrt(np.abs(whole)))


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """Standardising, a projection, a kernel judge of it, and the calibration.

    `projection` (K, 3 D) is applied to the standardised summary; the judge sums `weights` (M,) x
    exp(-gamma |p - support|^2) over `support` (M, K), plus `offset` (a support vector machine, Cortes and Vapnik, 1995).
    probability = sigmoid(slope x value + shift) (Platt, 1999, on held-out folds).
    """

    mean: Float32Array
    scale: Float32Array
    projection: Float32Array
    support: Float32Array
    weights: Float32Array
    offset: float
    gamma: float
    slope: float
    shift: float
    trained_on: tuple[str, ...] = ()

    def values(self, summarised: npt.ArrayLike) -> FloatArray:
        """The uncalibrated judgement of each of many summaries (N, 3 D): (N,), above 0 for a fight."""
        place = ((np.asarray(summarised, np.float32) - self.mean) / self.scale) @ self.projection.T
        support = self.support.astype(np.float64)
        apart = (
            np.sum(np.square(place, dtype=np.float64), axis=1)[:, None]
            - 2 * place.astype(np.float64) @ support.T
            + np.sum(np.square(support), axis=1)
        )
        near = np.exp(-self.gamma * np.maximum(apart, 0))
        return np.asarray(near @ self.weights.astype(np.float64) + self.offset)

    def probabilities(self, values: npt.ArrayLike) -> FloatArray:
        """Values as probabilities 0..1, were fights as frequent as ordinary scenes."""
        return np.asarray(1 / (1 + np.exp(-(self.slope * np.asarray(values, np.float64) + self.shift))))

    def judge(self, window: npt.ArrayLike) -> float:
        """The probability of one window (T, D), oldest first.

        By `einsum`, which stays in its thread: for one window a matrix library's threads cost ten times the work.
        """
        standard = ((summary(window) - self.mean) / self.scale).astype(np.float32)
        place = np.einsum("kd,d->k", self.projection, standard)
        apart = np.square(self.support - place).sum(axis=1, dtype=np.float64)
        value = np.sum(self.weights * np.exp(-self.gamma * apart)) + self.offset
        return float(self.probabilities(value))

    def save(self, path: Path) -> None:
        """Write it, its large arrays in half precision; `load` reads back what was written."""
        save_learnt(self, path, half=("projection", "support"))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises: ValueError: the file is missing, is no head, or is one of an earlier release."""
        return load_learnt(cls, path, "the aggression score", _SHAPES, positive=("scale", "gamma"))
