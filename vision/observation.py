"""What a behaviour finds at one moment. Episodes are made of observations."""

from __future__ import annotations

from dataclasses import dataclass, field

from vision.geometry import Box
from vision.incident import Quantity


@dataclass(frozen=True, slots=True)
class Observation:
    """`score` 0..1 is how strongly the rule is met at `time_s`; 0.5 is the rule's threshold. `severity` as in
    `Incident`.
    """

    zone_id: str
    time_s: float
    score: float
    severity: int
    track_ids: tuple[int, ...] = ()
    box_norm: Box | None = None
    evidence: dict[str, Quantity] = field(default_factory=dict)
