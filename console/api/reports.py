"""The inspection sheet as a file."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final, Literal

from fastapi import Query, Request
from fastapi.responses import Response

from console.access import allow
from console.api.common import noted, refusals, router
from console.gate import TheseParts, ThisCaller
from pipelines.access.roles import Permission
from pipelines.report.making import MEDIA_TYPES, Order, make
from pipelines.report.period import Wanted

api = router("history")
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {media_type: {} for media_type in MEDIA_TYPES.values()}}
}


@api.get("/report", response_class=Response, responses=_FILE | refusals())
@allow(Permission.EXPORT)
def report(
    request: Request,
    parts: TheseParts,
    caller: ThisCaller,
    period: Literal["week", "month", "term"] = "week",
    format: Literal["html", "xlsx", "pdf", "json"] = "html",
    on: Annotated[date | None, Query(alias="date", description="the one that holds this day")] = None,
    current: Annotated[bool, Query(description="the one that runs now; without it and `date` the last one")] = False,
    since: Annotated[date | None, Query(alias="from", description="begins on this day, as long as `period`")] = None,
    until: Annotated[date | None, Query(alias="to", description="with `from`: the first day not in it")] = None,
    language: Annotated[Literal["zh-CN", "en"] | None, Query(description="without it the site's")] = None,
) -> Response:
    """The figures of a time per camera and site, each with the incidents behind it, of the cameras that the caller may see."""
    order = Order(
        Wanted(period, on, current, since, until),
        format,
        language or parts.config.site.language,
        str(request.base_url),
        caller.principal.cameras,
    )
    made = make(parts.config, parts.database, order, parts.clock.now_s())
    scope = {} if order.cameras is None else {"cameras": sorted(order.cameras)}
    noted(
        parts, caller, "report.made", "inspection", {"period": made.period, "format": format, "out": "console"} | scope
    )
    headers = {"Content-Disposition": f'attachment; filename="{made.name}"'}
    return Response(made.content, media_type=made.media_type, headers=headers)
