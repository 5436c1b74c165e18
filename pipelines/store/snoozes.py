"""Snoozes: a rule on a camera that tells nobody for a while. Each one with who, why and until when, in the audit too."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select, update

from pipelines.store.schema import audit, snoozes


def put(connection: Connection, camera: str, rule: str, *, reason: str, who: str, now_s: float, until_s: float) -> int:
    """Add one, with its line in the audit; returns its number."""
    snooze_id = connection.execute(
        insert(snoozes).values(camera=camera, rule=rule, reason=reason, who=who, from_s=now_s, until_s=until_s)
    ).inserted_primary_key
    assert snooze_id is not None
    detail = {"snooze": snooze_id[0], "reason": reason, "until_s": until_s}
    note_in_audit(connection, "snooze", f"{camera}: {rule}", who=who, now_s=now_s, detail=detail)
    return int(snooze_id[0])


def end(connection: Connection, snooze_id: int, *, who: str, now_s: float) -> bool:
    """End one before its time, with its line in the audit. False: there is no such one in force."""
    ended = connection.execute(
        update(snoozes)
        .where(snoozes.c.snooze_id == snooze_id, snoozes.c.until_s > now_s, snoozes.c.ended_s.is_(None))
        .values(ended_s=now_s, ended_by=who)
        .returning(snoozes.c.camera, snoozes.c.rule)
    ).first()
    if ended is None:
        return False
    note_in_audit(
        connection, "unsnooze", f"{ended.camera}: {ended.rule}", who=who, now_s=now_s, detail={"snooze": snooze_id}
    )
    return True


def in_force(connection: Connection, now_s: float, camera: str | None = None) -> list[dict[str, Any]]:
    """Those that silence now, the one that ends first before the others."""
    conditions = [snoozes.c.until_s > now_s, snoozes.c.ended_s.is_(None)]
    if camera is not None:
        conditions.append(snoozes.c.camera == camera)
    rows = connection.execute(select(snoozes).where(*conditions).order_by(snoozes.c.until_s, snoozes.c.snooze_id))
    return [dict(row._mapping) for row in rows]


def newest(connection: Connection, limit: int = 100) -> list[dict[str, Any]]:
    """All of them, past ones too, newest first."""
    rows = connection.execute(select(snoozes).order_by(snoozes.c.snooze_id.desc()).limit(limit))
    return [dict(row._mapping) for row in rows]


def note_in_audit(
    connection: Connection, action: str, subject: str, *, who: str, now_s: float, detail: dict[str, Any]
) -> None:
    """One line of the audit."""
    connection.execute(insert(audit).values(at_s=now_s, who=who, action=action, subject=subject, detail=detail))
