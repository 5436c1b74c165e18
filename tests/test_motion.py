"""What the motion gate takes for change, and what not."""

from __future__ import annotations

import numpy as np
import pytest

from vision.motion import MotionGate, MotionResult

RNG = np.random.Generator(np.random.PCG64())
HEIGHT, WIDTH = 288, 384


@pytest.fixture(autouse=True)
def _the_same_noise_whatever_ran_before() -> None:
    RNG.bit_generator.state = np.random.default_rng(7).bit_generator.state


def scene(seed: int = 1) -> np.ndarray:
    """A still picture with texture, brightness 40..190."""
    coarse = np.random.default_rng(seed).integers(40, 190, (HEIGHT // 16, WIDTH // 16, 3))
    return coarse.repeat(16, axis=0).repeat(16, axis=1).astype(np.float32)


def shot(picture: np.ndarray, noise: float = 2.0, light: float = 1.0) -> np.ndarray:
    """The scene as a sensor sees it."""
    return np.clip(picture * light + RNG.normal(0, noise, picture.shape), 0, 255).astype(np.uint8)


def settled(picture: np.ndarray, noise: float = 2.0) -> tuple[MotionGate, float]:
    gate = MotionGate()
    for number in range(20):
        gate.update(shot(picture, noise), number * 0.2)
    return gate, 4.0


def with_walker(picture: np.ndarray, x: int, y: int = 100) -> np.ndarray:
    changed = picture.copy()
    changed[y : y + 40, x : x + 16] = (230, 20, 230)
    return changed


def covers(result: MotionResult, x: int, y: int) -> bool:
    return any(x1 <= x / WIDTH <= x2 and y1 <= y / HEIGHT <= y2 for x1, y1, x2, y2 in result.regions_norm)


def test_the_first_picture_is_looked_at_whole() -> None:
    result = MotionGate().update(shot(scene()), 5.0)
    assert (result.changed, result.whole, result.regions_norm) == (True, True, ((0.0, 0.0, 1.0, 1.0),))


@pytest.mark.parametrize("noise", [0.0, 2.0, 5.0, 10.0])
def test_sensor_noise_is_no_motion(noise: float) -> None:
    gate, now = settled(scene(), noise)
    false = sum(gate.update(shot(scene(), noise), now + n * 0.2).changed for n in range(150))
    assert false <= 2


def test_slow_light_is_no_motion() -> None:
    gate, now = settled(scene())
    false = 0
    for number in range(300):
        light = 1 + 0.25 * np.sin(number / 300 * 2 * np.pi)  # a cloud: a quarter up and down within a minute
        false += gate.update(shot(scene(), light=light), now + number * 0.2).changed
    assert false <= 3


def test_a_walker_is_found_where_they_are_and_where_they_were() -> None:
    gate, now = settled(scene())
    for step, x in enumerate(range(40, 300, 12)):
        result = gate.update(shot(with_walker(scene(), x)), now + step * 0.2)
        assert result.changed
        assert not result.whole
        assert covers(result, x + 8, 120)
        assert result.share < 0.1


def test_two_walkers_far_apart_are_two_regions() -> None:
    gate, now = settled(scene())
    result = gate.update(shot(with_walker(with_walker(scene(), 40), 300, y=200)), now)
    assert len(result.regions_norm) == 2
    assert all(0 <= value <= 1 for region in result.regions_norm for value in region)


def test_what_came_to_stand_becomes_background_and_its_leaving_is_motion() -> None:
    gate, now = settled(scene())
    parked = with_walker(scene(), 100)
    results = [gate.update(shot(parked), now + n * 0.2) for n in range(600)]
    assert all(result.changed for result in results[:25])
    assert not any(result.changed for result in results[-50:])
    assert covers(gate.update(shot(scene()), now + 120.2), 108, 120)


def test_a_jump_of_the_camera_is_everything_and_then_quiet() -> None:
    gate, now = settled(scene(1))
    assert gate.update(shot(scene(2)), now).whole
    assert sum(gate.update(shot(scene(2)), now + 0.2 * n).changed for n in range(1, 20)) == 0


def test_another_size_starts_anew() -> None:
    gate, now = settled(scene())
    assert gate.update(np.zeros((120, 160, 3), np.uint8), now).whole
    assert not gate.update(np.zeros((120, 160, 3), np.uint8), now + 0.2).changed


def test_after_a_gap_the_picture_is_compared_and_not_believed_to_be_still() -> None:
    gate, now = settled(scene())
    walked_in = gate.update(shot(with_walker(scene(), 200)), now + 60)
    assert covers(walked_in, 208, 120)
    assert not walked_in.whole
    gate, now = settled(scene())
    assert not gate.update(shot(scene()), now + 60).changed


def test_time_that_goes_back_is_refused() -> None:
    gate, now = settled(scene())
    with pytest.raises(ValueError, match="goes back"):
        gate.update(shot(scene()), now - 3)


def test_tiny_pictures_do_not_break_it() -> None:
    gate, black = MotionGate(), np.zeros((5, 7, 3), np.uint8)
    assert [gate.update(black, float(number)).changed for number in range(3)] == [True, False, False]
    white = gate.update(black + 200, 3.0)
    assert (white.whole, white.regions_norm) == (True, ((0.0, 0.0, 1.0, 1.0),))


def test_a_busy_place_stays_watched() -> None:
    gate, now = settled(scene())
    for number in range(1500):  # five minutes in which somebody passes every other second
        passing = number % 10 < 5
        gate.update(shot(with_walker(scene(), 150) if passing else scene()), now + number * 0.2)
    pale = scene()
    pale[100:140, 150:166] += 45
    results = [gate.update(shot(pale), now + 301 + n * 0.2) for n in range(3)]
    assert all(covers(result, 158, 120) and result.share < 0.1 for result in results)
