"""Draws the players on the plate, the far ones first, and tells where they are and how much of them can be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.samples.staged.cast import Cutout, Performer
from pipelines.samples.staged.moves import Move, Pose
from pipelines.samples.staged.plate import Alpha, Plate, person_px
from vision.frame import Pixels

#: Part of a player's own pixels that counts as covered from here on.
_SOLID: Final = 0.5
#: Under the soft light of an overcast day there is only the dark where feet and wheels touch the ground.
_SHADOW: Final = 0.38


@dataclass(frozen=True, eq=False)
class Player:
    """A performer who does something. `player_id` is the id in the truth; `size` multiplies the size they should have."""

    player_id: int
    performer: Performer
    move: Move
    size: float = 1.0


@dataclass(frozen=True, slots=True)
class Box:
    """One row of truth: `xyxy_px` of the whole player, cut off at the picture's edge; `visible` 0..1 of its pixels."""

    player_id: int
    class_id: int
    xyxy_px: tuple[float, float, float, float]
    ground_px: tuple[float, float]
    visible: float


@dataclass(slots=True, eq=False)
class _Drawn:
    player: Player
    pose: Pose
    rows: slice
    columns: slice
    pixels: npt.NDArray[np.float32]
    alpha: Alpha
    solid_px: float
    box: tuple[float, float, float, float]


def ground_box(player: Player, pose: Pose) -> tuple[float, float, float, float]:
    """The box (x1, y1, x2, y2) in pixels of a player in a pose, not cut off at the picture's edge."""
    cutout = _cutout(player.performer, pose)
    scale = _scale(player, pose)
    ys, xs = np.nonzero(cutout.alpha > _SOLID)
    left, right, top, bottom = float(xs.min()), float(xs.max()) + 1, float(ys.min()), float(ys.max()) + 1
    foot_x, foot_y = cutout.foot_px
    if pose.facing != player.performer.facing:
        left, right = 2 * foot_x - right, 2 * foot_x - left
    return (
        pose.x_px + scale * (left - foot_x),
        pose.y_px + scale * (top - foot_y),
        pose.x_px + scale * (right - foot_x),
        pose.y_px + scale * (bottom - foot_y),
    )


def _cutout(performer: Performer, pose: Pose) -> Cutout:
    pictures = performer.stand if pose.standing else performer.walk
    return pictures[pose.picture % len(pictures)]


def _scale(player: Player, pose: Pose) -> float:
    return player.size * person_px(pose.y_px) / person_px(player.performer.row_px)


class Stage:
    """A plate with players."""

    def __init__(self, plate: Plate, players: Sequence[Player]) -> None:
        self._plate = plate
        self._players = tuple(players)

    def draw(self, time_s: float) -> tuple[Pixels, list[Box]]:
        """The picture at `time_s`, (H, W, 3) uint8 BGR, and the boxes of who is on it."""
        canvas = self._plate.pixels.astype(np.float32)
        height, width = canvas.shape[:2]
        owner = np.full((height, width), -1, np.int32)
        posed = [(player, pose) for player in self._players if (pose := player.move.at(time_s)) is not None]
        drawn = [one for player, pose in posed if (one := self._place(player, pose, width, height)) is not None]
        drawn.sort(key=lambda one: one.pose.y_px)
        for one in drawn:
            self._shade(canvas, one)
        props = sorted(self._plate.props, key=lambda prop: prop.row_px)
        for index, one in enumerate(drawn):
            while props and props[0].row_px <= one.pose.y_px:
                self._put_prop(canvas, owner, props.pop(0).alpha)
            alpha = one.alpha[:, :, None]
            area = canvas[one.rows, one.columns]
            area *= 1 - alpha
            area += one.pixels
            owner[one.rows, one.columns][one.alpha > _SOLID] = index
        for prop in props:
            self._put_prop(canvas, owner, prop.alpha)
        seen = np.bincount(owner[owner >= 0], minlength=len(drawn)) if drawn else np.empty(0)
        boxes = [self._truth(one, float(seen[i]), width, height) for i, one in enumerate(drawn)]
        return np.clip(canvas + 0.5, 0, 255).astype(np.uint8), [box for box in boxes if box is not None]

    def _put_prop(self, canvas: npt.NDArray[np.float32], owner: npt.NDArray[np.int32], alpha: Alpha) -> None:
        where = alpha > 0
        share = alpha[where][:, None]
        canvas[where] = canvas[where] * (1 - share) + self._plate.pixels[where] * share
        owner[alpha > _SOLID] = -1

    def _place(self, player: Player, pose: Pose, width: int, height: int) -> _Drawn | None:
        cutout, scale = _cutout(player.performer, pose), _scale(player, pose)
        flip = -1.0 if pose.facing != player.performer.facing else 1.0
        foot_x, foot_y = cutout.foot_px
        h, w = cutout.alpha.shape
        reach_left = scale * (foot_x if flip > 0 else w - foot_x)
        left, top = int(np.floor(pose.x_px - reach_left)) - 2, int(np.floor(pose.y_px - scale * foot_y)) - 2
        right, bottom = left + int(np.ceil(scale * w)) + 4, top + int(np.ceil(scale * h)) + 4
        rows, columns = slice(max(0, top), min(height, bottom)), slice(max(0, left), min(width, right))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return None
        # Maps a pixel of the cutout to the area on the canvas; premultiplied, so that edges do not bleed.
        matrix = np.array(
            [
                [flip * scale, 0, pose.x_px - flip * scale * foot_x - columns.start],
                [0, scale, pose.y_px - scale * foot_y - rows.start],
            ],
            np.float64,
        )
        size = (columns.stop - columns.start, rows.stop - rows.start)
        how = cv2.INTER_AREA if scale < 0.6 else cv2.INTER_CUBIC if scale > 1.2 else cv2.INTER_LINEAR
        solid = cutout.pixels.astype(np.float32) * cutout.alpha[:, :, None]
        alpha = np.asarray(np.clip(cv2.warpAffine(cutout.alpha, matrix, size, flags=how), 0, 1), np.float32)
        pixels = np.asarray(np.clip(cv2.warpAffine(solid, matrix, size, flags=how), 0, 255), np.float32)
        whole = float(np.count_nonzero(cutout.alpha > _SOLID)) * scale * scale
        return _Drawn(player, pose, rows, columns, pixels, alpha, whole, ground_box(player, pose))

    def _shade(self, canvas: npt.NDArray[np.float32], one: _Drawn) -> None:
        x1, y1, x2, y2 = one.box
        wide = 0.42 * (x2 - x1)
        deep = max(2.0, 0.05 * (y2 - y1))
        left, right = int(max(0, x1 - 10)), int(min(canvas.shape[1], x2 + 10))
        top, bottom = int(max(0, y2 - 3 * deep)), int(min(canvas.shape[0], y2 + 3 * deep))
        if left >= right or top >= bottom:
            return
        ys, xs = np.mgrid[top:bottom, left:right].astype(np.float32)
        away = ((xs - (x1 + x2) / 2) / wide) ** 2 + ((ys - y2 + 0.6 * deep) / (1.6 * deep)) ** 2
        canvas[top:bottom, left:right] *= 1 - _SHADOW * np.exp(-1.2 * away**1.5)[:, :, None]

    def _truth(self, one: _Drawn, seen_px: float, width: int, height: int) -> Box | None:
        x1, y1, x2, y2 = one.box
        cut = (max(0.0, x1), max(0.0, y1), min(float(width), x2), min(float(height), y2))
        if cut[0] >= cut[2] or cut[1] >= cut[3]:
            return None
        return Box(
            one.player.player_id,
            one.player.performer.class_id,
            cut,
            ((x1 + x2) / 2, y2),
            min(1.0, seen_px / max(1.0, one.solid_px)),
        )
