"""The footprint on the ground: against vehicles whose place is known, seen by cameras on poles of every kind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision import coco
from vision.evaluation.pinhole import Pinhole, Vehicle
from vision.footprint import MOST_ERROR_M, error_m, footprint, kerb_of
from vision.geometry import bottom_centres
from vision.ground import Ground

POINTS_M = np.array([[-6.0, 9.0], [6.0, 9.0], [8.0, 28.0], [-8.0, 28.0]])
CAMERA = Pinhole()
GROUND = CAMERA.ground(POINTS_M)

cameras = st.builds(Pinhole, st.floats(4, 9), st.floats(15, 35), st.floats(55, 90), st.just(16 / 9))
headings = st.floats(0, np.pi)


def shown(box: tuple[float, float, float, float]) -> bool:
    return bool(np.isfinite(box).all()) and min(box) > 0.01 and max(box) < 0.99


@given(cameras, st.floats(-8, 8), st.floats(8, 30))
@settings(max_examples=80, deadline=None)
def test_the_ground_goes_there_and_back(camera: Pinhole, x: float, y: float) -> None:
    ground = camera.ground(POINTS_M)
    there = ground.to_picture([(x, y)])
    assert there[0] == pytest.approx(camera.on_picture(np.array([(x, y)]))[0], abs=1e-6)
    assert ground.to_metres(there)[0] == pytest.approx((x, y), abs=1e-6)


def test_what_lies_behind_the_camera_is_on_no_picture() -> None:
    assert np.isnan(GROUND.to_picture([(0.0, -30.0)])).all()


@given(cameras, st.floats(-8, 8), st.floats(12, 25), headings, st.sampled_from([coco.CAR, coco.MOTORCYCLE]))
@settings(max_examples=100, deadline=None)
def test_a_vehicle_along_the_kerb_is_found_where_it_stands(
    camera: Pinhole, x: float, y: float, heading: float, class_id: int
) -> None:
    vehicle = Vehicle((x, y), heading, class_id)
    box = camera.box(vehicle)
    if not shown(box):
        return
    stands = footprint(box, class_id, camera.ground(POINTS_M), heading)
    assert stands is not None
    # What stands up leans out of its ground towards the edges of the picture: that is the model's error.
    length_m = np.linalg.norm(vehicle.corners_m()[1] - vehicle.corners_m()[0])
    assert np.linalg.norm(stands.centre_m - (x, y)) <= 0.25 * length_m
    assert np.linalg.norm(stands.corners_m[1] - stands.corners_m[0]) == pytest.approx(stands.length_m)


def test_it_is_right_far_more_often_than_the_ground_point() -> None:
    """Four clicked points, a detector's boxes, cars of several sizes, one in seven across the kerb."""
    random = np.random.default_rng(7)
    off: list[float] = []
    off_point: list[float] = []
    told: list[float] = []
    while len(off) < 250:
        camera = Pinhole(random.uniform(4, 9), random.uniform(15, 35), random.uniform(55, 90), 16 / 9)
        ground = camera.ground(POINTS_M, random.normal(0, 0.002, (4, 2)))
        kerb = random.uniform(0, np.pi)
        heading = kerb + np.radians(random.normal(0, 4)) if random.random() < 6 / 7 else random.uniform(0, np.pi)
        centre = (random.uniform(-9, 9), random.uniform(8, 32))
        box = np.array(camera.box(Vehicle(centre, heading, size=float(np.exp(random.normal(0, 0.08))))))
        if not shown(tuple(box)):
            continue
        box += random.normal(0, 0.015, 4) * np.tile(box[2:] - box[:2], 2)
        stands = footprint(tuple(box), coco.CAR, ground, kerb)
        if stands is None:
            continue
        off.append(float(np.linalg.norm(stands.centre_m - centre)))
        off_point.append(float(np.linalg.norm(ground.to_metres(bottom_centres([box]))[0] - centre)))
        told.append(stands.error_m)
    assert np.median(off) < 0.5
    assert np.median(off_point) > 1.8
    assert np.percentile(off, 90) < 1.2
    # What it says of its own error is neither boasting nor useless.
    rms = float(np.sqrt(np.mean(np.square(off))))
    assert 0.6 * rms < np.sqrt(np.mean(np.square(told))) < 1.6 * rms


@given(st.floats(-5, 5), st.floats(10, 22), headings)
@settings(max_examples=60, deadline=None)
def test_shares_add_up(x: float, y: float, heading: float) -> None:
    box = CAMERA.box(Vehicle((x, y), heading))
    if not shown(box):
        return
    stands = footprint(box, coco.CAR, GROUND, heading)
    assert stands is not None
    middle = float(CAMERA.on_picture(np.array([(x, y)]))[0, 0])
    left = stands.share_in(((0, 0), (middle, 0), (middle, 1), (0, 1)), GROUND)
    right = stands.share_in(((middle, 0), (1.01, 0), (1.01, 1.01), (middle, 1.01)), GROUND)
    assert left + right == pytest.approx(1.0)
    assert stands.share_in(((0, 0), (1, 0), (1, 1), (0, 1)), GROUND) == 1.0


def test_a_kerb_is_the_long_side_of_a_zone() -> None:
    along = np.array([np.cos(0.5), np.sin(0.5)])
    across = np.array([-np.sin(0.5), np.cos(0.5)])
    corners = np.array([(0.0, 15.0) + a * along + b * across for a, b in ((-4, -1), (4, -1), (4, 1), (-4, 1))])
    assert kerb_of(CAMERA.zone(corners), GROUND) == pytest.approx(0.5, abs=0.01)
    square = np.array([(-2.0, 13.0), (2.0, 13.0), (2.0, 17.0), (-2.0, 17.0)])
    assert kerb_of(CAMERA.zone(square), GROUND) is None
    assert kerb_of(((0.2, 0.0), (0.8, 0.0), (0.8, 0.7), (0.2, 0.7)), GROUND) is None  # into the sky


def test_without_a_kerb_the_box_says_how_it_stands() -> None:
    for heading in (0.0, np.pi / 2):
        stands = footprint(CAMERA.box(Vehicle((0.0, 15.0), heading)), coco.CAR, GROUND)
        assert stands is not None
        assert abs(np.sin(stands.heading_rad - heading)) < 0.3


def test_a_car_across_the_kerb_is_seen_to_be_so() -> None:
    box = CAMERA.box(Vehicle((0.0, 15.0), np.pi / 2))
    stands = footprint(box, coco.CAR, GROUND, kerb_rad=0.0)
    assert stands is not None
    assert abs(np.cos(stands.heading_rad)) < 0.3
    assert stands.centre_m == pytest.approx((0.0, 15.0), abs=0.6)


@pytest.mark.parametrize(
    ("box", "why"),
    [
        ((0.45, 0.02, 0.5, 0.08), "above the horizon"),
        ((0.48, 0.19, 0.5, 0.21), "far away"),
        ((0.3, 0.7, 0.7, 1.0), "cut off below"),
        ((0.0, 0.4, 1.0, 0.8), "from edge to edge"),
    ],
)
def test_what_cannot_be_told_is_not_told(box: tuple[float, float, float, float], why: str) -> None:
    assert footprint(box, coco.CAR, GROUND, 0.0) is None, why


def test_a_car_cut_off_at_the_side_stands_where_the_rest_of_it_is() -> None:
    vehicle = Vehicle((-9.5, 15.0), 0.0)
    x1, y1, x2, y2 = CAMERA.box(vehicle)
    assert x1 < 0 < x2
    stands = footprint((0.0, y1, x2, y2), coco.CAR, GROUND, 0.0)
    assert stands is not None
    assert stands.centre_m == pytest.approx(vehicle.centre_m, abs=0.8)
    assert stands.share_in(((0, 0), (1, 0), (1, 1), (0, 1)), GROUND) == 1.0  # of what the picture shows


def test_the_error_grows_with_the_distance() -> None:
    near, far = (error_m(CAMERA.box(Vehicle((0.0, y), 0.0)), GROUND) for y in (10.0, 30.0))
    assert near < far
    assert near < MOST_ERROR_M
    assert isinstance(GROUND, Ground)
