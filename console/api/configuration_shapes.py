"""What the configuration's part of the API takes and gives."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from console.api.shapes import Asked, Shape, Text
from console.configuring import WHY_MOST
from pipelines.config.drawing import FIELDS, DrawnMask, DrawnPoint, DrawnRule, DrawnZone
from pipelines.config.drawing import Drawing as Drawn

#: Beyond the picture too: the checker says so, with its line.
Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Point = Annotated[list[Number], Field(min_length=2, max_length=2)]
Polygon = Annotated[list[Point], Field(max_length=200)]
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")]
Was = Annotated[int, Field(ge=0, le=10_000)] | None
Kind = Literal["illegal_parking", "crowding", "possible_bullying"]
Value = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] | None
Why = Annotated[Text, Field(min_length=1, max_length=WHY_MOST)]
Base = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="`base` of the configuration that was changed")]


class Zone(Asked):
    """`was`: its name in the file; null: new."""

    name: Name
    polygon: Polygon
    was: Name | None = None


class Mask(Asked):
    """`was`: its number in the file, from 0; null: new."""

    polygon: Polygon
    was: Was = None


class GroundPoint(Asked):
    """A point on the picture (0..1) and where it is on the ground, in metres."""

    picture: Point
    metres: Point
    was: Was = None


class Rule(Asked):
    """`fields`: texts as in the file; null or left out: the key is not written."""

    kind: Kind
    fields: Annotated[dict[str, Value], Field(max_length=12)]
    was: Was = None


class Drawing(Asked):
    """The whole of one camera; what is not in it goes."""

    base: Base
    zones: Annotated[list[Zone], Field(max_length=100)]
    masks: Annotated[list[Mask], Field(max_length=100)]
    ground: Annotated[list[GroundPoint], Field(max_length=100)]
    rules: Annotated[list[Rule], Field(max_length=100)]

    def drawn(self) -> Drawn:
        """Points rounded to a ten-thousandth of the picture, metres to a millimetre."""
        return Drawn(
            tuple(DrawnZone(zone.name, _corners(zone.polygon), zone.was) for zone in self.zones),
            tuple(DrawnMask(_corners(mask.polygon), mask.was) for mask in self.masks),
            tuple(DrawnPoint(_rounded(one.picture, 4), _rounded(one.metres, 3), one.was) for one in self.ground),
            tuple(
                DrawnRule(rule.kind, {key: rule.fields.get(key) for key in FIELDS[rule.kind]}, rule.was)
                for rule in self.rules
            ),
        )


def _corners(polygon: list[list[float]]) -> tuple[tuple[float, float], ...]:
    return tuple(_rounded(point, 4) for point in polygon)


def _rounded(point: list[float], digits: int) -> tuple[float, float]:
    return (round(point[0], digits), round(point[1], digits))


class Applying(Drawing):
    """`why` goes into the audit and into the list of versions."""

    why: Why


class Trying(Drawing):
    """Over the tracks of the last `hours`."""

    hours: Annotated[int, Field(ge=1, le=72)] = 24


class Reverting(Asked):
    base: Base
    why: Why


class Fault(Shape):
    """`where`: on the picture (`what, which, point, key`); null: elsewhere in the file."""

    line: int
    text: str
    where: dict[str, Any] | None


class DiffLine(Shape):
    kind: str
    old: int | None
    new: int | None
    text: str


class Configuration(Shape):
    """What is in the file of one camera. `base` names the whole file as it is now; `faults`: it cannot be changed here before
    they are mended."""

    camera: str
    name: str
    base: str
    file: str
    writable: bool
    faults: list[Fault]
    zones: list[dict[str, Any]]
    masks: list[list[list[float]]]
    ground: list[dict[str, Any]]
    rules: list[dict[str, Any]]
    defaults: dict[str, dict[str, str | None]]
    schedules: list[str]
    changed_by: str
    changed_s: float


class Preview(Shape):
    """`ground`: null without ground points that fix a plane."""

    changed: bool
    diff: list[DiffLine]
    faults: list[Fault]
    ground: dict[str, Any] | None
    config_version: str | None


class Version(Shape):
    """`in_force`: it is what the file holds now."""

    number: int
    what: str
    who: str
    at_s: float
    why: str
    config_version: str
    camera: str | None
    reverted_to: int | None
    in_force: bool


class VersionDiff(Shape):
    """What would change if the file became this version again."""

    version: Version
    base: str
    diff: list[DiffLine]
    faults: list[Fault]


class InForce(Shape):
    """`faults`: of the file, which is not in force then. `needs_restart`: keys that only a restart of the console takes.
    `worker`: the version that the analysis uses; null: it does not answer."""

    config_version: str
    worker: str | None
    file: str | None
    faults: list[str]
    needs_restart: list[str]


class Effect(Shape):
    """`state`: waiting, running, done, nothing (no tracks were kept), failed or given_up; `said`: why. `result`: as
    `gatewatch replay --json` has it."""

    effect_id: str
    state: str
    hours: int
    seconds: float
    said: str
    result: dict[str, Any] | None
