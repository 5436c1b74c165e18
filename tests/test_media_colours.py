"""Pictures that become BGR where they are read are what libswscale makes of them, to the bit."""

from __future__ import annotations

from typing import Any

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.media.decoding import BgrConverter
from vision import native
from vision.attention import Attention
from vision.brightness import thumbnail
from vision.frame import Frame
from vision.looks import Looks
from vision.view import ViewJudge
from vision.yuv import BT601, Planes, YuvFrame

SIZES = [(432, 768), (288, 352), (576, 720), (360, 640), (480, 640), (544, 706), (66, 98), (2, 32), (1080, 1920)]
#: As H.264 numbers them: not said, BT.709, FCC, BT.601, SMPTE 240M, BT.2020.
SPACES = [2, 1, 4, 5, 6, 7, 9]

needs_avx2 = pytest.mark.skipif(
    native.colours is None or not native.colours.fits(2, 32),
    reason="vision.native was not compiled, or there is no AVX2",
)


def picture(
    height: int, width: int, seed: int = 0, form: str = "yuv420p", space: int = 2, levels: int = 0
) -> av.VideoFrame:
    """Noise that has everything, on a slope."""
    made = av.VideoFrame(width, height, form)
    random = np.random.default_rng(seed)
    for plane in made.planes:
        slope = np.linspace(0, 200, plane.buffer_size).astype(np.uint8)
        plane.update((slope + random.integers(0, 256, plane.buffer_size, np.uint8) // (1 + seed % 3)).tobytes())
    made.colorspace, made.color_range = space, levels
    return made


def frame_of(made: av.VideoFrame, converter: BgrConverter | None = None) -> Frame:
    return (converter or BgrConverter()).frame("gate", "run", 5.0, made)


@needs_avx2
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_every_size_is_what_libswscale_makes_of_it(height: int, width: int) -> None:
    made, converter = picture(height, width), BgrConverter()
    frame, expected = frame_of(made, converter), converter.convert(made)
    # Where libswscale does the last columns in another way the whole is left to it.
    assert isinstance(frame, YuvFrame) or width % 8
    assert (frame.width_px, frame.height_px) == (width, height)
    assert np.array_equal(frame_of(made, converter).small, thumbnail(expected))
    assert np.array_equal(frame_of(made, converter).grey, cv2.cvtColor(expected, cv2.COLOR_BGR2GRAY))
    assert np.array_equal(frame.pixels, expected)
    assert frame.pixels is frame.pixels
    assert np.array_equal(frame.small, thumbnail(expected))
    assert np.array_equal(frame.grey, cv2.cvtColor(expected, cv2.COLOR_BGR2GRAY))


@needs_avx2
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(("form", "levels"), [("yuv420p", 0), ("yuv420p", 1), ("yuv420p", 2), ("yuvj420p", 2)])
def test_every_matrix_and_range_is_what_libswscale_makes_of_it(space: int, form: str, levels: int) -> None:
    made, converter = picture(64, 96, 1, form, space, levels), BgrConverter()
    frame = frame_of(made, converter)
    assert isinstance(frame, YuvFrame)
    assert np.array_equal(frame.pixels, converter.convert(made))


@pytest.mark.parametrize("form", ["yuv422p", "yuv444p", "nv12", "gray", "yuv420p10le", "rgb24"])
def test_other_formats_are_left_to_libswscale(form: str) -> None:
    made, converter = picture(64, 96, 1, form), BgrConverter()
    frame = frame_of(made, converter)
    assert type(frame) is Frame
    assert np.array_equal(frame.pixels, converter.convert(made))


def test_so_is_everything_without_what_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "colours", None)
    made, converter = picture(64, 96), BgrConverter()
    frame = frame_of(made, converter)
    assert type(frame) is Frame
    assert np.array_equal(frame.pixels, converter.convert(made))


@needs_avx2
@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SIZES), st.integers(0, 1000), st.data())
def test_parts_are_those_of_the_whole_and_nothing_else_is_made(size: tuple[int, int], seed: int, data: Any) -> None:
    height, width = size
    made = picture(height, width, seed)
    planes = Planes(
        *(np.frombuffer(p, np.uint8).reshape(p.height, p.line_size)[:, : p.width] for p in made.planes), BT601
    )
    frame, every = YuvFrame("gate", "run", 5.0, planes), YuvFrame("gate", "run", 5.0, planes).pixels
    frame._canvas[:] = 77
    asked = np.zeros((height, width), bool)
    for _ in range(data.draw(st.integers(1, 4))):
        left, right = sorted(data.draw(st.integers(-9, width + 9)) for _ in range(2))
        top, bottom = sorted(data.draw(st.integers(-9, height + 9)) for _ in range(2))
        seen = frame.at(((left, top, right, bottom),))
        inside = (slice(max(0, top), max(0, bottom)), slice(max(0, left), max(0, right)))
        assert np.array_equal(seen[inside], every[inside])
        around = (slice(max(0, top - 8), max(0, bottom + 8)), slice(max(0, left - 96), max(0, right + 96)))
        asked[around] = True
    assert (frame.at(())[~asked] == 77).all()
    assert np.array_equal(frame.pixels, every)


@needs_avx2
def test_a_quiet_picture_is_judged_without_being_converted() -> None:
    made, converter = picture(432, 768), BgrConverter()
    attention, judge = Attention(), ViewJudge()
    plain_attention, plain_judge = Attention(), ViewJudge()
    for number in range(12):
        frame = converter.frame("gate", "run", 5.0 + number, made)
        plain = Frame("gate", "run", 5.0 + number, converter.convert(made))
        look, plain_look = (
            one.plan(shown, shown.time_s, shown.small) for one, shown in ((attention, frame), (plain_attention, plain))
        )
        assert look == plain_look
        assert judge.judge(frame, frame.time_s, frame.small) == plain_judge.judge(plain.pixels, plain.time_s)
        assert isinstance(frame, YuvFrame)
        assert not frame._done.any()
        place = (0.3, 0.4, 0.5, 0.7)
        assert np.array_equal(Looks.measure(frame, place).cells, Looks.measure(plain.pixels, place).cells)
        assert 0 < frame._done.mean() < 0.3


@needs_avx2
def test_what_is_no_picture_is_refused() -> None:
    y, chroma = np.zeros((64, 96), np.uint8), np.zeros((32, 48), np.uint8)
    out, done = np.zeros((64, 96, 3), np.uint8), np.zeros(native.colours.tiles(64, 96), np.uint8)
    for planes in [
        (y, chroma, y),
        (y[:, ::2], chroma, chroma),
        (y[:1], chroma, chroma),
        (y.astype(int), chroma, chroma),
    ]:
        with pytest.raises(ValueError, match="plane"):
            native.colours.fill(*planes, BT601, out, done, [])
    with pytest.raises(ValueError, match="cannot be filled"):
        native.colours.fill(y, chroma, chroma, BT601, out[:, ::-1], done, [])
    with pytest.raises(ValueError, match="done"):
        native.colours.fill(y, chroma, chroma, BT601, out, done[:1], [])
