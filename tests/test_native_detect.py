"""What is compiled around the detector gives what NumPy's and OpenCV's way gives, to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.testing import both_ways
from vision import brightness, mosaic, native
from vision.detection import Detections, DetectorError
from vision.detectors.heads import Head, Reader
from vision.detectors.labels import Labels
from vision.detectors.letterbox import Letterbox
from vision.looks import Looks
from vision.mosaic import Part
from vision.native.opencv import rounds_as

COCO = Labels.from_names(None)
INPUT = (384, 512)
inputs = st.sampled_from([(384, 512), (432, 768), (1080, 1920), (90, 700), (640, 360)])


def told(detections: Detections) -> tuple[Any, ...]:
    every = (detections.xyxy_px, detections.confidence, detections.class_id)
    return tuple((array.dtype, array.shape, array.tolist()) for array in every)


def output_of(seed: int, things: int, fine: float, places: int = 500) -> np.ndarray:
    """(84, places) float32: `things`, each found many times beside itself, in steps of `fine` pixels so that some overlap
    alike, some sure, some not, of any class; noise elsewhere.
    """
    random = np.random.default_rng(seed)
    output = random.uniform(0, 0.2, (84, places)).astype(np.float32)
    output[:4] = random.uniform(1, 500, (4, places))
    for _ in range(things):
        middle, size = random.uniform(0, 500, 2), random.uniform(0.5, 150, 2)
        for at in random.integers(0, places, random.integers(1, 12)):
            output[:2, at], output[2:4, at] = middle + random.normal(0, 6, 2), size * random.uniform(0.8, 1.2, 2)
            output[:4, at] = np.round(output[:4, at] / fine) * fine
            output[4 + random.choice([0, 1, 2, 3, 5, 7, 14]), at] = random.choice([0.2, 0.25, 0.5, random.random()])
    return output


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(0, 25), st.sampled_from([1e-3, 0.25, 1.0, 8.0]), inputs, st.floats(0.1, 1)
)
def test_what_the_network_s_output_means(
    seed: int, things: int, fine: float, picture_px: tuple[int, int], overlap: float
) -> None:
    output, place = output_of(seed, things, fine), Letterbox.fit(picture_px, INPUT)
    reader = Reader(Head.ANCHOR_FREE, COCO, 0.25, overlap)
    compiled, plain = both_ways(lambda: told(reader.read(output, place)), "heads")
    assert compiled == plain


def test_other_classes_and_outputs_that_do_not_lie_in_one_piece() -> None:
    labels = Labels.from_names({0: "helmet", 1: "Truck", 2: "dog", 3: "person"})
    reader, place = Reader(Head.ANCHOR_FREE, labels, 0.25, 0.6), Letterbox.fit(INPUT, INPUT)
    whole = output_of(5, 40, 0.25, 800)
    whole[4 + 1, ::40] = 0.9
    for output in (whole[:8], whole[:8, ::2], np.asfortranarray(whole[:8])):
        compiled, plain = both_ways(lambda given=output: told(reader.read(given, place)), "heads")
        assert compiled == plain
        assert len(compiled[0][2]) > 5


@pytest.mark.parametrize("row", [4, 6, 11, 0, 3])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_not_finite_is_no_empty_scene(row: int, wrong: float) -> None:
    output = output_of(1, 3, 1.0)
    output[4:, 7] = 0.9
    output[row, 7] = wrong
    reader, place = Reader(Head.ANCHOR_FREE, COCO, 0.25, 0.6), Letterbox.fit(INPUT, INPUT)

    def refused() -> str:
        with pytest.raises(DetectorError) as error, np.errstate(invalid="ignore"):
            reader.read(output, place)
        return str(error.value)

    compiled, plain = both_ways(refused, "heads")
    assert compiled == plain
    # Of a class that nobody asks for it does not matter.
    output = output_of(1, 3, 1.0)
    output[4 + 14, 7] = wrong
    compiled, plain = both_ways(lambda: told(reader.read(output, place)), "heads")
    assert compiled == plain


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 384), st.integers(1, 512)), max_size=60))
def test_where_pieces_go(sizes: list[tuple[int, int]]) -> None:
    compiled, plain = both_ways(lambda: mosaic.arrange(sizes, INPUT), "mosaic")
    assert compiled == plain


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 90)), max_size=60), st.integers(0, 9))
def test_where_many_small_pieces_go(sizes: list[tuple[int, int]], step: int) -> None:
    sizes = [(height + step, width - width % (step + 1) + 1) for height, width in sizes]
    compiled, plain = both_ways(lambda: mosaic.arrange(sizes, (96, 128)), "mosaic")
    assert compiled == plain


@settings(max_examples=300, deadline=None)
@given(
    st.tuples(st.integers(1, 90), st.integers(1, 130)),
    st.sampled_from([(384, 512), (96, 128), (40, 40), (200, 61)]),
    st.integers(0, 2**32 - 1),
    st.integers(0, 9),
)
def test_pieces_are_scaled_as_opencv_scales_them(
    part_px: tuple[int, int], input_px: tuple[int, int], seed: int, beside: int
) -> None:
    random = np.random.default_rng(seed)
    high = int(random.choice([2, 200, 256]))
    pixels = random.integers(0, high, (part_px[0] + beside // 2, part_px[1] + beside, 3), np.uint8)
    left, top = int(random.integers(0, beside + 1)), int(random.integers(0, beside // 2 + 1))
    part = (left, top, left + part_px[1], top + part_px[0])
    for picture in (pixels, pixels[::-1], np.repeat(pixels, 2, axis=1)[:, ::2]):
        compiled, plain = both_ways(lambda given=picture: mosaic.cuts(given, [part], input_px)[0], "scaling")
        assert compiled.part == plain.part
        np.testing.assert_array_equal(compiled.scaled, plain.scaled, strict=True)


@pytest.mark.parametrize("size", [(432, 768), (1080, 1920), (720, 1280), (576, 704)])
def test_parts_of_cameras_pictures_are_scaled_as_opencv_scales_them(size: tuple[int, int]) -> None:
    random = np.random.default_rng(size[0])
    pixels = random.integers(0, 256, (*size, 3), np.uint8)
    parts: list[Part] = [(0, 0, size[1], size[0])]
    for x, y, width, height in random.integers([0, 0, 1, 1], [size[1] - 9, size[0] - 9, 400, 400], (60, 4)).tolist():
        parts.append((x, y, min(size[1], x + width), min(size[0], y + height)))
    every, every_plain = both_ways(lambda: mosaic.cuts(pixels, parts, INPUT), "scaling")
    for compiled, plain in zip(every, every_plain, strict=True):
        assert compiled.part == plain.part
        np.testing.assert_array_equal(compiled.scaled, plain.scaled, strict=True)
    info = Path("/proc/cpuinfo")
    if info.exists() and " avx2 " in info.read_text():
        assert native.scaling is not None
        assert native.scaling.pieces(pixels, [(0, 0, size[1], size[0])], *size)[0] is not None


def test_another_opencv_that_rounds_otherwise_does_it_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the network, the gate and a parked vehicle's case are shown must not depend on what is compiled."""
    resize = cv2.resize
    monkeypatch.setattr(cv2, "resize", lambda *given, **more: resize(*given, **more) ^ 1)
    rounds_as.cache_clear()
    try:
        pixels = np.random.default_rng(3).integers(0, 256, (96, 128, 3), np.uint8)
        compiled, plain = both_ways(lambda: mosaic.cuts(pixels, [(3, 5, 90, 80)], (40, 60))[0].scaled, "scaling")
        np.testing.assert_array_equal(compiled, plain, strict=True)
        compiled, plain = both_ways(lambda: brightness.thumbnail(pixels, 16), "brightness")
        np.testing.assert_array_equal(compiled, plain, strict=True)
        compiled, plain = both_ways(lambda: Looks.measure(pixels, (0.2, 0.2, 0.7, 0.8)).cells, "looks")
        np.testing.assert_array_equal(compiled, plain, strict=True)
    finally:
        rounds_as.cache_clear()


class Chance:
    """Finds boxes anywhere, between pieces and across them too, the same each time; keeps what it was shown."""

    name = "chance"

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self.shown: list[bytes] = []

    def detect(self, pictures: list[mosaic.Pixels]) -> list[Detections]:
        found = []
        for picture in pictures:
            self.shown.append(picture.tobytes())
            corner, count = (
                self._random.uniform(-3, 500, (self._random.integers(0, 40), 2)),
                self._random.integers(1, 90),
            )
            boxes = np.concatenate([corner, corner + self._random.uniform(1, count, corner.shape)], axis=1)
            sure = self._random.uniform(0.2, 1, len(boxes)).astype(np.float32)
            found.append(Detections(boxes.astype(np.float32), sure, self._random.integers(0, 8, len(boxes))))
        return found


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 25))
def test_onto_canvases_and_back(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 255, (432, 768, 3), np.uint8)
    corners = random.integers(0, [768, 432], (count, 2))
    sizes = random.integers(1, [768, 432] if seed % 3 == 0 else [200, 200], (count, 2))
    parts: list[Part] = [
        (int(x), int(y), min(768, int(x + w)), min(432, int(y + h)))
        for (x, y), (w, h) in zip(corners, sizes, strict=True)
    ]

    def work() -> Any:
        detector, sheets = Chance(seed), mosaic.Sheets()
        pieces = [mosaic.Piece(pixels, part) for part in parts]
        every = [told(one) for _ in range(2) for one in mosaic.detect(detector, INPUT, pieces, sheets)]
        return every, detector.shown

    compiled, plain = both_ways(work, "mosaic")
    assert compiled == plain


def test_what_does_not_fit_is_refused() -> None:
    if native.mosaic is None or native.heads is None or native.scaling is None:
        pytest.skip("not compiled")
    for part in ((0, 0, 129, 9), (9, 9, 9, 18), (-1, 0, 9, 9), (0, 90, 9, 97)):
        with pytest.raises(ValueError, match="no part"):
            native.scaling.pieces(np.zeros((96, 128, 3), np.uint8), [part], 60, 60)
    with pytest.raises(ValueError, match="picture"):
        native.scaling.pieces(np.zeros((96, 128), np.uint8), [(0, 0, 9, 9)], 60, 60)
    canvas, piece = np.zeros((96, 128, 3), np.uint8), np.zeros((10, 20, 3), np.uint8)
    for spot in ((0, 109, 0, 20, 10), (0, 0, 87, 20, 10), (0, -1, 0, 20, 10), (0, 0, 0, 19, 10), (1, 0, 0, 20, 10)):
        with pytest.raises(ValueError, match=r"\(|canvases"):
            native.mosaic.draw([canvas], [piece], [spot], 114)
    with pytest.raises(ValueError, match="C order"):
        native.mosaic.draw([canvas[:, ::2]], [], [], 114)
    with pytest.raises(ValueError, match="97x5"):
        native.mosaic.arrange([(97, 5)], 96, 128, 8)
    boxes, numbers = np.zeros((2, 4), np.float32), np.zeros(2, np.float32)
    with pytest.raises(ValueError, match="shape"):
        native.mosaic.back(boxes, numbers[:1], numbers.astype(np.int64), [], [])
    with pytest.raises(ValueError, match="spots"):
        native.mosaic.back(boxes, numbers, numbers.astype(np.int64), [(0, 0, 9, 9)], [])
    short = Labels(np.array([2]), np.array([0]), 3)
    with pytest.raises(ValueError, match="class 2"):
        Reader(Head.ANCHOR_FREE, short, 0.25, 0.6).read(np.zeros((6, 5), np.float32), Letterbox.fit(INPUT, INPUT))
