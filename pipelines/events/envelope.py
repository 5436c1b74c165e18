"""The message on the bus: a CloudEvents 1.0 envelope (JSON event format) around one revision of an incident."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from pipelines.errors import GatewatchError

#: Version of `data`'s schema, as in `dataschema`. Raised when a field changes its meaning or goes away.
SCHEMA_VERSION: Final = 1


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

    def to_json(self) -> str:
        return json.dumps(
            {
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
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Event:
        """Raises: EnvelopeError: not JSON, not CloudEvents 1.0, or a field is missing."""
        try:
            raw = json.loads(text)
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
        except (ValueError, KeyError, TypeError) as error:
            raise EnvelopeError(f"not an envelope: {error!r}") from error
