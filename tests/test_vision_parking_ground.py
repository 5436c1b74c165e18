"""The parking case of a camera that knows its ground: places in metres. Painted scenes of a camera on a pole, each with and
without its ground points, so that what the ground is good for can be seen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import pytest

from vision import coco
from vision.behaviours.illegal_parking import Parameters
from vision.behaviours.parking_place import Yard, as_box
from vision.camera import CameraSpec, RuleSpec
from vision.detection import Float32Array
from vision.engine import Engine
from vision.evaluation.painted import Actor, Stage
from vision.evaluation.pinhole import Pinhole, Vehicle
from vision.geometry import Box
from vision.ground import Ground
from vision.incident import Incident, Phase
from vision.zone import Zone

CAMERA = Pinhole()
GROUND = CAMERA.ground(np.array([[-6.0, 9.0], [6.0, 9.0], [8.0, 28.0], [-8.0, 28.0]]))
SIZE_PX = (640, 480)
AFTER_S = 15.0
SCALE = 0.4


class Sharp(Stage):
    """Vehicles with hard edges: large ones with soft panels look out of focus, and no rule believes such a picture."""

    def _texture(self, actor: Actor) -> Float32Array:
        soft = super()._texture(actor)
        return np.asarray(cv2.resize(soft[::12, ::12], (160, 120), interpolation=cv2.INTER_NEAREST), np.float32)


def zone(x1: float, y1: float, x2: float, y2: float) -> Zone:
    """A rectangle on the ground, in metres, as it is drawn on the picture."""
    return Zone("bay", CAMERA.zone(np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)])))


#: Along the near kerb of a street that runs across the picture: as wide as a car, from 14 m to 16 m before the camera.
BAY = zone(-7.0, 14.0, 7.0, 16.0)


@dataclass(frozen=True, slots=True)
class Parked(Actor):
    """A vehicle on the ground: `ways` are (time_s, x_m, y_m), `path` only says from when to when."""

    ways: tuple[tuple[float, float, float], ...] = ()
    heading_rad: float = 0.0

    def box(self, time_s: float) -> Box | None:
        if not self.ways[0][0] <= time_s <= self.ways[-1][0]:
            return None
        times = [at for at, _, _ in self.ways]
        x, y = (float(np.interp(time_s, times, [way[axis] for way in self.ways])) for axis in (1, 2))
        x1, y1, x2, y2 = CAMERA.box(Vehicle((x, y), self.heading_rad, self.class_id))
        return (x1 * SIZE_PX[0], y1 * SIZE_PX[1], x2 * SIZE_PX[0], y2 * SIZE_PX[1])


def stands(x: float, y: float, until: float = 1000.0, **more: object) -> Parked:
    return on_way(((0.0, x, y), (until, x, y)), **more)


def on_way(ways: tuple[tuple[float, float, float], ...], **more: object) -> Parked:
    return Parked(path=(), ways=ways, **more)  # type: ignore[arg-type]


def spec(bay: Zone = BAY, ground: Ground | None = GROUND) -> CameraSpec:
    rule = RuleSpec("park", "illegal_parking", "bay", Parameters(AFTER_S))
    return CameraSpec("gate", {"bay": bay}, (rule,), ground=ground)


@dataclass(frozen=True)
class Played:
    messages: list[Incident]
    stage: Stage

    def spans(self) -> list[tuple[float, float | None]]:
        last = {m.incident_id: m for m in self.messages if m.opened_s is not None}
        since = self.stage.epoch_s
        return [
            (round(m.opened_s - since, 1), None if m.closed_s is None else round(m.closed_s - since, 1))
            for m in last.values()
            if m.opened_s is not None
        ]


def play(
    actors: list[Parked | Actor], until_s: float, camera: CameraSpec | None = None, restart_s: float | None = None
) -> Played:
    camera = camera or spec()
    stage = Sharp(list(actors), size_px=SIZE_PX, scale=SCALE)
    engine, messages = Engine(camera), []
    for frame, detections in stage.play(until_s):
        if restart_s is not None and frame.time_s - stage.epoch_s >= restart_s:
            saved, engine, restart_s = json.dumps(engine.snapshot()), Engine(camera), None
            engine.restore(json.loads(saved))
        messages += engine.step(frame, detections).incidents
    return Played(messages, stage)


@dataclass(frozen=True)
class Scenario:
    """`by_box`: what is raised without ground points, where that differs."""

    name: str
    actors: list[Parked]
    expected: list[tuple[float, float | None]]
    bay: Zone = field(default=BAY)
    by_box: list[tuple[float, float | None]] | None = None
    until_s: float = 20.0


SCENARIOS = [
    Scenario("inside", [stands(0, 15)], [(15, None)], by_box=[(15, None)]),
    Scenario(
        "inside, its ground point before the zone", [stands(0, 15)], [(15, None)], zone(-7, 14.3, 7, 16.5), by_box=[]
    ),
    Scenario(
        "behind the zone, its ground point inside", [stands(0, 17)], [], zone(-7, 14, 7, 16.3), by_box=[(15, None)]
    ),
    Scenario("its box lies over the zone from before it", [stands(0, 11.5)], [], by_box=[]),
    Scenario("half inside, sideways", [stands(7, 15)], [(15, None)], zone(-7, 14, 7, 16)),
    Scenario("half inside, across", [stands(0, 16)], [(15, None)]),
    Scenario("a tenth inside", [stands(0, 16.7)], []),
    Scenario("a narrow line along its wheels", [stands(0, 15)], [(15, None)], zone(-7, 14.4, 7, 15.0), by_box=[]),
    Scenario("beside a narrow line", [stands(0, 16.2)], [], zone(-7, 14.2, 7, 14.8)),
    Scenario("two nose to tail", [stands(-2.6, 15), stands(2.6, 15, looks=2)], [(15, None), (15, None)]),
    Scenario(
        "two side by side",
        [stands(0, 17.4, looks=2), on_way(((0, -20, 15), (6, -20, 15), (9, 0, 15), (100, 0, 15)))],
        [(15, None), (24, None)],
        zone(-7, 14, 7, 18.5),
        until_s=30.0,
    ),
    Scenario("a motorcycle", [stands(0, 15, class_id=coco.MOTORCYCLE)], [(15, None)]),
    Scenario("a bus", [stands(0, 15, class_id=coco.BUS)], [(15, None)], zone(-8, 13.7, 8, 16.3)),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_what_stands_in_the_zone_is_told_of(scenario: Scenario) -> None:
    found = play(scenario.actors, scenario.until_s, spec(scenario.bay)).spans()
    assert len(found) == len(scenario.expected), found
    for (opened_s, closed_s), (expected_s, end_s) in zip(found, scenario.expected, strict=True):
        assert opened_s == pytest.approx(expected_s, abs=1.0)
        assert closed_s == end_s
    if scenario.by_box is not None:
        by_box = play(scenario.actors, scenario.until_s, spec(scenario.bay, None)).spans()
        assert len(by_box) == len(scenario.by_box), by_box


def test_one_leaves_and_the_one_behind_it_is_not_taken_for_it() -> None:
    """Seen from a low camera their boxes overlap by half; on the ground they stand two and a half metres apart."""
    behind = stands(0.3, 17.5, looks=2)
    before = on_way(((0, 0, 15), (30, 0, 15), (33, 20, 15)))
    found = play([behind, before], 60).spans()
    assert found == [(pytest.approx(15, abs=1), pytest.approx(30.5, abs=1.5))]


def test_walkers_who_hide_its_wheels_do_not_move_it() -> None:
    people = [
        Actor(((at, 200.0, 285.0), (at + 6, 460.0, 285.0)), size_px=(70, 55), class_id=coco.PERSON, looks=50 + at)
        for at in range(3, 40, 4)
    ]
    found = play([stands(0, 15), *people], 45)
    assert found.spans() == [(pytest.approx(15, abs=1), None)]
    x, y = (next(m.evidence[name].value for m in found.messages) for name in ("ground_x", "ground_y"))
    assert (x, y) == pytest.approx((0, 15), abs=0.8)


@pytest.mark.parametrize(
    ("creeps_m", "opens_s"),
    [(1.2, 15), (4.0, 23)],  # by less than half its length; by more
)
def test_half_a_length_away_from_the_camera_is_another_stop(creeps_m: float, opens_s: float) -> None:
    """Along the line of sight boxes hardly move: metres do."""
    bay = zone(-2, 11, 2, 24)
    vehicle = on_way(((0, 0, 14), (6, 0, 14), (8, 0, 14 + creeps_m), (100, 0, 14 + creeps_m)), heading_rad=np.pi / 2)
    found = play([vehicle], 40, spec(bay)).spans()
    assert found == [(pytest.approx(opens_s, abs=1.5), None)]


@pytest.mark.parametrize("restart_s", [8.0, 20.0])
def test_a_restart_changes_nothing(restart_s: float) -> None:
    actors = [on_way(((0, 0, 15), (30, 0, 15), (33, 20, 15)))]
    assert play(actors, 45, restart_s=restart_s).spans() == play(actors, 45).spans()
    assert len(play(actors, 45).spans()) == 1


def test_what_was_kept_of_it_is_judged_alike() -> None:
    """A replay sees no picture: the footprint needs none."""
    actors = [stands(0, 17.4, looks=2), on_way(((0, 0, 15), (30, 0, 15), (33, 20, 15)))]
    live, again = Engine(spec()), Engine(spec())
    first, second = [], []
    for frame, detections in Sharp(list(actors), size_px=SIZE_PX, scale=SCALE).play(45):
        step = live.step(frame, detections)
        first += step.incidents
        assert step.moment is not None
        second += again.recall(step.moment).incidents
    assert [m for m in first if m.phase is Phase.OPENED]
    assert first == second


def test_ground_points_that_are_given_later_keep_the_case() -> None:
    camera = spec(ground=None)
    stage, engine, messages = Sharp([stands(0, 15)], size_px=SIZE_PX, scale=SCALE), Engine(camera), []
    for frame, detections in stage.play(30):
        if camera.ground is None and frame.time_s - stage.epoch_s >= 8:
            camera = replace(camera, ground=GROUND)
            messages += engine.reconfigure(camera, frame.time_s).incidents
        messages += engine.step(frame, detections).incidents
    assert Played(messages, stage).spans() == [(pytest.approx(15, abs=1), None)]
    assert messages[-1].evidence["inside_zone"].value > 0.8


def test_where_the_ground_says_nothing_the_box_does() -> None:
    """Far away a position may be off by more than a vehicle is wide; without ground points nothing is known of metres."""
    far = CAMERA.box(Vehicle((0.0, 70.0), 0.0))
    near = CAMERA.box(Vehicle((0.0, 15.0), 0.0))
    boxes = np.array([far, near, *[CAMERA.box(Vehicle((x, 70.0), 0.0)) for x in (1.0, 3.0)]])
    with_ground, without = Yard(BAY, GROUND), Yard(BAY, None)
    assert with_ground.nearness(far, coco.CAR, boxes).tolist() == without.nearness(far, coco.CAR, boxes).tolist()
    assert with_ground.nearness(near, coco.CAR, boxes)[1] > 0
    assert without.inside(far, coco.CAR) == with_ground.inside(far, coco.CAR)
    assert without.evidence(near, coco.CAR) == {}
    assert set(with_ground.evidence(far, coco.CAR)) <= {"ground_x", "ground_y", "ground_error"}


def test_along_the_kerb_what_is_beside_the_zone_is_not_in_it() -> None:
    """Cars in a zone as wide as they are, or 0.3 m beside it, before cameras of every kind, with a detector's boxes."""
    random = np.random.default_rng(3)
    told: dict[bool, list[bool]] = {True: [], False: []}
    by_box: dict[bool, list[bool]] = {True: [], False: []}
    while min(map(len, told.values())) < 60:
        camera = Pinhole(random.uniform(4, 9), random.uniform(15, 35), random.uniform(55, 90), 16 / 9)
        kerb = random.uniform(0, np.pi)
        along, across = np.array([np.cos(kerb), np.sin(kerb)]), np.array([-np.sin(kerb), np.cos(kerb)])
        middle = np.array([random.uniform(-5, 5), random.uniform(9, 26)])
        corners = [middle + a * 5.0 * along + b * 1.1 * across for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        is_in = len(told[True]) <= len(told[False])
        away = 0.0 if is_in else random.choice([-1, 1]) * (0.9 + 1.1 + 0.3)
        centre = middle + random.uniform(-2, 2) * along + away * across
        vehicle = Vehicle(
            (centre[0], centre[1]), kerb + random.normal(0, 0.07), size=float(np.exp(random.normal(0, 0.08)))
        )
        box, drawn = np.array(camera.box(vehicle)), np.array(camera.zone(np.array(corners)))
        if not all(np.isfinite(one).all() and one.min() > 0.01 and one.max() < 0.99 for one in (box, drawn)):
            continue
        box += random.normal(0, 0.015, 4) * np.tile(box[2:] - box[:2], 2)
        bay = Zone("bay", tuple((float(u), float(v)) for u, v in drawn))
        ground = camera.ground(
            np.array([[-6.0, 9.0], [6.0, 9.0], [8.0, 28.0], [-8.0, 28.0]]), random.normal(0, 0.002, (4, 2))
        )
        for known, found in ((ground, told), (None, by_box)):
            found[is_in].append(Yard(bay, known).inside(as_box(box), coco.CAR))
    assert np.mean(told[True]) >= 0.96
    assert np.mean(told[False]) <= 0.04
    assert np.mean(by_box[True]) < 0.7  # what a point is worth
    assert np.mean(by_box[False]) > 0.2


def test_what_is_not_known_on_the_ground_is_no_evidence() -> None:
    """A hair below a horizon that leans: there is a place in metres, and a click beside it is in the sky."""
    leaning = Ground.fit([((0.1, 0.35), (0, 40)), ((0.9, 0.45), (12, 40)), ((1.0, 1.0), (12, 0)), ((0.0, 1.0), (0, 0))])
    a, b, c = leaning.matrix[2]
    horizon = -(a * 0.5 + c) / b
    foot = np.array([(0.5, horizon + 1e-4)])
    assert np.isfinite(leaning.to_metres(foot)).all()
    assert not np.isfinite(leaning.error_at_m(foot)).any()
    assert Yard(BAY, leaning).evidence((0.45, horizon - 0.05, 0.55, horizon + 1e-4), coco.CAR) == {}
