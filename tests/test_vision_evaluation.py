"""The measures themselves, on cases small enough to compute by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vision.detection import Detections
from vision.evaluation import bays
from vision.evaluation.boxes import Boxes, align, pairs, read_mot
from vision.evaluation.counting import score_counts
from vision.evaluation.incidents import Happening, score_incidents
from vision.evaluation.mot import score_tracking
from vision.evaluation.poisson import rate_bound, rate_interval

A, B, FAR = (0, 0, 10, 10), (20, 0, 30, 10), (100, 0, 110, 10)


def boxes(**found: tuple[float, float, float, float]) -> Boxes:
    """`boxes(i1=A)`: id 1 at A."""
    return Boxes.of([int(name[1:]) for name in found], list(found.values()))


def test_perfect_tracking_scores_one() -> None:
    frames = [(boxes(i1=A, i2=B), boxes(i7=A, i8=B))] * 4
    score = score_tracking(frames)
    assert (score.hota, score.mota, score.idf1, score.id_switches) == pytest.approx((1, 1, 1, 0))


def test_an_id_that_changes_in_the_middle() -> None:
    # One object, four pictures, always found exactly, under id 1 twice and then under id 2 twice.
    frames = [(boxes(i1=A), boxes(i1=A))] * 2 + [(boxes(i1=A), boxes(i2=A))] * 2
    score = score_tracking(frames)
    assert score.id_switches == 1
    assert score.mota == pytest.approx(1 - 1 / 4)
    assert score.idf1 == pytest.approx(2 * 2 / 8)  # the better of the two ids is right in two of four pictures
    # Each of the four matches has 2 of 4 in common with its partner: association 2 / (4 + 2 - 2).
    assert score.deta == pytest.approx(1)
    assert score.assa == pytest.approx(0.5)
    assert score.hota == pytest.approx(math.sqrt(0.5))


def test_misses_and_false_positives() -> None:
    frames = [(boxes(i1=A, i2=B), boxes(i1=A, i9=FAR)), (boxes(i1=A, i2=B), boxes(i1=A, i9=FAR))]
    score = score_tracking(frames)
    assert (score.misses, score.false_positives, score.id_switches) == (2, 2, 0)
    assert score.mota == pytest.approx(1 - 4 / 4)
    assert score.deta == pytest.approx(2 / 6)  # 2 hits, 2 misses, 2 false positives
    assert score.hota == pytest.approx(math.sqrt(2 / 6))


def test_a_match_is_kept_while_it_is_good_enough() -> None:
    # In the second picture id 2 fits a little better, but id 1 is still good: no switch.
    near = (0, 0, 10, 9)
    frames = [(boxes(i1=A), boxes(i1=A)), (boxes(i1=A), boxes(i1=near, i2=A))]
    assert score_tracking(frames).id_switches == 0


def test_hota_counts_localisation() -> None:
    # IoU 0.6 everywhere: a hit for thresholds up to 0.6, that is 12 of 19.
    frames = [(boxes(i1=(0, 0, 10, 10)), boxes(i1=(0, 0, 10, 6)))] * 3
    assert score_tracking(frames).hota == pytest.approx(12 / 19)


def test_no_truth_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match="no box"):
        score_tracking([(Boxes.of([], []), boxes(i1=A))])
    with pytest.raises(ValueError, match="no pictures"):
        score_counts([])


def test_rows_with_flag_zero_are_ignored() -> None:
    truth = read_mot(["1,1,0,0,10,10,1,-1,-1,-1", "1,2,20,0,10,10,0,-1,-1,-1", ""], "gt")
    [(true, found)] = align(truth, {1: boxes(i5=A, i6=B, i7=FAR)})
    assert true.ids.tolist() == [1]
    assert found.ids.tolist() == [5, 7]


def test_a_bad_row_is_named() -> None:
    with pytest.raises(ValueError, match=r"gt\.txt:2: expected frame,id"):
        read_mot(["1,1,0,0,10,10,1", "1,one,0,0,10,10,1"], "gt.txt")


def test_pairs_are_as_many_as_can_be() -> None:
    # Greedy would give the middle box to the first and leave the second with none.
    first = np.array([(0, 0, 10, 10), (0, 3, 10, 13)], float)
    second = np.array([(0, 1, 10, 11), (0, -4, 10, 6)], float)
    assert sorted(pairs(first, second, 0.4)) == [(0, 1), (1, 0)]


def test_count_error_bias_and_boxes() -> None:
    frames = [(boxes(i1=A, i2=B), boxes(i1=A)), (boxes(i1=A), boxes(i1=A, i2=B, i3=FAR))]
    score = score_counts(frames)
    assert (score.mae, score.bias) == (1.5, 0.5)
    assert score.recall == pytest.approx(2 / 3)
    assert score.precision == pytest.approx(2 / 4)
    assert score_counts(frames, [2, 1]).mae == 0


def test_incidents_matched_missed_doubled_and_false() -> None:
    true = [Happening("p", "z", 10, 50), Happening("p", "z", 200, None), Happening("c", "z", 10, 20)]
    reported = [
        Happening("p", "z", 11, 52),
        Happening("p", "z", 30, 40),
        Happening("p", "z", 205, None),
        Happening("p", "other", 10, 50),
    ]
    score = score_incidents(true, reported, 300)
    assert (score.matched, score.duplicates, score.false_alarms) == (2, 1, 1)
    assert score.recall == pytest.approx(2 / 3)
    assert score.precision == pytest.approx(2 / 4)
    assert sorted(score.opening_delays_s) == [1, 5]
    assert score.closing_delays_s == (2,)


def test_bounds_of_a_rate_are_those_of_the_tables() -> None:
    # Garwood's table: 95 % intervals of a count of 0, 1 and 10; one-sided bounds of 0 and 1.
    assert rate_interval(0, 1) == pytest.approx((0.0, 3.6889), abs=1e-3)
    assert rate_interval(1, 1) == pytest.approx((0.0253, 5.5716), abs=1e-3)
    assert rate_interval(10, 2) == pytest.approx((4.7954 / 2, 18.3904 / 2), abs=1e-3)
    assert rate_bound(0, 1) == pytest.approx(2.9957, abs=1e-3)
    assert rate_bound(1, 2) == pytest.approx(4.7439 / 2, abs=1e-3)
    assert rate_bound(0, 0) is None
    assert rate_interval(3, 0) is None
    with pytest.raises(ValueError, match="count >= 0"):
        rate_bound(-1, 1)


def test_no_false_alarm_in_an_hour_proves_little() -> None:
    score = score_incidents([], [], 3600)
    assert score.precision == score.recall == 1.0
    # Rule of three: 3 / hours at 95 %.
    assert score.false_alarms_per_day_bound == pytest.approx(2.9957 * 24, rel=1e-3)
    assert score_incidents([], [], 0).false_alarms_per_day_bound is None


def square(x: float, y: float, side: float = 100) -> np.ndarray:
    return np.array([(x, y), (x + side, y), (x + side, y + side), (x, y + side)], float)


def cars(*found: tuple[float, float, float, float]) -> Detections:
    return Detections(
        np.array(found, np.float32), np.full(len(found), 0.6, np.float32), np.full(len(found), 2, np.int64)
    )


def test_cars_in_bays_small_things_and_touching_cars() -> None:
    drawn = [square(0, 0), square(120, 0), square(240, 0)]
    found = bays.places_outside(
        cars((5, 5, 95, 95), (300, 200, 400, 290), (380, 270, 480, 360), (10, 300, 40, 330)), drawn, (640, 480), 0.2
    )
    assert found.tolist() == [[300, 200, 480, 360]]  # in a bay; two that touch; far too small
    assert bays.places_outside(cars((300, 200, 400, 290)), drawn, (640, 480), 0.7).tolist() == []


def test_true_places_leave_out_small_blobs() -> None:
    mask = np.zeros((100, 100), np.uint8)
    mask[10:40, 10:30] = 2
    mask[60:70, 60:80] = 2
    mask[80:, :] = 1
    assert bays.true_places(mask).tolist() == [[10, 10, 30, 40]]


def test_a_row_goes_on_by_one_bay() -> None:
    [further] = bays.rows_continued([square(0, 0), square(120, 10)], [(1, 0)])
    assert further[0].tolist() == [240, 20]
