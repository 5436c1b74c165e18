"""Where the detector looks, and that what it is not shown again still counts. Drawn pictures, a detector of red things."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision import coco, mosaic
from vision.attention import Attention, Look
from vision.detection import Detections, DetectorError, canvas_heights
from vision.frame import Pixels
from vision.geometry import iou

HEIGHT, WIDTH = 432, 768
INPUT = (384, 512)
GROUND = np.kron(np.random.default_rng(4).integers(60, 140, (27, 48), dtype=np.uint8), np.ones((16, 16), np.uint8))
RNG = np.random.default_rng(5)
NOISE = RNG.normal(0, 2, (7, HEIGHT, WIDTH, 3)).astype(np.float32)
Box = tuple[int, int, int, int]


class RedThings:
    """Finds what is red. `blind`: it finds nothing; `broken`: it fails."""

    name = "red things"

    def __init__(self) -> None:
        self.blind = False
        self.broken = False

    def detect(self, pictures: list[Pixels]) -> list[Detections]:
        if self.broken:
            raise DetectorError("broken")
        return [Detections.empty() if self.blind else self._find(picture) for picture in pictures]

    @staticmethod
    def _find(picture: Pixels) -> Detections:
        red = ((picture[..., 2] > 170) & (picture[..., 1] < 90)).astype(np.uint8)
        count, _, stats, _ = cv2.connectedComponentsWithStats(red, connectivity=8)
        boxes = [(x, y, x + w, y + h) for x, y, w, h, area in stats[1:count].tolist() if area > 30]
        return Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.full(len(boxes), 0.8, np.float32),
            np.full(len(boxes), coco.PERSON, np.int64),
        )


def shot(*things: Box, light: float = 1.0) -> Pixels:
    """The ground with red things on it, as a sensor sees it."""
    picture = np.repeat(GROUND[..., None], 3, axis=2).astype(np.float32)
    for x1, y1, x2, y2 in things:
        picture[y1:y2, x1:x2] = (20, 20, 230)
    return np.clip(picture * light + NOISE[RNG.integers(len(NOISE))], 0, 255).astype(np.uint8)


class Camera:
    """Pictures at five a second through attention and detector."""

    def __init__(self, phase: float = 0.0) -> None:
        self.attention = Attention(phase=phase)
        self.detector = RedThings()
        self.time_s = 100.0
        self.look = Look((), whole=False)

    def show(self, *things: Box, light: float = 1.0) -> Detections:
        self.time_s += 0.2
        pixels = shot(*things, light=light)
        self.look = self.attention.plan(pixels, self.time_s)
        pieces = [mosaic.Piece(pixels, part) for part in self.look.parts]
        found = mosaic.detect(self.detector, INPUT, pieces) if pieces else []
        return self.attention.merge(self.look, found, pixels, self.time_s)


def finds(found: Detections, *things: Box) -> bool:
    """Exactly these, near enough."""
    return len(found) == len(things) and bool((iou(np.array(things, float), found.xyxy_px).max(axis=1) > 0.8).all())


CAR, WALKER = (500, 200, 600, 260), (100, 150, 124, 210)


def walked(step: int) -> Box:
    return (100 + 8 * step, 150, 124 + 8 * step, 210)


def test_the_first_picture_is_looked_at_whole_and_still_things_hold_without_a_look() -> None:
    camera = Camera()
    assert finds(camera.show(CAR, WALKER), CAR, WALKER)
    assert camera.look.whole
    looked = 0
    for _ in range(24):
        assert finds(camera.show(CAR, WALKER), CAR, WALKER)
        looked += bool(camera.look.parts)
    assert looked <= 3, "a whole picture now and then, nothing else"


def test_cameras_that_begin_together_are_not_looked_at_whole_together() -> None:
    cameras = [Camera(phase) for phase in (0.0, 0.3, 0.7)]
    whole: list[list[int]] = [[], [], []]
    for number in range(60):
        for camera, when in zip(cameras, whole, strict=True):
            camera.show(CAR)
            if camera.look.whole:
                when.append(number)
    assert [when[0] for when in whole] == [0, 0, 0]
    assert not set(whole[0][1:]) & set(whole[1][1:]), whole
    assert not set(whole[1][1:]) & set(whole[2][1:]), whole
    assert all(2 <= len(when) - 1 <= 4 for when in whole), "no more looks than before"


def test_only_what_moves_is_looked_at_and_what_stands_beside_it_still_counts() -> None:
    camera = Camera()
    camera.show(CAR, walked(0))
    looked_px = 0
    for step in range(1, 45):
        assert finds(camera.show(CAR, walked(step)), CAR, walked(step)), step
        looked_px += sum((right - left) * (bottom - top) for left, top, right, bottom in camera.look.parts)
    assert looked_px < 0.25 * 44 * WIDTH * HEIGHT


def test_what_leaves_is_gone_at_once_and_looked_for_again_only_for_a_while() -> None:
    camera = Camera()
    for _ in range(5):
        camera.show(CAR, WALKER)
    assert finds(camera.show(CAR), CAR)
    parts = []
    for _ in range(15):
        assert finds(camera.show(CAR), CAR)
        parts.append(len(camera.look.parts))
    assert sum(parts[:5]) >= 4
    assert sum(parts[-5:]) <= 1


def test_what_was_missed_once_is_found_again_by_the_next_picture() -> None:
    camera = Camera()
    camera.show(CAR, walked(0))
    camera.show(CAR, walked(1))
    camera.detector.blind = True
    assert finds(camera.show(CAR, walked(2)), CAR), "not detected there: the walker is not claimed"
    camera.detector.blind = False
    assert finds(camera.show(CAR, walked(2)), CAR, walked(2)), "though nothing changed since"


def test_light_that_swells_costs_no_look_and_loses_nothing() -> None:
    camera = Camera()
    for _ in range(5):
        camera.show(CAR, WALKER)
    looked = 0
    for number in range(60):
        assert finds(camera.show(CAR, WALKER, light=1 + 0.1 * np.sin(number / 10)), CAR, WALKER)
        looked += bool(camera.look.parts) and not camera.look.whole
    assert looked <= 5


def test_a_failed_detector_is_no_empty_picture_and_the_next_plan_covers_its_place() -> None:
    camera = Camera()
    for _ in range(5):
        camera.show(CAR)
    camera.detector.broken = True
    with pytest.raises(DetectorError):
        camera.show(CAR, WALKER)
    camera.detector.broken = False
    assert finds(camera.show(CAR, WALKER), CAR, WALKER)


def test_a_thing_that_creeps_is_followed() -> None:
    camera = Camera()
    for step in range(80):
        thing = (300 + step // 3, 150, 330 + step // 3, 220)
        assert finds(camera.show(thing), thing), step


def test_a_plan_that_is_not_the_last_one_is_refused() -> None:
    camera = Camera()
    pixels = shot(CAR)
    old = camera.attention.plan(pixels, 100.0)
    camera.attention.plan(pixels, 100.2)
    with pytest.raises(ValueError, match="last plan"):
        camera.attention.merge(old, [Detections.empty()], pixels, 100.0)


def test_the_same_pictures_give_the_same_looks_and_a_new_start_looks_at_all() -> None:
    pictures = [shot(CAR, walked(step)) for step in range(20)]
    plans = []
    for _ in range(2):
        attention, detector = Attention(), RedThings()
        seen = []
        for number, pixels in enumerate(pictures):
            look = attention.plan(pixels, 100 + number / 5)
            pieces = [mosaic.Piece(pixels, part) for part in look.parts]
            attention.merge(look, mosaic.detect(detector, INPUT, pieces), pixels, 100 + number / 5)
            seen.append(look)
        plans.append(seen)
    assert plans[0] == plans[1]
    assert Attention().plan(pictures[-1], 200.0).whole


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 384), st.integers(1, 512)), min_size=0, max_size=40))
def test_pieces_never_overlap_and_never_leave_their_canvas(sizes: list[tuple[int, int]]) -> None:
    spots, heights = mosaic.arrange(sizes, INPUT)
    assert len(spots) == len(sizes)
    free = [np.zeros((height, INPUT[1]), bool) for height in heights]
    for (canvas, left, top, *size), (height, width) in zip(spots, sizes, strict=True):
        assert size == [width, height]
        place = free[canvas][top : top + height, left : left + width]
        assert place.shape == (height, width)
        assert not place.any()
        place[:] = True
    assert set(heights) <= set(canvas_heights(INPUT[0]))


def test_what_is_found_on_a_canvas_goes_back_to_its_own_camera() -> None:
    one, other = shot((50, 60, 90, 140)), shot((600, 300, 660, 400), (400, 310, 420, 370))
    pieces = [
        mosaic.Piece(one, (20, 30, 140, 170)),
        mosaic.Piece(other, (380, 280, 700, 420)),
        mosaic.Piece(one, (0, 0, 768, 432)),
    ]
    detector = RedThings()
    first, second, whole = mosaic.detect(detector, INPUT, pieces)
    assert finds(first, (50, 60, 90, 140))
    assert finds(whole, (50, 60, 90, 140))
    assert finds(second, (600, 300, 660, 400), (400, 310, 420, 370))
    assert mosaic.detect(detector, INPUT, []) == []
