"""For administrators of the whole site: what could not be delivered, and the audit."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from console.access import allow
from console.api.common import PageCursor, Since, Until, Word, router
from console.api.shapes import Asked, Delivery, Shape
from console.gate import TheseParts, ThisCaller
from pipelines.access.roles import Permission
from pipelines.errors import BadInput
from pipelines.store import audit, queries

api = router("operating")


class AuditLine(Shape):
    """`who` did `action` to `subject`."""

    audit_id: int
    at_s: float
    who: str
    action: str
    subject: str
    detail: dict[str, Any]


class AuditPage(Shape):
    lines: list[AuditLine]
    cursor: str | None


class Resending(Asked):
    """Numbers of dead deliveries; null: all of them."""

    deliveries: Annotated[list[Annotated[int, Field(ge=1, le=2**53)]], Field(min_length=1, max_length=500)] | None


class Resent(Shape):
    deliveries: list[int]


@api.get("/dead-letters", response_model=list[Delivery])
@allow(Permission.OPERATE, whole_site=True)
def dead_letters(parts: TheseParts, limit: Annotated[int, Query(ge=1, le=500)] = 100) -> Any:
    """Deliveries that will not be tried again, newest first, with the reason."""
    with parts.database.read() as connection:
        return queries.dead_deliveries(connection, limit)


@api.post("/dead-letters/resend", response_model=Resent)
@allow(Permission.OPERATE, whole_site=True)
def resend(parts: TheseParts, caller: ThisCaller, asked: Resending) -> Any:
    """Try them again from the first try; returns those that were dead."""
    now_s = parts.clock.now_s()
    with parts.database.write() as connection:
        again = queries.resend(connection, asked.deliveries, now_s=now_s, who=caller.name)
    return {"deliveries": again}


@api.get("/audit", response_model=AuditPage)
@allow(Permission.PEOPLE, whole_site=True)
def list_audit(
    parts: TheseParts,
    since_s: Since = None,
    until_s: Until = None,
    who: Word = None,
    action: Annotated[str | None, Query(max_length=64, description="an action, or its beginning up to a dot")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: PageCursor = None,
) -> Any:
    """Who did what, newest first."""
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise BadInput(f"{cursor!r:.60} is not a cursor that the audit has given")
    with parts.database.read() as connection:
        lines, before = audit.page(
            connection,
            since_s=since_s,
            until_s=until_s,
            who=who,
            action=action,
            limit=limit,
            before=None if cursor is None else int(cursor),
        )
    return {"lines": lines, "cursor": None if before is None else str(before)}
