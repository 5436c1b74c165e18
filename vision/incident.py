"""An episode in the world, as the engine tells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class Quantity(NamedTuple):
    """A number with its unit, as evidence carries it. A count has the unit `people` or `vehicles`, a text the unit
    ``""``.
    """

    value: float | int | str
    unit: str


class Phase(StrEnum):
    """Where an incident stands. `warned` is before the rule's limit: an event, not yet an incident of record."""

    WARNED = "warned"
    OPENED = "opened"
    UPDATED = "updated"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Incident:
    """One episode: one rule, one zone, one subject.

    `incident_id` is fixed when the case begins and never recomputed. `revision` grows by one with every message about
    the incident, so (incident_id, revision) names a message for good. Times are seconds since the Unix epoch on the
    stream's own time. `severity` is 1 critical, 2 warning, 3 watch, 4 information. `score` is the peak so far, 0..1.
    `box_norm` is where on the picture (x1, y1, x2, y2, 0..1). `close_reason` is set with `closed_s`, e.g. `left`,
    `dispersed`, `configuration`.
    """

    incident_id: str
    camera_id: str
    kind: str
    rule_id: str
    zone_id: str
    phase: Phase
    revision: int
    severity: int
    score: float
    first_seen_s: float
    opened_s: float | None
    closed_s: float | None
    close_reason: str | None
    time_s: float
    box_norm: tuple[float, float, float, float] | None
    track_ids: tuple[int, ...]
    evidence: dict[str, Quantity] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PictureRequest:
    """The engine wants the current frame kept as evidence of an incident (or of a case that may become one).

    `role` is what the picture shows: `first_seen`, `later`, `limit`, `peak`, `cleared`; of a `close_up` only the surroundings
    of the box are kept, enlarged. A later request with the same incident
    and role replaces the earlier picture.
    """

    incident_id: str
    kind: str
    zone_id: str
    role: str
    time_s: float
    box_norm: tuple[float, float, float, float] | None


#: What `Engine.snapshot()` returns and `restore()` takes: plain JSON values only.
Snapshot = dict[str, Any]
