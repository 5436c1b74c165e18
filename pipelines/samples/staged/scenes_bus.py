"""Scenes of a bus: at the gate, exempt, and before a van that stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipelines.samples.staged.cast import Company, Performer
from pipelines.samples.staged.moves import Walk
from pipelines.samples.staged.scene import Scene, drive, play
from pipelines.samples.staged.setting import NAMES, PLACE, Key, Setting, visits, walkers
from pipelines.samples.staged.stage import Player

BUS: Final = (
    "bus drops off",
    "bus stays",
    "bus is exempt",
    "bus in front",
    "leaves behind a bus",
    "replaced behind a bus",
)
_FPS: Final = 2.0
#: A bus of ten metres: the one in the picture is a small one.
_SIZE: Final = 1.3
_GATE: Final[tuple[Mapping[str, Any], ...]] = ({"kind": "illegal_parking", "zone": "no_parking", "after": "2m"},)
_EXEMPT: Final[tuple[Mapping[str, Any], ...]] = ({**_GATE[0], "classes": ["car", "truck", "motorcycle"]},)
#: Where those who get out set foot on the road, and where they go.
_DOOR: Final = (512.0, 207.0)
_IN: Final = (820.0, 330.0)


def _stands(from_s: float, to_s: float) -> list[Key]:
    """Down the road to the place, and on to the left."""
    down = [(-8.0, 850.0, 70.0), (-6.0, 735.0, 113.0), (-3.0, 640.0, 166.0)]
    out = [(3.0, 390.0, 236.0), (6.0, 120.0, 243.0), (9.0, -140.0, 241.0)]
    keys = [(from_s + at_s, x, y) for at_s, x, y in down] + [(from_s, *PLACE), (to_s, *PLACE)]
    return keys + [(to_s + at_s, x, y) for at_s, x, y in out]


def _hides(from_s: float, to_s: float) -> list[Key]:
    """Past the place on the near side of the road, standing right before it."""
    return [
        (from_s - 6.0, 950.0, 420.0),
        (from_s - 3.0, 745.0, 330.0),
        (from_s, 560.0, 270.0),
        (to_s, 560.0, 270.0),
        (to_s + 3.0, 330.0, 258.0),
        (to_s + 7.0, -160.0, 250.0),
    ]


def _arrives_late(at_s: float) -> list[Key]:
    """To the place from where the bus hides the road already."""
    return [(at_s - 4.0, 500.0, 225.0), (at_s, *PLACE)]


def _get_out(company: Company, starts: tuple[float, ...]) -> list[Player]:
    """One after the other, from the door to the gate at the right edge."""
    players = []
    for number, start_s in enumerate(starts):
        who = company.walker(NAMES[number % len(NAMES)])
        y = 216.0 + 7.0 * (number % 3)
        points = [_DOOR, (530.0, y), (650.0, y + 22.0), _IN]
        players.append(play(60 + number, who, Walk(who, start_s, points)))
    return players


def bus_scenes(setting: Setting, bus: Performer) -> list[Scene]:
    """As `BUS` names them."""
    company, scene = setting.company, setting.scene
    rests = drive(1, bus, _stands(10.0, 160.0), _SIZE, facing=-1)
    out = _get_out(company, (16.0, 18.0, 21.0, 23.0, 27.0, 31.0, 40.0))
    return [
        scene(
            BUS[0],
            "a bus stands for 90 s where 2 minutes are allowed, and seven people get out",
            [drive(1, bus, _stands(10.0, 100.0), _SIZE, facing=-1), *out],
            115,
            rules=_GATE,
            fps=_FPS,
        ),
        scene(
            BUS[1],
            "a bus stands for two and a half minutes, people get out and cross before it",
            [rests, *out, *walkers(company, (60.0, 75.0, 120.0, 124.0), near=6.0)],
            175,
            rules=_GATE,
            fps=_FPS,
        ),
        scene(
            BUS[2],
            "the same, but the rule's classes leave out buses",
            [rests, *out],
            175,
            rules=_EXEMPT,
            fps=_FPS,
        ),
        scene(
            BUS[3],
            "a bus stops before a standing van and hides it wholly for 20 s",
            [drive(1, setting.van, visits(10.0, 66.0)), drive(2, bus, _hides(32.0, 52.0), _SIZE, facing=-1)],
            80,
        ),
        scene(
            BUS[4],
            "a van drives off behind a bus that hides it: it is told of as gone when the bus is",
            [drive(1, setting.van, visits(10.0, 42.0)), drive(2, bus, _hides(32.0, 62.0), _SIZE, facing=-1)],
            80,
        ),
        scene(
            BUS[5],
            "behind a bus a van drives off and a blue one of the same make takes its place",
            [
                drive(1, setting.van, visits(10.0, 42.0)),
                drive(2, bus, _hides(32.0, 62.0), _SIZE, facing=-1),
                drive(3, setting.blue, [*_arrives_late(54.0), (95.0, *PLACE)]),
            ],
            95,
        ),
    ]
