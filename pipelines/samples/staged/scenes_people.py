"""Scenes of people: who crosses, meets, gathers and goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipelines.samples.staged.cast import Company
from pipelines.samples.staged.moves import arriving
from pipelines.samples.staged.scene import Scene, drive, play
from pipelines.samples.staged.setting import NAMES, PARKING, Setting, visits, walkers
from pipelines.samples.staged.stage import Player

CROWDING: Final[tuple[Mapping[str, Any], ...]] = ({"kind": "crowding", "zone": "forecourt", "people": 5, "for": "8s"},)
BOTH: Final = PARKING + CROWDING

#: The road as a plane, from how tall its people are (a camera at 7.3 m): picture point, metres.
GROUND: Final = (
    ((470 / 768, 290 / 576), (1.78, 18.62)),
    ((740 / 768, 290 / 576), (7.36, 18.62)),
    ((740 / 768, 440 / 576), (5.17, 13.08)),
    ((520 / 768, 440 / 576), (1.98, 13.08)),
)


def _crowd(
    company: Company, count: int, first_s: float, leaves_s: float, between_s: float = 1.5, apart_px: float = 46.0
) -> list[Player]:
    players = []
    for number in range(count):
        who = company.walker(NAMES[number % len(NAMES)])
        row, column = divmod(number, 6)
        x, y = 500.0 + apart_px * column + apart_px * row / 2, 306.0 + apart_px * row
        at_s = first_s + between_s * number
        points = [(820.0, 372.0), (x, y), (820.0, 372.0)]
        stay_s = leaves_s + 0.3 * number - at_s
        players.append(play(40 + number, who, arriving(who, at_s, points, 1, {1: stay_s}, pace=1.5)))
    return players


def _groups(company: Company) -> list[Player]:
    """Three groups that come one after the other, apart from each other, and go the other way round."""
    rows = (
        (6.0, 100.0, [(500.0, 290.0), (560.0, 290.0), (620.0, 290.0), (680.0, 290.0)]),
        (24.0, 82.0, [(530.0, 340.0), (590.0, 340.0), (650.0, 340.0), (710.0, 340.0)]),
        (44.0, 64.0, [(585.0, 392.0), (640.0, 392.0), (695.0, 392.0), (745.0, 392.0), (740.0, 290.0)]),
    )
    players = []
    for group, (first_s, leaves_s, places) in enumerate(rows):
        for number, (x, y) in enumerate(places):
            who = company.walker(NAMES[(3 * group + number) % len(NAMES)])
            at_s = first_s + 1.2 * number
            points = [(820.0, 372.0), (x, y), (820.0, 372.0)]
            move = arriving(who, at_s, points, 1, {1: leaves_s + 0.3 * number - at_s}, pace=1.5)
            players.append(play(40 + 10 * group + number, who, move))
    return players


def people_scenes(setting: Setting) -> list[Scene]:
    """In the order of the table in docs/."""
    company, scene = setting.company, setting.scene
    goes = drive(1, setting.van, visits(10.0, 40.0))
    return [
        scene("walkers only", "people cross, nobody stops", walkers(company, range(0, 30, 4)), 45, rules=BOTH),
        scene("small group", "four people meet: below the limit", _crowd(company, 4, 8.0, 30.0), 45, rules=CROWDING),
        scene("crowd", "nine people gather and go", _crowd(company, 9, 8.0, 40.0), 60, rules=CROWDING),
        scene(
            "crowd at 1 fps",
            "the same at 1 picture a second",
            _crowd(company, 9, 8.0, 40.0),
            60,
            rules=CROWDING,
            fps=1.0,
        ),
        scene(
            "levels",
            "a crowd fills and empties: four people, eight, thirteen, eight, four, none; three rules with a level each",
            _groups(company),
            118,
            rules=[{**CROWDING[0], "people": people, "id": f"crowd-{people}"} for people in (2, 5, 10)],
        ),
        scene(
            "short crowd",
            "nine people for less than the rule's time",
            _crowd(company, 9, 8.0, 13.5, between_s=0.6),
            40,
            rules=CROWDING,
        ),
        scene(
            "density",
            "ten people a metre apart: by density, on ground points taken from how tall people are in the picture",
            _crowd(company, 10, 6.0, 34.0, between_s=1.0, apart_px=36.0),
            55,
            rules=({"kind": "crowding", "zone": "forecourt", "density": 0.5, "for": "8s"},),
            ground=GROUND,
        ),
        scene(
            "density of contact",
            "sixteen people shoulder to shoulder, nearly two per square metre",
            _crowd(company, 16, 4.0, 34.0, between_s=0.6, apart_px=23.0),
            55,
            rules=({"kind": "crowding", "zone": "forecourt", "density": 1.5, "for": "8s"},),
            ground=GROUND,
        ),
        scene("crowd and van", "both at once", [goes, *_crowd(company, 8, 12.0, 40.0)], 60, rules=BOTH),
    ]
