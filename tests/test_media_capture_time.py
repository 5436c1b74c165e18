"""pts -> UTC: never back, never into the future, true distances, whatever arrives late or jumps."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.media.capture_time import CaptureTime, Stamp

UTC = 1_790_000_000.0  # what the machine's clock says at monotonic 0


def feed(time: CaptureTime, rows: list[tuple[float, float]], utc_s: float = UTC) -> list[Stamp | None]:
    """rows of (pts_s, arrival_s)."""
    return [time.stamp(pts, arrival, utc_s + arrival) for pts, arrival in rows]


def given_times(stamps: list[Stamp | None]) -> list[float]:
    return [stamp.time_s for stamp in stamps if stamp is not None]


def steady(count: int, pts: float = 0.0, arrival: float = 10.0, step: float = 0.1) -> list[tuple[float, float]]:
    return [(pts + step * i, arrival + step * i) for i in range(count)]


def test_a_steady_stream_is_dated_as_it_arrives() -> None:
    times = given_times(feed(CaptureTime(), steady(20, pts=5000.0)))
    assert times == pytest.approx([UTC + 10.0 + 0.1 * i for i in range(1, 20)], abs=1e-3)


def test_a_burst_at_the_start_is_not_dated_into_the_future() -> None:
    # Three seconds were buffered while the stream was opened; then it is live.
    burst = [(0.1 * i, 10.0 + 0.001 * i) for i in range(30)]
    live = steady(20, pts=3.0, arrival=10.1)
    stamps = feed(CaptureTime(), burst + live)
    assert stamps[:30] == [None] * 30
    assert given_times(stamps) == pytest.approx([UTC + arrival for _, arrival in live], abs=0.08)


def test_after_a_stall_the_burst_keeps_its_own_times_and_shows_its_age() -> None:
    before = steady(50)
    # Eight seconds of silence, then what was taken meanwhile comes at once, then it is live again.
    burst = [(5.0 + 0.1 * i, 23.0 + 0.001 * i) for i in range(80)]
    after = steady(20, pts=13.0, arrival=23.1)
    stamps = feed(CaptureTime(), before + burst + after)
    times = given_times(stamps)
    assert all(b - a == pytest.approx(0.1, abs=0.02) for a, b in itertools.pairwise(times))
    first = stamps[50]
    assert first is not None
    assert first.time_s == pytest.approx(UTC + 15.0, abs=0.02)  # when it was taken, not when it came
    assert 23.0 - first.edge_s == pytest.approx(8.0, abs=0.02)  # so it is eight seconds old
    last = stamps[-1]
    assert last is not None
    assert 25.0 - last.edge_s == pytest.approx(0.0, abs=0.2)


def test_pts_that_go_back_continue_by_what_has_passed_here() -> None:
    time = CaptureTime()
    times = given_times(feed(time, steady(50, pts=95443.0) + steady(50, pts=0.0, arrival=15.0)))
    assert time.breaks == 1
    assert all(b - a == pytest.approx(0.1, abs=1e-2) for a, b in itertools.pairwise(times))


def test_pts_that_jump_ahead_continue_by_what_has_passed_here() -> None:
    time = CaptureTime()
    times = given_times(feed(time, steady(50) + steady(50, pts=9_000_000.0, arrival=15.0)))
    assert time.breaks == 1
    assert all(b - a == pytest.approx(0.1, abs=1e-2) for a, b in itertools.pairwise(times))


def test_a_repeated_pts_is_no_picture() -> None:
    stamps = feed(CaptureTime(), [*steady(5), (0.4, 10.42), (0.5, 10.5)])
    assert stamps[5] is None
    assert stamps[6] is not None


def test_a_later_run_never_goes_back_even_when_the_clock_was_set_back() -> None:
    time = CaptureTime()
    first = given_times(feed(time, steady(20)))
    time.start_run()
    second = given_times(feed(time, steady(20, arrival=20.0), utc_s=UTC - 3600.0))
    assert second[0] > first[-1]
    assert second[-1] - second[0] == pytest.approx(1.8, rel=0.06)


def test_a_new_process_does_not_go_back_behind_what_was_saved() -> None:
    assert min(given_times(feed(CaptureTime(not_before_s=UTC + 500.0), steady(5)))) > UTC + 500.0


@pytest.mark.parametrize("ppm", [-200.0, 200.0])
def test_a_camera_whose_clock_drifts_stays_within_the_second_that_evidence_allows(ppm: float) -> None:
    step = 1.0
    rows = [(step * i * (1 + ppm * 1e-6), 10.0 + step * i + (0.05 if i % 3 else 0.0)) for i in range(6 * 3600)]
    stamps = feed(CaptureTime(), rows)
    for (_, arrival), stamp in list(zip(rows, stamps, strict=True))[1:]:
        assert stamp is not None
        assert abs(stamp.time_s - (UTC + arrival)) < 0.2


def test_when_the_machines_clock_is_set_times_follow_slowly_and_do_not_jump() -> None:
    rows = steady(4000)
    time = CaptureTime()
    times = [
        stamp.time_s
        for i, (pts, arrival) in enumerate(rows)
        if (stamp := time.stamp(pts, arrival, UTC + arrival + (5.0 if i > 100 else 0.0))) is not None
    ]
    assert all(0.099 <= b - a <= 0.106 for a, b in itertools.pairwise(times))
    assert times[-1] - (UTC + rows[-1][1] + 5.0) == pytest.approx(0.0, abs=1.0)


@given(
    st.lists(
        st.tuples(st.floats(-50, 50, allow_nan=False), st.floats(0.0, 12.0, allow_nan=False)), min_size=2, max_size=80
    )
)
def test_whatever_comes_times_grow_and_never_run_far_ahead_of_the_clock(steps: list[tuple[float, float]]) -> None:
    time = CaptureTime()
    pts = arrival = 0.0
    last = 0.0
    for pts_step, arrival_step in steps:
        pts += pts_step
        arrival += arrival_step
        stamp = time.stamp(pts, arrival, UTC + arrival)
        if stamp is not None:
            assert stamp.time_s > last
            last = stamp.time_s
            assert last < UTC + arrival + 1.5
