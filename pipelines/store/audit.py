"""Reading the audit, newest first."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select

from pipelines.store.schema import audit


def page(
    connection: Connection,
    *,
    since_s: float | None = None,
    until_s: float | None = None,
    who: str | None = None,
    action: str | None = None,
    limit: int = 100,
    before: int | None = None,
) -> tuple[list[dict[str, Any]], int | None]:
    """(lines, where the next page begins; None: this was the last). `action`: `footage` also finds `footage.view`."""
    conditions: list[ColumnElement[bool]] = []
    if since_s is not None:
        conditions.append(audit.c.at_s >= since_s)
    if until_s is not None:
        conditions.append(audit.c.at_s < until_s)
    if who is not None:
        conditions.append(audit.c.who == who)
    if action is not None:
        conditions.append(or_(audit.c.action == action, audit.c.action.startswith(f"{action}.", autoescape=True)))
    if before is not None:
        conditions.append(audit.c.audit_id < before)
    chosen = select(audit).where(*conditions).order_by(audit.c.audit_id.desc()).limit(limit + 1)
    rows = [dict(row._mapping) for row in connection.execute(chosen)]
    more = len(rows) > limit
    return rows[:limit], rows[limit - 1]["audit_id"] if more else None
