"""An incident that a person raises: what no rule saw, or not yet. From here on it goes the way of every other."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipelines.errors import BadInput
from pipelines.events.envelope import Event, incident_event, rfc3339
from pipelines.files import write_atomically
from vision.incident import Incident, Phase, Quantity

#: The rule of every incident that was raised by hand.
RULE: Final = "by_hand"
END_REASON: Final = "closed by a person"
#: Kinds that a person may choose besides those that rules have.
OTHER: Final = "other"
_LONGEST_NOTE: Final = 1000
_LONGEST_PLATE: Final = 20
_LARGEST_PICTURE: Final = 20 * 2**20
_SLACK_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Raised:
    """What a person says. `pictures` are records (`role, path, sha256, ...`) of files in the pictures' folder; `zone` may be
    empty; `plate` is as typed, never read by a machine."""

    kind: str
    camera: str
    camera_name: str
    at_s: float
    note: str = ""
    plate: str = ""
    severity: int = 2
    zone: str = ""
    pictures: Sequence[Mapping[str, Any]] = ()
    incident_id: str = ""


def event_of(raised: Raised, *, who: str, now_s: float, config_version: str) -> Event:
    """The message to publish. Raises BadInput: it lies in the future, or something in it is too long."""
    if raised.at_s > now_s + _SLACK_S:
        raise BadInput("an incident cannot be raised for a time that has not come")
    if len(raised.note) > _LONGEST_NOTE:
        raise BadInput(f"a note has at most {_LONGEST_NOTE} characters, not {len(raised.note)}")
    plate = raised.plate.strip()
    if len(plate) > _LONGEST_PLATE or not plate.isprintable():
        raise BadInput(f"a number plate has at most {_LONGEST_PLATE} characters")
    if not 1 <= raised.severity <= 4:
        raise BadInput(f"a level is 1 (critical) to 4 (information), not {raised.severity}")
    evidence = {"raised_by": Quantity(who, "")}
    if raised.note.strip():
        evidence["note"] = Quantity(raised.note.strip(), "")
    if plate:
        evidence["plate"] = Quantity(plate, "")
    incident = Incident(
        incident_id=raised.incident_id or new_id(),
        camera_id=raised.camera,
        kind=raised.kind,
        rule_id=RULE,
        zone_id=raised.zone,
        phase=Phase.OPENED,
        revision=1,
        severity=raised.severity,
        score=1.0,
        first_seen_s=raised.at_s,
        opened_s=raised.at_s,
        closed_s=None,
        close_reason=None,
        # When it was said, not when it was: delays count from here.
        time_s=max(now_s, raised.at_s),
        box_norm=None,
        track_ids=(),
        evidence=evidence,
    )
    return incident_event(incident, config_version, raised.camera_name, raised.pictures)


def new_id() -> str:
    """An id for an incident that is about to be raised, for the pictures that are stored before it."""
    return str(uuid.uuid4())


def ended(body: Mapping[str, Any], now_s: float) -> dict[str, Any]:
    """The envelope of the end of the incident whose newest envelope is `body`."""
    data = dict(body["data"])
    revision = data["revision"] + 1
    end_s = max(now_s, data["opened_s"])
    data |= {
        "revision": revision,
        "phase": "closed",
        "time_s": end_s,
        "closed_s": end_s,
        "closed_at": rfc3339(end_s),
        "close_reason": END_REASON,
    }
    return {
        **body,
        "id": f"{data['incident_id']}:{revision}",
        "type": "incident.closed",
        "time": rfc3339(end_s),
        "data": data,
    }


def keep_picture(data: Path, incident_id: str, picture: Path, at_s: float) -> dict[str, Any]:
    """Copy a JPEG into the pictures' folder; returns its record, as `PictureStore.save` does. Raises BadInput."""
    try:
        with picture.open("rb") as file:
            content = file.read(_LARGEST_PICTURE + 1)
    except OSError as error:
        raise BadInput(f"{picture}: cannot be read: {error.strerror}") from error
    if len(content) > _LARGEST_PICTURE or not content.startswith(b"\xff\xd8\xff"):
        raise BadInput(f"{picture}: not a JPEG picture of at most {_LARGEST_PICTURE // 2**20} MiB")
    relative = Path(rfc3339(at_s)[:10]) / incident_id / "by_hand.jpg"
    path = data / "pictures" / relative
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror}") from error
    return {
        "role": "by_hand",
        "path": relative.as_posix(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "source": "by hand",
        "captured_at": rfc3339(at_s),
    }
