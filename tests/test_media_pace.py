"""Which pictures are picked."""

from __future__ import annotations

import itertools
import random

import pytest

from pipelines.media.pace import Pace


def picked(pace: Pace, times: list[float]) -> list[float]:
    return [time for time in times if pace.pick(time)]


@pytest.mark.parametrize(
    ("native", "fps"), [(10, 5), (25, 5), (30, 5), (12.5, 5), (10, 1), (10, 10), (10, 25), (29.97, 10)]
)
def test_the_rate_is_met_on_average_and_never_exceeded(native: float, fps: float) -> None:
    times = [1_790_000_000.0 + i / native for i in range(int(60 * native))]
    got = picked(Pace(fps), times)
    assert len(got) == pytest.approx(60 * min(native, fps), abs=2)


def test_every_second_picture_of_a_stream_with_jitter_is_still_every_second_on_average() -> None:
    chance = random.Random(1)
    times = [i / 10 + chance.uniform(-0.02, 0.02) for i in range(600)]
    got = picked(Pace(5), times)
    assert 290 <= len(got) <= 302
    assert max(b - a for a, b in itertools.pairwise(got)) < 0.4


def test_a_gap_is_not_made_up_for() -> None:
    times = [i / 10 for i in range(50)] + [30 + i / 10 for i in range(50)]
    got = picked(Pace(5), times)
    assert len([time for time in got if time >= 30]) == pytest.approx(25, abs=1)


def test_the_rate_may_change_at_any_time() -> None:
    pace = Pace(1)
    assert picked(pace, [i / 10 for i in range(100)]) == [float(i) for i in range(10)]
    pace.fps = 5
    assert len(picked(pace, [10 + i / 10 for i in range(100)])) == pytest.approx(50, abs=1)
    pace.fps = None
    assert len(picked(pace, [20 + i / 10 for i in range(100)])) == 100
