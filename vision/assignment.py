"""Who belongs to whom: pairs of rows and columns with the most score in all, each row and column in one pair at most.

Of a dozen tracks and boxes nearly all have one candidate each; what is left is worked out by shortest augmenting paths
(Jonker and Volgenant, A Shortest Augmenting Path Algorithm for Dense and Sparse Linear Assignment Problems, 1987) over the
candidates alone. SciPy does the same, and takes 50 MB for being loaded.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from vision import native
from vision.geometry import FloatArray

_Pairs = list[tuple[int, int]]


def best_pairs(score: FloatArray) -> _Pairs:
    """(row, column) pairs of `score` (N, M) with the greatest sum, in order of rows; only scores above 0 make a pair."""
    if native.assignment is not None:
        return native.assignment.best_pairs(score)
    rows, columns = (axis.tolist() for axis in np.nonzero(score > 0))
    of_row, of_column = Counter(rows), Counter(columns)
    pairs: _Pairs = []
    contested: dict[int, dict[int, float]] = {}
    for row, column in zip(rows, columns, strict=True):
        if of_row[row] == of_column[column] == 1:
            pairs.append((row, column))
        else:
            contested.setdefault(row, {})[column] = float(score[row, column])
    return sorted(pairs + _contested(contested)) if contested else pairs


def _contested(weights: dict[int, dict[int, float]]) -> _Pairs:
    """The best pairs, where `weights` has those of each row's candidates.

    Rows come one after another, each by the path that costs least; a row may also take a column of its own (below zero) that
    is worth nothing. Prices (`row_price`, `column_price`) keep the costs along all other paths from being negative.
    """
    row_price: dict[int, float] = {}
    column_price: dict[int, float] = {}
    owner: dict[int, int] = {}
    taken: dict[int, int] = {}
    for root in weights:
        row_price[root] = 0.0
        reached: dict[int, float] = {}
        settled: dict[int, float] = {}
        came_from: dict[int, int] = {}
        row, so_far = root, 0.0
        while True:
            for column, weight in (*weights[row].items(), (-1 - row, 0.0)):
                cost = so_far - weight - row_price[row] - column_price.get(column, 0.0)
                if column not in settled and cost < reached.get(column, math.inf):
                    reached[column], came_from[column] = cost, row
            column = min(reached, key=reached.__getitem__)
            so_far = reached.pop(column)
            if column not in owner:
                break
            settled[column] = so_far
            row = owner[column]
        row_price[root] += so_far
        for passed, cost in settled.items():
            row_price[owner[passed]] += so_far - cost
            column_price[passed] = column_price.get(passed, 0.0) - (so_far - cost)
        while True:
            row = came_from[column]
            before = taken.get(row)
            owner[column], taken[row] = row, column
            if before is None:
                break
            column = before
    return [(row, column) for row, column in taken.items() if column >= 0]
