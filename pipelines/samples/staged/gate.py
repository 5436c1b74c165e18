"""The staged clip of the sample camera `gate`: a van stops where it must not, and later people gather; 125 s."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pipelines.samples.staged.cast import Company, Performer, resized
from pipelines.samples.staged.moves import Walk, arriving
from pipelines.samples.staged.plate import person_px
from pipelines.samples.staged.scene import Scene, drive, normal, play
from pipelines.samples.staged.stage import Player

DURATION_S: Final = 125.0
#: Beside the double yellow lines, where the van stops.
NO_PARKING_PX: Final = ((468, 206), (505, 178), (622, 132), (660, 150), (655, 212), (570, 236), (490, 232))
FORECOURT_PX: Final = ((470, 272), (742, 272), (767, 300), (767, 452), (712, 446), (548, 388), (470, 338))
#: Where the crowd stands: two rows so far apart that the front one does not hide the feet of the other. Who is seen only
#: above the hips stands, to a detector, where the hips are.
_PLACES: Final = tuple((500 + 46 * i, 304) for i in range(6)) + tuple((596 + 39 * i, 398) for i in range(5))
_CROWD: Final = ("red", "jeans", "grey", "coat", "side", "paper", "bald", "phone", "jacket", "dark", "swing")
ZONES: Final = {"no_parking": normal(NO_PARKING_PX), "forecourt": normal(FORECOURT_PX)}
RULES: Final = (
    {"kind": "illegal_parking", "zone": "no_parking", "warn_after": "10s", "after": "20s"},
    {"kind": "crowding", "zone": "forecourt", "people": 7, "for": "10s"},
)
_VAN_KEYS: Final = (
    (5.0, -95.0, 241.0),
    (7.5, 120.0, 243.0),
    (10.0, 390.0, 236.0),
    (13.0, 560.0, 203.0),
    (61.0, 560.0, 203.0),
    (63.5, 640.0, 166.0),
    (66.0, 735.0, 113.0),
    (68.5, 830.0, 78.0),
)


def _passers_by(company: Company) -> list[Player]:
    """Who crosses while the van stands: one behind it, most close in front, three of them together."""
    left, right = (
        [(820, 330), (650, 224), (470, 216), (300, 230), (-40, 214)],
        [(-40, 226), (300, 236), (470, 213), (640, 216), (820, 330)],
    )
    walks = [
        ("paper", 0.5, [(820, 330), (640, 252), (300, 262), (-40, 236)]),
        ("swing", 5.0, [(-40, 262), (300, 272), (620, 292), (820, 380)]),
        ("red", 13.5, left),
        ("jeans", 22.0, left),
        ("grey", 24.5, [(820, 338), (640, 242), (300, 238), (-40, 222)]),
        ("swing", 29.0, right),
        ("paper", 36.0, left),
        ("red", 36.4, [(820, 345), (655, 232), (470, 224), (300, 240), (-40, 224)]),
        ("jeans", 37.2, [(820, 330), (650, 214), (470, 209), (300, 222), (-40, 206)]),
        ("bald", 48.0, [(820, 348), (640, 262), (300, 258), (-40, 232)]),
    ]
    return [
        play(20 + number, company.walker(name), Walk(company.walker(name), start_s, points))
        for number, (name, start_s, points) in enumerate(walks)
    ]


def _crowd(company: Company) -> list[Player]:
    """Eleven people, one after the other from both sides; they stand until 103 s and go within a few seconds."""
    players = []
    for number, ((x, y), name) in enumerate(zip(_PLACES, _CROWD, strict=True)):
        performer = company.walker(name)
        walker = performer if performer.stride else company.walker("jeans")
        from_left = number % 3 == 1
        arrives_s = 70.0 + 1.3 * ((number * 4) % 11)
        leaves_s = 103.0 + 0.25 * ((number * 7) % 11)
        way_in = (-40, 236) if from_left else (820, 372)
        way_out = (820, 372) if number % 2 else (x - 70, 255)
        points = [way_in, *([(440, 268)] if from_left else []), (x, y), way_out, *([] if number % 2 else [(-40, 226)])]
        at = 2 if from_left else 1
        who = performer if performer.stride else _standing_as(company, name, walker.name)
        move = arriving(who, arrives_s, points, at, {at: leaves_s - arrives_s}, pace=1.5)
        players.append(play(40 + number, who, move))
    return players


def _standing_as(company: Company, stander: str, walker: str) -> Performer:
    """Somebody who comes walking as one performer and then stands as another, who was filmed standing only."""
    walks, rests = company.walker(walker), company.walker(stander)
    smaller = person_px(walks.row_px) / person_px(rests.row_px)
    return replace(walks, name=f"{walker}/{stander}", stand=tuple(resized(cutout, smaller) for cutout in rests.stand))


def gate(company: Company) -> Scene:
    """The scene: its truth is one case of parking and one crowd."""
    return Scene(
        name="gate",
        what="A van stops on the double yellow lines for 48 s, walkers pass in front of it; then eleven people gather.",
        company=company,
        players=(drive(1, company.van, _VAN_KEYS), *_passers_by(company), *_crowd(company)),
        duration_s=DURATION_S,
        zones=ZONES,
        rules=RULES,
    )
