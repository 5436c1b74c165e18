"""Many alerts of one recipient in one message that says what it holds."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipelines.events.envelope import rfc3339

#: So many incidents stand in the message as a whole; of the others, the ids do.
_LISTED: Final = 50


def body_of(gathered: Sequence[Mapping[str, Any]], recipient: str, now_s: float, window_s: float) -> dict[str, Any]:
    """The envelope (type `alert.digest`) for what `recent.take_into_digest` returned, gravest first.

    `data` is that of the gravest incident with `count`, `kinds` (how many of each), `incidents` (the envelopes of the
    gravest ones), `incident_ids` (all) and `details.window_s`.
    """
    gravest = gravest_of(gathered)
    digest_id = f"digest-{uuid.uuid5(uuid.NAMESPACE_OID, recipient + ''.join(one['alert_id'] for one in gathered))}"
    bodies = [one["body"] for one in gathered]
    data = {
        **gravest["data"],
        "incident_id": digest_id,
        "revision": 1,
        "phase": "opened",
        "severity": min(one["severity"] for one in gathered),
        "time_s": now_s,
        "pictures": [],
        "count": len(gathered),
        "kinds": dict(Counter(str(body["data"]["kind"]) for body in bodies).most_common()),
        "incidents": bodies[:_LISTED],
        "incident_ids": [one["incident_id"] for one in gathered],
        "details": {"window_s": window_s},
    }
    return {
        **gravest,
        "id": f"{digest_id}:1",
        "type": "alert.digest",
        "source": "/alerts/digest",
        "subject": digest_id,
        "time": rfc3339(now_s),
        "data": data,
    }


def gravest_of(gathered: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The envelope of the first, which is the gravest."""
    body: dict[str, Any] = gathered[0]["body"]
    return body
