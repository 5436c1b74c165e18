"""One event of every sort that people are told of, to try templates and channels with before anything happens."""

from __future__ import annotations

from typing import Any, Final

from pipelines.alerting.messages import Why
from pipelines.events.envelope import incident_event
from vision.incident import Incident, Phase, Quantity

_AT_S: Final = 1_790_000_000.0
_EVIDENCE: Final[dict[str, dict[str, Quantity]]] = {
    "illegal_parking": {"standing": Quantity(200.0, "s"), "vehicle": Quantity("car", "")},
    "crowding": {"people": Quantity(23, "people"), "density": Quantity(2.31, "people/m2")},
    "possible_bullying": {
        "people": Quantity(4, "people"),
        "in_words_en": Quantity("Possible bullying: 4 people", ""),
        "in_words_zh": Quantity("疑似欺凌，待人工判断：4人", ""),
    },
    "recording_gap": {"cause": Quantity("network", "")},
    "view_moved": {"lasted": Quantity(12.0, "s"), "view_shift": Quantity(6.2, "% of the width")},
}


def samples() -> list[tuple[Why, dict[str, Any]]]:
    """(why, the event's envelope) for each kind, phase and reason to tell."""
    made: list[tuple[Why, dict[str, Any]]] = []
    for kind, evidence in _EVIDENCE.items():
        for why, phase in (("warned", Phase.WARNED), ("opened", Phase.OPENED), ("closed", Phase.CLOSED)):
            made.append((why, sample(kind, phase, evidence)))  # type: ignore[arg-type]
    opened = sample("illegal_parking", Phase.OPENED, _EVIDENCE["illegal_parking"])
    asked = {**opened, "data": {**opened["data"], "details": {"unanswered_by": ["guard"], "waited_s": 60.0}}}
    told = {**opened, "data": {**opened["data"], "incidents": [event for _, event in made], "count": 60}}
    made += [("worse", opened), ("test", {**opened, "type": "alert.test"})]
    made += [("escalated", asked), ("unreached", asked), ("digest", {**told, "type": "alert.digest"})]
    return made


def sample(kind: str, phase: Phase, evidence: dict[str, Quantity]) -> dict[str, Any]:
    """The envelope of an incident that never was."""
    closed = phase is Phase.CLOSED
    incident = Incident(
        incident_id="sample",
        camera_id="gate",
        kind=kind,
        rule_id=f"{kind}:zone",
        zone_id="zone",
        phase=phase,
        revision=1,
        severity=2,
        score=0.5,
        first_seen_s=_AT_S,
        opened_s=None if phase is Phase.WARNED else _AT_S + 180,
        closed_s=_AT_S + 400 if closed else None,
        close_reason="schedule" if closed else None,
        time_s=_AT_S + (400 if closed else 180),
        box_norm=None,
        track_ids=(),
        evidence=evidence,
    )
    return incident_event(incident, "sample", "gate").to_dict()
