"""Fitting pictures into the network's input, and boxes back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.detectors.letterbox import PADDING, Letterbox, check_picture

SIDES = st.integers(1, 3000)
INPUTS = st.tuples(st.integers(1, 20), st.integers(1, 20)).map(lambda n: (n[0] * 32, n[1] * 32))


@given(st.tuples(SIDES, SIDES), INPUTS)
def test_a_box_survives_the_way_there_and_back(picture_px: tuple[int, int], input_px: tuple[int, int]) -> None:
    place = Letterbox.fit(picture_px, input_px)
    height, width = picture_px
    boxes = np.array([[0, 0, width, height], [width * 0.25, height * 0.5, width * 0.5, height * 0.75]], np.float32)
    there = place.to_input(boxes)
    assert (there[:, :2] >= -0.01).all()
    assert there[0, 2] <= input_px[1] + 0.01
    assert there[0, 3] <= input_px[0] + 0.01
    np.testing.assert_allclose(place.to_picture(there), boxes, atol=0.01 + 1e-5 * max(picture_px))


def test_the_shape_of_things_is_kept_and_the_rest_is_grey() -> None:
    picture = np.full((100, 400, 3), 200, np.uint8)
    canvas = np.zeros((64, 128, 3), np.uint8)
    place = Letterbox.fit((100, 400), (64, 128))
    place.draw(picture, canvas)
    assert (place.width_px, place.height_px, place.left_px, place.top_px) == (128, 32, 0, 16)
    assert (canvas[16:48] == 200).all()
    assert (canvas[:16] == PADDING).all()
    assert (canvas[48:] == PADDING).all()


def test_a_tall_picture_gets_its_grey_at_the_sides() -> None:
    canvas = np.zeros((64, 128, 3), np.uint8)
    Letterbox.fit((64, 32), (64, 128)).draw(np.full((64, 32, 3), 7, np.uint8), canvas)
    assert (canvas[:, 48:80] == 7).all()
    assert (canvas[:, :48] == PADDING).all()
    assert (canvas[:, 80:] == PADDING).all()


def test_boxes_outside_the_picture_are_cut_at_its_edge() -> None:
    place = Letterbox.fit((100, 400), (64, 128))
    box = place.to_picture(np.array([[-50, -50, 500, 500]], np.float32))
    assert box.tolist() == [[0, 0, 400, 100]]
    assert box.dtype == np.float32


@pytest.mark.parametrize("shape", [(0, 10, 3), (10, 10), (10, 10, 4)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        check_picture(np.zeros(shape, np.uint8))
