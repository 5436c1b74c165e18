"""The message on the bus: a CloudEvents 1.0 envelope (JSON event format) around one revision of an incident."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote

from pipelines.errors import GatewatchError
from vision.incident import Incident

#: Version of `data`'s schema, as in `dataschema`. Raised when a field changes its meaning or goes away.
SCHEMA_VERSION: Final = 1
#: `source` of the pictures that a worker keeps of what it analyses.
ANALYSED: Final = "analysed stream"
#: Ours have a few kilobytes and five levels.
_LARGEST_BYTES: Final = 1024**2
_DEEPEST: Final = 32


class EnvelopeError(GatewatchError):
    """A message is not an envelope of ours; it can only be dead-lettered."""


@dataclass(frozen=True, slots=True)
class Event:
    """One message.

    `id` names the message for good: a second delivery carries the same one. `type` is `incident.warned`,
    `incident.opened`, `incident.updated`, `incident.closed`, ... `subject` is the incident's id, `time` RFC 3339 UTC with
    milliseconds, `data` plain JSON values.
    """

    id: str
    type: str
    source: str
    subject: str
    time: str
    config_version: str
    data: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The whole message as JSON values."""
        return {
            "specversion": "1.0",
            "id": self.id,
            "type": self.type,
            "source": self.source,
            "subject": self.subject,
            "time": self.time,
            "datacontenttype": "application/json",
            "dataschema": f"urn:gatewatch:incident:{SCHEMA_VERSION}",
            "config_version": self.config_version,
            "data": self.data,
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Event:
        """Raises: EnvelopeError: not JSON, not CloudEvents 1.0, or a field is missing."""
        if len(text) > _LARGEST_BYTES:
            raise EnvelopeError(f"{len(text)} bytes: an event has at most {_LARGEST_BYTES}")
        try:
            raw = json.loads(text, parse_constant=_refuse_constant)
            if _deeper_than(raw, _DEEPEST):
                raise EnvelopeError(f"nested deeper than {_DEEPEST}")
            if raw["specversion"] != "1.0":
                raise EnvelopeError(f"specversion {raw['specversion']!r}: expected '1.0'")
            return cls(
                id=str(raw["id"]),
                type=str(raw["type"]),
                source=str(raw["source"]),
                subject=str(raw["subject"]),
                time=str(raw["time"]),
                config_version=str(raw["config_version"]),
                data=dict(raw["data"]),
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise EnvelopeError(f"not an envelope: {error!r}") from error


def _deeper_than(value: Any, levels: int) -> bool:
    """What is nested too deep can be read, but not written again."""
    layer = [value]
    for _ in range(levels):
        layer = [
            item
            for outer in layer
            if isinstance(outer, dict | list)
            for item in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not layer:
            return False
    return any(isinstance(item, dict | list) for item in layer)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def rfc3339(time_s: float) -> str:
    """Unix seconds -> `2026-09-01T07:42:10.250Z`."""
    # Rounded first: `timespec` would cut, and 0.29 s would read as 289 ms.
    return datetime.fromtimestamp(round(time_s, 3), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def incident_event(
    incident: Incident,
    config_version: str,
    camera_name: str,
    pictures: Sequence[Mapping[str, Any]] = (),
    *,
    drill: bool = False,
    clock: Mapping[str, Any] | None = None,
) -> Event:
    """The message about one revision of `incident`; the same revision always has the same `id`.

    `pictures` are the records that `PictureStore.save` returned. `drill` marks an incident made to try the chain. `clock`
    is how far the camera's and this host's clocks could be trusted when this was told; None: nobody looked.
    """

    def at(time_s: float | None) -> str | None:
        return None if time_s is None else rfc3339(time_s)

    return Event(
        id=f"{incident.incident_id}:{incident.revision}",
        type=f"incident.{incident.phase.value}",
        source=f"/cameras/{quote(incident.camera_id, safe='')}",
        subject=incident.incident_id,
        time=rfc3339(incident.time_s),
        config_version=config_version,
        data={
            "incident_id": incident.incident_id,
            "revision": incident.revision,
            "phase": incident.phase.value,
            "camera": incident.camera_id,
            "camera_name": camera_name,
            "kind": incident.kind,
            "rule": incident.rule_id,
            "zone": incident.zone_id,
            "severity": incident.severity,
            "score": incident.score,
            "time_s": incident.time_s,
            "first_seen_s": incident.first_seen_s,
            "first_seen_at": at(incident.first_seen_s),
            "opened_s": incident.opened_s,
            "opened_at": at(incident.opened_s),
            "closed_s": incident.closed_s,
            "closed_at": at(incident.closed_s),
            "close_reason": incident.close_reason,
            "box_norm": None if incident.box_norm is None else list(incident.box_norm),
            "track_ids": list(incident.track_ids),
            "evidence": {name: {"value": value, "unit": unit} for name, (value, unit) in incident.evidence.items()},
            "pictures": [dict(picture) for picture in pictures],
            "drill": drill,
            "clock": None if clock is None else dict(clock),
        },
    )


def event_schema() -> dict[str, Any]:
    """The JSON Schema of the whole message, as shipped (`schemas/incident-1.json`)."""
    text = files("pipelines.events").joinpath(f"schemas/incident-{SCHEMA_VERSION}.json").read_text("utf-8")
    return dict(json.loads(text))
