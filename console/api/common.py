"""What every part of the API has: its prefix, the refusals that it declares, rows made ready to be given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query

from console.api.shapes import ProblemDocument, Time
from console.gate import Caller
from console.parts import Parts
from console.problems import MEDIA_TYPE
from pipelines.store.people import note
from pipelines.store.stills import with_stills

PREFIX: Final = "/api/v1"
#: Everything may be refused so; 404 and 409 are declared where they can be.
_ALWAYS: Final = (400, 401, 403, 413, 422, 429, 500, 503)
_OF_PICTURE: Final = ("captured_at", "source", "width", "height", "sha256")
_OF_STILL: Final = ("off_s", "scale", "same_shape", "agrees", "blurrable", "missing", "detail")

IncidentId = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
AlertId = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
CameraId = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
Since = Annotated[Time | None, Query(description="at or after, Unix seconds")]
Until = Annotated[Time | None, Query(description="before, Unix seconds")]
Limit = Annotated[int, Query(ge=1, le=200)]
PageCursor = Annotated[str | None, Query(max_length=400, description="`cursor` of the page before")]
Word = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")]


def refusals(*more: int) -> dict[int | str, dict[str, Any]]:
    """For `responses=`: problem documents."""
    declared = {"model": ProblemDocument, "content": {MEDIA_TYPE: {}}}
    return {status: declared | {"description": "refused"} for status in (*_ALWAYS, *more)}


def router(*tags: str) -> APIRouter:
    """A part of the API."""
    return APIRouter(prefix=PREFIX, tags=list(tags), responses=refusals())


def incident_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `incidents` with its thread, ready to be given: pictures by their address, not by their path."""
    return dict(row) | {
        "evidence": row["evidence"] if isinstance(row["evidence"], dict) else {},
        "pictures": pictures_json(row),
    }


def pictures_json(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The pictures of a row of `incidents` by their addresses, each with its moment in the recorded main stream."""
    return [
        {name: one.get(name) for name in _OF_PICTURE}
        | {
            "role": str(one.get("role", "")),
            "url": (url := f"{PREFIX}/incidents/{row['incident_id']}/pictures/{number}"),
            "main": None if one["main"] is None else _main_json(one["main"], url),
        }
        for number, one in enumerate(with_stills(row))
    ]


def _main_json(still: Mapping[str, Any], url: str) -> dict[str, Any]:
    found = {name: still.get(name) for name in (*_OF_PICTURE, *_OF_STILL)}
    return found | {"url": f"{url}/main" if found["missing"] is None else None}


def noted(parts: Parts, caller: Caller, action: str, subject: str, detail: Mapping[str, Any]) -> None:
    """Into the audit, now."""
    with parts.database.write() as connection:
        note(connection, parts.clock.now_s(), caller.name, action, subject, dict(detail))


def viewed(parts: Parts, caller: Caller, action: str, subject: str, detail: Mapping[str, Any], which: str = "") -> None:
    """Into the audit, once for one viewing: a player asks for the same thing many times. `which`: of several things that the
    subject has and of which each is to be in the audit."""
    if parts.viewings.begins((caller.principal.key, action, subject, which)):
        noted(parts, caller, action, subject, detail)


def visible(caller: Caller, cameras: Iterable[str]) -> list[str]:
    """Those of `cameras` that the caller may know of."""
    return [camera for camera in cameras if caller.principal.sees(camera)]
