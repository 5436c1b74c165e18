"""What is done to all detections of a picture, compiled and NumPy's way: the same, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.testing import both_ways
from pipelines.tracks.packed import NARROW, PackedFrames, owners
from pipelines.tracks.places import _there
from pipelines.tracks.rounding import rounded
from vision import coco, native
from vision.counted import not_masked, once
from vision.detection import Detections
from vision.looks import Looks
from vision.moment import Moment, PlacedLooks
from vision.scene import Scene
from vision.tracking import Tracker
from vision.view import View, ViewState

#: Few numbers, so that boxes touch, are the same or inside out, and are as sure; quarters and eighths, that are rounded.
NUMBER = st.sampled_from([0.0, 10.0, 10.125, 10.3, 100.0, 400.0, 432.0, 431.9999, 768.0]) | st.floats(
    -50, 900, width=32
)
SURENESS = st.sampled_from([0.0, 0.001, 0.1, 0.25, 0.4, 0.9, 1.0]) | st.floats(0, 1, width=32)
CLASS = st.sampled_from([coco.PERSON, coco.CAR, coco.TRUCK, coco.BUS, coco.BICYCLE, 14])
FOUND = st.lists(st.tuples(st.tuples(NUMBER, NUMBER, NUMBER, NUMBER), SURENESS, CLASS), max_size=9).map(
    lambda rows: Detections(
        np.array([row[0] for row in rows], np.float32).reshape(-1, 4),
        np.array([row[1] for row in rows], np.float32),
        np.array([row[2] for row in rows], np.int64),
    )
)
POLYGON = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1, width=16)), min_size=3, max_size=6)


def same(work: Callable[[], Detections]) -> Detections:
    compiled, plain = both_ways(work)
    for name in ("xyxy_px", "confidence", "class_id"):
        np.testing.assert_array_equal(getattr(compiled, name), getattr(plain, name), strict=True)
    assert isinstance(compiled, Detections)
    return compiled


def scene_of(seen: Detections) -> Scene:
    tracking = Tracker().update(seen, 1000.0)
    return Scene(
        "gate",
        1000.0,
        0.0,
        768,
        432,
        tracking.tracks,
        seen,
        tracking.detection_track_id,
        zones={},
        ground=None,
        view=View(ViewState.USABLE, 100.0, 50.0),
    )


@given(FOUND)
def test_rounding(found: Detections) -> None:
    once_rounded = same(lambda: rounded(found))
    twice_rounded = same(lambda: rounded(once_rounded))
    np.testing.assert_array_equal(once_rounded.xyxy_px, twice_rounded.xyxy_px)


@given(FOUND, st.lists(st.booleans(), min_size=9, max_size=9))
def test_some_of_them(found: Detections, keep: list[bool]) -> None:
    wanted = np.array(keep[: len(found)], bool)
    left = same(lambda: found.where(wanted))
    assert len(left) == wanted.sum()
    same(lambda: found.where(wanted[::-1]))
    wide = Detections(found.xyxy_px.astype(np.float64), found.confidence, found.class_id)  # type: ignore[arg-type]
    same(lambda: wide.where(wanted))
    assert found.where(np.ones(len(found), bool)) is found
    with pytest.raises(IndexError):
        found.where(np.zeros(len(found) + 1, bool))


@given(FOUND)
def test_found_twice(found: Detections) -> None:
    left = same(lambda: once(found))
    assert len(once(left)) == len(left)


def test_of_two_that_are_as_sure_the_first_stays() -> None:
    box = [[0, 0, 100, 50], [300, 0, 400, 50], [1, 0, 101, 50], [2, 0, 102, 50]]
    found = Detections(
        np.array(box, np.float32), np.full(4, 0.5, np.float32), np.array([coco.TRUCK, coco.CAR, coco.CAR, coco.PERSON])
    )
    left = same(lambda: once(found))
    assert left.class_id.tolist() == [coco.TRUCK, coco.CAR, coco.PERSON]


@given(FOUND, st.lists(POLYGON, max_size=3))
def test_masks(found: Detections, masks: list[list[tuple[float, float]]]) -> None:
    same(lambda: not_masked(found, masks, 768, 432))


@given(FOUND)
def test_boxes_in_parts_of_the_picture(found: Detections) -> None:
    def work() -> tuple[Any, ...]:
        scene = scene_of(found)
        return scene.boxes_norm(), scene.track_boxes_norm()

    for compiled, plain in zip(*both_ways(work), strict=True):
        np.testing.assert_array_equal(compiled, plain, strict=True)
        assert not compiled.flags.writeable
        assert not plain.flags.writeable


@given(FOUND)
def test_boxes_as_they_are_kept_and_whose_they_are(found: Detections) -> None:
    seen = found.where(np.arange(len(found)) % 3 > 0)
    scene = scene_of(seen)
    moment = Moment("gate", 1000.0, 768, 432, found, scene.view)

    def work() -> tuple[Any, ...]:
        frames = PackedFrames()
        frames.add(moment, seen, scene.detection_track_id, ())
        return frames.boxes().dtype, frames.boxes().tobytes(), frames.boxes()["track"].tolist()

    compiled, plain = both_ways(work)
    assert compiled == plain
    assert compiled[0] == NARROW
    assert compiled[2] == owners(found.xyxy_px, seen.xyxy_px, scene.detection_track_id).tolist()


@given(FOUND, st.lists(st.tuples(*[st.sampled_from([0.0, 0.013, 0.2, 0.5, 0.52, 1.0])] * 4), max_size=4))
def test_whether_a_vehicle_is_there(found: Detections, places: list[Any]) -> None:
    looks = Looks(np.zeros((20, 20, 3), np.uint8))
    there = [(x1 / 768, y1 / 432, x2 / 768, y2 / 432) for x1, y1, x2, y2 in found.xyxy_px[:2].tolist()]
    placed = {str(n): PlacedLooks(place, looks) for n, place in enumerate([*places, *there])}
    compiled, plain = both_ways(lambda: _there(placed, scene_of(found)))
    assert compiled == plain
    assert all(type(one) is bool for one in compiled)


def test_detections_that_are_not_as_many_everywhere_are_refused() -> None:
    if native.detections is None:
        pytest.skip("vision.native.detections was not compiled")
    boxes, numbers, kinds = np.zeros((3, 4), np.float32), np.zeros(3, np.float32), np.zeros(3, np.int64)
    with pytest.raises(ValueError):
        native.detections.rounded(boxes, numbers[:2], kinds, 4, 200)
    with pytest.raises(ValueError):
        native.detections.once(boxes, numbers, kinds[:2], (0,), 0.7)
    with pytest.raises(ValueError):
        native.detections.not_masked(boxes, [(np.zeros(3), np.zeros(2), np.zeros(3), np.zeros(3))], 768, 432)
    view = View(ViewState.USABLE, 100.0, 50.0)
    with pytest.raises(ValueError):
        PackedFrames().add(
            Moment("gate", 1000.0, 768, 432, Detections(boxes, numbers, kinds), view),
            Detections(boxes, numbers, kinds),
            kinds[:2],
            (),
        )
