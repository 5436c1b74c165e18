"""Following objects: ids that hold through misses, crossings and slow cameras."""

from __future__ import annotations

import json

import numpy as np
import pytest

from vision import coco
from vision.detection import Detections
from vision.track import Track, TrackState
from vision.tracking import Tracker, TrackerSettings

Seen = list[tuple[tuple[float, float, float, float], float, int]]


def detections(seen: Seen) -> Detections:
    return Detections(
        np.array([box for box, _, _ in seen], np.float32).reshape(-1, 4),
        np.array([confidence for _, confidence, _ in seen], np.float32),
        np.array([class_id for _, _, class_id in seen], np.int64),
    )


def person(x: float, y: float = 100.0, confidence: float = 0.8, class_id: int = coco.PERSON) -> Seen:
    return [((x - 15, y, x + 15, y + 80), confidence, class_id)]


def run(tracker: Tracker, pictures: list[Seen], fps: float = 10.0, start_s: float = 1000.0) -> list[tuple[Track, ...]]:
    return [tracker.update(detections(seen), start_s + n / fps).tracks for n, seen in enumerate(pictures)]


def ids(tracks: tuple[Track, ...], state: TrackState = TrackState.CONFIRMED) -> list[int]:
    return [track.track_id for track in tracks if track.state is state]


@pytest.mark.parametrize(("fps", "speed"), [(1.0, 25), (5.0, 60), (15.0, 60)])
def test_a_walker_keeps_his_id(fps: float, speed: float) -> None:
    # 60 pixels a second are two widths of his box; at one picture a second only a slow walker can be followed.
    pictures = [person(50 + speed * n / fps) for n in range(int(8 * fps))]
    history = run(Tracker(), pictures, fps)
    assert {i for tracks in history for i in ids(tracks)} == {1}
    [track] = history[-1]
    assert track.velocity_px_per_s[0] == pytest.approx(speed, rel=0.15)
    assert track.first_seen_s == 1000.0


def test_a_walker_who_is_hidden_for_a_second_keeps_his_id() -> None:
    pictures = [person(50 + 6 * n) if not 20 <= n < 30 else [] for n in range(60)]
    history = run(Tracker(), pictures)
    assert ids(history[25], TrackState.LOST) == [1]
    assert ids(history[59]) == [1]
    assert len(history[59]) == 1


def test_a_track_is_forgotten_and_its_id_never_used_again() -> None:
    pictures = [person(50)] * 5 + [[]] * 40 + [person(50)] * 5
    history = run(Tracker(), pictures)
    assert history[44] == ()
    assert ids(history[-1]) == [2]


def test_two_who_cross_keep_their_ids() -> None:
    pictures = [person(50 + 10 * n, 100) + person(450 - 10 * n, 130) for n in range(41)]
    history = run(Tracker(), pictures)
    assert ids(history[0]) == ids(history[-1]) == [1, 2]
    assert history[-1][0].xyxy_px[0] > history[-1][1].xyxy_px[0]


def test_weak_detections_continue_a_track_but_begin_none() -> None:
    weak = run(Tracker(), [person(100, confidence=0.3)] * 20)
    assert all(tracks == () for tracks in weak)
    fades = run(Tracker(), [person(100)] * 3 + [person(100, confidence=0.2)] * 20)
    assert ids(fades[-1]) == [1]


def test_who_appears_counts_at_the_second_sight_and_the_unsure_later() -> None:
    history = run(Tracker(), [[]] * 2 + [person(100)] * 2)
    assert ids(history[2], TrackState.TENTATIVE) == [1]
    assert ids(history[3]) == [1]
    unsure = run(Tracker(), [[]] * 2 + [person(100, confidence=0.55)] * 30)
    slow_s = TrackerSettings().confirm_slow_s
    assert ids(unsure[2 + int(slow_s * 10) - 2]) == []
    assert ids(unsure[2 + int(slow_s * 10) + 1]) == [1]


def test_a_single_flash_never_counts() -> None:
    history = run(Tracker(), [[]] * 2 + [person(100)] + [[]] * 30)
    assert all(ids(tracks) == [] for tracks in history)
    assert history[-1] == ()


def test_the_class_is_a_vote_and_groups_do_not_mix() -> None:
    names = [coco.CAR, coco.TRUCK, coco.CAR, coco.CAR, coco.BUS, coco.CAR]
    history = run(Tracker(), [person(100, class_id=name) for name in names])
    assert [(t.track_id, t.class_id) for t in history[-1]] == [(1, coco.CAR)]
    mixed = run(Tracker(), [person(100, class_id=coco.CAR)] * 3 + [person(100)] * 3)
    assert ids(mixed[-1]) == [2]


def test_each_detection_knows_its_track() -> None:
    tracker = Tracker()
    tracker.update(detections(person(50) + person(300)), 1.0)
    tracking = tracker.update(detections(person(302) + person(600, confidence=0.2) + person(51)), 1.1)
    assert tracking.detection_track_id.tolist() == [2, -1, 1]


def test_time_must_grow() -> None:
    tracker = Tracker()
    tracker.update(Detections.empty(), 5.0)
    with pytest.raises(ValueError, match="time_s must grow"):
        tracker.update(Detections.empty(), 5.0)


def test_ids_belong_to_the_instance() -> None:
    first, second = Tracker(), Tracker()
    run(first, [person(50) + person(200)] * 2)
    assert ids(run(second, [person(50)] * 2)[-1]) == [1]


def test_a_snapshot_goes_on_exactly() -> None:
    pictures = [person(50 + 6 * n) + person(400 - 5 * n, confidence=0.55) for n in range(40)]
    times = [1000.0 + n / 10 for n in range(40)]
    whole = run(Tracker(), pictures)
    first, second = Tracker(), Tracker()
    run(first, pictures[:17])
    second.restore(json.loads(json.dumps(first.snapshot())))
    assert [second.update(detections(p), t).tracks for p, t in zip(pictures[17:], times[17:], strict=True)] == whole[
        17:
    ]
