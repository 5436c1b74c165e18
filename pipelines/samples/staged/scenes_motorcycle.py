"""Scenes of a motorcycle on the near kerb: left there, and pushed past."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipelines.samples.staged.cast import Performer
from pipelines.samples.staged.moves import Walk, arriving
from pipelines.samples.staged.scene import Scene, drive, normal, play
from pipelines.samples.staged.setting import Key, Setting

MOTORCYCLE: Final = ("motorcycle stands", "motorcycle passes")
_KERB_PX: Final = ((470, 335), (560, 352), (767, 400), (767, 452), (712, 446), (548, 388))
_KERB: Final[tuple[Mapping[str, Any], ...]] = ({"kind": "illegal_parking", "zone": "kerb", "after": "15s"},)
#: Where its owner stands beside it, where he comes from, and his way out along the kerb.
_BESIDE: Final = (655.0, 392.0)
_IN: Final = (850.0, 405.0)
_OUT: Final = ((480.0, 318.0), (300.0, 262.0), (-80.0, 236.0))
#: From who pushes it to the motorcycle: on the side of the camera, a little ahead.
_AHEAD_PX: Final = (-16.0, 6.0)
_STEP_S: Final = 0.5


def _pushed(walk: Walk, from_s: float, to_s: float) -> list[Key]:
    """Where the motorcycle is while `walk` pushes it."""
    keys: list[Key] = []
    for step in range(int((to_s - from_s) / _STEP_S) + 1):
        time_s = from_s + step * _STEP_S
        pose = walk.at(time_s)
        if pose is not None:
            keys.append((time_s, pose.x_px + _AHEAD_PX[0], pose.y_px + _AHEAD_PX[1]))
    return keys


def motorcycle_scenes(setting: Setting, motorcycle: Performer) -> list[Scene]:
    """As `MOTORCYCLE` names them."""
    company = setting.company
    owner, passer = company.walker("grey"), company.walker("red")
    kerb: dict[str, Any] = {"rules": _KERB, "zones": {"kerb": normal(_KERB_PX)}}
    comes = arriving(owner, 10.0, [_IN, _BESIDE, (850.0, 330.0)], 1, {1: 3.0})
    fetches = arriving(owner, 45.0, [(850.0, 330.0), _BESIDE, *_OUT], 1, {1: 3.0})
    crosses = Walk(passer, 24.0, [(820.0, 452.0), (660.0, 412.0), (440.0, 330.0), (-40.0, 240.0)])
    left = _pushed(comes, comes.start_s, comes.reaches_s(1)) + _pushed(fetches, 48.0, fetches.ends_s)
    passes = Walk(owner, 3.0, [_IN, _BESIDE, *_OUT])
    return [
        setting.scene(
            MOTORCYCLE[0],
            "somebody pushes a motorcycle to the kerb, leaves it there for 38 s while another walks by, and fetches it",
            [
                drive(1, motorcycle, left, facing=-1),
                play(30, owner, comes),
                play(31, owner, fetches),
                play(32, passer, crosses),
            ],
            65,
            **kerb,
        ),
        setting.scene(
            MOTORCYCLE[1],
            "somebody pushes a motorcycle along the kerb without a stop",
            [drive(1, motorcycle, _pushed(passes, 3.0, passes.ends_s), facing=-1), play(30, owner, passes)],
            30,
            **kerb,
        ),
    ]
