"""The keys of `tracks:`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipelines.config.cameras import Section
from pipelines.config.quantities import Seconds


class Tracks(Section):
    """Where people and vehicles were, without pictures: what `gatewatch replay` tries other rules on."""

    enabled: bool = Field(default=True, description="Workers keep the tracks of every analysed frame in `data`.")
    keep: Annotated[Seconds, Field(ge=3600)] = Field(default=30 * 86400.0, description="Tracks are deleted after this.")
