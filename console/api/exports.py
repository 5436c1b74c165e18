"""Many incidents at once as a file."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import chain
from typing import IO, Annotated, Any, Final, Literal

from fastapi import Query
from fastapi.responses import StreamingResponse

from console.access import allow
from console.api.common import noted, refusals, router
from console.api.filters import Wanted, as_query
from console.gate import TheseParts, ThisCaller
from console.parts import Parts
from console.pouring import poured
from pipelines.access.roles import Permission
from pipelines.history import export as files
from pipelines.store import history
from pipelines.store.queries import IncidentFilter

api = router("history")

_TYPES: Final[dict[files.Format, str]] = {
    "csv": "text/csv",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
_FILE: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {kind: {} for kind in _TYPES.values()}}}
Reason = Annotated[str, Query(min_length=1, max_length=500, pattern=r"\S", description="why; it stands in the audit")]


@api.get("/exports/incidents", response_class=StreamingResponse, responses=_FILE | refusals())
@allow(Permission.EXPORT)
def export(
    parts: TheseParts,
    caller: ThisCaller,
    wanted: Wanted,
    reason: Reason,
    format: Literal["csv", "json", "jsonl", "parquet"] = "csv",
    bom: Annotated[bool, Query(description="CSV that Excel reads as UTF-8")] = False,
) -> StreamingResponse:
    """The incidents as a file, written while it is read. Reason and filter are in the audit before the first byte, the number
    of rows after the last. A file that breaks off is not complete."""
    if format == "parquet":
        files.check_parquet()
    detail = {"reason": reason, "format": format, "out": "console", "filter": _narrowed(wanted)}
    noted(parts, caller, "export", "incidents", detail)

    def write(out: IO[bytes]) -> None:
        count = _written(parts, wanted, format, out, bom and format == "csv")
        noted(parts, caller, "exported", "incidents", detail | {"rows": count})

    pieces = poured(write)
    # A store that is away is told as such, and not as an empty file.
    first = next(pieces, b"")
    name = f"incidents.{format}"
    return StreamingResponse(
        _all(first, pieces),
        media_type=_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _narrowed(wanted: IncidentFilter) -> dict[str, Any]:
    """For the audit: what was asked for, and within which cameras."""
    scope = {} if wanted.cameras is None else {"cameras": sorted(wanted.cameras)}
    return as_query(wanted) | scope


def _all(first: bytes, rest: Generator[bytes]) -> Iterator[bytes]:
    with closing(rest):
        yield from chain((first,), rest)


def _written(parts: Parts, wanted: IncidentFilter, kind: files.Format, out: IO[bytes], bom: bool) -> int:
    with parts.database.read() as connection:
        found = files.flattened(history.newest_first(connection, wanted), parts.config.site.timezone)
        return files.write(found, kind, out, bom=bom)
