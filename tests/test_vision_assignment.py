"""Pairs with the most score: as SciPy finds them, without loading it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from vision.assignment import best_pairs
from vision.geometry import FloatArray


def by_scipy(score: FloatArray) -> list[tuple[int, int]]:
    rows, columns = linear_sum_assignment(score, maximize=True)
    return [(int(row), int(column)) for row, column in zip(rows, columns, strict=True) if score[row, column] > 0]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.6, 1.0])
def test_as_scipy_finds_them(share: float) -> None:
    random = np.random.default_rng(round(100 * share))
    for _ in range(120):
        score = random.random(tuple(random.integers(1, 14, 2)))
        score[random.random(score.shape) >= share] = 0.0
        assert best_pairs(score) == by_scipy(score)


def test_many_who_stand_close_together() -> None:
    random = np.random.default_rng(7)
    away = np.abs(np.arange(80)[:, None] - np.arange(90)[None, :])
    score = np.where(away <= 4, random.random(away.shape), 0.0)
    assert best_pairs(score) == by_scipy(score)


def test_equal_scores_make_as_many_pairs_as_there_are() -> None:
    assert sorted(column for _, column in best_pairs(np.ones((3, 3)))) == [0, 1, 2]
    # Who has one candidate gets it, though another wants it as much.
    assert best_pairs(np.array([[0.5, 0.5], [0.5, 0.0]])) == [(0, 1), (1, 0)]


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0), (3, 3)])
def test_nothing_fits_nothing(shape: tuple[int, int]) -> None:
    assert best_pairs(np.zeros(shape)) == []


def test_a_pair_that_costs_more_elsewhere_is_not_made() -> None:
    # 0.9 alone is the best pair, but 0.6 + 0.6 is more in all.
    assert best_pairs(np.array([[0.9, 0.6], [0.6, 0.0]])) == [(0, 1), (1, 0)]
    assert best_pairs(np.array([[0.9, 0.3], [0.3, 0.0]])) == [(0, 0)]


def test_a_worker_does_not_load_scipy() -> None:
    code = "import sys, pipelines.workers.analysis; sys.exit(any(name.startswith('scipy') for name in sys.modules))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
