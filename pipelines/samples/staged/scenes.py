"""The suite of staged scenes that rules are judged by: each with its own truth, drawn when asked for.

Vehicles stop in the same no-parking zone as in the clip `gate`, people gather on the same forecourt. All scenes are
deterministic; one takes some ten seconds of CPU to draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from pipelines.samples.staged.cast import Company, Performer
from pipelines.samples.staged.gate import ZONES
from pipelines.samples.staged.moves import Walk, arriving
from pipelines.samples.staged.scene import Scene, drive, play
from pipelines.samples.staged.stage import Player
from pipelines.samples.staged.weather import Weather

Key = tuple[float, float, float]
PARKING: Final[tuple[Mapping[str, Any], ...]] = ({"kind": "illegal_parking", "zone": "no_parking", "after": "15s"},)
CROWDING: Final[tuple[Mapping[str, Any], ...]] = ({"kind": "crowding", "zone": "forecourt", "people": 5, "for": "8s"},)
BOTH: Final = PARKING + CROWDING

_FPS: Final = 5.0
_PLACE: Final = (560.0, 203.0)
_NAMES: Final = ("red", "jeans", "paper", "grey", "swing", "bald", "side", "jacket")


def _arrives(at_s: float) -> list[Key]:
    """From the left edge to the place, standing at `at_s`."""
    return [(at_s - 8.0, -95.0, 241.0), (at_s - 5.5, 120.0, 243.0), (at_s - 3.0, 390.0, 236.0), (at_s, *_PLACE)]


def _leaves(from_s: float) -> list[Key]:
    """From the place up the road and out of the picture."""
    out = [(2.5, 640.0, 166.0), (5.0, 735.0, 113.0), (7.5, 830.0, 78.0)]
    return [(from_s, *_PLACE), *((from_s + after_s, x, y) for after_s, x, y in out)]


#: The road as a plane, from how tall its people are (a camera at 7.3 m): picture point, metres.
GROUND: Final = (
    ((470 / 768, 290 / 576), (1.78, 18.62)),
    ((740 / 768, 290 / 576), (7.36, 18.62)),
    ((740 / 768, 440 / 576), (5.17, 13.08)),
    ((520 / 768, 440 / 576), (1.98, 13.08)),
)


def _away(from_s: float) -> list[Key]:
    return [(from_s + 2.5, 645.0, 164.0), (from_s + 5.0, 735.0, 113.0), (from_s + 7.5, 830.0, 78.0)]


#: Where the vehicles of a queue stand on the road; the third place is in the no-parking zone.
_QUEUE: Final = ((-95.0, 241.0), (120.0, 243.0), (345.0, 239.0), _PLACE, (715.0, 122.0), (840.0, 74.0))


def _moves_up(number: int, stands_s: float = 20.0, moves_s: float = 3.0) -> list[Key]:
    """The vehicle `number` of a queue: all move up together, each a little after the one before it."""
    keys: list[Key] = []
    for step in range(1, len(_QUEUE)):
        at_s = (number + step - 1) * (stands_s + moves_s) + moves_s + 0.7 * number
        keys += [(at_s - moves_s, *_QUEUE[step - 1]), (at_s, *_QUEUE[step])]
    return keys


def _passes(number: int, stands_s: float = 8.0, moves_s: float = 3.0) -> list[Key]:
    """The vehicle `number` of a queue on the near side of the road."""
    places = ((-150.0, 352.0), (130.0, 352.0), (400.0, 350.0), (670.0, 356.0), (930.0, 420.0))
    keys: list[Key] = []
    for step in range(1, len(places)):
        at_s = (number + step - 1) * (stands_s + moves_s) + moves_s + 0.7 * number
        keys += [(at_s - moves_s, *places[step - 1]), (at_s, *places[step])]
    return keys


def tinted(performer: Performer, name: str, bgr: tuple[float, float, float]) -> Performer:
    """The same vehicle in another colour: each channel multiplied."""
    factor = np.array(bgr, np.float32)

    def paint(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return np.asarray(np.clip(pixels.astype(np.float32) * factor, 0, 255), np.uint8)

    pictures = tuple(replace(cutout, pixels=paint(cutout.pixels)) for cutout in performer.walk)
    return replace(performer, name=name, walk=pictures, stand=pictures)


def _walkers(company: Company, starts: Sequence[float], near: float = 0.0) -> list[Player]:
    """People crossing to the left, close in front of the place (`near` more pixels towards the camera)."""
    players = []
    for number, start_s in enumerate(starts):
        who = company.walker(_NAMES[number % 5])
        y = 209.0 + near + 3.0 * (number % 4)
        points = [(820.0, 326.0 + near), (650.0, y + 10), (470.0, y), (300.0, y + 14), (-40.0, y + 4)]
        players.append(play(20 + number, who, Walk(who, start_s, points)))
    return players


def _crowd(
    company: Company, count: int, first_s: float, leaves_s: float, between_s: float = 1.5, apart_px: float = 46.0
) -> list[Player]:
    players = []
    for number in range(count):
        who = company.walker(_NAMES[number % len(_NAMES)])
        row, column = divmod(number, 6)
        x, y = 500.0 + apart_px * column + apart_px * row / 2, 306.0 + apart_px * row
        at_s = first_s + between_s * number
        points = [(820.0, 372.0), (x, y), (820.0, 372.0)]
        stay_s = leaves_s + 0.3 * number - at_s
        players.append(play(40 + number, who, arriving(who, at_s, points, 1, {1: stay_s}, pace=1.5)))
    return players


def scenes(company: Company) -> list[Scene]:
    """Every scene of the suite, by name in the order of the table in docs/."""
    van = company.van
    blue, red = tinted(van, "blue van", (0.75, 0.42, 0.3)), tinted(van, "red van", (0.3, 0.3, 0.8))

    def scene(name: str, what: str, players: Sequence[Player], duration_s: float, **more: Any) -> Scene:
        values: dict[str, Any] = {"rules": PARKING, "fps": _FPS, **more}
        return Scene(name, what, company, tuple(players), duration_s, ZONES, **values)

    stays = drive(1, van, [*_arrives(10.0), (60.0, *_PLACE)])
    goes = drive(1, van, [*_arrives(10.0), *_leaves(40.0)])
    front = [(22.0, -130.0, 300.0), (26.0, 560.0, 290.0), (34.0, 560.0, 290.0), (38.0, 900.0, 400.0)]
    queue = [
        drive(
            1 + i,
            (van, blue, red)[i],
            [
                (0.0 + 11 * i, -95.0, 241.0),
                (5.0 + 11 * i, 330.0, 240.0),
                (9.0 + 11 * i, 330.0, 240.0),
                (12.0 + 11 * i, *_PLACE),
                (19.0 + 11 * i, *_PLACE),
                (22.0 + 11 * i, 680.0, 145.0),
                (25.0 + 11 * i, 830.0, 78.0),
            ],
        )
        for i in range(3)
    ]
    creep = [*_arrives(10.0), (16.0, *_PLACE), (17.0, 567.0, 200.0), (23.0, 567.0, 200.0), (24.0, 574.0, 197.0)]
    creep += [(45.0, 574.0, 197.0), (47.5, 645.0, 164.0), (50.0, 735.0, 113.0), (52.5, 830.0, 78.0)]
    return [
        scene("arrival", "a van comes and stays", [stays], 45),
        scene(
            "departure",
            "a van stands from the first picture on and leaves",
            [drive(1, van, [(0.0, *_PLACE), *_leaves(35.0)])],
            50,
        ),
        scene("visit", "a van comes, stands 30 s, leaves", [goes], 55),
        scene("short stop", "a van stops for 10 s only", [drive(1, van, [*_arrives(10.0), *_leaves(20.0)])], 35),
        scene(
            "drive through",
            "three vans pass without stopping",
            [
                drive(
                    1 + i,
                    (van, blue, red)[i],
                    [(t, -95.0, 241.0), (t + 4, 390.0, 236.0), (t + 6, 600.0, 186.0), (t + 10, 830.0, 78.0)],
                )
                for i, t in enumerate((2.0, 14.0, 26.0))
            ],
            45,
        ),
        scene(
            "people in front",
            "walkers cover a standing van again and again",
            [goes, *_walkers(company, range(6, 36, 3))],
            55,
        ),
        scene(
            "van in front",
            "another van stops before the standing one for 8 s, outside the zone",
            [goes, drive(2, blue, front, size=1.0)],
            55,
        ),
        scene(
            "replacement",
            "a van leaves; a blue one takes its place 5 s later",
            [drive(1, van, [*_arrives(10.0), *_leaves(32.0)]), drive(2, blue, [*_arrives(40.0), (75.0, *_PLACE)])],
            75,
        ),
        scene("jam", "three vans queue through the zone, 7 s each", queue, 55),
        scene(
            "stop and go",
            "five vans move up in turn, 20 s at each place: longer than one may park",
            [drive(1 + i, (van, blue, red)[i % 3], _moves_up(i)) for i in range(5)],
            190,
            queues=frozenset(range(1, 6)),
        ),
        scene(
            "van beside a queue",
            "a van stands while others move up in turn before it, outside the zone",
            [
                drive(9, red, [*_arrives(10.0), (120.0, *_PLACE)]),
                *(drive(1 + i, (van, blue)[i % 2], _passes(i)) for i in range(4)),
            ],
            120,
            queues=frozenset(range(1, 5)),
        ),
        scene(
            "creeping on",
            "a van moves on by a fifth of its length twice: it has not left",
            [
                drive(
                    1, van, [*_arrives(10.0), (17.0, *_PLACE), (18.5, 578.0, 194.0), (45.0, 578.0, 194.0), *_away(45.0)]
                )
            ],
            60,
        ),
        scene(
            "side by side",
            "two vans stand in the zone, one behind the other; the first leaves before the second",
            [
                drive(1, blue, [*_arrives(8.0)[:3], (10.0, 648.0, 158.0), (36.0, 648.0, 158.0), *_away(36.0)[1:]]),
                drive(
                    2,
                    van,
                    [
                        *_arrives(16.0)[:3],
                        (16.0, 515.0, 217.0),
                        (44.0, 515.0, 217.0),
                        (46.0, 590.0, 190.0),
                        *_away(46.0),
                    ],
                ),
            ],
            60,
        ),
        scene(
            "half inside",
            "a van stands across the edge of the zone, its ground point outside",
            [drive(1, van, [(2.0, -95.0, 262.0), (6.0, 390.0, 262.0), (8.0, 560.0, 258.0), (45.0, 560.0, 258.0)])],
            45,
        ),
        scene("creeping", "a van moves on by less than a tenth of its length twice", [drive(1, van, creep)], 58),
        scene("night", "gamma 2.2, noise", [goes], 55, weather=Weather(noise=5.0, gamma=2.2)),
        scene(
            "headlights",
            "dusk; another car's lamps shine on the place for 6 s",
            [goes],
            55,
            weather=Weather(noise=4.0, gamma=1.7, headlights=((28.0, 34.0, 600.0, 230.0),)),
        ),
        scene(
            "moving shadow", "a hard shadow crosses the road again and again", [goes], 55, weather=Weather(shadow=80.0)
        ),
        scene("shadow on an empty road", "the same without a van", [], 40, weather=Weather(shadow=80.0)),
        scene("rain", "rain on a standing van", [goes], 55, weather=Weather(noise=3.0, rain=260)),
        scene("camera shake", "2 px of wind", [goes], 55, weather=Weather(shake_px=2.0)),
        scene(
            "camera turned",
            "the camera is pushed by 4 degrees at 35 s; the case stays open",
            [stays],
            55,
            weather=Weather(turned=(35.0, 4.0)),
            faults=(("view_moved", 35.0, None),),
        ),
        scene(
            "lens covered",
            "a bag over the camera from 32 s to 52 s, while the van stands",
            [drive(1, van, [*_arrives(10.0), *_leaves(65.0)])],
            80,
            weather=Weather(covered=(32.0, 52.0)),
            faults=(("covered", 32.0, 52.0),),
        ),
        scene(
            "out of focus",
            "4 px out of focus from 32 s to 52 s, while the van stands",
            [drive(1, van, [*_arrives(10.0), *_leaves(65.0)])],
            80,
            weather=Weather(blurred=(32.0, 52.0, 4.5)),
            faults=(("blurred", 32.0, 52.0),),
        ),
        scene(
            "frozen picture",
            "one picture from 30 s to 70 s, while the van stands",
            [drive(1, van, [*_arrives(10.0), *_leaves(80.0)])],
            95,
            weather=Weather(frozen=(30.0, 70.0)),
            faults=(("frozen", 30.0, 70.0),),
        ),
        scene(
            "infra-red",
            "at dusk the camera switches to its own lamps at 30 s",
            [goes],
            55,
            weather=Weather(noise=4.0, gamma=1.5, infrared=30.0),
        ),
        scene("lost pictures", "40 % of the pictures never arrive", [goes], 55, weather=Weather(lost=0.4)),
        scene(
            "outage",
            "no pictures for 30 s while the van stands",
            [drive(1, van, [*_arrives(10.0), *_leaves(72.0)])],
            85,
            outages=((30.0, 60.0),),
        ),
        scene("restart", "the worker is restarted at 20 s and at 30 s", [goes], 55, restarts=(20.0, 30.0)),
        scene("10 fps", "as `visit`, at 10 pictures a second", [goes], 55, fps=10.0),
        scene("1 fps", "as `visit`, at 1 picture a second", [goes], 55, fps=1.0),
        scene("walkers only", "people cross, nobody stops", _walkers(company, range(0, 30, 4)), 45, rules=BOTH),
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
            "short crowd",
            "nine people for less than the rule's time",
            _crowd(company, 9, 8.0, 19.0, between_s=0.6),
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
            unsure="people who stand so close hide each other: the detector sees about half of them",
        ),
        scene("crowd and van", "both at once", [goes, *_crowd(company, 8, 12.0, 40.0)], 60, rules=BOTH),
    ]
