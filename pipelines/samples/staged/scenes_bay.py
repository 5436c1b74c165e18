"""Scenes of a stop-and-go bay, where one may stand for three minutes, and of a rule that comes into force and ends.

They take as long as they do at a gate, with the rule as an administrator would write it, at two pictures a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipelines.samples.staged.gate import ZONES
from pipelines.samples.staged.scene import START_S, Scene, drive
from pipelines.samples.staged.setting import PLACE, Setting, arrives, visits

_FPS: Final = 2.0
_BAY: Final[tuple[Mapping[str, Any], ...]] = ({"kind": "illegal_parking", "zone": "bay", "after": "3m"},)
#: The clock strikes 22:14 at second 40 and 22:15 at second 100.
_MINUTE: Final[tuple[Mapping[str, Any], ...]] = (
    {"kind": "illegal_parking", "zone": "no_parking", "after": "15s", "schedule": "daily 22:14-22:15"},
)
_IN_FORCE: Final = (60.0 - START_S % 60.0, 120.0 - START_S % 60.0)


def bay_scenes(setting: Setting) -> list[Scene]:
    """In the order of the table in docs/."""
    van, blue, scene = setting.van, setting.blue, setting.scene
    bay: dict[str, Any] = {"fps": _FPS, "rules": _BAY, "zones": {"bay": ZONES["no_parking"]}}
    return [
        scene(
            "bay: two minutes",
            "a van stops for 2 minutes where 3 are allowed",
            [drive(1, van, visits(10, 130))],
            145,
            **bay,
        ),
        scene("bay: too long", "a van stays for three and a half", [drive(1, van, visits(10, 220))], 235, **bay),
        scene(
            "bay: the next one",
            "a van stands for 2 minutes, and a blue one takes its place 6 s later for 2 more",
            [drive(1, van, visits(10, 130)), drive(2, blue, visits(136, 256))],
            270,
            **bay,
        ),
        scene(
            "bay: there and back",
            "a van stands for 2 minutes, leaves, comes back 20 s later for 2 more",
            [drive(1, van, visits(10, 130)), drive(2, van, visits(150, 270))],
            285,
            **bay,
        ),
        scene(
            "schedule",
            "a van stands from before the rule comes into force, at 40 s, until after it ends, at 100 s",
            [drive(1, van, [*arrives(10.0), (120.0, *PLACE)])],
            115,
            rules=_MINUTE,
            in_force=_IN_FORCE,
        ),
    ]
