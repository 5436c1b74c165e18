"""What is wrong with a polygon or with ground points. Pure; positions are counted from 0 as in the paths of faults."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final

Point = tuple[float, float]

#: A zone smaller than this share of the picture holds nobody's feet: 0.0005 of 512x384 is a square of 10 px.
MIN_AREA: Final = 0.0005


def _turn(a: Point, b: Point, c: Point) -> float:
    """Twice the signed area of the triangle a, b, c."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _on(a: Point, b: Point, c: Point) -> bool:
    """Whether c, known to be in line with a and b, lies between them."""
    return min(a[0], b[0]) <= c[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= c[1] <= max(a[1], b[1])


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the segments a-b and c-d have a point in common."""
    turns = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    touching = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(turn == 0 and _on(*points) for turn, points in zip(turns, touching, strict=True))


def area(points: Sequence[Point]) -> float:
    """Area of a polygon whose edges do not cross (shoelace formula)."""
    pairs = zip(points, [*points[1:], *points[:1]], strict=True)
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)) / 2


def polygon_faults(points: Sequence[Point], min_area: float = 0.0) -> list[str]:
    """Repeated points, edges that cross or touch, too small an area; empty when the polygon is good."""
    count = len(points)
    for first, second in combinations(range(count), 2):
        if points[first] == points[second]:
            closing = "; a polygon closes by itself" if (first, second) == (0, count - 1) else ""
            return [f"point [{second}] repeats point [{first}]{closing}"]
    faults = []
    for first, second in combinations(range(count), 2):
        a, b = points[first], points[(first + 1) % count]
        c, d = points[second], points[(second + 1) % count]
        neighbours = second == first + 1 or (first, second) == (0, count - 1)
        if neighbours:
            # Neighbours share a corner; they also overlap when one folds back onto the other.
            far = (a, d, b) if second == first + 1 else (b, c, a)
            crossing = count > 3 and _turn(*far) == 0 and not _on(far[0], far[1], far[2])
        else:
            crossing = _meet(a, b, c, d)
        if crossing:
            ends = f"[{first}]-[{(first + 1) % count}]", f"[{second}]-[{(second + 1) % count}]"
            faults.append(f"edge {ends[0]} crosses edge {ends[1]}")
    if not faults and area(points) <= min_area:
        share = area(points)
        small = f"too small: {share:.5f} of the picture, at least {min_area} is needed"
        faults.append(small if share else "has no area: its points are in one line")
    return faults


def ground_faults(picture: Sequence[Point], metres: Sequence[Point]) -> list[str]:
    """Four points of which no three are in line are needed, on the picture and on the ground, to know the plane."""
    if len(picture) < 4:
        return [f"{len(picture)} ground points; at least 4 are needed"]
    for name, points in (("picture", picture), ("metres", metres)):
        span = max(max(p[axis] for p in points) - min(p[axis] for p in points) for axis in (0, 1))
        least = 1e-4 * span * span
        good = any(
            all(abs(_turn(*three)) > least for three in combinations(four, 3)) for four in combinations(points[:20], 4)
        )
        if not good:
            return [f"the {name} points do not fix a plane: no four of them without three in one line"]
    return []
