"""What the gate has compiled gives what NumPy's and OpenCV's way gives, to the bit."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipelines.testing import both_ways
from vision import native
from vision.attention import Attention, _Missed
from vision.brightness import thumbnail
from vision.detection import Detections
from vision.frame import Pixels
from vision.mosaic import Part
from vision.motion import MotionGate, MotionSettings
from vision.parts import Rectangle, cover, settled

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


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([(432, 768), (288, 352), (576, 704), (540, 960), (1080, 1920), (430, 768), (4, 4), (3, 6)]),
    st.data(),
)
def test_thumbnails(size: tuple[int, int], data: st.DataObject) -> None:
    seed, wide = data.draw(st.integers(0, 2**32 - 1)), data.draw(st.sampled_from([0, 1, 8]))
    random = np.random.default_rng(seed)
    low, high = sorted(random.integers(0, 256, 2))
    pixels = random.integers(low, high + 1, (size[0], size[1] + wide, 3), np.uint8)
    for picture in (pixels, pixels[:, wide:], pixels[::-1], pixels[:, ::-1], pixels[:, : size[1] // 2]):
        compiled, plain = both_ways(lambda given=picture: thumbnail(given), "brightness")
        np.testing.assert_array_equal(compiled, plain, strict=True)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 9), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_thumbnails_of_any_block(step: int, rows: int, columns: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    high, size = int(random.integers(1, 257)), (2 * step * rows, 2 * step * columns, 3)
    pixels = random.integers(0, high, size, np.uint8)
    compiled, plain = both_ways(lambda: thumbnail(pixels, columns), "brightness")
    np.testing.assert_array_equal(compiled, plain, strict=True)


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
    if native.motion is None or native.regions is None or native.brightness is None:
        pytest.skip("not compiled")
    blocks, floats, changed = np.zeros((5, 6), np.uint8), np.zeros((5, 6), np.float32), np.zeros((5, 6), np.bool_)
    limits = (0.4, 0.1, 0.4, 3.0, 6.0, 0.6, 215.0)
    for wrong in (floats[:, ::2], floats[:4], floats.astype(np.float64), floats.T, None):
        with pytest.raises(ValueError, match="grid"):
            native.motion.update(blocks, floats, wrong, changed, *limits)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="grid"):
            native.motion.looked(wrong, blocks, changed)  # type: ignore[arg-type]
    for wrong in (blocks, floats, np.zeros((4, 4, 4), np.uint8), None):
        with pytest.raises(ValueError, match="picture"):
            native.brightness.thumbnail(wrong, 4)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="bool"):
        native.regions.boxes(blocks, 3, 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="margin"):
        native.regions.boxes(changed, 3, -1)


SIZE = (432, 768)
#: Whole numbers and quarters too, so that edges touch.
along_x = st.one_of(st.floats(0, 768, width=32), st.integers(0, 3072).map(lambda n: n / 4))
rectangles = st.tuples(along_x, along_x, along_x, along_x).map(
    lambda p: (min(p[0], p[2]), min(p[1], p[3]) * 0.5625, max(p[0], p[2]), max(p[1], p[3]) * 0.5625)
)
parts = st.tuples(st.integers(0, 700), st.integers(0, 400), st.integers(1, 300), st.integers(1, 300)).map(
    lambda p: (p[0], p[1], min(768, p[0] + p[2]), min(432, p[1] + p[3]))
)
#: Two of a few places with a small shift: things that are found twice.
near = st.tuples(st.sampled_from([(100, 100), (110, 130), (400, 200)]), st.integers(-6, 6), st.integers(20, 60)).map(
    lambda p: (p[0][0] + p[1], p[0][1] + p[1], p[0][0] + p[1] + p[2], p[0][1] + p[2])
)


@st.composite
def found(draw: st.DrawFn, most: int = 8) -> Detections:
    boxes = draw(st.lists(st.one_of(rectangles, near), max_size=most))
    numbers = st.lists(st.sampled_from([0.25, 0.3, 0.5, 0.8]), min_size=len(boxes), max_size=len(boxes))
    classes = st.lists(st.sampled_from([0, 2]), min_size=len(boxes), max_size=len(boxes))
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(draw(numbers), np.float32),
        np.array(draw(classes), np.int64),
    )


def told(detections: Detections) -> tuple[Any, ...]:
    every = (detections.xyxy_px, detections.confidence, detections.class_id)
    return tuple((array.dtype, array.shape, array.tobytes()) for array in every)


@settings(max_examples=300, deadline=None)
@given(st.lists(rectangles, max_size=12), st.lists(rectangles, max_size=8), st.sampled_from([0, 16]))
def test_parts_that_are_looked_at(wanted: list[Rectangle], known: list[Rectangle], margin: float) -> None:
    boxes = np.array(known, np.float32).reshape(-1, 4)
    compiled, plain = both_ways(lambda: cover(wanted, boxes, margin_px=margin, least_px=64.0, size_px=SIZE), "parts")
    assert compiled == plain
    assert all(type(edge) is int for part in compiled for edge in part)


@settings(max_examples=300, deadline=None)
@given(found(), st.lists(st.tuples(parts, found(4)), min_size=1, max_size=4))
def test_what_is_known_when_parts_were_looked_at(held: Detections, looks: list[tuple[Part, Detections]]) -> None:
    (compiled, looked_at), (plain, plain_looked_at) = both_ways(
        lambda: settled(held, [one for _, one in looks], [part for part, _ in looks], SIZE), "parts", "boxes"
    )
    assert told(compiled) == told(plain)
    np.testing.assert_array_equal(looked_at, plain_looked_at, strict=True)


@settings(max_examples=300, deadline=None)
@given(found(), found(), st.lists(st.one_of(rectangles, near), max_size=4), st.data())
def test_what_was_missed(before: Detections, now: Detections, places: list[Rectangle], data: st.DataObject) -> None:
    looked_at = data.draw(st.one_of(st.none(), arrays.arrays(np.bool_, len(before))))

    def work() -> Any:
        attention = Attention()
        attention._memory.missed = [_Missed(place, 9.0) for place in places]
        attention._note_missed(before, looked_at, now, 100.0)
        return attention._memory.missed

    compiled, plain = both_ways(work, "missed", "boxes")
    assert compiled == plain


def test_arrays_that_do_not_fit_are_refused() -> None:
    if native.parts is None or native.missed is None:
        pytest.skip("not compiled")
    some = Detections(np.zeros((2, 4), np.float32), np.zeros(2, np.float32), np.zeros(2, np.int64))
    boxes, numbers = some.xyxy_px, some.confidence
    with pytest.raises(ValueError, match="of 1"):
        native.parts.settled(some, [], [(0, 0, 9, 9)], 432, 768, 2.0, 0.7)
    with pytest.raises(ValueError, match=r"\(N, 4\)"):
        native.parts.cover([], boxes[:, :3], 16.0, 64.0, 4.0, 432, 768)
    with pytest.raises(ValueError, match="confidences"):
        native.missed.missed(boxes, numbers[:1], None, boxes, [], 0.25, 0.3, 1.0, 0.5)
    with pytest.raises(ValueError, match="looked"):
        native.missed.missed(boxes, numbers, np.zeros(3, bool), boxes, [], 0.25, 0.3, 1.0, 0.5)


class Pedestrians:
    """Finds the dark walkers of `street` in a part of its picture, most of the time, and sometimes a ghost."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def look(self, small: Pixels, part: Part) -> Detections:
        left, top, right, bottom = part
        count, _, stats, _ = cv2.connectedComponentsWithStats((small < 36).view(np.uint8), connectivity=8)
        boxes = [(x * 8, y * 8, (x + w) * 8, (y + h) * 8) for x, y, w, h, _ in stats[1:count].tolist()]
        seen = [b for b in boxes if b[0] < right and left < b[2] and b[1] < bottom and top < b[3]]
        seen = [b for b in seen if self._random.random() < 0.9]
        if self._random.random() < 0.1:
            seen.append((left, top, (left + right) // 2, bottom))
        cut = np.clip(np.array(seen, np.float32).reshape(-1, 4), (left, top, left, top), (right, bottom, right, bottom))
        sure = self._random.uniform(0.2, 0.9, len(cut)).astype(np.float32)
        return Detections(cut.astype(np.float32), sure, np.zeros(len(cut), np.int64))


@pytest.mark.parametrize("seed", range(2))
def test_two_hundred_looks_at_a_street(seed: int) -> None:
    pictures = street(200, seed)

    def work() -> list[Any]:
        attention, detector, seen = Attention(phase=0.3), Pedestrians(seed), []
        for n, small in enumerate(pictures):
            pixels = np.empty((*SIZE, 3), np.uint8)
            look = attention.plan(pixels, 100 + n / 5, small)
            now = attention.merge(look, [detector.look(small, part) for part in look.parts], pixels, 100 + n / 5)
            seen.append((look, told(now), [(one.box, one.until_s) for one in attention._memory.missed]))
        return seen

    compiled, plain = both_ways(work)
    assert compiled == plain
    assert sum(bool(missed) for _, _, missed in compiled) > 50
    assert sum(len(look.parts) for look, _, _ in compiled if not look.whole) > 200
