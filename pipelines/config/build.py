"""A camera of the configuration as the engine sees it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

from pipelines.config.cameras import BullyingRule, Camera, CrowdingRule, ParkingRule, Rule
from pipelines.config.schedule import Schedule
from pipelines.config.schema import Config
from pipelines.config.timetable import schedule
from pipelines.errors import BadInput
from vision import coco, health
from vision.behaviours import BEHAVIOURS, crowding, illegal_parking, possible_bullying
from vision.camera import CameraSpec, RuleSpec
from vision.ground import Ground
from vision.zone import Zone

_MINUTE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class InForce:
    """`RuleSpec.active` of a rule: inside its schedule and outside its exception. Equal when both are equal.

    It is asked several times for each picture, so what holds at the beginning of a minute is kept for that minute: schedules
    begin and end on whole minutes of the wall clock, and since 1972 clocks everywhere differ from UTC by whole minutes and
    are put forward and back on whole minutes of it.
    """

    schedule: Schedule
    exception: Schedule | None = None
    _known: list[tuple[float, bool]] = field(
        default_factory=lambda: [(math.nan, False)], init=False, repr=False, compare=False
    )

    def __call__(self, time_s: float) -> bool:
        minute = time_s // _MINUTE_S
        known, is_in_force = self._known[0]
        if minute != known:
            is_in_force = self._at(minute * _MINUTE_S)
            self._known[0] = (minute, is_in_force)
        return is_in_force

    def _at(self, time_s: float) -> bool:
        return self.schedule.active(time_s) and not (self.exception is not None and self.exception.active(time_s))


def camera_spec(config: Config, camera_id: str) -> CameraSpec:
    """Zones, masks, ground and rules of one camera. Rules that `unwatched` names are not in it.

    Raises:
        BadInput: there is no such camera, or something in it cannot be built (`load` lets no such thing through).
    """
    camera = config.cameras.get(camera_id)
    if camera is None:
        known = ", ".join(config.cameras) or "none is configured"
        raise BadInput(f"there is no camera {camera_id!r}; known: {known}")
    try:
        return CameraSpec(
            camera_id=camera_id,
            zones={name: Zone(name, tuple(zone.polygon)) for name, zone in camera.zones.items()},
            rules=tuple(_rule_spec(config, rule) for rule in camera.rules if rule.kind in BEHAVIOURS),
            masks=tuple(tuple(mask) for mask in camera.masks),
            ground=_ground(camera),
            health=health.Parameters(
                for_s=camera.health.after, silent_s=camera.health.signal_lost, kinds=frozenset(camera.health.kinds)
            ),
        )
    except ValueError as error:
        raise BadInput(f"camera {camera_id}: {error}") from error


def unwatched(config: Config) -> list[str]:
    """One sentence for each rule that this version of Gatewatch cannot watch; callers say it where people see it."""
    return [
        f"cameras.{camera_id}: rule {rule.rule_id(rule.kind)} is not watched: this version has no {rule.kind}"
        for camera_id, camera in config.cameras.items()
        for rule in camera.rules
        if rule.kind not in BEHAVIOURS
    ]


def _ground(camera: Camera) -> Ground | None:
    return Ground.fit([(point.picture, point.metres) for point in camera.ground]) if camera.ground else None


def _rule_spec(config: Config, rule: Rule) -> RuleSpec:
    exception = None if rule.except_ is None else schedule(config, rule.except_)
    active = InForce(schedule(config, rule.schedule), exception)
    return RuleSpec(rule.rule_id(rule.kind), rule.kind, rule.zone, _parameters(config, rule), active)


def _parameters(config: Config, rule: Rule) -> Any:
    """The `Parameters` of the rule's behaviour."""
    match rule:
        case ParkingRule():
            return illegal_parking.Parameters(
                after_s=rule.after,
                warn_after_s=rule.warn_after,
                classes=frozenset(coco.IDS[name] for name in rule.classes),
                severity=rule.severity,
            )
        case CrowdingRule():
            return crowding.Parameters(
                people=rule.people,
                density_per_m2=rule.density,
                for_s=rule.for_,
                repeat_s=rule.repeat,
                severity=rule.severity,
                gathering=rule.gathering,
                expected=None if rule.expected is None else InForce(schedule(config, rule.expected)),
            )
        case BullyingRule():
            return possible_bullying.Parameters(
                sensitivity=rule.sensitivity,
                cooldown_s=rule.cooldown,
                severity=rule.severity,
                excluded=tuple(rule.exclude),
            )
