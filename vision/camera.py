"""What the engine knows of one camera: zones, masks, ground and rules. Built from the configuration by
`pipelines.config`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vision.zone import Point, Zone

if TYPE_CHECKING:
    from vision.ground import Ground
    from vision.health import Parameters as HealthParameters


def always(_time_s: float) -> bool:
    """The schedule of a rule that has none."""
    return True


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """One rule on one zone. `parameters` is the frozen `Parameters` dataclass of the behaviour named `kind`.

    `active(time_s)` says whether the rule is in force at that moment (schedule and exceptions); it is pure.
    """

    rule_id: str
    kind: str
    zone_id: str
    parameters: Any
    active: Callable[[float], bool] = always


@dataclass(frozen=True, slots=True)
class CameraSpec:
    """One camera as the engine sees it. Detections whose bottom centre is inside a mask are not seen at all. `health`: how
    its own faults are told of; None: not at all (what the rules may conclude is judged all the same).
    """

    camera_id: str
    zones: Mapping[str, Zone]
    rules: tuple[RuleSpec, ...]
    masks: tuple[tuple[Point, ...], ...] = ()
    ground: Ground | None = None
    health: HealthParameters | None = None
