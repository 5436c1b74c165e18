"""The history: figures of any part of it, and the incidents themselves to take away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from fastapi import Query
from fastapi.responses import StreamingResponse

from console.access import allow
from console.api import history_shapes as shapes
from console.api.common import noted, refusals, router
from console.api.filters import Wanted, as_query
from console.gate import TheseParts, ThisCaller
from console.parts import Parts
from pipelines.access.roles import Permission
from pipelines.errors import BadInput
from pipelines.history import export
from pipelines.history.stats import stats
from pipelines.store import history
from pipelines.store.queries import IncidentFilter

api = router("history")
_PIECE_BYTES: Final = 65_536


@api.get("/stats", response_model=shapes.Stats)
@allow(Permission.SEE)
def figures_of_incidents(parts: TheseParts, wanted: Wanted) -> Any:
    """When, where, what, how fast it was answered, how often the rules were right. Without drills, unless `verdict=drill` asks
    for them. Each figure has a `filter` that lists its incidents."""
    timezone = parts.config.site.timezone
    wanted = replace(wanted, drills=wanted.verdict == "drill")
    with parts.database.read() as connection:
        names = partial(history.camera_names, connection)
        figures = stats(history.stream(connection, wanted), timezone, names)
    return shapes.linked(figures, as_query(wanted), {day: _span(day, timezone) for day in figures["by_day"]})


_TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "parquet": "application/vnd.apache.parquet",
}


@api.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {kind.partition(";")[0]: {} for kind in _TYPES.values()}}, **refusals()},
)
@allow(Permission.EXPORT)
def incidents_as_a_file(
    parts: TheseParts,
    caller: ThisCaller,
    wanted: Wanted,
    reason: Annotated[
        str, Query(min_length=1, max_length=500, pattern=r"\S", description="what for; it stands in the audit")
    ],
    kind: Annotated[export.Format, Query(alias="format")] = "csv",
    bom: Annotated[bool, Query(description="CSV that Excel reads as UTF-8")] = False,
) -> StreamingResponse:
    """Incidents with when they were answered, newest first, all of one moment however long it takes. Who took what is in the
    audit before the first byte, how many rows there were after the last."""
    if bom and kind != "csv":
        raise BadInput("bom is for CSV")
    if kind == "parquet":
        export.check_parquet()
    detail = {"reason": reason, "format": kind, "filter": as_query(wanted)}
    noted(parts, caller, "export", "incidents", detail)

    def told(rows: int) -> None:
        noted(parts, caller, "exported", "incidents", detail | {"rows": rows})

    name = (
        f"incidents-{datetime.fromtimestamp(parts.clock.now_s(), ZoneInfo(parts.config.site.timezone)):%Y%m%d-%H%M%S}"
    )
    headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"', "Cache-Control": "private, no-store"}
    return StreamingResponse(_pieces(parts, wanted, kind, told, bom), media_type=_TYPES[kind], headers=headers)


def _pieces(
    parts: Parts, wanted: IncidentFilter, kind: export.Format, told: Callable[[int], None], bom: bool
) -> Iterator[bytes]:
    with parts.database.read() as connection:
        found = export.flattened(history.newest_first(connection, wanted), parts.config.site.timezone)
        pieces = export.chunks(found, kind, told, bom=bom)
        # Not a packet for each line.
        waiting = bytearray()
        for piece in pieces:
            waiting += piece
            if len(waiting) >= _PIECE_BYTES:
                yield bytes(waiting)
                waiting.clear()
        yield bytes(waiting)


def _span(day: str, timezone: str) -> tuple[float, float]:
    zone, first = ZoneInfo(timezone), date.fromisoformat(day)
    begin, end = (datetime(one.year, one.month, one.day, tzinfo=zone) for one in (first, first + timedelta(days=1)))
    return begin.timestamp(), end.timestamp()
