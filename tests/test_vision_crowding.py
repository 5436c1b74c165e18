"""Crowding: people on a plain, levels, hysteresis and repeats."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from vision import coco
from vision.behaviours.crowding import Parameters
from vision.behaviours.people import local_density
from vision.camera import CameraSpec, RuleSpec
from vision.detection import Detections
from vision.engine import Engine
from vision.frame import Frame
from vision.ground import Ground
from vision.incident import Incident, Phase
from vision.zone import Zone

START_S = 1_790_000_000.0
WIDTH, HEIGHT = 640, 480
#: Seen from straight above: the picture is 16 x 12 metres, 40 pixels each.
PLAN = Ground.fit([((0, 0), (0, 0)), ((1, 0), (16, 0)), ((1, 1), (16, 12)), ((0, 1), (0, 12))])
YARD = Zone("yard", ((0.05, 0.05), (0.95, 0.05), (0.95, 0.95), (0.05, 0.95)))
Points = list[tuple[float, float]]


def grid(count: int, apart_px: float = 60.0) -> Points:
    """Ground points in a square, or as wide as the zone is, from the upper left of the zone."""
    per_row = min(int(500 / apart_px), math.isqrt(count - 1) + 1) if count else 1
    return [(80 + apart_px * (n % per_row), 80 + apart_px * (n // per_row)) for n in range(count)]


def people(points: Points) -> Detections:
    boxes = [(x - 8, y - 40, x + 8, y) for x, y in points]
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), 0.8, np.float32),
        np.full(len(boxes), coco.PERSON, np.int64),
    )


def engine(
    parameters: Parameters, ground: Ground | None = None, active: Callable[[float], bool] | None = None
) -> Engine:
    rule = RuleSpec("crowd", "crowding", "yard", parameters)
    if active is not None:
        rule = RuleSpec("crowd", "crowding", "yard", parameters, active)
    return Engine(CameraSpec("gate", {"yard": YARD}, (rule,), ground=ground))


def play(
    one: Engine, crowd: Callable[[float], Points], until_s: float, fps: float = 5.0, from_s: float = 0.0
) -> list[Incident]:
    random = np.random.default_rng(3)
    sheet = random.integers(60, 200, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    messages: list[Incident] = []
    for number in range(int(from_s * fps), int(until_s * fps) + 1):
        time_s = number / fps
        # The picture itself is not looked at by this rule, but it must be alive, and the camera must stand still.
        alive = sheet ^ np.uint8(number % 2)
        frame = Frame("gate", "run", START_S + time_s, alive)
        messages += one.step(frame, people(crowd(time_s))).incidents
    return messages


def between(low: float, high: float, many: int, few: int) -> Callable[[float], Points]:
    return lambda time_s: grid(many if low <= time_s < high else few)


def at(message: Incident) -> float:
    return round(message.time_s - START_S, 2)


def test_a_crowd_opens_after_its_time_is_repeated_and_closes() -> None:
    messages = play(engine(Parameters(10, None, for_s=8, repeat_s=10)), between(5, 40, 12, 3), 60)
    assert [m.phase for m in messages] == [Phase.OPENED, Phase.UPDATED, Phase.UPDATED, Phase.UPDATED, Phase.CLOSED]
    opened, *updates, closed = messages
    assert at(opened) == pytest.approx(13, abs=1.0)
    gaps = np.diff([at(m) for m in (opened, *updates)])
    assert gaps == pytest.approx(10, abs=0.5)
    assert closed.closed_s is not None
    assert closed.closed_s - START_S == pytest.approx(40, abs=1.5)
    assert closed.close_reason == "dispersed"
    assert closed.evidence["peak_people"].value == 12
    assert len({m.incident_id for m in messages}) == 1
    assert [m.revision for m in messages] == [1, 2, 3, 4, 5]
    assert opened.severity == 2


@pytest.mark.parametrize(
    ("name", "crowd"),
    [
        ("as many as are allowed", lambda _t: grid(10)),
        ("shorter than it takes", between(5, 12, 12, 3)),
        ("outside the zone", lambda _t: [(5.0, 40.0 + 20 * n) for n in range(15)]),
        ("nobody", lambda _t: []),
    ],
)
def test_no_crowd(name: str, crowd: Callable[[float], Points]) -> None:
    assert play(engine(Parameters(10, None, for_s=8)), crowd, 40) == [], name


def test_flicker_at_the_threshold_is_one_incident() -> None:
    # Now one above, now one below the limit, every second.
    messages = play(engine(Parameters(10, None, for_s=8, repeat_s=1000)), lambda t: grid(12 if int(t) % 4 else 10), 80)
    assert [m.phase for m in messages] == [Phase.OPENED]


def test_people_whom_the_detector_misses_for_a_picture_still_count() -> None:
    # In each picture one of the eleven is not found, another each time.
    def crowd(time_s: float) -> Points:
        points = grid(11)
        del points[round(time_s * 5) % 11]
        return points

    messages = play(engine(Parameters(10, None, for_s=8)), crowd, 30)
    assert [m.phase for m in messages] == [Phase.OPENED]


def test_there_is_no_cap() -> None:
    messages = play(engine(Parameters(150, None, for_s=4)), lambda _t: grid(200, 25), 10, fps=2)
    assert messages[0].evidence["people"].value == 200


@pytest.mark.parametrize(
    ("apart_px", "severity"),
    [(26.0, 3), (19.5, 2), (16.0, 1)],  # 0.65, 0.49 and 0.4 metres apart
)
def test_density_levels(apart_px: float, severity: int) -> None:
    messages = play(engine(Parameters(None, 1.8, for_s=4), PLAN), lambda _t: grid(120, apart_px), 8, fps=2)
    assert messages[0].phase is Phase.OPENED
    assert messages[0].severity == severity
    assert messages[0].evidence["density"].unit == "people/m2"


def test_density_is_local() -> None:
    # Sixteen people in one corner of a yard of 150 square metres: dense there, thin over the whole.
    messages = play(engine(Parameters(None, 2.0, for_s=4), PLAN), lambda _t: grid(16, 18), 8, fps=2)
    assert messages[0].phase is Phase.OPENED
    spread = play(engine(Parameters(None, 2.0, for_s=4), PLAN), lambda _t: grid(16, 100), 8, fps=2)
    assert spread == []


def test_density_by_hand() -> None:
    points = np.array([(0, 0), (1, 0), (0, 1.2), (5, 5), (np.nan, np.nan)])
    disc = np.pi * 1.5**2
    # The second and the third are 1.56 m apart.
    assert local_density(points) * disc == pytest.approx([3, 2, 2, 1, 0])


def test_a_level_that_rises_is_told_at_once() -> None:
    messages = play(
        engine(Parameters(None, 1.8, for_s=4, repeat_s=600), PLAN), lambda t: grid(120, 26 if t < 15 else 16), 30, fps=2
    )
    assert [(m.phase, m.severity) for m in messages][:1] == [(Phase.OPENED, 3)]
    assert messages[-1].severity == 1
    assert all(m.phase is Phase.UPDATED for m in messages[1:])


def test_the_rule_may_say_its_severity() -> None:
    messages = play(engine(Parameters(5, None, for_s=4, severity=4)), lambda _t: grid(8), 10)
    assert messages[0].severity == 4


def test_growth_and_time_until_the_limit() -> None:
    one = engine(Parameters(40, None, for_s=4))
    messages = play(one, lambda t: grid(min(60, 5 + int(t)), 40), 60)
    growth = messages[0].evidence["growth"]
    assert growth.unit == "people/min"
    assert growth.value == pytest.approx(60, rel=0.1)


def test_a_gap_counts_as_nothing_seen() -> None:
    one = engine(Parameters(10, None, for_s=20))
    assert play(one, lambda _t: grid(12), 10) == []
    # A hundred seconds without pictures, then the same crowd: only what was seen counts.
    messages = play(one, lambda _t: grid(12), 140, from_s=110)
    assert at(messages[0]) == pytest.approx(120, abs=1)


def test_outside_its_schedule_a_rule_is_silent_and_ends_what_is_open() -> None:
    one = engine(Parameters(10, None, for_s=4), active=lambda t: t < START_S + 20)
    messages = play(one, lambda _t: grid(12), 40)
    assert [(m.phase, m.close_reason) for m in messages] == [(Phase.OPENED, None), (Phase.CLOSED, "schedule")]


def test_a_rule_without_a_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="people or density"):
        Parameters(None, None)


def hours(from_s: float, to_s: float) -> Callable[[float], bool]:
    return lambda time_s: from_s <= time_s - START_S < to_s


def test_a_gathering_outside_the_hours_of_a_crowd_is_one_and_ends_when_they_begin() -> None:
    rule = Parameters(30, None, for_s=8, gathering=6, expected=hours(60, 120))
    messages = play(engine(rule), between(10, 150, 12, 0), 160)
    assert [(m.phase, m.close_reason) for m in messages if m.phase in (Phase.OPENED, Phase.CLOSED)] == [
        (Phase.OPENED, None),
        (Phase.CLOSED, "expected"),
        (Phase.OPENED, None),
        (Phase.CLOSED, "dispersed"),
    ]
    first = messages[0]
    assert at(first) == pytest.approx(18.0, abs=0.5)
    assert (first.severity, first.evidence["crowd"].value, first.evidence["people_limit"].value) == (3, "unexpected", 6)
    # Twelve are no crowd in the hours in which one is expected, and a gathering again once these are over.
    assert at([m for m in messages if m.phase is Phase.OPENED][1]) == pytest.approx(128.0, abs=0.5)


def test_a_crowd_in_its_hours_is_judged_by_its_own_limit_and_outlives_them() -> None:
    rule = Parameters(10, None, for_s=8, gathering=6, expected=hours(0, 40))
    messages = play(engine(rule), between(5, 70, 15, 0), 85)
    assert [m.phase for m in messages if m.phase is not Phase.UPDATED] == [Phase.OPENED, Phase.CLOSED]
    assert "crowd" not in messages[0].evidence
    assert messages[0].severity == 2


def test_the_screen_says_how_fast_it_fills() -> None:
    one = engine(Parameters(20, None, for_s=8))
    play(one, lambda time_s: grid(int(time_s / 5)), 40)
    (status,) = one.status()
    assert status.evidence["growth"].value == pytest.approx(12, abs=1.5)
    assert 50 <= float(status.evidence["until_limit"].value) <= 75


def test_a_count_says_how_far_it_can_be_trusted() -> None:
    apart = play(engine(Parameters(5, None, for_s=4)), between(2, 30, 12, 0), 10)[0]
    close = play(engine(Parameters(5, None, for_s=4)), lambda t: grid(12, apart_px=9.0) if t > 2 else [], 10)[0]
    assert "count" not in apart.evidence
    assert apart.evidence["people_error"].value == pytest.approx(1.0)
    assert close.evidence["count"].value == "at_least"
    people = int(close.evidence["people"].value)
    assert close.evidence["people_error"].value == pytest.approx(0.33 * people, abs=0.06)
