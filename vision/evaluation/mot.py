"""How well objects are followed: HOTA, MOTA and IDF1, computed as the papers define them.

HOTA: Luiten et al., HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking, IJCV 2021. MOTA: Bernardin and
Stiefelhagen, Evaluating Multiple Object Tracking Performance: The CLEAR MOT Metrics, 2008. IDF1: Ristani et al.,
Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking, ECCV workshops 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from vision.detection import Int64Array
from vision.evaluation.boxes import MATCH_IOU, Boxes
from vision.geometry import FloatArray, iou

#: Localisation thresholds over which HOTA is averaged.
ALPHAS: Final = np.arange(0.05, 0.99, 0.05)


@dataclass(frozen=True, slots=True)
class TrackingScore:
    """All 0..1 but `mota`, which can be negative, and the counts."""

    hota: float
    deta: float
    assa: float
    mota: float
    idf1: float
    id_switches: int
    false_positives: int
    misses: int
    truth_boxes: int
    frames: int

    def as_dict(self) -> dict[str, float | int]:
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


def score_tracking(frames: Sequence[tuple[Boxes, Boxes]]) -> TrackingScore:
    """Score of (truth, found) boxes picture by picture (see `boxes.align`).

    Raises:
        ValueError: the truth holds no box.
    """
    sequence = _Sequence(frames)
    if sequence.truth_boxes == 0:
        raise ValueError("the truth holds no box: nothing can be scored")
    hota, deta, assa = _hota(sequence)
    mota, switches, false_positives, misses = _clear(sequence)
    return TrackingScore(
        hota, deta, assa, mota, _idf1(sequence), switches, false_positives, misses, sequence.truth_boxes, len(frames)
    )


class _Sequence:
    """Ids numbered from 0 on each side, and the overlap of boxes in each picture."""

    def __init__(self, frames: Sequence[tuple[Boxes, Boxes]]) -> None:
        truth_ids = np.unique(np.concatenate([truth.ids for truth, _ in frames] or [np.empty(0, np.int64)]))
        found_ids = np.unique(np.concatenate([found.ids for _, found in frames] or [np.empty(0, np.int64)]))
        self.frames: list[tuple[Int64Array, Int64Array, FloatArray]] = [
            (np.searchsorted(truth_ids, truth.ids), np.searchsorted(found_ids, found.ids), iou(truth.xyxy, found.xyxy))
            for truth, found in frames
        ]
        self.truth_count = np.zeros(len(truth_ids))
        self.found_count = np.zeros(len(found_ids))
        for truth_rows, found_rows, _ in self.frames:
            np.add.at(self.truth_count, truth_rows, 1)
            np.add.at(self.found_count, found_rows, 1)

    @property
    def truth_boxes(self) -> int:
        return int(self.truth_count.sum())


def _hota(s: _Sequence) -> tuple[float, float, float]:
    """HOTA, DetA, AssA, each averaged over the thresholds."""
    shape = (len(s.truth_count), len(s.found_count))
    # How well each pair of tracks agrees over the whole sequence decides who is matched with whom in each picture.
    potential = np.zeros(shape)
    for truth, found, overlap in s.frames:
        total = overlap.sum(axis=0)[None, :] + overlap.sum(axis=1)[:, None] - overlap
        np.add.at(
            potential,
            (truth[:, None], found[None, :]),
            np.divide(overlap, total, out=np.zeros_like(overlap), where=total > 1e-12),
        )
    together = s.truth_count[:, None] + s.found_count[None, :] - potential
    alignment = np.divide(potential, together, out=np.zeros(shape), where=together > 0)
    matches = np.zeros((len(ALPHAS), *shape))
    for truth, found, overlap in s.frames:
        if overlap.size == 0:
            continue
        rows, columns = linear_sum_assignment(alignment[truth[:, None], found[None, :]] * overlap, maximize=True)
        for number, alpha in enumerate(ALPHAS):
            good = overlap[rows, columns] >= alpha - 1e-9
            np.add.at(matches[number], (truth[rows[good]], found[columns[good]]), 1)
    hits = matches.sum(axis=(1, 2))
    all_boxes = s.truth_count.sum() + s.found_count.sum()
    deta = hits / np.maximum(all_boxes - hits, 1)
    union = np.maximum(s.truth_count[:, None] + s.found_count[None, :] - matches, 1)
    assa = (matches * matches / union).sum(axis=(1, 2)) / np.maximum(hits, 1)
    return float(np.sqrt(deta * assa).mean()), float(deta.mean()), float(assa.mean())


def _clear(s: _Sequence) -> tuple[float, int, int, int]:
    """MOTA, id switches, false positives, misses at an IoU of 0.5."""
    owner = np.full(len(s.truth_count), -1)  # whom each true object was matched with last
    previous = np.full(len(s.truth_count), -1)  # and in the picture before
    switches = hits = 0
    for truth, found, overlap in s.frames:
        # A match of the last picture is kept while it is still good enough, as the definition demands.
        score = np.where(overlap >= MATCH_IOU - 1e-9, overlap, 0.0)
        score = np.where((score > 0) & (previous[truth][:, None] == found[None, :]), score + 1000, score)
        rows, columns = linear_sum_assignment(score, maximize=True)
        good = score[rows, columns] > 0
        truth_rows, found_rows = truth[rows[good]], found[columns[good]]
        switches += int(np.count_nonzero((owner[truth_rows] >= 0) & (owner[truth_rows] != found_rows)))
        owner[truth_rows] = found_rows
        previous[:] = -1
        previous[truth_rows] = found_rows
        hits += len(truth_rows)
    false_positives = int(s.found_count.sum()) - hits
    misses = s.truth_boxes - hits
    return 1 - (misses + false_positives + switches) / s.truth_boxes, switches, false_positives, misses


def _idf1(s: _Sequence) -> float:
    """Share of boxes with the right identity, under the best one-to-one naming of whole tracks."""
    true_count, found_count = len(s.truth_count), len(s.found_count)
    agree = np.zeros((true_count, found_count))
    for truth, found, overlap in s.frames:
        np.add.at(agree, (truth[:, None], found[None, :]), overlap >= MATCH_IOU - 1e-9)
    rows, columns = linear_sum_assignment(agree, maximize=True)
    right = agree[rows, columns].sum()
    return float(2 * right / (s.truth_count.sum() + s.found_count.sum()))
