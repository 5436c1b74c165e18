"""Plane geometry, the ground, looks, the view, hysteresis."""

from __future__ import annotations

import numpy as np
import pytest

from vision.episodes import Hysteresis, Thresholds
from vision.geometry import (
    areas,
    bottom_centres,
    displacement,
    intersections,
    iou,
    overlap_of_smaller,
    points_in_polygon,
    polygon_area,
)
from vision.ground import Ground
from vision.looks import CORE, Looks, likeness, visible_cells
from vision.view import ViewJudge, ViewState

SQUARE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
ARROW = ((0.0, 0.0), (1.0, 0.0), (0.5, 0.5), (1.0, 1.0), (0.0, 1.0))


@pytest.mark.parametrize(
    ("point", "polygon", "inside"),
    [
        ((0.5, 0.5), SQUARE, True),
        ((1.5, 0.5), SQUARE, False),
        ((0.5, -0.1), SQUARE, False),
        ((0.8, 0.5), ARROW, False),
        ((0.2, 0.5), ARROW, True),
        ((0.8, 0.1), ARROW, True),
    ],
)
def test_points_in_polygons(point: tuple[float, float], polygon: tuple[tuple[float, float], ...], inside: bool) -> None:
    assert points_in_polygon([point], polygon).tolist() == [inside]
    assert points_in_polygon([point], polygon[::-1]).tolist() == [inside]


def test_zones_that_share_an_edge_share_no_point() -> None:
    right = tuple((x + 1, y) for x, y in SQUARE)
    edge = [(1.0, y) for y in np.linspace(0.01, 0.99, 20)]
    assert points_in_polygon(edge, right).all(), "it belongs to the polygon on its right"
    assert not points_in_polygon(edge, SQUARE).any()
    below = tuple((x, y + 1) for x, y in SQUARE)
    edge = [(x, 1.0) for x in np.linspace(0.01, 0.99, 20)]
    assert points_in_polygon(edge, below).all(), "and to the one below"
    assert not points_in_polygon(edge, SQUARE).any()


def test_areas_and_overlaps_by_hand() -> None:
    assert polygon_area(SQUARE) == 1
    assert polygon_area(ARROW) == 0.75
    boxes = [(0, 0, 10, 10), (5, 0, 15, 10), (2, 2, 4, 4), (20, 20, 20, 30)]
    assert iou(boxes[:1], boxes)[0] == pytest.approx([1, 1 / 3, 0.04, 0])
    assert overlap_of_smaller(boxes[:1], boxes)[0] == pytest.approx([1, 0.5, 1, 0])
    assert iou(np.empty((0, 4)), boxes).shape == (0, 4)


def test_overlaps_of_whole_boxes_are_what_one_counts_cell_by_cell() -> None:
    corners = np.sort(np.random.default_rng(2).integers(0, 12, (40, 2, 2)), axis=1).reshape(40, 4)
    rows, columns = np.mgrid[0:12, 0:12]
    cells = np.array([(x1 <= columns) & (columns < x2) & (y1 <= rows) & (rows < y2) for x1, y1, x2, y2 in corners])
    both = (cells[:, None] & cells[None]).sum(axis=(2, 3))
    either = (cells[:, None] | cells[None]).sum(axis=(2, 3))
    size = cells.sum(axis=(1, 2))
    smaller = np.minimum(size[:, None], size[None])
    assert (size == 0).any(), "some have no area"
    assert areas(corners).tolist() == size.tolist()
    assert intersections(corners, corners).tolist() == both.tolist()
    assert iou(corners, corners) == pytest.approx(both / np.maximum(either, 1))
    assert overlap_of_smaller(corners, corners) == pytest.approx(both / np.maximum(smaller, 1))


def test_a_box_stands_in_the_middle_of_its_lower_edge() -> None:
    assert bottom_centres([(10, 20, 30, 60), (-4, 0, 0, 2)]).tolist() == [[20, 60], [-2, 2]]


@pytest.mark.parametrize(
    ("box", "moved"),
    [
        ((10, 0, 110, 50), 0.1),  # drove to the right
        ((30, 0, 100, 50), 0.0),  # its left side is hidden
        ((-10, 0, 110, 50), 0.0),  # the box is only larger
        ((0, 20, 100, 70), 0.4),  # came nearer
    ],
)
def test_what_hides_a_side_is_no_movement(box: tuple[float, float, float, float], moved: float) -> None:
    assert displacement((0, 0, 100, 50), box) == pytest.approx(moved)
    x1, y1, x2, y2 = box
    assert displacement((700, 300, 800, 350), (x1 + 700, y1 + 300, x2 + 700, y2 + 300)) == pytest.approx(moved)
    assert displacement((700, 300, 700, 300), (x1 + 700, y1 + 300, x2 + 700, y2 + 300)) == 0.0  # a place of no size


# A camera that looks down a road: 4 m wide and 10 m long in front, seen as a trapezium.
ROAD = [((0.1, 0.9), (0.0, 0.0)), ((0.9, 0.9), (4.0, 0.0)), ((0.6, 0.5), (4.0, 10.0)), ((0.4, 0.5), (0.0, 10.0))]


def test_the_ground_maps_its_points_and_knows_the_horizon() -> None:
    ground = Ground.fit(ROAD)
    assert ground.to_metres([p for p, _ in ROAD]) == pytest.approx(np.array([m for _, m in ROAD]), abs=1e-6)
    assert ground.to_metres([(0.5, 0.9)])[0] == pytest.approx([2, 0], abs=1e-6)
    assert np.isnan(ground.to_metres([(0.5, 0.1)])).all()
    assert ground.residual_m == 0
    near, far = ground.error_at_m([(0.5, 0.85), (0.5, 0.45)])
    assert 0 < near < far
    assert near < ground.error_m * 2


def test_a_fifth_point_says_how_well_they_fit() -> None:
    good = Ground.fit([*ROAD, ((0.5, 0.9), (2.0, 0.0))])
    bad = Ground.fit([*ROAD, ((0.5, 0.9), (3.0, 0.0))])
    assert good.residual_m < 1e-6
    assert bad.residual_m > 0.3
    assert bad.error_m > good.error_m


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (ROAD[:3], "4 or more, got 3"),
        ([((0.1 * n, 0.5), (float(n), 0.0)) for n in range(4)], "one line"),
        ([((0.5, 0.5), (1.0, 1.0))] * 4, "all at one place"),
    ],
)
def test_points_that_are_no_plane(points: list[tuple[tuple[float, float], tuple[float, float]]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Ground.fit(points)


def picture(seed: int, gain: float = 1.0) -> np.ndarray:
    cells = np.random.default_rng(seed).uniform(30, 220, (12, 16, 3))
    large = np.kron(cells, np.ones((10, 10, 1)))
    return np.clip(large * gain, 0, 255).astype(np.uint8)


PLACE = (0.25, 0.25, 0.75, 0.75)


def test_looks_survive_light_and_shaking_but_tell_things_apart() -> None:
    before = Looks.measure(picture(1), PLACE)
    assert likeness(before, Looks.measure(picture(1), PLACE)).structure == pytest.approx(1)
    assert likeness(before, Looks.measure(picture(1, 0.4), PLACE)).structure > 0.95
    shaken = np.roll(picture(1), (4, -5), axis=(0, 1))
    assert likeness(before, Looks.measure(shaken, PLACE)).structure > 0.8
    assert likeness(before, Looks.measure(picture(2), PLACE)).structure < 0.5
    assert Looks.from_text(before.to_text()).cells.tolist() == before.cells.tolist()


@pytest.mark.parametrize("place", [PLACE, (-0.2, 0.5, 0.4, 1.3)])
def test_looks_are_those_of_the_picture_whenever_they_are_asked_for(place: tuple[float, float, float, float]) -> None:
    pixels = picture(1)
    asked, later = Looks.measure(pixels, place), Looks.measure(pixels, place)
    seen = asked.cells
    assert seen.shape == (20, 20, 3)
    pixels[:] = 0
    assert np.array_equal(later.cells, seen)
    assert later.cells is later.cells


def test_another_colour_is_told_apart_where_the_picture_has_colours() -> None:
    red, blue = ((picture(1) * np.array(tint)).astype(np.uint8) for tint in ((0.3, 0.3, 0.8), (0.8, 0.4, 0.3)))
    before, other = Looks.measure(red, PLACE), Looks.measure(blue, PLACE)
    assert likeness(before, Looks.measure((red * 0.7).astype(np.uint8), PLACE)).colour < 15
    assert likeness(before, other).colour > 30
    # Under infra-red there is no colour to tell apart.
    grey = Looks.measure(np.repeat(red.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8), PLACE)
    assert (before.colourless, grey.colourless) == (False, True)
    assert likeness(before, grey).colour == likeness(grey, other).colour == 0


def test_an_even_surface_looks_like_itself_and_like_nothing_else() -> None:
    road = Looks.measure(np.full((120, 160, 3), 90, np.uint8), PLACE)
    assert likeness(road, road).structure == 1
    assert likeness(Looks.measure(picture(1), PLACE), road).structure == 0
    assert likeness(road, Looks.measure(picture(1), PLACE)).structure == 0


def test_a_place_at_the_border_is_measured() -> None:
    corner = Looks.measure(picture(1), (0.9, 0.9, 1.05, 1.05))
    assert likeness(corner, corner).structure == pytest.approx(1)


def test_cells_that_are_covered_do_not_count() -> None:
    half = np.array([(0.5, 0.0, 1.0, 1.0)])
    cells = visible_cells(PLACE, half)
    assert cells[:, : CORE // 2].all()
    assert not cells[:, CORE // 2 :].any()
    changed = picture(1)
    changed[:, 80:] = picture(2)[:, 80:]
    now = Looks.measure(changed, PLACE)
    before = Looks.measure(picture(1), PLACE)
    assert likeness(before, now, cells).structure > likeness(before, now).structure + 0.2
    assert likeness(before, now, np.zeros((CORE, CORE), bool)).structure == 0


@pytest.mark.parametrize(
    ("pixels", "state"),
    [
        (picture(1), ViewState.USABLE),
        (picture(1, 0.05), ViewState.DARK),
        (np.full((120, 160, 3), 128, np.uint8), ViewState.BLOCKED),
        (np.full((120, 160, 3), 250, np.uint8), ViewState.BLOCKED),
        (np.zeros((120, 160, 3), np.uint8), ViewState.DARK),
    ],
)
def test_the_view_is_judged(pixels: np.ndarray, state: ViewState) -> None:
    assert ViewJudge().judge(pixels, 0.0).state is state


def test_a_picture_that_never_changes_is_frozen() -> None:
    judge = ViewJudge()
    states = [judge.judge(picture(1), float(second)).state for second in range(0, 40, 2)]
    assert states[0] is ViewState.USABLE
    assert states[-1] is ViewState.FROZEN
    assert judge.judge(picture(1) ^ np.uint8(1), 41.0).usable


def test_hysteresis_counts_only_what_was_seen() -> None:
    one = Hysteresis(Thresholds(for_s=10, hold_s=4))
    events = {}
    for second in range(0, 60):
        if 5 <= second < 25:
            one.gap(second)  # nothing was seen for twenty seconds
            continue
        events[second] = one.see(0.9 if second < 45 else 0.1, second)
    # Seen above from 0 to 4 and from 25 on: ten seconds are full at 30.
    assert [s for s, event in events.items() if event == "begin"] == [30]
    assert [s for s, event in events.items() if event == "end"] == [49]


def test_an_end_too_counts_only_what_was_seen_and_a_score_at_the_lower_threshold_is_below_it() -> None:
    one = Hysteresis(Thresholds(for_s=2, hold_s=4))
    assert [one.see(0.9, float(s)) for s in range(3)][-1] == "begin"
    assert [one.see(0.4, float(s)) for s in (3, 4)] == [None, None]
    for second in range(5, 25):
        one.gap(float(second))
    # One second of the four was seen before the gap; three more are full at 27.
    assert [one.see(0.4, float(s)) for s in (25, 26, 27)] == [None, None, "end"]


@pytest.mark.parametrize(("dips", "begins"), [({3, 7}, True), ({2, 3, 5, 7, 8}, False)])
def test_short_dips_do_not_start_the_time_anew(dips: set[int], begins: bool) -> None:
    one = Hysteresis(Thresholds(for_s=10, hold_s=4))
    events = [one.see(0.1 if second in dips else 0.9, second) for second in range(11)]
    assert ("begin" in events) is begins


def test_between_the_thresholds_nothing_changes() -> None:
    one = Hysteresis(Thresholds(for_s=2, hold_s=2))
    assert [one.see(0.9, float(s)) for s in range(3)][-1] == "begin"
    assert [one.see(0.45, float(s)) for s in range(3, 30)] == [None] * 27


def test_the_ground_error_is_a_number_however_many_points_are_given() -> None:
    """Each point is left out in turn: what the others say of it must not hang on the sign that a fit happens to have."""
    random = np.random.default_rng(5)
    camera = np.array([[9.0, 0.1, -4.6], [0.2, 0.4, 11.0], [0.01, 0.9, 0.1]])
    for count in (5, 6, 7, 9):
        for _ in range(10):
            picture = random.uniform(0.1, 0.9, (count, 2))
            seen = np.c_[picture, np.ones(count)] @ camera.T
            metres = np.round(seen[:, :2] / seen[:, 2:], 2)
            ground = Ground.fit([(tuple(p), tuple(m)) for p, m in zip(picture.tolist(), metres.tolist(), strict=True)])
            assert 0 < ground.error_m < 5
            assert np.isfinite(ground.residual_m)
