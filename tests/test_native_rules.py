"""What the rules ask of each picture, compiled, gives what NumPy gives, to the bit."""

from __future__ import annotations

import platform
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.testing import both_ways
from vision import coco, native, pose
from vision.behaviours import crowding, illegal_parking
from vision.behaviours.parking_case import Case
from vision.behaviours.parking_cases import Vehicles
from vision.behaviours.parking_place import Yard, as_box, wheels_in_view
from vision.behaviours.parking_sight import Sight, match
from vision.behaviours.people import local_density, people_in
from vision.camera import CameraSpec, RuleSpec
from vision.crowd_watch import dense
from vision.detection import Detections
from vision.engine import Engine
from vision.episodes import Episode
from vision.evaluation.painted import Actor, Stage
from vision.evaluation.pinhole import Pinhole, Vehicle
from vision.footprint import footprint
from vision.ground import Ground
from vision.looks import CORE, SIDE, Looks, likeness
from vision.scene import Scene
from vision.sharpness import sharpness
from vision.track import Track, TrackState
from vision.view import View, ViewState, light
from vision.zone import Zone

KERB = Zone("kerb", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))
GROUND = Ground.fit(
    [((0.2, 0.3), (0.0, 20.0)), ((0.8, 0.3), (12.0, 20.0)), ((1.0, 1.0), (8.0, 0.0)), ((0.0, 1.0), (2.0, 0.0))]
)
SIZE_PX = (640, 480)
SEEDS = st.integers(0, 2**32 - 1)


def same(name: str, work: Any) -> Any:
    compiled, plain = both_ways(work, name)
    assert compiled == plain
    return compiled


def same_arrays(name: str, work: Any) -> Any:
    """As `same`, of an array or a tuple of them."""
    compiled, plain = both_ways(work, name)
    pairs = zip(compiled, plain, strict=True) if isinstance(compiled, tuple) else [(compiled, plain)]
    for a, b in pairs:
        np.testing.assert_array_equal(a, b, strict=True)
    return compiled


def street(random: np.random.Generator, boxes: int, walkers: int) -> Scene:
    """Detections around one place, and walkers in all states, at the picture's edges too."""
    size = np.array([*SIZE_PX, *SIZE_PX])
    near = np.array([0.3, 0.5, 0.5, 0.7]) + random.choice([0.0, 0.01, 0.08, 0.3]) * random.normal(0, 1, (boxes, 4))
    corners = random.choice([0.0, 0.2, 0.4, 0.97], (walkers, 2)) + random.uniform(0, 0.03, (walkers, 2))
    people = np.concatenate([corners, np.minimum(corners + random.uniform(0.03, 0.3, (walkers, 2)), 1.0)], axis=1)
    tracks = tuple(
        Track(
            number,
            random.choice(list(TrackState)),
            int(random.choice([coco.PERSON, coco.PERSON, coco.CAR])),
            tuple(box),
            (0.0, 0.0),
            0.0,
            float(random.choice([10.0, 9.8, 9.5, 8.0])),
            float(random.uniform(0.2, 0.9)),
        )
        for number, box in enumerate((people * size).tolist())
    )
    found = Detections(
        (near * size).astype(np.float32),
        random.choice([0.1, 0.25, 0.3, 0.9], boxes).astype(np.float32),
        random.choice([coco.PERSON, coco.CAR, coco.TRUCK, coco.BICYCLE], boxes).astype(np.int64),
    )
    ids = random.integers(-1, 5, boxes)
    return Scene(
        "gate", 10.0, 0.2, *SIZE_PX, tracks, found, ids, {"kerb": KERB}, GROUND, View(ViewState.USABLE, 99, 30)
    )


@given(SEEDS, st.integers(-3, 3), st.sampled_from([0.0, 5.0, 60.0]), st.floats(0.0, 1.3), st.floats(0.0, 1.0))
def test_likeness(seed: int, shift: int, noise: float, gain: float, in_view: float) -> None:
    random = np.random.default_rng(seed)
    cells = cv2.resize(random.integers(0, 256, (6, 6, 3)).astype(np.uint8), (SIDE, SIDE))
    moved = np.roll(cells, (shift, -shift // 2), (0, 1)) * gain + random.normal(0, noise, cells.shape)
    before, after = Looks(np.asarray(cells, np.uint8)), Looks(np.clip(moved, 0, 255).astype(np.uint8))
    visible = random.random((CORE, CORE)) < in_view
    same("looks", lambda: likeness(before, after))
    same("looks", lambda: likeness(before, after, visible))
    grey = Looks(np.repeat(cells[..., :1], 3, axis=2))
    assert same("looks", lambda: likeness(grey, after)).colour == 0.0


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="OpenCV rounds otherwise elsewhere")
@given(SEEDS, st.integers(2, 250), st.integers(2, 350), st.booleans())
def test_looks_of_a_place(seed: int, height: int, width: int, hard: bool) -> None:
    random = np.random.default_rng(seed)
    picture = (random.integers(0, 2, (260, 360, 3)) * 255 if hard else random.integers(0, 256, (260, 360, 3))).astype(
        np.uint8
    )
    x, y = random.uniform(-0.1, 1 - width / 360), random.uniform(-0.1, 1 - height / 260)
    place = (x, y, x + width / 360, y + height / 260)
    same_arrays("looks", lambda: Looks.measure(picture, place).cells)
    same_arrays("looks", lambda: Looks.measure(picture[:, ::-1], place).cells)


def test_likeness_of_even_surfaces() -> None:
    even, other = (Looks(np.full((SIDE, SIDE, 3), level, np.uint8)) for level in (90, 140))
    assert same("looks", lambda: likeness(even, other)).structure == 1.0
    assert same("looks", lambda: likeness(even, other, np.zeros((CORE, CORE), bool))).structure == 0.0


@given(SEEDS, st.integers(1, 300), st.integers(1, 300), st.floats(0.1, 8.0))
def test_sharpness(seed: int, height: int, width: int, blur: float) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)
    same("view", lambda: sharpness(np.asarray(cv2.GaussianBlur(picture, (0, 0), blur), np.uint8)))
    same("view", lambda: sharpness(picture[:, ::2]))


@given(SEEDS, st.floats(0.1, 6.0))
def test_light_and_layout(seed: int, blur: float) -> None:
    random = np.random.default_rng(seed)
    first, second = (
        np.asarray(cv2.GaussianBlur(random.integers(0, 256, (90, 160)).astype(np.uint8), (0, 0), blur), np.uint8)
        for _ in range(2)
    )
    for before in (None, first, second, first.copy(), second[1:]):
        same("view", lambda before=before: light(first, before))
    same_arrays("view", lambda: pose.layout(first))
    layouts = pose.layout(first), pose.layout(second)
    same_arrays("view", lambda: pose.strengths(layouts[0]))
    same("view", lambda: pose.fit_in_place(*layouts))
    same_arrays("view", lambda: pose.blended(*layouts, blur / 6))
    assert pose.fit_in_place(layouts[0], layouts[0]) == pytest.approx(1.0)


def case_at(place: tuple[float, float, float, float], track_id: int) -> Case:
    episode = Episode(f"{place}", "gate", "illegal_parking", "park", "kerb", 0.0, 2)
    return Case(episode, place, 0.0, 0.0, 0.0, track_id, votes={coco.CAR: 1.0})


@given(SEEDS, st.integers(0, 4), st.integers(0, 6), st.sampled_from([0.02, 0.2]))
def test_who_stands_at_a_place(seed: int, cases: int, boxes: int, spread: float) -> None:
    random = np.random.default_rng(seed)
    corners = random.choice([0.1, 0.35, 0.6], (cases + boxes, 2)) + random.uniform(-spread, spread, (cases + boxes, 2))
    all_boxes = np.concatenate([corners, corners + random.uniform(0.15, 0.3, (cases + boxes, 2))], axis=1)
    known = [case_at(tuple(row), int(random.integers(-1, 4))) for row in all_boxes[:cases].tolist()]
    tracks = random.integers(-1, 4, boxes)
    yard = Yard(KERB, None)
    now = [as_box(row) for row in all_boxes[cases:]]
    same("parking", lambda: match(known, yard, now, tracks.tolist(), None))


@given(SEEDS, st.booleans(), st.integers(0, 7), st.integers(0, 9))
def test_what_a_picture_says_of_a_place(seed: int, on_ground: bool, boxes: int, walkers: int) -> None:
    random = np.random.default_rng(seed)
    scene, place = street(random, boxes, walkers), (0.3, 0.5, 0.5, 0.7)
    yard = Yard(KERB, GROUND if on_ground else None)
    vehicles = same("parking", lambda: Vehicles.of(scene, frozenset({coco.BICYCLE})))
    sight = same_arrays("parking", lambda: Sight(scene, yard).things)
    wheels = same_arrays("parking", lambda: wheels_in_view(vehicles.array, sight[0]))
    theirs = random.random(len(vehicles[0])) < 0.4
    same_arrays("parking", lambda: yard.nearness(place, coco.CAR, vehicles.array, theirs, wheels))
    same_arrays("parking", lambda: yard.nearness(place, coco.BUS, sight[0]))
    same_arrays("parking", lambda: yard.behind(place, coco.CAR, vehicles.array, wheels))

    def in_sight() -> tuple[Any, ...]:
        seen = Sight(scene, yard).of(case_at(place, 1))
        return seen.visible, seen.occupied, seen._cells

    same_arrays("parking", in_sight)


@given(SEEDS, st.integers(0, 12), st.booleans())
def test_who_counts_and_how_close_they_stand(seed: int, walkers: int, on_ground: bool) -> None:
    random = np.random.default_rng(seed)
    scene, polygon = street(random, 0, walkers), ((0.1, 0.2), (0.9, 0.1), (0.5, 0.5), (0.9, 1.0), (0.0, 1.0))
    same("people", lambda: people_in(scene, polygon))
    boxes = np.array([track.xyxy_px for track in scene.tracks]).reshape(-1, 4)
    same_arrays("people", lambda: dense(boxes, (SIZE_PX[1], SIZE_PX[0]), GROUND if on_ground else None))
    metres = random.choice([np.nan, 0.0, 1.5, 3.0], (walkers, 2)) + random.normal(0, 0.5, (walkers, 2))
    same_arrays("people", lambda: local_density(metres))
    ones = local_density(metres, np.ones(walkers))
    np.testing.assert_array_equal(local_density(metres), ones)


@given(SEEDS, st.integers(0, 9))
def test_footprints(seed: int, count: int) -> None:
    random, camera = np.random.default_rng(seed), Pinhole()
    ground = camera.ground(np.array([[-6.0, 9.0], [6.0, 9.0], [8.0, 28.0], [-8.0, 28.0]]))
    for _ in range(count):
        where, class_id = (random.uniform(-12, 12), random.uniform(6, 60)), int(random.choice([coco.CAR, coco.BUS]))
        seen = np.array(camera.box(Vehicle(where, random.uniform(0, 3)))) + random.normal(0, 0.01, 4)
        at = as_box(np.clip(seen, 0, 1))
        kerb = random.choice([None, 0.3])

        def found(at: Any = at, class_id: int = class_id, kerb: float | None = kerb) -> tuple[Any, ...]:
            stands = footprint(at, class_id, ground, kerb)
            return () if stands is None else (stands.corners_m, stands.centre_m, np.array(stands.error_m))

        same_arrays("ground", found)


@given(SEEDS, st.integers(0, 9))
def test_points_on_the_ground(seed: int, count: int) -> None:
    points = np.random.default_rng(seed).uniform(-0.5, 1.5, (count, 2))
    same_arrays("ground", lambda: GROUND.to_metres(points))
    same_arrays("ground", lambda: GROUND.to_picture(points * 20))


@pytest.mark.parametrize("ground", [None, GROUND], ids=["boxes", "ground"])
def test_a_street_gives_the_same_incidents_both_ways(ground: Ground | None) -> None:
    """Vehicles that stop beside each other, are hidden and leave, and people who gather."""
    zone = Zone("view", ((0.0, 0.3), (1.0, 0.3), (1.0, 1.0), (0.0, 1.0)))
    rules = (
        RuleSpec("park", "illegal_parking", "view", illegal_parking.Parameters(12.0, 6.0)),
        RuleSpec("crowd", "crowding", "view", crowding.Parameters(people=4, density_per_m2=None, for_s=2.0)),
    )
    actors = [
        Actor(((0.0, -200.0, 300.0), (4.0, 200.0, 300.0), (30.0, 200.0, 300.0), (33.0, 900.0, 300.0)), looks=3),
        Actor(((2.0, -200.0, 305.0), (8.0, 330.0, 305.0), (45.0, 330.0, 305.0)), looks=4, seen_at=0.6),
        Actor(((34.0, -200.0, 302.0), (37.0, 203.0, 302.0), (45.0, 203.0, 302.0)), looks=5, class_id=coco.TRUCK),
        *(
            Actor(((a, -20.0, 320.0 + a), (a + 14, 660.0, 320.0 + a)), (30.0, 80.0), coco.PERSON, looks=9)
            for a in np.linspace(5, 18, 9).tolist()
        ),
    ]

    def told() -> list[Any]:
        engine = Engine(CameraSpec("gate", {"view": zone}, rules, ground=ground))
        steps = [engine.step(*one) for one in Stage(actors).play(45.0)]
        found = [(step.incidents, step.pictures) for step in steps if step.incidents or step.pictures]
        return [*found, engine.snapshot()["rules"]]

    compiled, plain = both_ways(told)
    assert compiled == plain
    kinds = {(incident.kind, incident.phase.value) for incidents, _ in compiled[:-1] for incident in incidents}
    assert {("illegal_parking", "closed"), ("crowding", "opened")} <= kinds


def test_other_arrays_are_refused() -> None:
    looks, sharp, parking = native.looks, native.view, native.parking
    cells, weights = np.zeros((SIDE, SIDE, 3), np.uint8), np.ones((CORE, CORE))
    wrong: list[Any] = []
    if looks is not None:
        wrong += [
            lambda: looks.likeness(cells[:-1], cells, weights),
            lambda: looks.likeness(cells, cells.astype(np.int16), weights),
            lambda: looks.likeness(cells, cells, weights[::-1]),
            lambda: looks.shrink(cells, 0, 21, 0, 20),
            lambda: looks.shrink(cells, 0, 20, -1, 20),
            lambda: looks.shrink(cells[..., 0], 0, 20, 0, 20),
        ]
    if sharp is not None:
        wrong += [
            lambda: sharp.edges(cells, np.zeros(1, np.int64), False),
            lambda: sharp.edges(cells[0], np.array([40]), True),
            lambda: sharp.edges(cells[0], np.array([0.0]), True),
        ]
        wrong += [
            lambda: sharp.light(cells, None),
            lambda: sharp.slopes(weights, 6.0),
            lambda: sharp.strengths(np.zeros((10, 20), np.complex64), 24),
            lambda: sharp.agreement(np.zeros((2, 2), np.complex64), np.zeros((2, 3), np.complex64)),
        ]
    if parking is not None:
        wrong += [lambda: parking.meet([], [1], [], [])]
    for call in wrong:
        try:
            call()
        except ValueError:
            continue
        raise AssertionError("it was taken")
