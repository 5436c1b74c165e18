"""The keys that say who is told what, and who next: `recipients`, `rosters`, `escalation`, `routes`, `alerts`."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from pipelines.config.cameras import Section, Severity
from pipelines.config.quantities import Seconds

#: Kinds of incidents that no rule of a camera makes.
SYSTEM_KINDS: Final = (
    "recording_gap",
    "retention_floor",
    "retention_refused",
    "other",
    "alert_unreached",
    "drill_failed",
    *("signal_lost", "frozen", "dark", "covered", "blurred", "view_moved"),
    "message_lost",
)

RecipientName = Annotated[str, Field(pattern=r"^[\w-]{1,40}$")]
_Positive = Annotated[Seconds, Field(gt=0)]


class RecipientModel(Section):
    """Somebody who can be told."""

    name: str | None = Field(default=None, description="What people call them. Left out: the key.")
    channels: Annotated[list[str], Field(min_length=1)] = Field(
        description="The channels that reach them, from `channels`.", examples=[["log"]]
    )
    quiet: str = Field(default="never", description="Quiet hours: a schedule in which only level 1 is told to them.")


class ShiftModel(Section):
    """A part of the week, and who is on duty in it."""

    schedule: str = Field(description="When: a schedule, or the name of one.", examples=["school_days 06:00-14:00"])
    people: Annotated[list[str], Field(min_length=1)] = Field(description="Who: names from `recipients`.")


class StepModel(Section):
    """One step of a chain: all of these are told at once."""

    tell: Annotated[list[str], Field(min_length=1)] = Field(
        description="Names from `recipients` and `rosters` (then whoever is on duty)."
    )
    within: _Positive | None = Field(
        default=None,
        description="Somebody must answer within this, or the next step is told. Left out: the level's limit.",
    )


class RouteModel(Section):
    """Which incidents go to which chain. What is left out does not matter; the first route that fits is taken."""

    kinds: list[str] = Field(default=[], description="Kinds of incidents.", examples=[["possible_bullying"]])
    levels: list[Severity] = Field(default=[], description="Levels: 1 critical to 4 information.")
    cameras: list[str] = Field(default=[], description="Cameras, by id.")
    zones: list[str] = Field(default=[], description="Zones, by name.")
    schedule: str = Field(default="always", description="When the incident is first told.")
    chain: str | None = Field(default=None, description="One of `escalation`; needed unless `exempt`.")
    exempt: str | None = Field(
        default=None, description="Nobody is told, and this is why. Level 1 passes by such a route."
    )
    cooldown: Seconds = Field(
        default=0.0,
        description="After a message about a rule has really been sent to somebody, another incident of the same rule and "
        "no graver level is not told to them for this long. Never level 1.",
    )


class Limits(Section):
    """Within what time somebody must answer, by level."""

    level_1: _Positive | None = Field(default=30.0, description="Critical.")
    level_2: _Positive | None = Field(default=60.0, description="Warning.")
    level_3: _Positive | None = Field(default=300.0, description="Watch.")
    level_4: _Positive | None = Field(default=None, description="Information. null: the shift.")


class Storm(Section):
    """Many incidents in a short time become one message that says what it holds. Never level 1."""

    more_than: Annotated[int, Field(ge=1)] = Field(
        default=20, description="So many alerts to one recipient within `within` go out one by one; more are gathered."
    )
    within: _Positive = Field(default=60.0, description="The time in which they are counted.")
    gather: _Positive = Field(default=15.0, description="So long a digest gathers before it goes out.")


class DrillModel(Section):
    """A marked incident that goes from the janitor through bus and store to every recipient's every channel."""

    schedule: str = Field(
        default="never", description="One drill at each beginning of this schedule.", examples=["mon 09:00-09:10"]
    )
    within: _Positive = Field(
        default=120.0, description="It must have arrived everywhere after this, or that is an alarm."
    )


class Alerts(Section):
    """How alerts are answered and gathered."""

    limits: Limits = Limits()
    shift: _Positive = Field(default=8 * 3600.0, description="Length of a shift where no roster says it.")
    reach_within: _Positive = Field(
        default=60.0, description="An alert that no channel has delivered after this is itself an alarm of level 1."
    )
    storm: Storm | None = Field(
        default=Storm(), description="Gathers storms for those in `recipients`. null: everything is told one by one."
    )
    drill: DrillModel = DrillModel()
