"""How far two detectors say the same of the same pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from vision.detection import Detections, Float32Array


@dataclass(frozen=True, slots=True)
class Agreement:
    """`reference` boxes of one detector, `other` of the other, `shared` pairs among them."""

    reference: int
    other: int
    shared: int

    @property
    def kept(self) -> float:
        """The share of the reference's boxes that the other has too; 1 when there are none."""
        return self.shared / self.reference if self.reference else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of what was kept and what was not added; 1 when neither has a box."""
        total = self.reference + self.other
        return 2 * self.shared / total if total else 1.0


def agreement(pairs: Iterable[tuple[Detections, Detections]], iou: float = 0.5) -> Agreement:
    """Over pictures seen by both: boxes are paired one to one within a picture, same class, IoU at least `iou`.

    The pairing of a picture is the one with the most pairs, and among those the largest sum of IoU (Hungarian method).
    """
    reference = other = shared = 0
    for first, second in pairs:
        reference += len(first)
        other += len(second)
        overlap = box_iou(first.xyxy_px, second.xyxy_px)
        fits = (overlap >= iou) & (first.class_id[:, None] == second.class_id[None, :])
        # A pair is worth more than any difference of IoU can be.
        worth = np.where(fits, 1.0 + overlap / (1 + min(len(first), len(second))), 0.0)
        rows, columns = linear_sum_assignment(worth, maximize=True)
        shared += int(fits[rows, columns].sum())
    return Agreement(reference, other, shared)


def box_iou(first: Float32Array, second: Float32Array) -> Float32Array:
    """Intersection over union of every box of `first` (N, 4) with every box of `second` (M, 4): (N, M)."""
    top_left = np.maximum(first[:, None, :2], second[None, :, :2])
    bottom_right = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.clip(bottom_right - top_left, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None, :] - common
    result: Float32Array = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return result
