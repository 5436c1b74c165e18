"""Alarms about the alerting itself, as incidents of level 1: an alert that reached nobody, a drill that did not arrive, an
event that no dispatcher could handle."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from pipelines.alerting.by_hand import RULE as BY_HAND
from pipelines.events.envelope import Event, incident_event
from vision.incident import Incident, Phase, Quantity

UNREACHED: Final = "alert_unreached"
DRILL_FAILED: Final = "drill_failed"
MESSAGE_LOST: Final = "message_lost"
#: No camera sees the end of these: they are over when a person closes them.
ENDED_BY_A_PERSON: Final = frozenset({BY_HAND, UNREACHED, DRILL_FAILED, MESSAGE_LOST})
#: One alarm for all that reached nobody in this time: a dead mail server is one fault, not hundreds.
_ONE_PER_S: Final = 600.0


def unreached(now_s: float, count: int, oldest: str, config_version: str, site: str) -> Event:
    """`count` alerts reached nobody, `oldest` is one of the incidents."""
    return _event(
        f"unreached-{math.floor(now_s / _ONE_PER_S)}",
        UNREACHED,
        now_s,
        {"alerts": Quantity(count, "alerts"), "incident": Quantity(oldest, "")},
        config_version,
        site,
    )


def drill_failed(drill_id: str, now_s: float, missing: str, config_version: str, site: str) -> Event:
    """The drill `drill_id` had not arrived everywhere in time; `missing` says where."""
    return _event(f"{drill_id}-failed", DRILL_FAILED, now_s, {"missing": Quantity(missing, "")}, config_version, site)


def message_lost(now_s: float, entry: str, reason: str, config_version: str, site: str) -> Event:
    """The entry of the stream that is laid aside, the first of its ten minutes, and why."""
    return _event(
        f"lost-{math.floor(now_s / _ONE_PER_S)}",
        MESSAGE_LOST,
        now_s,
        {"message": Quantity(entry, ""), "cause": Quantity(reason, "")},
        config_version,
        site,
    )


def _event(
    incident_id: str, kind: str, now_s: float, evidence: Mapping[str, Quantity], config_version: str, site: str
) -> Event:
    incident = Incident(
        incident_id=incident_id,
        camera_id="-",
        kind=kind,
        rule_id=kind,
        zone_id="",
        phase=Phase.OPENED,
        revision=1,
        severity=1,
        score=1.0,
        first_seen_s=now_s,
        opened_s=now_s,
        closed_s=None,
        close_reason=None,
        time_s=now_s,
        box_norm=None,
        track_ids=(),
        evidence=dict(evidence),
    )
    return incident_event(incident, config_version, site)
