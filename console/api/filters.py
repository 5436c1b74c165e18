"""Which incidents are meant: the same query parameters for the list, the figures and the export."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import Depends, Query

from console.api.common import Since, Until, Word
from console.gate import TheseParts, ThisCaller
from pipelines.errors import BadInput
from pipelines.store.queries import IncidentFilter

Verdicts = Literal["true", "false", "drill", "duplicate", "unsure", "none"]
#: Fields that are no parameters: who asks and where decide them.
_NOT_ASKED: Final = ("cameras", "timezone")


def _wanted(
    parts: TheseParts,
    caller: ThisCaller,
    since_s: Since = None,
    until_s: Until = None,
    camera: Word = None,
    zone: Word = None,
    kind: Word = None,
    rule: Word = None,
    severity: Annotated[int | None, Query(ge=1, le=4, description="this level or more severe")] = None,
    level: Annotated[int | None, Query(ge=1, le=4, description="exactly this level")] = None,
    state: Annotated[Literal["open", "closed"] | None, Query(description="whether it still goes on")] = None,
    verdict: Annotated[Verdicts | None, Query(description="none: not judged yet")] = None,
    text: Annotated[
        str | None,
        Query(max_length=200, pattern=r"^[^\x00]*$", description="in id, camera, its name, zone, rule"),
    ] = None,
    weekday: Annotated[int | None, Query(ge=1, le=7, description="1: Monday, on the site's clock")] = None,
    hour: Annotated[int | None, Query(ge=0, le=23, description="on the site's clock")] = None,
    drills: bool = True,
) -> IncidentFilter:
    if since_s is not None and until_s is not None and until_s <= since_s:
        raise BadInput("until_s is not after since_s")
    return IncidentFilter(
        since_s=since_s,
        until_s=until_s,
        camera=camera,
        zone=zone,
        kind=kind,
        rule=rule,
        severity=severity,
        level=level,
        state=state,
        verdict=verdict,
        text=text,
        weekday=weekday,
        hour=hour,
        timezone=parts.config.site.timezone,
        drills=drills,
        cameras=caller.principal.cameras,
    )


#: What the query parameters ask for, within what the caller may see.
Wanted = Annotated[IncidentFilter, Depends(_wanted)]


def as_query(wanted: IncidentFilter) -> dict[str, Any]:
    """The parameters that ask for `wanted` again; only those that narrow it."""
    found = {name: getattr(wanted, name) for name in IncidentFilter.__dataclass_fields__ if name not in _NOT_ASKED}
    return {name: value for name, value in found.items() if value is not None and value is not True}
