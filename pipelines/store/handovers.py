"""Sheets that one shift hands to the next: signed by who gives it, then by who takes it, then never changed again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from pipelines.errors import BadInput
from pipelines.store.handover_schema import handovers
from pipelines.store.people import note as audit

_SHORT: Final = tuple(
    handovers.c[name]
    for name in ("handover_id", "from_s", "until_s", "cameras", "given_by", "given_s", "taken_by", "taken_s")
)


def give(
    connection: Connection,
    *,
    from_s: float,
    until_s: float,
    cameras: Sequence[str] | None,
    sheet: dict[str, Any],
    note: str,
    who: str,
    now_s: float,
) -> int:
    """Write down a sheet that `who` signs; returns its number. `sheet`: plain JSON values. In the audit."""
    row = {
        "from_s": from_s,
        "until_s": until_s,
        "cameras": None if cameras is None else sorted(cameras),
        "sheet": sheet,
        "note": note,
        "given_by": who,
        "given_s": now_s,
    }
    sealed = seal(row)
    key = connection.execute(insert(handovers).values(**row, sha256=sealed, remark="")).inserted_primary_key
    assert key is not None
    audit(connection, now_s, who, "handover.give", f"handover {key[0]}", {"sha256": sealed})
    return int(key[0])


def take(connection: Connection, handover_id: int, *, who: str, remark: str, now_s: float) -> None:
    """`who` signs for the shift that begins. In the audit.

    Raises: BadInput: there is no such sheet, it was taken over already, or by whom it was given.
    """
    row = get(connection, handover_id)
    if row is None:
        raise BadInput(f"there is no sheet {handover_id}")
    if row["given_by"] == who:
        raise BadInput("the shift that begins signs as somebody else than the shift that ends")
    done = connection.execute(
        update(handovers)
        .where(handovers.c.handover_id == handover_id, handovers.c.taken_s.is_(None))
        .values(taken_by=who, taken_s=now_s, remark=remark)
    )
    if not done.rowcount:
        raise BadInput(f"{row['taken_by'] or 'somebody'} has signed for the shift that begins already")
    audit(connection, now_s, who, "handover.take", f"handover {handover_id}", {"sha256": row["sha256"]})


def get(connection: Connection, handover_id: int) -> dict[str, Any] | None:
    """A sheet with all its columns; None: there is none."""
    row = connection.execute(select(handovers).where(handovers.c.handover_id == handover_id)).first()
    return None if row is None else dict(row._mapping)


def newest(connection: Connection, limit: int = 30) -> list[dict[str, Any]]:
    """Without what is on them, the newest first."""
    rows = connection.execute(select(*_SHORT).order_by(handovers.c.until_s.desc(), handovers.c.handover_id.desc()))
    return [dict(row._mapping) for row in rows.fetchmany(limit)]


def seal(row: dict[str, Any]) -> str:
    """The SHA-256 of what was given, to be compared with the stored one and the audit's."""
    names = ("from_s", "until_s", "cameras", "sheet", "note", "given_by", "given_s")
    text = json.dumps({name: row[name] for name in names}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
