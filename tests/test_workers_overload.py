"""When a worker's rate is lowered, and when it comes back."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pipelines.workers.overload import Governor


@pytest.mark.parametrize("share", [0.0, 0.02])
def test_a_few_lost_frames_are_no_overload(share: float) -> None:
    governor = Governor("worker")
    told = []
    for second in range(100):
        governor.count(100, round(100 * share), 0.0)
        told += governor.judge(1000.0 + second, 5000.0 + second)
    assert governor.rate == 1.0
    assert told == []


def windows(governor: Governor, lost: Sequence[float], idle: float = 0.0, begins: bool = False) -> list[float]:
    """The rate after each window of two seconds in which that share of 100 frames was lost."""
    rates, at_s = [], 1000.0
    governor.judge(at_s, at_s)
    for share in lost:
        at_s += 2.0
        if begins:
            governor.begins()
        governor.count(100 - round(100 * share), round(100 * share), 2.0 * idle)
        governor.judge(at_s, at_s)
        rates.append(round(governor.rate, 3))
    return rates


def test_one_bad_moment_passes_and_a_second_one_in_a_row_lowers_the_rate() -> None:
    assert windows(Governor("worker"), [0.1, 0.0, 0.1, 0.0, 0.1]) == [1.0] * 5
    assert windows(Governor("worker"), [0.1, 0.1, 0.1]) == [1.0, 0.9, 0.81]
    assert windows(Governor("worker"), [0.3]) == [0.7], "so many lost at once need no second window"


def test_the_rate_comes_back_the_faster_the_more_the_worker_waits() -> None:
    for idle, most in ((0.9, 6), (0.3, 16)):
        rates = windows(Governor("worker"), [0.5] * 6 + [0.0] * most, idle)
        assert rates[5] == 0.2
        assert rates[-1] == 1.0, rates
    assert windows(Governor("worker"), [0.5] * 6 + [0.0] * 9, idle=0.1)[-1] == 0.2, "it has no time to spare"


def test_what_is_lost_while_cameras_begin_is_no_overload_but_not_for_ever() -> None:
    rates = windows(Governor("worker"), [0.5] * 12, begins=True)
    assert rates[:10] == [1.0] * 10
    assert rates[-1] < 0.5
