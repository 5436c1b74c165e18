"""Staged scenes of dense crowds: one that fills and empties at each level of density, and those that must raise nothing.

The people are those of whom the head that counts crowds has learnt nothing (`pipelines.crowding.learning`), in other colours;
they stand scattered, not in rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from pipelines.crowding.staging import FILMED_FROM_M, Camera, recoloured, scattered, trimmed
from pipelines.samples.staged.cast import Company, Performer, resized
from pipelines.samples.staged.gate import ZONES
from pipelines.samples.staged.moves import arriving
from pipelines.samples.staged.plate import person_px
from pipelines.samples.staged.scene import Scene, play
from pipelines.samples.staged.scenes_people import GROUND
from pipelines.samples.staged.stage import Player

_FPS: Final = 5.0
#: Walkers of whom nothing was learnt, and who of them stands as somebody else, who was filmed standing only.
_PEOPLE: Final = ("jacket", "away", "front", "dark", "jacket", "dark")
_STANDING: Final = {4: "coat", 5: "phone"}
#: The camera of vtest.avi, which `GROUND` describes, and the middle of the forecourt in its metres.
_CAMERA: Final = Camera(FILMED_FROM_M, -64.0)
_MIDDLE_M: Final = (4.9, 16.3)
#: Level in people per square metre -> how many come, and how densely they stand: the disc that density is counted on is
#: fuller than the level only where a crowd is larger than the disc.
_LEVELS: Final = ((2.0, 30, 2.7), (3.5, 46, 4.6), (5.0, 64, 6.6))


def _gather(company: Company, count: int, density: float, seed: int, first_s: float, leaves_s: float) -> list[Player]:
    """`count` people come within six seconds, stand at `density`, and go within four."""
    random = np.random.default_rng((seed, 5))
    spots = scattered(random, count, density) + np.array(_MIDDLE_M)
    feet = _CAMERA.picture(spots)
    players = []
    for number, (x, y) in enumerate(feet[np.argsort(feet[:, 1])]):
        who = recoloured(_person(company, number % len(_PEOPLE)), random)
        at_s, goes_s = first_s + 6.0 * number / count, leaves_s + 4.0 * (count - number) / count
        side = 820.0 if number % 3 else -40.0
        door = (side, 372.0) if side > 0 else (side, 240.0)
        points = [door, (float(x), float(y)), door]
        move = arriving(who, at_s, points, 1, {1: goes_s - at_s}, pace=1.5, facing=1 if random.random() < 0.5 else -1)
        players.append(play(100 + number, who, move))
    return players


def _person(company: Company, number: int) -> Performer:
    walks = company.walker(_PEOPLE[number])
    if number in _STANDING:
        rests = company.walker(_STANDING[number])
        smaller = person_px(walks.row_px) / person_px(rests.row_px)
        walks = replace(walks, stand=tuple(resized(cutout, smaller) for cutout in rests.stand))
    return trimmed(walks)


def crowd_scenes(company: Company) -> list[Scene]:
    """Every scene, by name."""

    def scene(name: str, what: str, players: Sequence[Player], limit: float, duration_s: float = 48.0) -> Scene:
        rules: tuple[dict[str, Any], ...] = ({"kind": "crowding", "zone": "forecourt", "density": limit, "for": "8s"},)
        return Scene(name, what, company, tuple(players), duration_s, ZONES, rules, fps=_FPS, ground=GROUND)

    found = [
        scene(
            f"crowd of {level:g} per m2",
            f"{count} people gather at {density:g} per square metre and go; the limit is {level:g}",
            _gather(company, count, density, 11 + number, 8.0, 30.0),
            level,
        )
        for number, (level, count, density) in enumerate(_LEVELS)
    ]
    found.append(
        scene(
            "loose crowd", "22 people at 0.9 per square metre, below the limit of 2",
            _gather(company, 22, 0.9, 31, 6.0, 24.0), 2.0, 36.0,
        )
    )  # fmt: skip
    return found
