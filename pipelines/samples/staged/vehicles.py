"""Vehicles that the footage has not: a bus and a motorcycle, cut by their outlines out of pictures that packages ship.

Both pictures are known byte for byte (`sample_streams/catalogue.yaml` has their sha256), so the outlines are in their pixels.
Where people and posts stand before the bus, its own pixels to the left and to the right of them, row by row, are drawn on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from pipelines.samples.staged.cast import Cutout, Performer, resized
from pipelines.samples.staged.plate import person_px
from vision import coco
from vision.frame import Pixels
from vision.geometry import BoolArray

_Outline = tuple[tuple[int, int], ...]

#: bus.jpg, 810x1080: the bus with the shadow under it, and where its front wheel meets the road.
_BUS: Final[_Outline] = (
    (42, 325), (48, 310), (75, 268), (100, 252), (165, 248), (185, 236), (230, 231), (400, 243), (560, 252), (690, 266),
    (725, 282), (745, 303), (785, 305), (796, 325), (801, 400), (800, 560), (772, 622), (757, 636), (748, 662), (725, 674),
    (705, 670), (692, 660), (640, 676), (540, 695), (450, 712), (400, 720), (377, 720), (360, 734), (345, 736), (328, 730),
    (318, 722), (190, 722), (62, 712), (30, 700), (20, 660), (20, 560), (25, 470), (35, 380),
)  # fmt: skip
#: Who and what stands before it: two men, a woman at the left edge, two posts, a man at the right edge.
_BEFORE_BUS: Final[tuple[_Outline, ...]] = (
    (
        (100, 396), (158, 396), (166, 430), (163, 455), (190, 490), (206, 555), (206, 600), (196, 690), (200, 760), (55, 760),
        (56, 690), (54, 600), (56, 540), (58, 490), (92, 452), (99, 440),
    ),
    (
        (258, 404), (308, 402), (316, 440), (312, 465), (335, 488), (349, 545), (328, 572), (342, 660), (346, 690), (350, 760),
        (238, 760), (238, 708), (218, 698), (236, 620), (233, 515), (266, 480), (260, 450),
    ),
    ((0, 545), (14, 575), (38, 635), (62, 740), (0, 760)),
    ((420, 652), (464, 652), (466, 760), (420, 760)),
    ((654, 620), (694, 620), (696, 720), (654, 720)),
    (
        (788, 390), (810, 390), (810, 760), (745, 760), (745, 640), (752, 592), (722, 570), (718, 548), (735, 540), (765, 548),
        (770, 500), (782, 470), (790, 450),
    ),
)  # fmt: skip
#: The front wheel is half hidden: the half that can be seen (rows, columns) is mirrored onto columns from here on.
_WHEEL: Final = (slice(622, 737), slice(350, 380), 318)
_BUS_WHEELS_ROW: Final = 736.0
#: How tall a person beside it is in its picture: from the wheels up to the line of the heads.
_BUS_PERSON_PX: Final = 305.0
_BUS_SCALE: Final = 0.35

#: motorcycle_left.png, 741x500: from the rear light over the seat, the handlebars, the front wheel and the stand.
_MOTORCYCLE: Final[_Outline] = (
    (92, 217), (94, 201), (109, 195), (126, 195), (132, 203), (145, 204), (141, 188), (138, 160), (142, 149), (152, 145),
    (161, 145), (169, 159), (179, 159), (199, 168), (249, 169), (268, 187), (287, 194), (317, 195), (344, 188), (365, 192),
    (386, 180), (396, 163), (396, 156), (384, 156), (363, 173), (357, 166), (383, 146), (384, 140), (394, 125), (409, 127),
    (423, 120), (453, 139), (462, 133), (477, 121), (496, 113), (493, 98), (494, 80), (503, 73), (507, 81), (519, 87),
    (541, 98), (534, 103), (538, 124), (560, 128), (568, 119), (580, 122), (580, 136), (576, 141), (561, 142), (559, 159),
    (548, 179), (551, 206), (572, 254), (579, 265), (609, 275), (642, 300), (641, 312), (666, 341), (676, 360), (683, 384),
    (684, 409), (678, 427), (660, 445), (645, 450), (630, 450), (610, 446), (580, 432), (548, 405), (533, 385), (518, 354),
    (514, 331), (505, 328), (510, 289), (519, 288), (524, 275), (513, 253), (501, 257), (508, 246), (497, 228), (482, 230),
    (465, 237), (479, 251), (471, 273), (478, 293), (473, 323), (466, 340), (455, 355), (428, 376), (394, 380), (344, 374),
    (345, 398), (336, 400), (334, 420), (328, 420), (329, 387), (316, 366), (278, 360), (268, 376), (242, 394), (219, 400),
    (187, 397), (162, 385), (140, 365), (126, 341), (122, 326), (121, 303), (124, 288), (135, 264), (151, 249), (148, 232),
    (140, 231), (119, 251), (100, 259), (109, 233), (109, 221),
)  # fmt: skip
_MOTORCYCLE_WHEELS_ROW: Final = 450.0
#: By its length, 2.1 m on 590 pixels: nobody stands beside it.
_MOTORCYCLE_PERSON_PX: Final = 453.0
_MOTORCYCLE_SCALE: Final = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Vehicles:
    """What there is beside the company; None where its picture could not be had."""

    bus: Performer | None = None
    motorcycle: Performer | None = None


def cut_bus(picture: Pixels) -> Performer:
    """The bus, facing left, out of bus.jpg (1080, 810, 3) uint8 BGR; without those who stand before it."""
    whole = _filled(picture.shape, _BUS)
    known = (whole > 0) & (_filled(picture.shape, *_BEFORE_BUS) == 0)
    rows, columns, onto = _WHEEL
    pixels = picture.copy()
    mirrored = slice(onto, onto + columns.stop - columns.start)
    pixels[rows, mirrored] = picture[rows, columns][:, ::-1]
    known[rows, mirrored] = True
    pixels = _closed(pixels, whole > 0, known)
    return _performer("bus", coco.BUS, pixels, _BUS, (_BUS_WHEELS_ROW, _BUS_PERSON_PX, _BUS_SCALE), facing=-1)


def cut_motorcycle(picture: Pixels) -> Performer:
    """The motorcycle, facing right, out of motorcycle_left.png (500, 741, 3) uint8 BGR."""
    size = (_MOTORCYCLE_WHEELS_ROW, _MOTORCYCLE_PERSON_PX, _MOTORCYCLE_SCALE)
    return _performer("motorcycle", coco.MOTORCYCLE, picture, _MOTORCYCLE, size, facing=1)


def _filled(shape: tuple[int, ...], *outlines: _Outline) -> Pixels:
    mask = np.zeros(shape[:2], np.uint8)
    for outline in outlines:
        cv2.fillPoly(mask, [np.array(outline, np.int32)], 255)
    return mask


def _closed(pixels: Pixels, whole: BoolArray, known: BoolArray) -> Pixels:
    """`pixels` where the parts of `whole` that are not `known` (both (H, W) bool) are drawn on from both sides."""
    values = pixels.astype(np.float32)
    columns = np.arange(whole.shape[1])
    for row in np.flatnonzero((whole & ~known).any(axis=1)):
        gap = whole[row] & ~known[row]
        if known[row].any():
            for channel in range(3):
                values[row, gap, channel] = np.interp(
                    columns[gap], columns[known[row]], values[row, known[row], channel]
                )
    soft = cv2.GaussianBlur(values, (0, 0), 4.0)
    gaps = whole & ~known
    values[gaps] = soft[gaps]
    return np.asarray(np.clip(values + 0.5, 0, 255), np.uint8)


def _performer(
    name: str, class_id: int, picture: Pixels, outline: _Outline, size: tuple[float, float, float], facing: int
) -> Performer:
    """`size`: the row of the wheels, how tall a person is there, and by how much the picture is made smaller."""
    wheels_row, tall_px, scale = size
    points = np.array(outline)
    (left, top), (right, bottom) = points.min(axis=0) - 2, points.max(axis=0) + 3
    mask = cv2.GaussianBlur(_filled(picture.shape, outline), (5, 5), 0)
    alpha = (mask[top:bottom, left:right] / np.float32(255)).astype(np.float32)
    middle = float(points[:, 0].min() + points[:, 0].max()) / 2 - left
    cutout = resized(Cutout(picture[top:bottom, left:right].copy(), alpha, (middle, wheels_row - top)), scale)
    # Where on the plate a person is as tall as beside this picture, once it is smaller.
    per_row = person_px(1.0) - person_px(0.0)
    row_px = (tall_px * scale - person_px(0.0)) / per_row
    return Performer(name, class_id, (cutout,), (cutout,), row_px, 0.0, facing)
