"""Scenes of vehicles in the no-parking zone by day: who comes, stands, passes, queues and hides whom."""

from __future__ import annotations

from typing import Final

from pipelines.samples.staged.cast import Company
from pipelines.samples.staged.moves import arriving
from pipelines.samples.staged.scene import Scene, drive, play
from pipelines.samples.staged.setting import NAMES, PLACE, Key, Setting, arrives, leaves, visits, walkers
from pipelines.samples.staged.stage import Player


def _away(from_s: float) -> list[Key]:
    return [(from_s + 2.5, 645.0, 164.0), (from_s + 5.0, 735.0, 113.0), (from_s + 7.5, 830.0, 78.0)]


#: Where the vehicles of a queue stand on the road; the third place is in the no-parking zone.
_QUEUE: Final = ((-95.0, 241.0), (120.0, 243.0), (345.0, 239.0), PLACE, (715.0, 122.0), (840.0, 74.0))


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


def _bystanders(company: Company, from_s: float, to_s: float) -> list[Player]:
    """People who come down the road and stand side by side before the place."""
    players = []
    for number, x in enumerate((515.0, 540.0, 562.0, 585.0, 608.0)):
        who = company.walker(NAMES[number])
        y = 211.0 + 3.0 * (number % 2)
        points = [(820.0, 326.0), (650.0, y + 12.0), (x, y), (470.0, y + 8.0), (300.0, 230.0), (-40.0, 225.0)]
        stay_s = to_s - from_s + 0.8 * number
        players.append(play(20 + number, who, arriving(who, from_s + 0.7 * number, points, 2, {2: stay_s})))
    return players


def road_scenes(setting: Setting) -> list[Scene]:
    """In the order of the table in docs/."""
    company, (van, blue, red), scene = setting.company, setting.vans, setting.scene
    stays = drive(1, van, [*arrives(10.0), (60.0, *PLACE)])
    goes = drive(1, van, visits(10.0, 40.0))
    front = [(22.0, -130.0, 300.0), (26.0, 560.0, 290.0), (34.0, 560.0, 290.0), (38.0, 900.0, 400.0)]
    queue = [
        drive(
            1 + i,
            (van, blue, red)[i],
            [
                (0.0 + 11 * i, -95.0, 241.0),
                (5.0 + 11 * i, 330.0, 240.0),
                (9.0 + 11 * i, 330.0, 240.0),
                (12.0 + 11 * i, *PLACE),
                (19.0 + 11 * i, *PLACE),
                (22.0 + 11 * i, 680.0, 145.0),
                (25.0 + 11 * i, 830.0, 78.0),
            ],
        )
        for i in range(3)
    ]
    creep = [*arrives(10.0), (16.0, *PLACE), (17.0, 567.0, 200.0), (23.0, 567.0, 200.0), (24.0, 574.0, 197.0)]
    creep += [(45.0, 574.0, 197.0), (47.5, 645.0, 164.0), (50.0, 735.0, 113.0), (52.5, 830.0, 78.0)]
    return [
        scene("arrival", "a van comes and stays", [stays], 45),
        scene(
            "departure",
            "a van stands from the first picture on and leaves",
            [drive(1, van, [(0.0, *PLACE), *leaves(35.0)])],
            50,
        ),
        scene("visit", "a van comes, stands 30 s, leaves", [goes], 55),
        scene("short stop", "a van stops for 10 s only", [drive(1, van, visits(10.0, 20.0))], 35),
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
            [goes, *walkers(company, range(6, 36, 3))],
            55,
        ),
        scene(
            "people stay in front",
            "five people stand close before a van for half a minute, and go before it does",
            [drive(1, van, visits(10.0, 62.0)), *_bystanders(company, 28.0, 54.0)],
            78,
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
            [drive(1, van, visits(10.0, 32.0)), drive(2, blue, [*arrives(40.0), (75.0, *PLACE)])],
            75,
        ),
        scene(
            "replacement at once",
            "a van leaves; a blue one of the same make stands in its place 4.5 s later",
            [
                drive(1, van, visits(10.0, 34.0)),
                drive(2, blue, [(30.5, -95.0, 241.0), *arrives(38.5)[2:], (75.0, *PLACE)]),
            ],
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
                drive(9, red, [*arrives(10.0), (120.0, *PLACE)]),
                *(drive(1 + i, (van, blue)[i % 2], _passes(i)) for i in range(4)),
            ],
            120,
            queues=frozenset(range(1, 5)),
        ),
        scene(
            "creeping on",
            "a van moves on by a fifth of its length twice: it has not left",
            [drive(1, van, [*arrives(10.0), (17.0, *PLACE), (18.5, 578.0, 194.0), (45.0, 578.0, 194.0), *_away(45.0)])],
            60,
        ),
        scene(
            "side by side",
            "two vans stand in the zone, one behind the other; the first leaves before the second",
            [
                drive(1, blue, [*arrives(8.0)[:3], (10.0, 648.0, 158.0), (36.0, 648.0, 158.0), *_away(36.0)[1:]]),
                drive(
                    2,
                    van,
                    [
                        *arrives(16.0)[:3],
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
    ]
