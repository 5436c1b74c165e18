"""The compiled tracker and pairing give what NumPy's way gives, to the bit; and what was saved before there was one holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipelines.testing import both_ways
from vision import coco, native
from vision.assignment import best_pairs
from vision.detection import Detections
from vision.tracking import Tracker, TrackerSettings, kalman
from vision.tracking.rows import GROUP_OF, OTHER_GROUPS

Picture = tuple[float, Detections]
CLASSES = (coco.PERSON, coco.CAR, coco.TRUCK, coco.BUS, coco.BICYCLE, coco.MOTORCYCLE, 14, 77)

#: As the tracker saved it before its rows were one array (version fadb925).
SAVED = """{"next_id": 3, "time_s": 1000.2, "tracks": [{"id": 1, "first_seen_s": 1000.0, "last_seen_s": 1000.2,
"confidence": 0.5, "peak": 0.8, "hits": 3, "confirmed": true, "group": 1, "votes": {"7": 0.8, "2": 1.1},
"mean": [[54.0, 20.0], [140.0, 0.0], [30.0, 0.0], [80.0, 0.5]],
"covariance": [[5.0, 1.0, 300.0], [6.0, 1.0, 200.0], [8.0, 0.5, 20.0], [8.0, 0.5, 20.0]]}]}"""


def seen(boxes: Any, confidence: Any, class_id: Any) -> Detections:
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.array(confidence, np.float32), np.array(class_id, np.int64)
    )


def followed(pictures: Sequence[Picture], chosen: TrackerSettings | None = None) -> list[str]:
    """All that comes of the pictures, written so that every bit tells; a restart with each tenth picture."""
    tracker, told = Tracker(chosen), []
    for n, (time_s, detections) in enumerate(pictures):
        tracking = tracker.update(detections, time_s)
        told.append(repr((tracking.tracks, tracking.detection_track_id.dtype, tracking.detection_track_id.tolist())))
        told.append(json.dumps(tracker.snapshot()))
        if n % 10 == 9:
            tracker = Tracker(chosen)
            tracker.restore(json.loads(told[-1]))
    return told


def same(pictures: Sequence[Picture], chosen: TrackerSettings | None = None) -> list[str]:
    compiled, plain = both_ways(lambda: followed(pictures, chosen))
    for one, other in zip(compiled, plain, strict=True):
        assert one == other
    return list(compiled)


def walkers(count: int, pictures: int, fps: float, seed: int) -> list[Picture]:
    """People, cars and bicycles who go about, hide each other, are missed, doubled and taken for something else."""
    random = np.random.default_rng(seed)
    place, pace = random.uniform((0, 100), (700, 400), (count, 2)), random.normal(0, 60, (count, 2))
    size = random.uniform((15, 40), (60, 120), (count, 2))
    kind = random.choice(CLASSES, count)
    told = []
    for n in range(pictures):
        pace += random.normal(0, 20, pace.shape) / fps
        place = (place + pace / fps) % (768, 432)
        shown = random.random(count) < 0.85
        boxes = np.hstack([place - size / 2, place + size / 2]) + random.normal(0, 1.5, (count, 4))
        twice = random.random(count) < 0.1
        mistaken = np.where(random.random(count) < 0.1, random.choice(CLASSES, count), kind)
        rows = np.concatenate([np.flatnonzero(shown), np.flatnonzero(twice)])
        # In quarters of a pixel and steps of 0.005, as the worker has them: scores may be equal.
        confidence = np.round(random.beta(4, 2, len(rows)) * 200).clip(1, 200) / 200
        found = seen(np.round(boxes[rows] * 4) / 4, confidence, mistaken[rows])
        told.append((1_790_000_000.0 + n / fps, found if n % 25 else Detections.empty()))
    return told


@pytest.mark.parametrize(("count", "pictures", "fps"), [(14, 200, 5.0), (8, 60, 1.0), (60, 25, 15.0), (1, 30, 5.0)])
def test_who_goes_about_is_followed_alike(count: int, pictures: int, fps: float) -> None:
    told = same(walkers(count, pictures, fps, count))
    assert json.loads(told[-1])["next_id"] > count


BOX = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 40), st.integers(0, 40)).map(
    lambda one: (one[0], one[1], one[0] + one[2], one[1] + one[3])
)
DETECTION = st.tuples(
    BOX, st.sampled_from([0.05, 0.1, 0.3, 0.4, 0.5, 0.6, 0.9]) | st.floats(0, 1, width=32), st.sampled_from(CLASSES)
)
PICTURES = st.lists(
    st.tuples(
        st.sampled_from([0.01, 0.1, 0.2, 1.0, 4.0]),
        st.lists(DETECTION, max_size=7).map(lambda d: seen(*zip(*d, strict=True)) if d else Detections.empty()),
    ),
    min_size=1,
    max_size=12,
)
SETTINGS = st.builds(
    TrackerSettings,
    sure=st.sampled_from([0.4, 0.6]),
    new=st.sampled_from([0.3, 0.5, 0.0]),
    overlap=st.sampled_from([0.3, 0.0]),
    keep_lost_s=st.sampled_from([3.0, 0.0, -1.0]),
    buffer_per_s=st.sampled_from([0.5, 0.0]),
)


@settings(max_examples=150)
@given(PICTURES, SETTINGS)
def test_any_pictures(pictures: list[Picture], chosen: TrackerSettings) -> None:
    times = np.cumsum([pause_s for pause_s, _ in pictures]).tolist()
    same([(1000.0 + at_s, detections) for at_s, (_, detections) in zip(times, pictures, strict=True)], chosen)


SCORES = st.tuples(st.integers(0, 9), st.integers(0, 9)).flatmap(
    lambda shape: arrays.arrays(
        np.float64, shape, elements=st.floats(0, 1) | st.sampled_from([0.0, 0.0, 0.25, 0.5, 1.0, -1.0])
    )
)


@given(SCORES)
def test_pairs(score: Any) -> None:
    """Of several that are worth the same, too, both choose one."""
    for given_as in (score, score.T, score.astype(np.float32)):
        compiled, plain = both_ways(lambda given_as=given_as: best_pairs(given_as), "assignment")
        assert compiled == plain
        assert all(type(number) is int for pair in compiled for number in pair)


def test_scores_that_are_not_finite_end_alike() -> None:
    random = np.random.default_rng(1)
    bad = [random.choice([0.0, 0.5, 1.0, np.inf, -np.inf, np.nan], random.integers(1, 7, 2)) for _ in range(200)]
    compiled, plain = both_ways(lambda: [best_pairs(score) for score in bad], "assignment")
    assert compiled == plain


@pytest.mark.parametrize("class_id", [-1, -2, -50, -(2**63), 256, 2**62])
def test_a_class_that_no_network_names_is_a_group_of_its_own(class_id: int) -> None:
    def work() -> list[str]:
        tracker = Tracker()
        found = seen([(41, 100, 71, 180), (41, 100, 71, 180)], [0.7, 0.6], [coco.TRUCK, class_id])
        tracker.update(found, 1000.0)
        return [repr(tracker.update(found.where(np.array(keep)), 1000.2)) for keep in [(False, True)]]

    compiled, plain = both_ways(work)
    assert compiled == plain
    assert "detection_track_id=array([2])" in plain[0]


def test_either_goes_on_from_what_the_other_saved() -> None:
    pictures = walkers(10, 60, 5.0, 3)
    whole = followed(pictures)

    def halfway() -> tuple[str, list[str]]:
        first = Tracker()
        for time_s, detections in pictures[:30]:
            first.update(detections, time_s)
        return json.dumps(first.snapshot()), whole[60:]

    saved_compiled, saved_plain = both_ways(halfway)
    assert saved_compiled == saved_plain

    def goes_on() -> list[str]:
        tracker = Tracker()
        tracker.restore(json.loads(saved_plain[0]))
        return [
            text
            for time_s, detections in pictures[30:]
            for text in (
                repr(tracker.update(detections, time_s).tracks),
                json.dumps(tracker.snapshot()),
            )
        ]

    compiled, plain = both_ways(goes_on)
    assert compiled == plain
    assert compiled[1::2] == whole[61::2]


def test_what_was_saved_before_is_read_and_written_as_it_was() -> None:
    def work() -> tuple[Any, ...]:
        tracker = Tracker()
        tracker.restore(json.loads(SAVED))
        assert tracker.snapshot() == json.loads(SAVED)
        [track] = tracker.update(seen([(41, 100, 71, 180)], [0.7], [coco.TRUCK]), 1000.4).tracks
        return track, json.dumps(tracker.snapshot())

    compiled, plain = both_ways(work)
    assert compiled == plain
    track, saved = compiled
    assert (track.track_id, track.class_id, track.last_seen_s) == (1, coco.TRUCK, 1000.4)
    assert list(json.loads(saved)["tracks"][0]["votes"]) == ["7", "2"]


def test_a_damaged_state_is_refused_and_changes_nothing() -> None:
    tracker = Tracker()
    tracker.restore(json.loads(SAVED))
    before = tracker.snapshot()
    for key, value in [("mean", [[1.0]]), ("votes", {str(n): 1.0 for n in range(4)}), ("hits", "many"), ("votes", [1])]:
        bad = json.loads(SAVED)
        bad["tracks"][0][key] = value
        with pytest.raises((KeyError, TypeError, ValueError)):
            tracker.restore(bad)
    assert tracker.snapshot() == before


def test_what_is_laid_out_otherwise_is_refused() -> None:
    if native.tracking is None:
        pytest.skip("vision.native.tracking was not compiled")
    rows, one = Tracker()._rows, seen([(0, 0, 1, 1)], [0.5], [0])

    limits = np.array(astuple(TrackerSettings()), np.float64)

    def follow(given_rows: Any, boxes: Any, confidence: Any, class_id: Any, noise: Any, limits: Any = limits) -> None:
        assert native.tracking is not None
        native.tracking.follow(
            given_rows, boxes, confidence, class_id, 1.0, None, 1, limits, 0.1, GROUP_OF, OTHER_GROUPS, noise
        )

    follow(rows, one.xyxy_px, one.confidence, one.class_id, kalman.NOISE)
    for bad in (
        (np.zeros(3), one.xyxy_px, one.confidence, one.class_id, kalman.NOISE),
        (np.repeat(rows, 0)[None], one.xyxy_px, one.confidence, one.class_id, kalman.NOISE),
        (rows, one.xyxy_px[:, :3], one.confidence, one.class_id, kalman.NOISE),
        (rows, one.xyxy_px, one.confidence[:0], one.class_id, kalman.NOISE),
        (rows, one.xyxy_px, one.confidence, one.class_id[None], kalman.NOISE),
        (rows, one.xyxy_px, one.confidence, one.class_id, kalman.NOISE[:2]),
    ):
        with pytest.raises(ValueError):
            follow(*bad)
    with pytest.raises(ValueError):
        follow(rows, one.xyxy_px, one.confidence, one.class_id, kalman.NOISE, limits[:13])
    with pytest.raises(ValueError):
        native.tracking.tracks(np.zeros(3), 1.0, object, 0, 1, 2)
    with pytest.raises(ValueError):
        native.assignment.best_pairs(np.zeros(3))
