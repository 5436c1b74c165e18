"""The incident `recording_gap`: opened when a camera has not been recorded for a while, closed when it is again.

Incidents wait in the index's `outbox` until somebody forwards them to the bus: the recorder itself needs no bus.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipelines.recording import ledger
from pipelines.recording.coverage import Cause
from pipelines.recording.index import Index

_NAMESPACE: Final = uuid.UUID("5f1f8f3e-4b77-4c5a-9a53-6a0a3b9b5f10")


@dataclass(frozen=True, slots=True)
class Waiting:
    """One message that waits to be forwarded. `body` has the fields of an incident, times in seconds since the epoch."""

    outbox_id: int
    incident_id: str
    revision: int
    body: dict[str, Any]


def incident(
    kind: str,
    camera: str,
    subject: str,
    *,
    phase: str,
    revision: int,
    severity: int,
    times_s: Mapping[str, float | None],
    evidence: Mapping[str, Any],
) -> dict[str, Any]:
    """An incident of the recorder as plain JSON, with every field that an incident of the engine has."""
    return {
        "incident_id": str(uuid.uuid5(_NAMESPACE, f"{kind}/{camera}/{subject}")),
        "camera_id": camera,
        "kind": kind,
        "rule_id": "recording",
        "zone_id": "",
        "phase": phase,
        "revision": revision,
        "severity": severity,
        "score": 1.0,
        "first_seen_s": times_s["first_seen"],
        "opened_s": times_s["opened"],
        "closed_s": times_s.get("closed"),
        "close_reason": "recording_again" if times_s.get("closed") is not None else None,
        "time_s": times_s["time"],
        "box_norm": None,
        "track_ids": [],
        "evidence": evidence,
    }


def post(index: Index, body: dict[str, Any], now_ms: int) -> None:
    """Put an incident into the outbox; one that is there already stays as it is."""
    with index.transaction() as cursor:
        cursor.execute(
            "INSERT INTO outbox (incident_id, revision, body, created_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (body["incident_id"], body["revision"], json.dumps(body, sort_keys=True), now_ms),
        )


def waiting(index: Index, limit: int = 100) -> list[Waiting]:
    """What has not been forwarded, oldest first."""
    rows = index.read(
        "SELECT id, incident_id, revision, body FROM outbox WHERE forwarded_ms IS NULL ORDER BY id LIMIT ?", (limit,)
    )
    return [Waiting(row[0], row[1], row[2], json.loads(row[3])) for row in rows.fetchall()]


def forwarded(index: Index, outbox_id: int, now_ms: int) -> None:
    """Call when the bus has it safe. Twice does no harm; neither does forwarding twice: the ids are the same."""
    with index.transaction() as cursor:
        cursor.execute("UPDATE outbox SET forwarded_ms = ? WHERE id = ?", (now_ms, outbox_id))


class GapAlarms:
    """Compares open gaps with open alarms. Needs nothing but the index, so it goes on after a restart."""

    def __init__(self, after_s: float, severity: int = 2) -> None:
        self._after_ms = round(after_s * 1000)
        self._severity = severity

    def look(self, index: Index, now_ms: int) -> None:
        """Open what is due, close what is over. Raises Unavailable."""
        open_gaps = {
            row[0]: row[1:] for row in index.read("SELECT camera, from_ms, cause, detail FROM gaps WHERE to_ms IS NULL")
        }
        alarmed = {body["camera_id"]: body for body in _open_incidents(index) if body["kind"] == "recording_gap"}
        for camera, (from_ms, cause, detail) in open_gaps.items():
            if camera in alarmed or cause == Cause.CONFIGURATION:
                continue
            # A cause may change while nothing comes: the outage counts from the last picture.
            began_ms = min(from_ms, ledger.last_end_ms(index, camera) or from_ms)
            if now_ms - began_ms < self._after_ms:
                continue
            evidence = {"cause": {"value": cause, "unit": ""}, "detail": {"value": detail, "unit": ""}}
            times = {"first_seen": began_ms / 1000, "opened": now_ms / 1000, "time": now_ms / 1000}
            post(
                index,
                incident(
                    "recording_gap",
                    camera,
                    str(began_ms),
                    phase="opened",
                    revision=1,
                    severity=self._severity,
                    times_s=times,
                    evidence=evidence,
                ),
                now_ms,
            )
        for camera, body in alarmed.items():
            if camera in open_gaps:
                continue
            began_s = body["first_seen_s"]
            row = index.read("SELECT max(to_ms) FROM gaps WHERE camera = ?", (camera,)).fetchone()
            ended_s = now_ms / 1000 if row[0] is None else row[0] / 1000
            lasted = {"gap": {"value": round(ended_s - began_s, 1), "unit": "s"}}
            times = {"first_seen": began_s, "opened": body["opened_s"], "closed": ended_s, "time": now_ms / 1000}
            closing = incident(
                "recording_gap",
                camera,
                "",
                phase="closed",
                revision=2,
                severity=self._severity,
                times_s=times,
                evidence={**body["evidence"], **lasted},
            )
            post(index, {**closing, "incident_id": body["incident_id"]}, now_ms)


#: Stands for the camera in an incident of the whole site: the record takes no empty name.
NO_CAMERA: Final = "-"


class Faults:
    """Alarms of the whole volume: raised once, over once."""

    def __init__(self, index: Index, now_ms: int) -> None:
        self._index = index
        self._now_ms = now_ms

    def raised(self, kind: str, detail: str) -> None:
        """Open the incident `kind` unless it is open. Raises Unavailable."""
        if self._open(kind) is not None:
            return
        now_s = self._now_ms / 1000
        times = {"first_seen": now_s, "opened": now_s, "time": now_s}
        evidence = {"detail": {"value": detail, "unit": ""}}
        body = incident(
            kind, NO_CAMERA, str(self._now_ms), phase="opened", revision=1, severity=1, times_s=times, evidence=evidence
        )
        post(self._index, body, self._now_ms)

    def over(self, kind: str) -> None:
        """Close it when it is open. Raises Unavailable."""
        body = self._open(kind)
        if body is None:
            return
        now_s = self._now_ms / 1000
        closing = {**body, "phase": "closed", "revision": 2, "closed_s": now_s, "time_s": now_s, "close_reason": "over"}
        post(self._index, closing, self._now_ms)

    def _open(self, kind: str) -> dict[str, Any] | None:
        return next((body for body in _open_incidents(self._index) if body["kind"] == kind), None)


def _open_incidents(index: Index) -> list[dict[str, Any]]:
    rows = index.read(
        "SELECT body FROM outbox AS o WHERE revision = 1 AND NOT EXISTS"
        " (SELECT 1 FROM outbox AS c WHERE c.incident_id = o.incident_id AND c.revision = 2)"
    )
    return [json.loads(row[0]) for row in rows.fetchall()]
