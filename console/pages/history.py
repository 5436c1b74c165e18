"""What happened: incidents by any filter, what they add up to, and all of them as a file."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.access import allow
from console.gate import TheseParts, ThisCaller
from console.pages.login import frame
from console.pages.now import cameras_of
from pipelines.access.roles import Permission
from pipelines.wording import known_keys

router = APIRouter(include_in_schema=False)
_WORDS: Final = ("history.", "now.", "kind.", "severity.", "state.", "verdict.", "role.", "footage.")


@router.get("/history")
@allow(Permission.JUDGE)
def history(request: Request, parts: TheseParts, caller: ThisCaller) -> Response:
    """The query is that of `GET /api/v1/incidents`, so a view is a link; `incident` opens one."""
    may = caller.principal.may
    may_export = may(Permission.EXPORT)
    data = {
        "cameras": cameras_of(parts, caller.principal),
        "kinds": sorted(key.partition(".")[2] for key in known_keys("en") if key.startswith("kind.")),
        "may": {
            "answer": may(Permission.ANSWER),
            "judge": may(Permission.JUDGE),
            "watch": may(Permission.WATCH) and parts.unblurred(caller.principal),
            "export": may_export,
        },
        "timezone": parts.config.site.timezone,
        "now_s": parts.clock.now_s(),
    }
    return frame(request).page(request, "history.html", {"may_export": may_export}, script_words=_WORDS, data=data)
