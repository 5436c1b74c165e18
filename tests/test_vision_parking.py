"""The parking case on painted scenes: each line of the table is one that control rooms suffer from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from vision import coco
from vision.behaviours.illegal_parking import IllegalParking, Parameters
from vision.camera import CameraSpec, RuleSpec
from vision.engine import Engine
from vision.evaluation.painted import Actor, Stage
from vision.incident import Incident
from vision.zone import Zone

KERB = Zone("kerb", ((0.1, 0.5), (0.9, 0.5), (0.9, 0.9), (0.1, 0.9)))
AFTER_S = 20.0


def camera(parameters: Parameters | None = None) -> CameraSpec:
    rule = RuleSpec("park", "illegal_parking", "kerb", parameters or Parameters(AFTER_S))
    return CameraSpec("gate", {"kerb": KERB}, (rule,))


def play(stage: Stage, until_s: float, parameters: Parameters | None = None) -> list[Incident]:
    engine = Engine(camera(parameters))
    return [m for frame, detections in stage.play(until_s) for m in engine.step(frame, detections).incidents]


@dataclass(frozen=True)
class Episode:
    opened_s: float
    closed_s: float | None
    reason: str | None


def episodes(messages: list[Incident], stage: Stage) -> list[Episode]:
    """What was opened, and when it was closed, in seconds from the start."""
    last = {m.incident_id: m for m in messages if m.opened_s is not None}
    return [
        Episode(m.opened_s - stage.epoch_s, None if m.closed_s is None else m.closed_s - stage.epoch_s, m.close_reason)
        for m in last.values()
        if m.opened_s is not None
    ]


def parked(arrive: float, leave: float, x: float = 320, y: float = 330, **more: object) -> Actor:
    """Drives in from the left within 4 s, stands from `arrive` to `leave`, drives out to the right."""
    path = ((arrive - 4, -200.0, y), (arrive, x, y), (leave, x, y), (leave + 4, 900.0, y))
    return Actor(path, **more)  # type: ignore[arg-type]


def there(x: float = 320, y: float = 330, until: float = 1000, **more: object) -> Actor:
    return Actor(((0.0, x, y), (until, x, y)), **more)  # type: ignore[arg-type]


def walker(start: float, seconds: float = 10, **more: object) -> Actor:
    """Walks past in front of what stands at (320, 330)."""
    path = ((start, -20.0, 345.0), (start + seconds, 660.0, 345.0))
    return Actor(path, size_px=(30, 80), class_id=coco.PERSON, looks=77, **more)  # type: ignore[arg-type]


def stands_before(start: float, end: float, x: float = 320, size: tuple[float, float] = (80, 75)) -> Actor:
    """People who stand in front of the place for a while."""
    return Actor(((start, x, 345.0), (end, x, 345.0)), size_px=size, class_id=coco.PERSON, looks=78)


@dataclass(frozen=True)
class Scenario:
    name: str
    actors: list[Actor]
    until_s: float
    expected: list[tuple[float, float | None]]
    fps: float = 5.0
    outages: tuple[tuple[float, float], ...] = ()
    brightness: dict[tuple[float, float], float] = field(default_factory=dict)
    tolerance_s: float = 1.5


SCENARIOS = [
    Scenario("arrives, stands, leaves", [parked(10, 50)], 70, [(30, 51)]),
    Scenario("there from the start", [there()], 60, [(20, None)]),
    Scenario("one picture a second", [parked(10, 50)], 70, [(30, 51)], fps=1.0, tolerance_s=4),
    Scenario("fifteen pictures a second", [parked(10, 50)], 70, [(30, 51)], fps=15.0),
    Scenario("a short stop", [parked(10, 25)], 60, []),
    Scenario("drives through", [Actor(((5, -50, 330), (12, 700, 330)))], 40, []),
    Scenario("creeps", [Actor(((0, 100, 330), (90, 560, 330)))], 90, []),
    Scenario("walkers in front", [there(), *[walker(s) for s in range(5, 60, 6)]], 70, [(20, None)]),
    Scenario("people stand before it at the limit", [there(), stands_before(15, 24)], 60, [(20, None)]),
    Scenario("people stand before it for long", [there(), stands_before(30, 75)], 100, [(20, None)]),
    Scenario("leaves behind people", [parked(6, 40), stands_before(35, 60)], 90, [(26, 60)], tolerance_s=2),
    Scenario("seldom detected", [there(seen_at=0.25, confidence=0.5)], 60, [(20, None)]),
    Scenario("not detected any more", [Actor(((0, 320, 330), (200, 320, 330)), seen_at=0.5)], 200, [(20, None)]),
    Scenario("class wavers", [there(classes=(coco.CAR, coco.TRUCK, coco.BUS))], 60, [(20, None)]),
    Scenario(
        "another takes the place",
        [parked(6, 40, looks=1), parked(50, 90, looks=2)],
        110,
        [(26, 41), (70, 91)],
    ),
    Scenario(
        "another takes the place at once",
        [parked(6, 40, looks=1), parked(44, 90, looks=2)],
        110,
        [(26, 41.5), (64, 91)],
        tolerance_s=2.5,
    ),
    Scenario(
        "changed during an outage",
        [there(looks=1, until=45), Actor(((45.0, 320.0, 330.0), (120.0, 320.0, 330.0)), looks=2)],
        110,
        [(20, 70), (90, None)],
        outages=((40, 70),),
        tolerance_s=0.5,
    ),
    Scenario("the same after an outage", [there()], 120, [(20, None)], outages=((40, 70),)),
    Scenario("an outage over the limit", [there()], 80, [(45, None)], outages=((15, 45),)),
    Scenario("two side by side", [there(270), there(372, looks=2)], 60, [(20, None), (20, None)]),
    Scenario("outside the zone", [there(y=200)], 60, []),
    Scenario("half inside, its ground point out", [there(x=55)], 60, []),
    Scenario("half inside, its ground point in", [there(x=75)], 60, [(20, None)]),
    Scenario("dark for a while", [there(seen_at=1.0)], 100, [(20, None)], brightness={(40, 70): 0.1}),
    Scenario("a sudden cloud", [there(seen_at=0.6)], 100, [(20, None)], brightness={(40, 200): 0.6}),
    Scenario("a motorcycle", [there(size_px=(30, 40), class_id=coco.MOTORCYCLE)], 60, [(20, None)]),
    Scenario("a bicycle is not watched", [there(size_px=(30, 40), class_id=coco.BICYCLE)], 60, []),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_every_stay_is_one_case_with_the_right_times(scenario: Scenario) -> None:
    stage = Stage(scenario.actors, fps=scenario.fps, outages=scenario.outages, brightness=scenario.brightness)
    found = episodes(play(stage, scenario.until_s), stage)
    assert len(found) == len(scenario.expected), found
    for one, (opened_s, closed_s) in zip(found, scenario.expected, strict=True):
        assert one.opened_s == pytest.approx(opened_s, abs=scenario.tolerance_s)
        if closed_s is None:
            assert one.closed_s is None, found
        else:
            assert one.closed_s == pytest.approx(closed_s, abs=scenario.tolerance_s), found


def test_pictures_of_a_case_are_ten_seconds_apart_with_one_close_up() -> None:
    """First seen, again ten seconds later, at the limit with a close-up, and when it has gone."""
    stage = Stage([parked(10, 50)], fps=5.0)
    engine = Engine(camera())
    taken = [(p.role, p.time_s - stage.epoch_s) for f, d in stage.play(60) for p in engine.step(f, d).pictures]
    assert [role for role, _ in taken] == ["first_seen", "later", "limit", "close_up", "cleared"]
    first, later, limit, close_up, cleared = (at_s for _, at_s in taken)
    assert later - first >= 10
    assert limit == close_up == pytest.approx(30, abs=1)
    assert cleared == pytest.approx(52, abs=2)


def test_no_close_up_of_whoever_stands_before_it() -> None:
    stage = Stage([there(), stands_before(15, 24)], fps=5.0)
    engine = Engine(camera())
    saved = None
    taken: list[tuple[str, float]] = []
    for frame, detections in stage.play(40):
        step = engine.step(frame, detections)
        taken += [(picture.role, picture.time_s - stage.epoch_s) for picture in step.pictures]
        if saved is None and frame.time_s - stage.epoch_s >= 30:
            saved, engine = engine.snapshot(), Engine(camera())
            engine.restore(saved)
    assert [role for role, _ in taken].count("close_up") == 1
    at_s = dict(taken)
    assert at_s["limit"] == pytest.approx(20, abs=1)
    assert at_s["close_up"] == pytest.approx(24, abs=1)


def test_a_track_that_goes_over_to_a_neighbour_takes_no_clock_with_it() -> None:
    """The standing car is missed in one picture, in which its track takes another that drives in beside it."""
    stage = Stage([there(), Actor(((9.0, 460.0, 360.0), (30.0, 460.0, 360.0)), looks=2)], fps=5.0)
    engine, rule = Engine(camera()), IllegalParking("gate", camera().rules[0])
    opened: list[float] = []
    for frame, detections in stage.play(22):
        scene = engine.step(frame, detections).scene
        assert scene is not None
        if len(detections) == 2 and not opened and frame.time_s - stage.epoch_s < 9.5:
            first = int(scene.detections.xyxy_px[:, 0].argmin())
            scene = replace(
                scene,
                detections=scene.detections.where(np.arange(2) != first),
                detection_track_id=scene.detection_track_id[[first]],
            )
        opened += [m.opened_s - stage.epoch_s for m in rule.step(scene).incidents if m.opened_s is not None]
    assert opened[:1] == [pytest.approx(20, abs=0.5)]


def test_a_schedule_counts_from_when_it_begins_and_closes_when_it_ends() -> None:
    stage = Stage([there()], fps=5.0)
    rule = replace(camera().rules[0], active=lambda time_s: 10 <= time_s - stage.epoch_s < 50)
    engine = Engine(replace(camera(), rules=(rule,)))
    messages = [m for frame, detections in stage.play(60) for m in engine.step(frame, detections).incidents]
    assert episodes(messages, stage) == [
        Episode(pytest.approx(30, abs=0.5), pytest.approx(50, abs=0.5), "schedule")  # type: ignore[arg-type]
    ]


def test_an_exempt_class_may_stand_and_what_takes_its_place_may_not() -> None:
    bus = parked(6, 40, looks=1, size_px=(150, 90), class_id=coco.BUS)
    car = parked(50, 90, looks=2)
    stage = Stage([bus, car], fps=5.0)
    found = episodes(play(stage, 80, Parameters(AFTER_S, classes=frozenset({coco.CAR}))), stage)
    assert [one.opened_s for one in found] == [pytest.approx(70, abs=1.5)]
