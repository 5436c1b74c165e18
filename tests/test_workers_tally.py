"""What a worker says of its cameras: every frame is counted, whenever it is shown."""

from __future__ import annotations

import logging

from pipelines.metrics import Metrics
from pipelines.testing import FakeClock
from pipelines.workers.tally import Tally


def test_frames_are_shown_once_a_second_and_none_is_lost_when_a_camera_goes() -> None:
    metrics, clock = Metrics(), FakeClock()
    tally = Tally(metrics, clock, logging.getLogger("test.tally"))

    def shown(camera: str) -> tuple[float | None, float | None]:
        return (
            metrics.registry.get_sample_value("gatewatch_frames_analysed_total", {"camera": camera}),
            metrics.registry.get_sample_value("gatewatch_last_frame_timestamp_seconds", {"camera": camera}),
        )

    tally.opened("gate")
    tally.opened("yard")
    tally.show(clock.monotonic_s())
    assert shown("gate") == (None, None), "a camera of which nothing was seen has no time that looks like 1970"
    for number in range(12):
        clock.advance(0.2)
        tally.analysed("gate", 5000.0 + number, clock.monotonic_s())
        tally.show(clock.monotonic_s())
    frames, newest_s = shown("gate")
    assert frames == 10
    assert newest_s == 5009.0
    tally.forget("gate")
    assert shown("gate") == (12, 5011.0)
    assert shown("yard") == (None, None)


def test_a_camera_without_a_frame_for_long_is_unwatched_until_one_comes_or_it_goes() -> None:
    clock = FakeClock()
    tally = Tally(Metrics(), clock, logging.getLogger("test.tally"))
    tally.opened("gate")
    tally.opened("yard")
    clock.advance(10.0)
    tally.analysed("yard", 5000.0, clock.monotonic_s())
    assert tally.unwatched(5.0) == ["gate"]
    tally.analysed("gate", 5000.0, clock.monotonic_s())
    assert tally.unwatched(5.0) == []
    clock.advance(10.0)
    tally.forget("yard")
    assert tally.unwatched(5.0) == ["gate"]
