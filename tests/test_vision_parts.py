"""Which rectangles are looked at, and what is made of what was found in them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vision import coco
from vision.detection import Detections
from vision.mosaic import Part
from vision.parts import Rectangle, cover, inside, joined, uncut

SIZE = (432, 768)
NOTHING = np.empty((0, 4), np.float32)


def parts_of(wanted: list[Rectangle], known: np.ndarray = NOTHING) -> tuple[Part, ...]:
    return cover(wanted, known, margin_px=16, least_px=64, size_px=SIZE)


def found(*boxes: tuple[float, float, float, float], sure: float = 0.8) -> Detections:
    count = len(boxes)
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.full(count, sure, np.float32), np.full(count, coco.PERSON)
    )


def area(parts: tuple[Part, ...]) -> int:
    return sum((right - left) * (bottom - top) for left, top, right, bottom in parts)


places = st.tuples(st.floats(0, 760), st.floats(0, 425), st.floats(4, 300), st.floats(4, 300)).map(
    lambda p: (p[0], p[1], min(768.0, p[0] + p[2]), min(432.0, p[1] + p[3]))
)


@settings(max_examples=100, deadline=None)
@given(st.lists(places, min_size=1, max_size=12), st.lists(places, max_size=8))
def test_what_changed_and_every_known_box_that_it_touches_is_seen_whole(
    wanted: list[Rectangle], known: list[Rectangle]
) -> None:
    boxes = np.array(known, np.float32).reshape(-1, 4)
    parts = parts_of(wanted, boxes)
    assert all(0 <= x1 < x2 <= 768 and 0 <= y1 < y2 <= 432 for x1, y1, x2, y2 in parts)
    touched = [
        box
        for box in known
        if any(box[0] < one[2] and one[0] < box[2] and box[1] < one[3] and one[1] < box[3] for one in wanted)
    ]
    assert inside(np.array(wanted + touched, np.float32), parts, SIZE).all()


def test_walkers_far_apart_are_two_parts_and_a_pair_is_one() -> None:
    assert len(parts_of([(100, 100, 140, 180), (500, 200, 540, 280)])) == 2
    assert len(parts_of([(100, 100, 140, 180), (145, 105, 185, 185)])) == 1


def test_rectangles_that_meet_at_a_corner_stay_two_where_one_would_be_mostly_empty() -> None:
    corners: list[Rectangle] = [(100, 100, 200, 200), (210, 210, 310, 310)]
    parts = parts_of(corners)
    assert len(parts) == 2
    assert area(parts) < 0.8 * area(parts_of([(100, 100, 310, 310)]))


def test_a_piece_of_something_is_no_find_but_the_edge_of_the_picture_cuts_nothing() -> None:
    part = (0, 100, 200, 300)
    seen = found((0, 150, 40, 250), (160, 150, 200, 250), (60, 150, 100, 250), (60, 100, 100, 180))
    assert uncut(seen, part, SIZE).xyxy_px.tolist() == [[0, 150, 40, 250], [60, 150, 100, 250]]


def test_a_thing_in_two_parts_counts_once_and_two_things_in_one_part_twice() -> None:
    held = found((10, 10, 40, 90))
    first = found((200, 100, 240, 200), sure=0.6)
    second = found((201, 101, 241, 200), (205, 102, 238, 199), sure=0.9)
    both = joined(held, [first, second])
    assert sorted(both.confidence.tolist()) == np.float32([0.8, 0.9, 0.9]).tolist()


def test_what_holds_is_not_replaced_by_a_glimpse_of_it_in_a_part_beside() -> None:
    held = found((200, 100, 240, 200), sure=0.5)
    assert joined(held, [found((200, 120, 225, 199), sure=0.9)]).xyxy_px.tolist() == held.xyxy_px.tolist()
    assert len(joined(Detections.empty(), [Detections.empty()])) == 0
