"""What the rules ask of each picture, compiled, gives what NumPy gives, to the bit."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.testing import both_ways
from vision import coco, native
from vision.behaviours import crowding, illegal_parking
from vision.behaviours.parking_case import Case
from vision.behaviours.parking_place import Yard
from vision.behaviours.parking_sight import match
from vision.camera import CameraSpec, RuleSpec
from vision.engine import Engine
from vision.episodes import Episode
from vision.evaluation.painted import Actor, Stage
from vision.looks import CORE, SIDE, Looks, likeness
from vision.sharpness import sharpness
from vision.zone import Zone

SEEDS = st.integers(0, 2**32 - 1)


def same(name: str, work: Any) -> Any:
    compiled, plain = both_ways(work, name)
    assert compiled == plain
    return compiled


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


def test_likeness_of_even_surfaces() -> None:
    even, other = (Looks(np.full((SIDE, SIDE, 3), level, np.uint8)) for level in (90, 140))
    assert same("looks", lambda: likeness(even, other)).structure == 1.0
    assert same("looks", lambda: likeness(even, other, np.zeros((CORE, CORE), bool))).structure == 0.0


@given(SEEDS, st.integers(1, 300), st.integers(1, 300), st.floats(0.1, 8.0))
def test_sharpness(seed: int, height: int, width: int, blur: float) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)
    same("sharpness", lambda: sharpness(np.asarray(cv2.GaussianBlur(picture, (0, 0), blur), np.uint8)))
    same("sharpness", lambda: sharpness(picture[:, ::2]))


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
    yard = Yard(Zone("kerb", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))), None)
    same("parking", lambda: match(known, yard, all_boxes[cases:], tracks, None))


def test_a_street_gives_the_same_incidents_both_ways() -> None:
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
        engine = Engine(CameraSpec("gate", {"view": zone}, rules))
        steps = [engine.step(*one) for one in Stage(actors).play(45.0)]
        found = [(step.incidents, step.pictures) for step in steps if step.incidents or step.pictures]
        return [*found, engine.snapshot()["rules"]]

    compiled, plain = both_ways(told)
    assert compiled == plain
    kinds = {(incident.kind, incident.phase.value) for incidents, _ in compiled[:-1] for incident in incidents}
    assert {("illegal_parking", "closed"), ("crowding", "opened")} <= kinds


def test_other_arrays_are_refused() -> None:
    looks, sharp, parking = native.looks, native.sharpness, native.parking
    cells, weights = np.zeros((SIDE, SIDE, 3), np.uint8), np.ones((CORE, CORE))
    wrong: list[Any] = []
    if looks is not None:
        wrong += [
            lambda: looks.likeness(cells[:-1], cells, weights),
            lambda: looks.likeness(cells, cells.astype(np.int16), weights),
            lambda: looks.likeness(cells, cells, weights[::-1]),
        ]
    if sharp is not None:
        wrong += [
            lambda: sharp.edges(cells, np.zeros(1, np.int64), False),
            lambda: sharp.edges(cells[0], np.array([40]), True),
            lambda: sharp.edges(cells[0], np.array([0.0]), True),
        ]
    if parking is not None:
        wrong += [lambda: parking.meet([], [1], weights[:, :4], np.zeros(16, np.int64))]
    for call in wrong:
        try:
            call()
        except ValueError:
            continue
        raise AssertionError("it was taken")
