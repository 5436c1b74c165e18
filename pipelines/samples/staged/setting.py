"""Where the suite's scenes are set: the road's places and ways, its rules, and who plays there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np

from pipelines.samples.staged.cast import Company, Performer
from pipelines.samples.staged.gate import ZONES
from pipelines.samples.staged.moves import Walk
from pipelines.samples.staged.scene import Scene, play
from pipelines.samples.staged.stage import Player
from vision.frame import Pixels

Key = tuple[float, float, float]
PARKING: Final[tuple[Mapping[str, Any], ...]] = ({"kind": "illegal_parking", "zone": "no_parking", "after": "15s"},)
#: Where the vehicles stop.
PLACE: Final = (560.0, 203.0)
#: The walkers, in the order in which they play.
NAMES: Final = ("red", "jeans", "paper", "grey", "swing", "bald", "side", "jacket")
_FPS: Final = 5.0


@dataclass(frozen=True, eq=False)
class Setting:
    """The company on its road, and its van in two more colours."""

    company: Company

    @property
    def van(self) -> Performer:
        return self.company.van

    @cached_property
    def blue(self) -> Performer:
        return tinted(self.company.van, "blue van", (0.75, 0.42, 0.3))

    @cached_property
    def red(self) -> Performer:
        return tinted(self.company.van, "red van", (0.3, 0.3, 0.8))

    @property
    def vans(self) -> tuple[Performer, Performer, Performer]:
        """All three."""
        return self.van, self.blue, self.red

    def scene(self, name: str, what: str, players: Sequence[Player], duration_s: float, **more: Any) -> Scene:
        """A scene at 5 pictures a second with the zones of the clip `gate` and a rule of parking, unless `more` says else."""
        values: dict[str, Any] = {"zones": ZONES, "rules": PARKING, "fps": _FPS, **more}
        return Scene(name, what, self.company, tuple(players), duration_s, **values)


def arrives(at_s: float) -> list[Key]:
    """From the left edge to the place, standing at `at_s`."""
    return [(at_s - 8.0, -95.0, 241.0), (at_s - 5.5, 120.0, 243.0), (at_s - 3.0, 390.0, 236.0), (at_s, *PLACE)]


def leaves(from_s: float) -> list[Key]:
    """From the place up the road and out of the picture."""
    out = [(2.5, 640.0, 166.0), (5.0, 735.0, 113.0), (7.5, 830.0, 78.0)]
    return [(from_s, *PLACE), *((from_s + after_s, x, y) for after_s, x, y in out)]


def visits(at_s: float, from_s: float) -> list[Key]:
    """Stands at the place from `at_s` to `from_s`."""
    return [*arrives(at_s), *leaves(from_s)]


def walkers(company: Company, starts: Sequence[float], near: float = 0.0) -> list[Player]:
    """People crossing to the left, close in front of the place (`near` more pixels towards the camera)."""
    players = []
    for number, start_s in enumerate(starts):
        who = company.walker(NAMES[number % 5])
        y = 209.0 + near + 3.0 * (number % 4)
        points = [(820.0, 326.0 + near), (650.0, y + 10), (470.0, y), (300.0, y + 14), (-40.0, y + 4)]
        players.append(play(20 + number, who, Walk(who, start_s, points)))
    return players


def tinted(performer: Performer, name: str, bgr: tuple[float, float, float]) -> Performer:
    """The same vehicle in another colour: each channel multiplied."""
    factor = np.array(bgr, np.float32)

    def paint(pixels: Pixels) -> Pixels:
        return np.asarray(np.clip(pixels.astype(np.float32) * factor, 0, 255), np.uint8)

    pictures = tuple(replace(cutout, pixels=paint(cutout.pixels)) for cutout in performer.walk)
    return replace(performer, name=name, walk=pictures, stand=pictures)
