"""Dating pictures by the stream's own time."""

from __future__ import annotations

import random

import pytest

from pipelines.recording.timeline import CREEP_S, StreamTime, WallClock


def feed(time: StreamTime, from_s: int, to_s: int, late_s: float = 0.0) -> None:
    for second in range(from_s, to_s):
        time.add(second + 1.0, 1000.0 + second + 1.0 + late_s)


def test_late_arrivals_do_not_move_pictures() -> None:
    time, dice = StreamTime(0.0), random.Random(1)
    for second in range(60):
        time.add(second + 1.0, 1000.0 + second + 1.0 + (0.0 if second % 5 == 0 else dice.random()))
    assert time.utc_ms(30.0) == 1_030_000
    assert time.settle() == 0.0
    assert time.utc_ms(60.0) == pytest.approx(1_060_000, abs=1)


def test_a_burst_at_the_start_dates_the_first_picture_back() -> None:
    time = StreamTime(0.0)
    for end_s in (1.0, 2.0, 3.0):  # three seconds that the server had kept, all at once
        time.add(end_s, 1000.0)
    assert time.utc_ms(0.0) == 997_000


def test_a_clock_that_creeps_is_followed_in_small_steps() -> None:
    time = StreamTime(0.0)
    feed(time, 0, 40)
    time.settle()
    feed(time, 40, 100, late_s=0.4)
    before = time.utc_ms(100.0)
    assert time.settle() == 0.0
    assert time.utc_ms(100.0) - before == pytest.approx(CREEP_S * 1000, abs=1)


def test_a_stream_that_stood_still_is_a_hole() -> None:
    time = StreamTime(0.0)
    feed(time, 0, 40)
    time.settle()
    feed(time, 40, 80, late_s=9.0)
    assert time.settle() == pytest.approx(9.0)
    assert time.utc_ms(80.0) == 1_089_000


def test_a_step_of_the_clock_is_noticed_once_and_slewing_never() -> None:
    wall = WallClock()
    assert wall.look(5000.0, 100.0) == 0.0
    assert wall.look(5001.0, 101.0) == 0.0
    assert wall.look(8602.0, 102.0) == pytest.approx(3600.0)
    assert wall.look(8603.0, 103.0) == 0.0
    assert wall.look(5004.0, 104.0) == pytest.approx(-3600.0)
    for second in range(100):  # 500 ppm
        assert wall.look(5004.0 + second * 1.0005, 104.0 + second) == 0.0
