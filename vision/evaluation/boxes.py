"""Boxes with ids over time, in the MOT challenge's text form, and their one-to-one matching."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from vision.detection import Int64Array
from vision.geometry import FloatArray, iou

MATCH_IOU: Final = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """What is in one picture: `ids` (N,) and `xyxy` (N, 4) pixels; `ignored` (M, 4) are boxes of what shall not count."""

    ids: Int64Array
    xyxy: FloatArray
    ignored: FloatArray

    @classmethod
    def of(cls, ids: Sequence[int], xyxy: Sequence[Sequence[float]]) -> Boxes:
        return cls(np.asarray(ids, np.int64), np.asarray(xyxy, np.float64).reshape(-1, 4), np.empty((0, 4), np.float64))


def read_mot(lines: Iterable[str], name: str) -> dict[int, Boxes]:
    """Rows `frame,id,x,y,w,h,flag,...`, frames counted from 1: boxes by frame number. Flag 0 means ignore.

    Raises:
        ValueError: a row is not one; names file and line.
    """
    rows: dict[int, list[tuple[int, bool, list[float]]]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        parts = line.split(",")
        try:
            frame, identity = int(parts[0]), int(parts[1])
            x, y, width, height, flag = (float(part) for part in parts[2:7])
        except ValueError as error:
            raise ValueError(f"{name}:{number}: expected frame,id,x,y,width,height,flag: {line.strip()!r}") from error
        rows.setdefault(frame, []).append((identity, flag != 0, [x, y, x + width, y + height]))
    return {
        frame: Boxes(
            np.array([identity for identity, counts, _ in found if counts], np.int64),
            np.array([box for _, counts, box in found if counts], np.float64).reshape(-1, 4),
            np.array([box for _, counts, box in found if not counts], np.float64).reshape(-1, 4),
        )
        for frame, found in sorted(rows.items())
    }


def pairs(first: FloatArray, second: FloatArray, least: float = MATCH_IOU) -> list[tuple[int, int]]:
    """One-to-one matches of boxes (N, 4) and (M, 4) at an IoU of at least `least`, as many and as good as can be."""
    overlap = iou(first, second)
    # A match that is allowed is worth more than any gain in overlap: first the number of matches, then their quality.
    score = np.where(overlap >= least, 1000.0 + overlap, 0.0)
    rows, columns = linear_sum_assignment(score, maximize=True)
    return [(int(a), int(b)) for a, b in zip(rows, columns, strict=True) if score[a, b] > 0]


def without_ignored(truth: Boxes, found: Boxes) -> Boxes:
    """`found` without the boxes that fit an ignored box of `truth` and none that counts."""
    if len(truth.ignored) == 0 or len(found.ids) == 0:
        return found
    everything = np.concatenate([truth.xyxy, truth.ignored])
    keep = np.ones(len(found.ids), bool)
    for a, b in pairs(everything, found.xyxy):
        if a >= len(truth.ids):
            keep[b] = False
    return Boxes(found.ids[keep], found.xyxy[keep], found.ignored)


def align(truth: Mapping[int, Boxes], found: Mapping[int, Boxes]) -> list[tuple[Boxes, Boxes]]:
    """The frames that the truth knows, each with what was found in it, ignored boxes taken out."""
    nothing = Boxes.of([], [])
    return [(boxes, without_ignored(boxes, found.get(frame, nothing))) for frame, boxes in truth.items()]
