"""The ground plane: where a picture point lies in metres, and how far that can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from vision import native
from vision.geometry import FloatArray
from vision.zone import Point

#: How far off a person's click on a marked point usually is, as a share of the picture's width and height (ours).
CLICK_ERROR_NORM: Final = 0.003
_MIN_POINTS: Final = 4


def _normalised(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points moved to their centroid at a mean distance of sqrt(2), and the 3x3 that did it."""
    centre = points.mean(axis=0)
    spread = float(np.mean(np.linalg.norm(points - centre, axis=1)))
    if spread <= 0:
        raise ValueError("ground points: all at one place")
    scale = np.sqrt(2) / spread
    matrix = np.array([[scale, 0, -scale * centre[0]], [0, scale, -scale * centre[1]], [0, 0, 1]])
    return (points - centre) * scale, matrix


def _homography(picture: FloatArray, metres: FloatArray) -> FloatArray:
    """Normalised direct linear transform (Hartley and Zisserman, Multiple View Geometry, 2nd ed., algorithm 4.2)."""
    p, from_picture = _normalised(picture)
    m, from_metres = _normalised(metres)
    zero, one = np.zeros(len(p)), np.ones(len(p))
    x, y, u, v = p[:, 0], p[:, 1], m[:, 0], m[:, 1]
    rows = np.concatenate(
        [
            np.stack([x, y, one, zero, zero, zero, -u * x, -u * y, -u], axis=1),
            np.stack([zero, zero, zero, x, y, one, -v * x, -v * y, -v], axis=1),
        ]
    )
    _, singular, transposed = np.linalg.svd(rows)
    if singular[7] < 1e-6 * singular[0]:
        raise ValueError("ground points: three or more lie on one line; choose points that span an area")
    matrix = np.asarray(np.linalg.inv(from_metres) @ transposed[-1].reshape(3, 3) @ from_picture)
    if abs(np.linalg.det(matrix / np.linalg.norm(matrix))) < 1e-9:
        raise ValueError("ground points: they lie on one line; choose points that span an area")
    # The sign is chosen so that points in front of the camera have a positive third coordinate.
    return np.asarray(matrix * np.sign(_thirds(matrix, picture).mean()))


def _thirds(matrix: FloatArray, picture: FloatArray) -> FloatArray:
    return np.asarray(picture @ matrix[2, :2] + matrix[2, 2])


def _left_out_m(picture: FloatArray, metres: FloatArray, i: int) -> float | None:
    """How far off point `i` is from where the others put it; None when they are too few, or on one line."""
    if len(picture) <= _MIN_POINTS:
        return None
    try:
        others = _homography(np.delete(picture, i, 0), np.delete(metres, i, 0))
    except ValueError:
        return None
    return float(np.linalg.norm(_apply(others, picture[i : i + 1])[0] - metres[i]))


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """A plane seen by one camera. `matrix` (3, 3) maps picture points (0..1) to metres, `back` the other way.

    `error_m` is what a position in the middle of the given points may be off (root mean square): the error of clicking
    (`CLICK_ERROR_NORM`) carried to the ground, together with how badly each point fits the others where there are more
    than four. Beyond the given points it grows: see `error_at_m`.
    """

    matrix: FloatArray
    error_m: float
    residual_m: float
    back: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "back", np.linalg.inv(self.matrix))

    @classmethod
    def fit(cls, points: Sequence[tuple[Point, Point]]) -> Self:
        """From (picture 0..1, metres) pairs.

        Raises:
            ValueError: fewer than four points, or points that span no area.
        """
        if len(points) < _MIN_POINTS:
            raise ValueError(f"ground points: expected {_MIN_POINTS} or more, got {len(points)}")
        picture = np.array([p for p, _ in points], np.float64)
        metres = np.array([m for _, m in points], np.float64)
        matrix = _homography(picture, metres)
        if np.any(_thirds(matrix, picture) <= 0):
            raise ValueError(
                "ground points: the horizon would run between them; check that each picture point has its own metres"
            )
        left_out = [off for i in range(len(points)) if (off := _left_out_m(picture, metres, i)) is not None]
        residual_m = float(np.sqrt(np.mean(np.square(left_out)))) if left_out else 0.0
        ground = cls(matrix, 0.0, residual_m)
        click_m = float(np.sqrt(np.mean(np.square(ground._click_error_m(picture)))))
        return cls(matrix, float(np.hypot(click_m, residual_m)), residual_m)

    def to_metres(self, points_norm: npt.ArrayLike) -> FloatArray:
        """(N, 2) metres of picture points (N, 2); NaN for what lies on or above the horizon."""
        return _apply(self.matrix, np.asarray(points_norm, np.float64).reshape(-1, 2))

    def to_picture(self, points_m: npt.ArrayLike) -> FloatArray:
        """(N, 2) picture points of metres (N, 2); NaN for what lies behind the camera."""
        # Of a point before the camera the third coordinate is the inverse of the one that `to_metres` divides by.
        return _apply(self.back, np.asarray(points_m, np.float64).reshape(-1, 2))

    def error_at_m(self, points_norm: npt.ArrayLike) -> FloatArray:
        """(N,) how far each position may be off, in metres; NaN above the horizon."""
        return np.asarray(
            np.hypot(self._click_error_m(np.asarray(points_norm, np.float64).reshape(-1, 2)), self.residual_m)
        )

    def _click_error_m(self, points: FloatArray) -> FloatArray:
        here = self.to_metres(points)
        steps = np.array([[CLICK_ERROR_NORM, 0], [0, CLICK_ERROR_NORM]])
        moved = [self.to_metres(points + step) - here for step in steps]
        return np.asarray(np.sqrt(sum(np.sum(np.square(m), axis=1) for m in moved)))


def _apply(matrix: FloatArray, points: FloatArray) -> FloatArray:
    """(N, 2) of `points` (N, 2). Not as a matrix product: the order of its steps differs from processor to processor."""
    if native.ground is not None:
        return native.ground.apply(matrix, points)
    x, y = points[:, 0], points[:, 1]
    first, second, third = (row[0] * x + row[1] * y + row[2] for row in matrix)
    out = np.full((len(points), 2), np.nan)
    np.divide(np.stack([first, second], axis=1), third[:, None], out=out, where=third[:, None] > 1e-9)
    return out
