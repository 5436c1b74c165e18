"""Beside an incident's pictures, which are the analysed stream's: the same moments as the recorded main stream has them.

A still names the picture that it belongs to (`role`, and `of`, that picture's sha256), and is a picture's record itself; or
it has `missing`, one word for why there is none, and `detail`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, select, update

from pipelines.store.incidents import lock
from pipelines.store.schema import incidents

#: Why there is none: nothing was recorded then; nothing of the camera is, on this machine; no recordings are on it; the
#: recording cannot be decoded or is not what was recorded; a close-up's place cannot be found on a picture of another shape;
#: the picture itself is gone; what is written about it cannot be read.
REASONS: Final = ("gap", "not_recorded", "elsewhere", "damaged", "other_shape", "picture_gone", "unreadable")


def put(connection: Connection, incident_id: str, still: Mapping[str, Any]) -> None:
    """Keep the still of one picture; one of the same role is replaced. Doing it again changes nothing."""
    lock(connection, [incident_id])
    mine = incidents.c.incident_id == incident_id
    known = [one for one in connection.scalar(select(incidents.c.stills).where(mine)) or [] if isinstance(one, dict)]
    if dict(still) in known:
        return
    others = [one for one in known if one.get("role") != still["role"]]
    connection.execute(update(incidents).where(mine).values(stills=[*others, dict(still)]))


def with_stills(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The pictures of a row of `incidents`, each with its still as `main`; None: nothing is known of it (yet)."""
    stills = {
        (str(one.get("role")), str(one.get("of"))): one for one in row.get("stills") or [] if isinstance(one, dict)
    }
    found = []
    for picture in row["pictures"] or []:
        if isinstance(picture, dict):
            # A later picture of the same role takes the earlier one's place: what was cut for that one is not its own.
            still = stills.get((str(picture.get("role")), str(picture.get("sha256"))))
            found.append(picture | {"main": still})
    return found
