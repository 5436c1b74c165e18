"""What a rule is watching at this moment, for a screen. Nothing is decided by it."""

from __future__ import annotations

from dataclasses import dataclass, field

from vision.geometry import Box
from vision.incident import Quantity


@dataclass(frozen=True, slots=True)
class RuleStatus:
    """A parking case's clock, a zone's count, a group of people.

    `state`: `off` (outside the rule's schedule), `unknown` (the view is not usable), `watching`, `open` (an incident runs), or a
    parking case's own state.
    `box_norm` (x1, y1, x2, y2, 0..1) is where, None for the whole zone. `incident_id` is set once the case has one that
    may be told of. `evidence` holds numbers with units; a limit stands beside the number that it limits as `NAME_limit`.
    """

    rule_id: str
    kind: str
    zone_id: str
    state: str
    box_norm: Box | None = None
    incident_id: str | None = None
    evidence: dict[str, Quantity] = field(default_factory=dict)
