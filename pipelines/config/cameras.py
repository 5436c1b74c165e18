"""The keys of one camera: its streams, ground, masks, zones and rules."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipelines.config.quantities import Seconds


class Section(BaseModel):
    """A mapping in YAML: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Share = Annotated[float, Field(ge=0, le=1)]
#: (x, y) on the picture, 0..1, origin top left.
PicturePoint = tuple[Share, Share]
Severity = Annotated[int, Field(ge=1, le=4)]
ZoneName = Annotated[str, Field(pattern=r"^[\w-]{1,40}$")]
#: The port is at most 65535, or it is none.
ClockPlace = Annotated[
    str,
    Field(
        pattern=r"^(auto|off|https?://([\w.-]+|\[[0-9a-fA-F:.]+\])(:([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?(/[^\s@]*)?)$"
    ),
]
RuleId = Annotated[str, Field(pattern=r"^[\w:.-]{1,80}$")]
#: A code of GB/T 28181.
GbId = Annotated[str, Field(pattern=r"^[0-9]{20}$")]


class Stream(Section):
    """Where a camera's stream is pulled from."""

    url: str = Field(
        description="rtsp:// or rtsps:// address, or the path of a video file (a local sample). "
        "Write user and password as ${NAME} from the environment.",
        examples=["rtsp://${GATE_USER}:${GATE_PASSWORD}@192.0.2.10:554/Streaming/Channels/101"],
    )


class GroundPoint(Section):
    """A point on the ground, seen on the picture and measured on the spot."""

    picture: PicturePoint = Field(description="Where it is on the picture: [x, y], 0..1, origin top left.")
    metres: tuple[float, float] = Field(description="Where it is on the ground: [x, y] in metres, any origin.")


class ZoneModel(Section):
    """A part of the picture that rules speak of."""

    polygon: Annotated[list[PicturePoint], Field(min_length=3)] = Field(
        description="Corners [x, y], 0..1 of the picture, origin top left. An object is in the zone when the bottom "
        "centre of its box is; a parked vehicle, where the camera has `ground` points, when two fifths of its footprint are.",
    )


class RuleBase(Section):
    """What every rule has."""

    zone: str = Field(description="The zone that the rule watches: one of this camera's `zones`.")
    id: RuleId | None = Field(default=None, description="Name of the rule in incidents. Left out: kind:zone.")
    schedule: str = Field(
        default="always",
        description="When the rule is in force: always, never, DAYS HH:MM-HH:MM, or the name of a schedule. "
        "DAYS: school_days, non_school_days, daily, mon-fri, sat,sun. Join parts with `;`.",
        examples=["school_days 06:30-18:30"],
    )
    except_: str | None = Field(
        default=None,
        alias="except",
        description="When the rule is not in force although its schedule says so: as `schedule`.",
    )

    def rule_id(self, kind: str) -> str:
        """`id`, else kind:zone."""
        return self.id or f"{kind}:{self.zone}"


class ParkingRule(RuleBase):
    """A vehicle stands in the zone longer than it may."""

    kind: Literal["illegal_parking"]
    after: Seconds = Field(default=180.0, description="Standing longer than this is an incident.")
    warn_after: Seconds | None = Field(default=None, description="A warning is sent after this; shorter than `after`.")
    classes: Annotated[list[Literal["car", "bus", "truck", "motorcycle", "bicycle"]], Field(min_length=1)] = Field(
        default=["car", "bus", "truck", "motorcycle"], description="What counts as a vehicle; bicycles only by choice."
    )
    severity: Severity = Field(default=2, description="1 critical, 2 warning, 3 watch, 4 information.")


class CrowdingRule(RuleBase):
    """Too many people in the zone, by count or by density (or both: whichever comes first)."""

    kind: Literal["crowding"]
    people: Annotated[int, Field(ge=1)] | None = Field(default=None, description="More people than this in the zone.")
    density: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="More people per square metre than this; needs `ground` points. 2 slows walking, 3.5 is contact.",
    )
    gathering: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Outside `expected` already more people than this are too many: an unexpected gathering.",
    )
    expected: str | None = Field(
        default=None, description="When a crowd is expected, such as dismissal: as `schedule`.", examples=["dismissal"]
    )
    for_: Seconds = Field(default=30.0, alias="for", description="For this long before it is an incident.")
    repeat: Seconds = Field(default=30.0, description="At most one update of an open incident in this time.")
    severity: Severity | None = Field(
        default=None, description="1 critical to 4 information. Left out: from the level reached."
    )


class BullyingRule(RuleBase):
    """People close together who move as in a fight: a candidate for a person to judge, never a verdict."""

    kind: Literal["possible_bullying"]
    sensitivity: Literal["low", "normal", "high"] = Field(
        default="normal", description="Higher finds more, and errs more often."
    )
    exclude: list[ZoneName] = Field(
        default=[], description="Zones of this camera that are not looked at, such as a sports ground."
    )
    cooldown: Seconds = Field(default=60.0, description="After one closed, none opens at its place for this long.")
    severity: Severity | None = Field(
        default=None, description="1 critical to 4 information. Left out: from the evidence."
    )


Rule = Annotated[ParkingRule | CrowdingRule | BullyingRule, Field(discriminator="kind")]


class CameraRecording(Section):
    """How this camera is recorded, where it differs from the site. Limits left out: its owner's, the profile's, the site's."""

    enabled: bool = Field(default=True, description="Record this camera.")
    audio: bool | None = Field(default=None, description="Record its sound. Left out: as the site.")
    owner: str | None = Field(default=None, description="Whose camera it is: a key of recording.owners.")
    floor: Seconds | None = Field(default=None, description="Never deleted before.")
    keep: Seconds | None = Field(default=None, description="Deleted after, when it is no incident's.")
    keep_incidents: Seconds | None = Field(default=None, description="Incidents' footage is kept this long.")
    ceiling: Seconds | None = Field(default=None, description="Always deleted after, unless it is on hold.")


FaultKind = Literal["signal_lost", "frozen", "dark", "covered", "blurred", "view_moved"]


class CameraHealthModel(Section):
    """How the camera's own faults are told of, as incidents of these kinds. Its rules know nothing while one lasts."""

    kinds: list[FaultKind] = Field(
        default=["signal_lost", "frozen", "dark", "covered", "blurred", "view_moved"],
        description="What is told of. [] tells of nothing.",
    )
    after: Seconds = Field(default=10.0, description="A fault must last for this; `frozen`: 30 s whatever stands here.")
    signal_lost: Annotated[Seconds, Field(ge=5)] = Field(
        default=15.0, description="So long without a picture is a lost signal."
    )


class Camera(Section):
    """One camera of the site."""

    name: str | None = Field(default=None, description="What people call it. Left out: its key.")
    main: Stream = Field(description="The full stream: it is recorded, and clips are cut from it.")
    sub: Stream | None = Field(
        default=None, description="A smaller stream for analysis. Left out: the main one is analysed."
    )
    gb_id: GbId | None = Field(
        default=None,
        description="Its 20 digits on a GB/T 28181 platform, for channels that report there.",
        examples=["34020000001320000001"],
    )
    fps: Annotated[float, Field(gt=0, le=30)] = Field(default=5.0, description="Pictures analysed each second.")
    ground: list[GroundPoint] = Field(
        default=[],
        description="Four or more points with their place in metres: needed for densities, and parked vehicles are judged "
        "by where they stand. Left out: none.",
    )
    masks: list[Annotated[list[PicturePoint], Field(min_length=3)]] = Field(
        default=[], description="Polygons that are not looked at: what stands in them is not seen."
    )
    zones: dict[ZoneName, ZoneModel] = Field(
        default={}, description="The parts of the picture that rules speak of, by name."
    )
    rules: list[Rule] = Field(default=[], description="What must not happen, and where.")
    health: CameraHealthModel = Field(
        default=CameraHealthModel(), description="How its own faults are told of, such as a lens that is covered."
    )
    clock: ClockPlace = Field(
        default="auto",
        description="Where the camera's own time is read, for evidence: auto (ONVIF, else its web page, both at port 80 of"
        " `main`'s host), off, or an http:// or https:// address without user and password (ONVIF if its path says so).",
        examples=["http://192.0.2.10:8080/onvif/device_service"],
    )
    recording: CameraRecording = Field(default=CameraRecording(), description="How it is recorded.")
