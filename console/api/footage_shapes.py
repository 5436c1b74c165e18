"""The shapes of recorded footage in the API."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from console.api.shapes import Asked, Shape, Time

Words = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*\S[^\x00]*$")]


class Span(Shape):
    from_s: float
    to_s: float


class Gap(Span):
    """`cause`: camera, network, disk, restart, configuration, clock or unknown."""

    cause: str
    detail: str


class Mark(Shape):
    incident_id: str
    kind: str
    severity: int
    opened_s: float
    closed_s: float | None
    verdict: str | None


class ClipMark(Span):
    incident_id: str


class HoldMark(Span):
    hold_id: str
    reason: str


class Timeline(Shape):
    """`recorded` and `gaps` together fill the span. `completeness` 0..1."""

    camera: str
    from_s: float
    to_s: float
    completeness: float
    recorded: list[Span]
    gaps: list[Gap]
    incidents: list[Mark]
    clips: list[ClipMark]
    holds: list[HoldMark]


class Segment(Shape):
    """`run`: segments of one run lie on one time line of the stream."""

    start_s: float
    end_s: float
    size_bytes: int
    sha256: str
    run: str
    url: str


class Hold(Shape):
    """`too_late`: segments in its span whose deletion had begun when it was placed."""

    hold_id: str
    cameras: list[str]
    from_s: float
    to_s: float
    reason: str
    owner: str
    created_by: str
    created_s: float
    expires_s: float | None
    released_s: float | None
    released_by: str | None
    in_force: bool
    too_late: int


class Holding(Asked):
    """`owner`: on whose behalf it is held."""

    cameras: Annotated[list[Annotated[str, Field(min_length=1, max_length=64)]], Field(min_length=1, max_length=200)]
    from_s: Time
    to_s: Time
    reason: Words
    owner: Words
    expires_s: Time | None = None


class Releasing(Asked):
    reason: Words


class Snapshot(Asked):
    """A single picture of the recording, at that moment."""

    at_s: Time
