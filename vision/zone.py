"""A named polygon on the picture."""

from __future__ import annotations

from dataclasses import dataclass

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Zone:
    """`polygon_norm`: three or more (x, y), 0..1 of the picture, origin top left.

    The point of a box that counts is its bottom centre.
    """

    zone_id: str
    polygon_norm: tuple[Point, ...]
