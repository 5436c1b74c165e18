"""What the gate has compiled gives what NumPy's and OpenCV's way gives, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipelines.testing import both_ways
from vision import native
from vision.frame import Pixels
from vision.motion import MotionGate, MotionSettings

grids = st.tuples(st.integers(1, 30), st.integers(1, 40))
marks = grids.flatmap(lambda shape: arrays.arrays(np.bool_, shape, elements=st.booleans()))


def walked(pictures: list[Pixels], chosen: MotionSettings | None = None) -> list[Any]:
    """All that comes of thumbnails a fifth of a second apart, and all that the gate remembers after each."""
    gate, told = MotionGate(chosen), []
    for n, small in enumerate(pictures):
        result = gate.update(np.empty((8 * small.shape[0], 8 * small.shape[1]), np.uint8), 100 + n / 5, small)
        if n % 3 == 0:
            gate.looked()
        assert gate._background is not None
        assert gate._noise is not None
        told.append((result, gate._shared, gate._background.tobytes(), gate._noise.tobytes()))
    return told


def street(count: int, seed: int) -> list[Pixels]:
    """Walkers before a wall, sensor noise, clouds, a white sky and a flickering tree; the camera is turned once."""
    random = np.random.default_rng(seed)
    wall = random.uniform(40, 200, (54, 96))
    wall[:6] = 250
    places, speed = random.uniform(0, 90, (7, 2)), random.uniform(-1.5, 1.5, (7, 2))
    pictures = []
    for n in range(count):
        seen = (wall if n < count // 2 else wall[:, ::-1]) * (1 + 0.1 * np.sin(n / 15))
        seen[30:40, 70:80] += random.uniform(-20, 20, (10, 10))
        for x, y in (places + speed * n) % (86, 44):
            seen[int(y) : int(y) + 9, int(x) : int(x) + 3] = 30
        pictures.append(np.clip(seen + random.normal(0, 1.5, seen.shape), 0, 255).astype(np.uint8))
    return pictures


@settings(max_examples=200, deadline=None)
@given(marks, st.integers(1, 9), st.integers(0, 3))
def test_regions_in_the_same_order(changed: Any, least: int, margin: int) -> None:
    gate = MotionGate(MotionSettings(least_blocks=least, margin_blocks=margin))
    compiled, plain = both_ways(lambda: gate._regions(changed), "regions")
    assert compiled == plain


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.6))
def test_regions_of_many_small_things(seed: int, share: float) -> None:
    changed = np.random.default_rng(seed).random((54, 96)) < share
    compiled, plain = both_ways(lambda: MotionGate()._regions(changed), "regions")
    assert compiled == plain


@settings(max_examples=100, deadline=None)
@given(
    grids.flatmap(lambda shape: st.lists(arrays.arrays(np.uint8, shape), min_size=2, max_size=4)),
    st.floats(0.05, 1.0),
    st.integers(0, 2),
)
def test_the_gate_s_memory(pictures: list[Pixels], whole_share: float, margin: int) -> None:
    chosen = MotionSettings(whole_share=whole_share, margin_blocks=margin)
    compiled, plain = both_ways(lambda: walked(pictures, chosen), "motion", "regions")
    assert compiled == plain


@pytest.mark.parametrize("seed", range(3))
def test_two_hundred_pictures_of_a_street(seed: int) -> None:
    pictures = street(200, seed)
    compiled, plain = both_ways(lambda: walked(pictures))
    assert compiled == plain
    results = [told[0] for told in compiled]
    assert sum(result.whole for result in results) in range(2, 40)
    assert sum(len(result.regions_norm) for result in results) > 400


def test_grids_that_do_not_fit_are_refused() -> None:
    if native.motion is None or native.regions is None:
        pytest.skip("not compiled")
    blocks, floats, changed = np.zeros((5, 6), np.uint8), np.zeros((5, 6), np.float32), np.zeros((5, 6), np.bool_)
    limits = (0.4, 0.1, 0.4, 3.0, 6.0, 0.6, 215.0)
    for wrong in (floats[:, ::2], floats[:4], floats.astype(np.float64), floats.T, None):
        with pytest.raises(ValueError, match="grid"):
            native.motion.update(blocks, floats, wrong, changed, *limits)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="grid"):
            native.motion.looked(wrong, blocks, changed)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="bool"):
        native.regions.boxes(blocks, 3, 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="margin"):
        native.regions.boxes(changed, 3, -1)
