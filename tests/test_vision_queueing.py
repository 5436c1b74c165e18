"""A queue is not parking, and who parks beside one is; who creeps has not left. On painted scenes, without a detector."""

from __future__ import annotations

import json

import pytest

from vision.behaviours.illegal_parking import Parameters
from vision.camera import CameraSpec, RuleSpec
from vision.engine import Engine
from vision.evaluation.painted import Actor, Stage
from vision.incident import Incident, Phase
from vision.zone import Zone

ROAD = Zone("road", ((0.35, 0.3), (0.75, 0.3), (0.75, 0.9), (0.35, 0.9)))
#: Where the vehicles of the queue stand, one behind the other; the middle two are in the zone.
PLACES = (-80.0, 60.0, 170.0, 280.0, 390.0, 500.0, 720.0)


def queue(steps_s: float, vehicles: int = 5, moving_s: float = 3.0) -> list[Actor]:
    """Each stands for `steps_s` at each place, and moves up with the others, a little after the one before it."""
    actors = []
    for number in range(vehicles):
        path = [(0.0, PLACES[0], 300.0)]
        for step in range(1, len(PLACES)):
            at_s = (number + step) * (steps_s + moving_s) + 0.8 * number
            path += [(at_s - moving_s, PLACES[step - 1], 300.0), (at_s, PLACES[step], 300.0)]
        actors.append(Actor(tuple(path), looks=10 + number))
    return actors


def play(stage: Stage, until_s: float, restart_s: float | None = None, after_s: float = 15.0) -> list[Incident]:
    rule = RuleSpec("parking", "illegal_parking", "road", Parameters(after_s=after_s))
    spec = CameraSpec("gate", {"road": ROAD}, (rule,))
    one, messages = Engine(spec), []
    for frame, detections in stage.play(until_s):
        if restart_s is not None and frame.time_s - stage.epoch_s >= restart_s:
            saved, one, restart_s = json.dumps(one.snapshot()), Engine(spec), None
            one.restore(json.loads(saved))
        messages += one.step(frame, detections).incidents
    return messages


def opened(messages: list[Incident], stage: Stage) -> list[float]:
    return [round(m.time_s - stage.epoch_s, 1) for m in messages if m.phase is Phase.OPENED]


@pytest.mark.parametrize("restart_s", [118.0])
def test_a_queue_that_moves_up_in_turn_is_not_parking(restart_s: float | None) -> None:
    assert play(Stage(queue(25.0), scale=0.3), 250.0, restart_s) == []


def test_without_neighbours_who_move_up_as_well_it_is() -> None:
    stage = Stage(queue(25.0, vehicles=1), scale=0.3)
    assert len(opened(play(stage, 200.0), stage)) >= 1


def test_a_queue_that_stands_for_several_times_the_limit_is_told_of() -> None:
    vehicles = [Actor((*actor.path[:9], (400.0, *actor.path[8][1:])), looks=actor.looks) for actor in queue(12.0, 3)]
    stage = Stage(vehicles, scale=0.3)
    times = opened(play(stage, 200.0), stage)
    assert len(times) >= 1
    assert min(times) >= max(actor.path[8][0] for actor in vehicles[:1]) + 3 * 15.0 - 1.0


def test_a_van_that_parks_beside_a_queue_is_told_of_once_and_in_time() -> None:
    van = Actor(((0.0, 330.0, 180.0), (220.0, 330.0, 180.0)), looks=3)
    stage = Stage([van, *queue(10.0)], scale=0.3)
    messages = play(stage, 160.0)
    assert opened(messages, stage) == [15.0]


def test_a_van_that_comes_in_a_queue_and_stays_is_told_of_when_the_others_have_gone_on() -> None:
    vehicles = queue(10.0, vehicles=4)
    # The first stays at its fourth place, the others drive around it.
    first = Actor((*vehicles[0].path[:7], (400.0, *vehicles[0].path[6][1:])), looks=10)
    stage = Stage(
        [first, *[Actor(tuple((t, x, y + 70) for t, x, y in a.path), looks=a.looks) for a in vehicles[1:]]], scale=0.3
    )
    times = opened(play(stage, 160.0), stage)
    stands_s = first.path[6][0]
    assert len(times) == 1
    assert stands_s + 15.0 - 1 <= times[0] <= stands_s + 45.0 + 1


@pytest.mark.parametrize(("share", "is_one"), [(0.2, True), (1.6, False)])
def test_a_vehicle_that_creeps_has_not_left(share: float, is_one: bool) -> None:
    """It moves on by `share` of its length after ten seconds, twice; 15 s in all are too long."""
    x, step = 300.0, 90.0 * share
    path = ((0.0, x, 300.0), (10.0, x, 300.0), (11.5, x + step, 300.0), (20.0, x + step, 300.0))
    end = x + 1.25 * step
    stage = Stage([Actor((*path, (21.5, end, 300.0), (31.0, end, 300.0), (33.0, 760.0, 300.0)))])
    times = opened(play(stage, 40.0), stage)
    if is_one:
        assert len(times) == 1
        assert 14.0 <= times[0] <= 18.0
    else:
        assert len(times) <= 1
        assert all(at_s >= 26.0 for at_s in times)
