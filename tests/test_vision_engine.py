"""The engine as a whole: the same in, the same out, also over a restart."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.testing import both_ways
from vision import coco
from vision.behaviours import crowding, illegal_parking
from vision.camera import CameraSpec, RuleSpec
from vision.detection import Detections
from vision.engine import Engine
from vision.evaluation.painted import Actor, Stage
from vision.frame import Frame
from vision.incident import Incident, Phase
from vision.zone import Zone

KERB = Zone("kerb", ((0.1, 0.5), (0.9, 0.5), (0.9, 0.9), (0.1, 0.9)))
YARD = Zone("yard", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
PARKING = RuleSpec("park", "illegal_parking", "kerb", illegal_parking.Parameters(12.0, 5.0))
CROWD = RuleSpec("crowd", "crowding", "yard", crowding.Parameters(2, None, for_s=4.0, repeat_s=5.0))
CAMERA = CameraSpec("gate", {"kerb": KERB, "yard": YARD}, (PARKING, CROWD))


def stage() -> Stage:
    """A car comes, stands, is hidden by walkers, goes; another takes its place; four walkers meet."""
    walkers = [
        Actor(
            ((4.0 + n, -20.0, 345.0), (12.0 + n, 300.0 + 40 * n, 345.0), (30.0 + n, 680.0, 345.0)),
            (30, 80),
            coco.PERSON,
            50 + n,
        )
        for n in range(4)
    ]
    first = Actor(
        ((0.0, -60.0, 330.0), (3.0, 320.0, 330.0), (22.0, 320.0, 330.0), (25.0, 700.0, 330.0)), looks=1, seen_at=0.8
    )
    second = Actor(((28.0, -60.0, 330.0), (31.0, 320.0, 330.0), (60.0, 320.0, 330.0)), looks=2, seen_at=0.8)
    return Stage([first, second, *walkers], outages=((33.0, 37.0),))


PICTURES = list(stage().play(48.0))


def play(engine: Engine, pictures: list[tuple[Frame, Detections]]) -> list[Incident]:
    return [m for frame, detections in pictures for m in engine.step(frame, detections).incidents]


WITHOUT_RESTART = play(Engine(CAMERA), PICTURES)


def test_the_scene_has_something_of_everything() -> None:
    kinds = {(m.kind, m.phase) for m in WITHOUT_RESTART}
    assert kinds >= {
        ("illegal_parking", Phase.WARNED),
        ("illegal_parking", Phase.OPENED),
        ("illegal_parking", Phase.CLOSED),
        ("crowding", Phase.OPENED),
        ("crowding", Phase.UPDATED),
        ("crowding", Phase.CLOSED),
    }


def test_the_same_pictures_give_the_same_incidents() -> None:
    assert play(Engine(CAMERA), PICTURES) == WITHOUT_RESTART


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sets(st.integers(1, len(PICTURES) - 1), max_size=4))
def test_restarts_at_any_moment_change_nothing(restarts: set[int]) -> None:
    engine, messages = Engine(CAMERA), []
    for number, (frame, detections) in enumerate(PICTURES):
        if number in restarts:
            saved = json.dumps(engine.snapshot(), allow_nan=False)
            engine = Engine(CAMERA)
            engine.restore(json.loads(saved))
        messages += engine.step(frame, detections).incidents
    assert messages == WITHOUT_RESTART


def test_a_snapshot_is_pure_and_every_message_marks_a_change() -> None:
    engine = Engine(CAMERA)
    for frame, detections in PICTURES:
        step = engine.step(frame, detections)
        assert not step.incidents or step.changed
    assert engine.snapshot() == engine.snapshot()


def test_time_must_grow_and_the_camera_must_be_ours() -> None:
    engine = Engine(CAMERA)
    frame, detections = PICTURES[0]
    engine.step(frame, detections)
    with pytest.raises(ValueError, match="time_s must grow"):
        engine.step(frame, detections)
    with pytest.raises(ValueError, match="frame of camera other"):
        engine.step(replace(PICTURES[1][0], camera_id="other"), detections)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ((replace(PARKING, kind="parking"),), "no behaviour 'parking'"),
        ((replace(PARKING, zone_id="curb"),), "no zone 'curb'"),
        ((PARKING, replace(CROWD, rule_id="park")), "have this id"),
    ],
)
def test_rules_that_cannot_be(rules: tuple[RuleSpec, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Engine(replace(CAMERA, rules=rules))


def half_way() -> Engine:
    engine = Engine(CAMERA)
    play(engine, PICTURES[:90])
    return engine


def test_a_rule_that_is_removed_closes_its_cases() -> None:
    engine = half_way()
    step = engine.reconfigure(replace(CAMERA, zones={"yard": YARD}, rules=(CROWD,)), 1_790_000_020.0)
    parking = [m for m in step.incidents if m.kind == "illegal_parking"]
    assert [(m.phase, m.close_reason) for m in parking] == [(Phase.CLOSED, "configuration")]
    assert step.changed
    rest = play(engine, PICTURES[101:])
    assert all(m.kind == "crowding" for m in rest)


def test_a_rule_that_changes_keeps_its_cases() -> None:
    engine = half_way()
    longer = replace(PARKING, parameters=illegal_parking.Parameters(60.0))
    assert engine.reconfigure(replace(CAMERA, rules=(longer, CROWD)), 1_790_000_020.0).incidents == ()
    closed = [m for m in play(engine, PICTURES[90:]) if m.kind == "illegal_parking"]
    assert [m.phase for m in closed] == [Phase.CLOSED]
    assert closed[0].incident_id == WITHOUT_RESTART[0].incident_id


def test_a_bad_configuration_leaves_the_engine_as_it_was() -> None:
    engine = half_way()
    before = engine.snapshot()
    with pytest.raises(ValueError, match="no zone"):
        engine.reconfigure(replace(CAMERA, zones={}), 1_790_000_020.0)
    with pytest.raises(ValueError, match="camera"):
        engine.reconfigure(replace(CAMERA, camera_id="other"), 1_790_000_020.0)
    assert engine.snapshot() == before


def test_a_snapshot_of_rules_that_are_gone_is_passed_over() -> None:
    saved = half_way().snapshot()
    engine = Engine(replace(CAMERA, zones={"yard": YARD}, rules=(CROWD,)))
    engine.restore(saved)
    assert list(engine.snapshot()["rules"]) == ["crowd"]


@pytest.mark.parametrize(("key", "value"), [("version", 0), ("camera_id", "other")])
def test_a_snapshot_that_is_not_ours_is_refused(key: str, value: object) -> None:
    saved = half_way().snapshot()
    with pytest.raises(ValueError, match="snapshot of"):
        Engine(CAMERA).restore({**saved, key: value})


def test_a_damaged_snapshot_is_refused_and_changes_nothing() -> None:
    saved = half_way().snapshot()
    del saved["rules"]["park"]["state"]["cases"][0]["place"]
    engine = half_way()
    before = engine.snapshot()
    with pytest.raises(ValueError, match="damaged"):
        engine.restore(saved)
    assert engine.snapshot() == before


@pytest.mark.parametrize("value", [None, "x", [], {}, math.inf, math.nan, 2**70])
@pytest.mark.parametrize(
    "path",
    [
        ("tracker", "next_id"),
        ("tracker", "tracks", 0, "id"),
        ("tracker", "tracks", 0, "group"),
        ("rules", "park", "state", "cases", 0, "track_id"),
        ("rules", "park", "state", "cases", 0, "place", 0),
        ("rules", "park", "state", "cases", 0, "votes"),
        ("view", "learned", "count"),
    ],
)
def test_what_the_next_picture_would_stumble_over_is_refused_when_it_is_read(path: tuple[Any, ...], value: Any) -> None:
    """Else a worker is started anew and ends at the first picture, again and again."""
    saved = json.loads(json.dumps(half_way().snapshot()))
    within = saved
    for key in path[:-1]:
        within = within[key]
    within[path[-1]] = value

    def work() -> list[Incident] | str:
        engine = Engine(CAMERA)
        try:
            engine.restore(saved)
        except ValueError as error:
            return str(error)
        return play(engine, PICTURES[90:93])

    compiled, plain = both_ways(work)
    assert compiled == plain


def test_masked_detections_are_not_seen_and_double_names_count_once() -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (100, 200, 3), dtype=np.uint8)
    frame = Frame("gate", "run", 1.0, pixels)
    detections = Detections(
        np.array([(10, 10, 50, 40), (11, 10, 51, 41), (100, 20, 140, 60), (150, 60, 190, 120)], np.float32),
        np.array([0.5, 0.8, 0.9, 0.9], np.float32),
        np.array([coco.CAR, coco.TRUCK, coco.CAR, coco.CAR], np.int64),
    )
    masked = replace(CAMERA, rules=(), masks=(((0.45, 0.4), (0.8, 0.4), (0.8, 0.8), (0.45, 0.8)),))
    scene = Engine(masked).step(frame, detections).scene
    assert scene is not None
    assert scene.detections.class_id.tolist() == [coco.TRUCK, coco.CAR]
    below = replace(CAMERA, rules=(), masks=(((0.7, 0.9), (1.0, 0.9), (1.0, 1.0), (0.7, 1.0)),))
    scene = Engine(below).step(frame, detections).scene
    assert scene is not None
    assert len(scene.detections) == 2  # a box that reaches below the picture stands at its edge


def seen_by(engine: Engine, frame: Frame, detections: Detections) -> int:
    scene = engine.step(frame, detections).scene
    assert scene is not None
    return len(scene.detections)


def test_the_same_detections_count_anew_under_other_masks_and_in_a_picture_of_another_size() -> None:
    camera = replace(CAMERA, rules=(), masks=(((0.0, 0.0), (0.4, 0.0), (0.4, 1.0), (0.0, 1.0)),))
    engine = Engine(camera)
    same = Detections(
        np.array([[100, 50, 140, 90], [300, 50, 330, 90]], np.float32),
        np.full(2, 0.9, np.float32),
        np.zeros(2, np.int64),
    )
    pixels = np.random.default_rng(1).integers(0, 255, (100, 400, 3), dtype=np.uint8)
    assert seen_by(engine, Frame("gate", "run", 1.0, pixels), same) == 1
    assert seen_by(engine, Frame("gate", "run", 1.2, pixels[:, ::-1]), same) == 1
    assert seen_by(engine, Frame("gate", "run", 1.4, np.concatenate([pixels, pixels], axis=1)), same) == 0
    assert seen_by(engine, Frame("gate", "run", 1.6, pixels), same) == 1
    engine.reconfigure(replace(camera, masks=()), 1.6)
    assert seen_by(engine, Frame("gate", "run", 1.8, pixels), same) == 2


def test_what_is_not_looked_at_anew_is_judged_as_if_it_were() -> None:
    """The same object of detections from picture to picture, as where nothing changed, against equal ones made anew."""
    held = [(frame, PICTURES[number - number % 3][1]) for number, (frame, _) in enumerate(PICTURES)]
    anew = [(frame, Detections(*(a.copy() for a in (d.xyxy_px, d.confidence, d.class_id)))) for frame, d in held]
    one, other = Engine(CAMERA), Engine(CAMERA)
    assert play(one, held) == play(other, anew)
    assert one.status() == other.status()
    assert json.dumps(one.snapshot()) == json.dumps(other.snapshot())
