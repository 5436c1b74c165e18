"""Recorded footage on a time line: what there is, why the rest is not, and playing from anywhere in it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.access import allow
from console.gate import TheseParts, ThisCaller
from console.pages.login import frame
from console.pages.now import cameras_of
from pipelines.access.roles import Permission

router = APIRouter(include_in_schema=False)


@router.get("/footage")
@allow(Permission.WATCH)
def footage(request: Request, parts: TheseParts, caller: ThisCaller) -> Response:
    """`?camera=ID&at=UNIX_SECONDS` opens it there."""
    data = {
        "cameras": [{"camera": one["camera"], "name": one["name"]} for one in cameras_of(parts, caller.principal)],
        "timezone": parts.config.site.timezone,
        "now_s": parts.clock.now_s(),
        "may": {"hold": caller.principal.may(Permission.HOLD), "export": caller.principal.may(Permission.EXPORT)},
    }
    words = ("footage.", "kind.", "cause.")
    return frame(request).page(request, "footage.html", {"data": data}, script_words=words, data=data)
