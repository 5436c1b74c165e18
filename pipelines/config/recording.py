"""The keys of `recording:`: what is recorded, how long it is kept, and what makes it evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipelines.config.cameras import Section
from pipelines.config.quantities import Bytes, Seconds


class RetentionModel(Section):
    """How long footage is kept. What is left out is taken from the next level: camera, owner, profile, site."""

    floor: Seconds | None = Field(default=None, description="Never deleted before, not even when the disk is full.")
    keep: Seconds | None = Field(default=None, description="Deleted after, when it is no incident's.")
    keep_incidents: Seconds | None = Field(default=None, description="Incidents' footage is kept this long.")
    ceiling: Seconds | None = Field(default=None, description="Always deleted after, unless it is on hold.")


class HeadChannelModel(Section):
    """Where the signed daily heads are sent, off this machine: exactly one of the two."""

    folder: Path | None = Field(default=None, description="A folder on another machine (a mounted share).")
    url: str | None = Field(default=None, description="An address that takes a POST of JSON and answers 2xx.")

    @model_validator(mode="after")
    def _one(self) -> HeadChannelModel:
        if (self.folder is None) == (self.url is None):
            raise ValueError("give exactly one of folder and url")
        return self


class Recording(Section):
    """What is recorded and how long it is kept."""

    folder: Path | None = Field(default=None, description="The recording volume. Left out: `recordings` in `data`.")
    segment: Annotated[Seconds, Field(ge=2, le=300)] = Field(
        default=10.0, description="Segments are cut at the first key frame after this."
    )
    audio: bool = Field(default=False, description="Record sound too. Off unless there is a lawful reason.")
    profile: str = Field(
        default="cn-799",
        description="Jurisdiction profile with the legal floor: cn-799, cn-counter-terror, cn-kindergarten, none, or one"
        " of `profiles`.",
    )
    profiles: dict[str, RetentionModel] = Field(default={}, description="Jurisdiction profiles of your own, by name.")
    owners: dict[str, RetentionModel] = Field(
        default={}, description="Owners of cameras with their own limits.", examples=[{"police": {"keep": "90d"}}]
    )
    floor: Seconds | None = Field(default=None, description="Never deleted before. Left out: the profile's.")
    keep: Seconds | None = Field(
        default=None, description="Footage is kept this long and then deleted. Left out: the profile's, else 30 d."
    )
    keep_incidents: Seconds = Field(
        default=90 * 86400.0, description="Footage and pictures of incidents are kept this long."
    )
    ceiling: Seconds | None = Field(
        default=None, description="Always deleted after. Left out: the longer of keep and keep_incidents."
    )
    reserve_free: Bytes = Field(default=50 * 1024**3, description="Free space that the recorder leaves on the volume.")
    max_delete_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.1, description="The greatest share of all segments that one clean-up deletes."
    )
    pre: Seconds = Field(default=10.0, description="Seconds before an incident in its clip.")
    post: Seconds = Field(default=20.0, description="Seconds after an incident in its clip.")
    alarm_after: Seconds = Field(default=60.0, description="A camera not recorded for this long is an incident.")
    continuous: Seconds = Field(
        default=300.0, description="Holes up to this do not end the retention that is counted as achieved."
    )
    signer: Literal["ed25519"] = Field(default="ed25519", description="What signs heads and manifests.")
    signing_key: Path | None = Field(
        default=None, description="Private key (PEM). Left out: made in `keys` in `data`, readable by its owner only."
    )
    head_channel: HeadChannelModel | None = Field(
        default=None, description="Where daily heads are sent. Left out: nowhere."
    )
