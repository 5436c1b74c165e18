"""Single pictures of crowds with exact truth: real people cut out of vtest.avi, set close together on a ground plane.

A staged crowd is not a real one: every person was filmed alone, from one height, by one camera, in one light. What is
varied is who stands where, how close, how large, in which colours, on which ground, and how high the camera is hung.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from pipelines.errors import BadInput
from pipelines.samples.staged.cast import Company, Cutout, Performer
from pipelines.samples.staged.moves import Pose
from pipelines.samples.staged.plate import Plate, person_px
from pipelines.samples.staged.stage import Player, Stage
from vision.crowd import HEAD_SHARE
from vision.frame import Pixels
from vision.geometry import FloatArray
from vision.ground import Ground

SIZE_PX: Final = (768, 576)
#: The camera that filmed the people: focal length in pixels and height in metres (see the staged suite's ground points).
FOCAL_PX: Final = 903.0
FILMED_FROM_M: Final = 7.3
_PERSON_M: Final = 1.7
#: People keep this share of the mean distance at their density; nobody stands nearer than shoulders allow.
_APART_SHARE: Final = 0.72
_LEAST_APART_M: Final = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A level camera at `height_m`, whose horizon is at `horizon_px`."""

    height_m: float
    horizon_px: float

    def picture(self, metres: FloatArray) -> FloatArray:
        """(N, 2) places on the ground (x to the right, z away) to pixels."""
        return np.stack(
            [SIZE_PX[0] / 2 + FOCAL_PX * metres[:, 0] / metres[:, 1], self.horizon_px + FOCAL_PX * self.height_m / metres[:, 1]],
            axis=1,
        )  # fmt: skip

    def metres(self, picture: FloatArray) -> FloatArray:
        """The inverse of `picture`."""
        away = FOCAL_PX * self.height_m / (picture[:, 1] - self.horizon_px)
        return np.stack([(picture[:, 0] - SIZE_PX[0] / 2) * away / FOCAL_PX, away], axis=1)

    def ground(self, rows_px: tuple[float, float]) -> Ground:
        """The plane as an administrator would give it: four points at two rows of the picture."""
        top, low = rows_px
        points = np.array([(100.0, top), (660.0, top), (100.0, low), (660.0, low)])
        return Ground.fit(
            [
                ((float(p[0]) / SIZE_PX[0], float(p[1]) / SIZE_PX[1]), (float(m[0]), float(m[1])))
                for p, m in zip(points, self.metres(points), strict=True)
            ]
        )


@dataclass(frozen=True, slots=True, eq=False)
class StagedCrowd:
    """`pixels` (H, W, 3); of each of N people: `feet_px`, `heads_px` (N, 2), `tall_px` (N,) and how much is `visible` (N,) 0..1.
    `density` is people per square metre of the ground that they stand on.
    """

    pixels: Pixels
    feet_px: FloatArray
    heads_px: FloatArray
    tall_px: FloatArray
    visible: FloatArray
    density: float
    camera: Camera


@dataclass(frozen=True)
class _Still:
    pose: Pose

    def at(self, time_s: float) -> Pose:
        return self.pose


def scattered(random: np.random.Generator, count: int, density: float) -> FloatArray:
    """(N, 2) metres: people spread over a round or long patch whose area is `count` / `density`, none too near another.

    By dart throwing, the distance relaxed where the patch is full.
    """
    area = count / density
    long = float(random.uniform(1.0, 2.2))
    half = np.sqrt(area * np.array([long, 1 / long])) / 2
    apart = max(_LEAST_APART_M, _APART_SHARE / np.sqrt(density))
    placed: list[FloatArray] = []
    tries = 0
    while len(placed) < count:
        spot = random.uniform(-half, half)
        tries += 1
        if all(float(np.hypot(*(spot - other))) >= apart for other in placed):
            placed.append(spot)
        elif tries > 400:
            apart, tries = apart * 0.95, 0
    return np.array(placed)


def trimmed(performer: Performer) -> Performer:
    """Without the outermost pixel of each cutout, where the road that it was cut from still shines through."""

    def trim(cutout: Cutout) -> Cutout:
        inner = cv2.erode(cutout.alpha, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
        return replace(cutout, alpha=np.asarray(cv2.GaussianBlur(inner, (3, 3), 0), np.float32))

    return replace(performer, walk=tuple(map(trim, performer.walk)), stand=tuple(map(trim, performer.stand)))


def recoloured(performer: Performer, random: np.random.Generator) -> Performer:
    """The same person in other colours and another light: each channel multiplied, all of it brightened or darkened."""
    gains = random.uniform(0.65, 1.35, 3).astype(np.float32)
    gamma = float(random.uniform(0.8, 1.3))

    def paint(cutout: Cutout) -> Cutout:
        values = 255.0 * (np.clip(cutout.pixels.astype(np.float32) * gains, 0, 255) / 255.0) ** gamma
        return replace(cutout, pixels=np.asarray(np.clip(values, 0, 255), np.uint8))

    return replace(performer, walk=tuple(map(paint, performer.walk)), stand=tuple(map(paint, performer.stand)))


def stage_crowd(
    company: Company,
    people: Sequence[str],
    random: np.random.Generator,
    *,
    count: int,
    density: float,
    height_m: float = FILMED_FROM_M,
    tall_px: float = 95.0,
    plate: Plate | None = None,
    recolour: bool = True,
) -> StagedCrowd:
    """A crowd of `count` of `people` (each as often as needed) at `density`, some `tall_px` tall, seen from `height_m`."""
    away = FOCAL_PX * _PERSON_M / tall_px
    middle_px = float(random.uniform(340.0, 420.0))
    camera = Camera(height_m, middle_px - FOCAL_PX * height_m / away)
    spots = scattered(random, count, density)
    metres = spots + np.array([float(random.uniform(-210, 210)) * away / FOCAL_PX, away])
    feet = camera.picture(metres)
    players = []
    for number, (x, y) in enumerate(feet):
        performer = trimmed(company.walker(people[int(random.integers(len(people)))]))
        dressed = recoloured(performer, random) if recolour else performer
        wanted = FOCAL_PX * _PERSON_M / metres[number, 1] * float(random.uniform(0.9, 1.07))
        pose = Pose(
            float(x),
            float(y),
            int(random.integers(40)),
            bool(random.random() < 0.3),
            1 if random.random() < 0.5 else -1,
        )
        players.append(Player(number, dressed, _Still(pose), wanted / person_px(float(y))))
    pixels, boxes = Stage(company.plate if plate is None else plate, players).draw(0.0)
    seen = {box.player_id: box for box in boxes}
    kept = [i for i in range(count) if i in seen]
    box = np.array([seen[i].xyxy_px for i in kept])
    heads = np.array([_head(players[i], feet[i]) for i in kept])
    noise = random.normal(0.0, 2.0, (SIZE_PX[1] // 2, SIZE_PX[0] // 2, 3)).astype(np.float32)
    grain = np.asarray(cv2.resize(noise, SIZE_PX))
    return StagedCrowd(
        np.asarray(np.clip(pixels + grain, 0, 255), np.uint8),
        feet[kept],
        heads,
        np.asarray(box[:, 3] - box[:, 1]),
        np.array([seen[i].visible for i in kept]),
        density,
        camera,
    )


def _head(player: Player, foot: FloatArray) -> tuple[float, float]:
    """Where the middle of the head is: under the crown of the cutout, at the middle of its uppermost rows."""
    pose = player.move.at(0.0)
    assert pose is not None
    pictures = player.performer.stand if pose.standing else player.performer.walk
    cutout = pictures[pose.picture % len(pictures)]
    rows, columns = np.nonzero(cutout.alpha > 0.5)
    top, tall = float(rows.min()), float(rows.max() - rows.min() + 1)
    middle = float(columns[rows < top + 0.13 * tall].mean())
    scale = player.size * person_px(pose.y_px) / person_px(player.performer.row_px)
    flip = -1.0 if pose.facing != player.performer.facing else 1.0
    return (
        float(foot[0]) + flip * scale * (middle - cutout.foot_px[0]),
        float(foot[1]) + scale * (top + HEAD_SHARE * tall - cutout.foot_px[1]),
    )


def empty_grounds(folder: Path) -> list[Plate]:
    """A stage of each picture (.jpg, .png) in a folder. Raises BadInput: there is none, or one cannot be read."""
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not paths:
        raise BadInput(f"{folder}: holds no pictures (.jpg, .png) of empty places")
    found = []
    for path in paths:
        picture = cv2.imread(str(path))
        if picture is None:
            raise BadInput(f"{path}: cannot be read as a picture")
        found.append(plate_of(np.asarray(picture, np.uint8)))
    return found


def plate_of(picture: Pixels) -> Plate:
    """Any empty picture as a stage, without anything that stands in front."""
    resized: Any = cv2.resize(picture, SIZE_PX, interpolation=cv2.INTER_AREA)
    return Plate(np.asarray(resized, np.uint8), ())
