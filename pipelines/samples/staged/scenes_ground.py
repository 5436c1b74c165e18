"""Scenes of a camera that knows its ground: where a vehicle stands is not where its box ends.

Which of them stand in the zone (`inside`) was seen in the pictures: three of the van's wheels and the ground before them are in
view, so what lies beyond a line can be told by eye.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipelines.config.quantities import parse_seconds
from pipelines.samples.staged.scene import SIZE_PX, GroundPoint, Incident, Polygon, Scene, drive, normal, stands
from pipelines.samples.staged.setting import PARKING, Setting, visits

_FPS: Final = 5.0
#: The plane on which the stage's people are 1.7 m tall: a camera at 7.3 m whose horizon is 64 rows above the picture, and whose
#: focal length is 903 pixels.
_HORIZON_ROW: Final = -64.0
_ROW_METRES: Final = 6591.0
_FOCAL_PX: Final = 903.0


@dataclass(frozen=True, eq=False)
class GroundScene(Scene):
    """`inside`: the ids of the vehicles that stand in the zone, wherever their boxes end."""

    inside: frozenset[int] = frozenset()

    def _parking(self, rule: Mapping[str, Any]) -> list[Incident]:
        after_s = parse_seconds(rule["after"])
        return [
            Incident(
                rule["kind"],
                rule["zone"],
                start_s + after_s,
                end_s,
                player.performer.name,
                box,
                player.performer.class_id,
            )
            for player in self.players
            if player.player_id in self.inside
            for start_s, end_s, box in stands(player, self._times())
            if (self.duration_s if end_s is None else end_s) - start_s >= after_s
        ]


def on_road(x_px: float, y_px: float) -> GroundPoint:
    """A point of the picture in pixels with its place on the road, as an administrator would note it."""
    ahead_m = _ROW_METRES / (y_px - _HORIZON_ROW)
    across_m = (x_px - SIZE_PX[0] / 2) * ahead_m / _FOCAL_PX
    return (x_px / SIZE_PX[0], y_px / SIZE_PX[1]), (round(across_m, 2), round(ahead_m, 2))


def _on_picture(x_m: float, y_m: float) -> tuple[float, float]:
    """The other way: pixels."""
    return SIZE_PX[0] / 2 + _FOCAL_PX * x_m / y_m, _HORIZON_ROW + _ROW_METRES / y_m


ROAD: Final = tuple(
    on_road(x, y) for x, y in ((470, 290), (740, 290), (740, 440), (520, 440), (480, 150), (700, 150), (600, 210))
)
#: The way the road goes where the van stops, and how far to the left of it (through the camera's foot) its right wheels are, in
#: metres. The van is 2 m wide.
_ALONG: Final = (0.686, 0.727)
_WHEELS_M: Final = 13.0


def _lane(right_m: float, left_m: float) -> list[tuple[float, float]]:
    """A zone of 13 m along the road, between two lines."""
    (x, y), ends = _ALONG, ((16.0, right_m), (29.0, right_m), (29.0, left_m), (16.0, left_m))
    return normal([_on_picture(u * x - v * y, u * y + v * x) for u, v in ends])


def ground_scenes(setting: Setting) -> list[Scene]:
    """In the order of the table in docs/."""
    visit = drive(1, setting.van, visits(10.0, 40.0))

    def scene(name: str, what: str, zone: Polygon, inside: set[int]) -> Scene:
        return GroundScene(
            name, what, setting.company, (visit,), 55, {"no_parking": zone}, PARKING,
            fps=_FPS, ground=ROAD, inside=frozenset(inside),
        )  # fmt: skip

    return [
        scene(
            "wheels in the zone",
            "a van with two thirds of it in the zone; its box ends before it",
            _lane(_WHEELS_M + 0.7, _WHEELS_M + 3.2),
            {1},
        ),
        scene(
            "beside the zone",
            "a van with less than a third of it in the zone; its box ends in it",
            _lane(_WHEELS_M - 2.0, _WHEELS_M + 0.6),
            set(),
        ),
    ]
