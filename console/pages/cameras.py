"""Zones, masks, ground points and rules, drawn on a camera's own picture; for administrators of the whole site."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.access import allow
from console.configuring import WHY_MOST
from console.gate import TheseParts, ThisCaller
from console.pages.login import frame
from console.pages.now import cameras_of
from pipelines.access.roles import Permission
from pipelines.config.drawing import FIELDS

router = APIRouter(include_in_schema=False)


@router.get("/cameras")
@allow(Permission.CONFIGURE, whole_site=True)
def cameras(request: Request, parts: TheseParts, caller: ThisCaller) -> Response:
    """`?camera=ID` opens it there."""
    data = {
        "cameras": [{"camera": one["camera"], "name": one["name"]} for one in cameras_of(parts, caller.principal)],
        "timezone": parts.config.site.timezone,
        "now_s": parts.clock.now_s(),
        "fields": FIELDS,
        "why_most": WHY_MOST,
    }
    words = ("cameras.", "kind.", "verdict.")
    return frame(request).page(request, "cameras.html", {"data": data}, script_words=words, data=data)
