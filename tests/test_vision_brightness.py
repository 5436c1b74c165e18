"""The brightness of a picture, and smaller planes of it."""

from __future__ import annotations

import numpy as np
import pytest

from vision.attention import Attention
from vision.brightness import brightness, halved, shrunk, thumbnail
from vision.frame import Frame
from vision.view import ViewJudge


def picture(height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_brightness_is_the_weighted_mean_of_the_colours() -> None:
    pixels = picture(5, 7)
    expected = pixels @ np.array([0.114, 0.587, 0.299])
    assert np.abs(brightness(pixels) - expected).max() <= 1.0
    assert brightness(brightness(pixels)) is not pixels
    grey = brightness(pixels)
    assert brightness(grey) is grey  # it is that already


@pytest.mark.parametrize("size", [(4, 6), (5, 7), (108, 192)])
def test_a_half_is_the_mean_of_two_by_two(size: tuple[int, int]) -> None:
    plane = brightness(picture(*size))
    height, width = size[0] // 2, size[1] // 2
    blocks = plane[: 2 * height, : 2 * width].reshape(height, 2, width, 2).astype(float)
    half = halved(plane)
    assert half.shape == (height, width)
    assert np.abs(half - blocks.mean(axis=(1, 3))).max() <= 0.5


def test_a_plane_is_halved_while_it_stays_wide_enough() -> None:
    assert shrunk(np.zeros((432, 768), np.uint8), 192).shape == (108, 192)
    assert shrunk(np.zeros((432, 768), np.uint8), 193).shape == (216, 384)
    assert shrunk(np.zeros((3, 768), np.uint8), 80).shape == (3, 768)  # no lower than this


def test_a_thumbnail_has_the_mean_of_each_block() -> None:
    smooth = np.linspace(0, 255, 768)[None, :, None] * np.linspace(0.5, 1, 432)[:, None, None] * np.ones(3)
    pixels = smooth.astype(np.uint8)
    small = thumbnail(pixels)
    assert small.shape == (54, 96)
    expected = brightness(pixels).reshape(54, 8, 96, 8).mean(axis=(1, 3))
    assert np.abs(small - expected).max() <= 2.0
    assert np.array_equal(thumbnail(brightness(pixels)), small)
    assert thumbnail(picture(1080, 1920)).shape == (54, 96)
    assert thumbnail(picture(4, 4)).shape == (2, 2)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (4, 1000)])
def test_a_picture_too_low_or_narrow_to_be_halved_has_a_thumbnail_too(size: tuple[int, int]) -> None:
    """Else one odd stream would end the worker, and with it the analysis of every other camera."""
    even = np.full((*size, 3), 77, np.uint8)
    assert (thumbnail(even) == 77).all()
    attention, judge = Attention(), ViewJudge()
    for number in range(3):
        attention.plan(picture(*size), 1000.0 + number, None)
        judge.judge(picture(*size), 1000.0 + number, None)


def test_a_frame_makes_its_thumbnail_once() -> None:
    frame = Frame("gate", "run", 0.0, picture(60, 80))
    assert frame.small is frame.small
    assert np.array_equal(frame.small, thumbnail(frame.pixels))
