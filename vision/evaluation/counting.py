"""How well people are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vision.evaluation.boxes import Boxes, pairs


@dataclass(frozen=True, slots=True)
class CountScore:
    """`mae` and `bias` in people per picture (bias > 0: too many); `recall` and `precision` of boxes at IoU 0.5, one to
    one. `by_size`: (true people from, to, pictures, mae, bias) for crowds of growing size.
    """

    mae: float
    bias: float
    recall: float
    precision: float
    pictures: int
    by_size: tuple[tuple[int, int, int, float, float], ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "mae": round(self.mae, 4),
            "bias": round(self.bias, 4),
            "recall": round(self.recall, 4),
            "precision": round(self.precision, 4),
            "pictures": self.pictures,
            "by_size": [
                {"people_from": low, "people_to": high, "pictures": n, "mae": round(mae, 4), "bias": round(bias, 4)}
                for low, high, n, mae, bias in self.by_size
            ],
        }


def score_counts(frames: Sequence[tuple[Boxes, Boxes]], counts: Sequence[int] | None = None) -> CountScore:
    """Score of (truth, found) boxes picture by picture. `counts`: what the program says, where that is not the number
    of boxes found.

    Raises:
        ValueError: no pictures, or `counts` of another length.
    """
    if not frames:
        raise ValueError("no pictures with truth: nothing can be scored")
    said = [len(found.ids) for _, found in frames] if counts is None else list(counts)
    if len(said) != len(frames):
        raise ValueError(f"counts: expected {len(frames)}, got {len(said)}")
    true = np.array([len(truth.ids) for truth, _ in frames])
    error = np.array(said) - true
    hits = sum(len(pairs(truth.xyxy, found.xyxy)) for truth, found in frames)
    found_boxes = sum(len(found.ids) for _, found in frames)
    sizes = []
    for low, high in ((0, 4), (5, 9), (10, 19), (20, 49), (50, 10**6)):
        rows = (true >= low) & (true <= high)
        if rows.any():
            part = error[rows]
            sizes.append((low, min(high, int(true.max())), len(part), float(np.abs(part).mean()), float(part.mean())))
    return CountScore(
        mae=float(np.abs(error).mean()),
        bias=float(error.mean()),
        recall=hits / max(1, int(true.sum())),
        precision=hits / max(1, found_boxes),
        pictures=len(frames),
        by_size=tuple(sizes),
    )
