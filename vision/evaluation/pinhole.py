"""A camera on a pole over flat ground, and the boxes of vehicles before it: for measuring what is told of the ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from vision import coco
from vision.geometry import Box, FloatArray
from vision.ground import Ground
from vision.zone import Point

#: Length, width and height in metres: what the class name usually means.
CUBOIDS_M: Final = {
    coco.PERSON: (0.4, 0.5, 1.7),
    coco.CAR: (4.5, 1.8, 1.5),
    coco.TRUCK: (6.0, 2.1, 2.4),
    coco.BUS: (11.0, 2.5, 3.1),
    coco.MOTORCYCLE: (2.1, 0.8, 1.3),
}
#: Vehicles are rounded: at half their height they are as wide as at the ground, at the top by so much less.
_ROOF: Final = 0.85


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A vehicle at `centre_m` (x to the right of the camera's foot, y ahead of it), pointing to `heading_rad` from x."""

    centre_m: tuple[float, float]
    heading_rad: float
    class_id: int = coco.CAR
    size: float = 1.0

    def corners_m(self) -> FloatArray:
        """(4, 2) corners on the ground."""
        length, width, _ = CUBOIDS_M[self.class_id]
        along = np.array([np.cos(self.heading_rad), np.sin(self.heading_rad)]) * length * self.size / 2
        across = np.array([-np.sin(self.heading_rad), np.cos(self.heading_rad)]) * width * self.size / 2
        around = np.array([-along - across, along - across, along + across, -along + across])
        return np.asarray(np.array(self.centre_m) + around)


@dataclass(frozen=True, slots=True)
class Pinhole:
    """`height_m` over the ground, looking down by `pitch_deg`, as wide as `view_deg`; a picture of `aspect` (width / height)."""

    height_m: float = 6.0
    pitch_deg: float = 22.0
    view_deg: float = 70.0
    aspect: float = 4 / 3

    def picture(self, points_m: FloatArray) -> FloatArray:
        """(N, 2) picture points 0..1 of (N, 3) metres (x right, y ahead, z up); NaN for what lies behind."""
        x, y, z = points_m[:, 0], points_m[:, 1], points_m[:, 2] - self.height_m
        tilt = np.radians(self.pitch_deg)
        ahead = y * np.cos(tilt) - z * np.sin(tilt)
        down = -y * np.sin(tilt) - z * np.cos(tilt)
        focal = 0.5 / np.tan(np.radians(self.view_deg) / 2)
        seen = np.stack([0.5 + focal * x / ahead, 0.5 + focal * self.aspect * down / ahead], axis=1)
        return np.where(ahead[:, None] > 0.1, seen, np.nan)

    def on_picture(self, points_m: FloatArray) -> FloatArray:
        """(N, 2) picture points of (N, 2) metres on the ground."""
        return self.picture(np.c_[points_m, np.zeros(len(points_m))])

    def box(self, vehicle: Vehicle) -> Box:
        """The box around a vehicle, 0..1 of the picture, cut off at no edge."""
        corners, height_m = vehicle.corners_m(), CUBOIDS_M[vehicle.class_id][2] * vehicle.size
        roof = np.array(vehicle.centre_m) + _ROOF * (corners - np.array(vehicle.centre_m))
        body = [np.c_[corners, np.full(4, z)] for z in (0.0, height_m / 2)]
        points = self.picture(np.concatenate([*body, np.c_[roof, np.full(4, height_m)]]))
        (x1, y1), (x2, y2) = points.min(axis=0), points.max(axis=0)
        return (float(x1), float(y1), float(x2), float(y2))

    def ground(self, points_m: FloatArray, click_norm: FloatArray | None = None) -> Ground:
        """The ground plane as an administrator gives it: `points_m` (N, 2) with where he clicks, off by `click_norm` (N, 2)."""
        clicked = self.on_picture(points_m) + (0.0 if click_norm is None else click_norm)
        return Ground.fit(
            [((float(u), float(v)), (float(x), float(y))) for (u, v), (x, y) in zip(clicked, points_m, strict=True)]
        )

    def zone(self, corners_m: FloatArray) -> tuple[Point, ...]:
        """A polygon on the ground as it is drawn on the picture."""
        return tuple((float(u), float(v)) for u, v in self.on_picture(corners_m))
