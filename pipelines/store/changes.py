"""Following what changed: every incident and alert that was written after a cursor, in an order that nothing can be missed in.

On PostgreSQL numbers are given before transactions end, in any order; so changes are followed by (transaction, number), and
only those of transactions before the oldest one that is still under way: nothing can come to stand between them any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, select, text, tuple_

from pipelines.errors import BadInput
from pipelines.store.people_schema import changes
from pipelines.store.schema import alerts, incidents, threads

_MOST: Final = 500
_SETTLED: Final = text("tx < pg_snapshot_xmin(pg_current_snapshot())::text::bigint")


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place in the order."""

    tx: int
    seq: int

    def __str__(self) -> str:
        return f"{self.tx}-{self.seq}"

    @classmethod
    def parse(cls, value: str) -> Cursor:
        """Raises BadInput."""
        tx, _, seq = value.partition("-")
        if not (tx.isascii() and tx.isdigit() and seq.isascii() and seq.isdigit()) or len(value) > 40:
            raise BadInput(f"{value!r:.60} is no cursor that the stream has given")
        return cls(int(tx), int(seq))


@dataclass(frozen=True, slots=True)
class Changes:
    """`incident_ids` and `alert_ids` changed, each named once; `cursor` is where to go on."""

    cursor: Cursor
    incident_ids: tuple[str, ...]
    alert_ids: tuple[str, ...]


def newest(connection: Connection) -> Cursor:
    """Where a new follower begins."""
    chosen = select(changes.c.tx, changes.c.seq).order_by(changes.c.tx.desc(), changes.c.seq.desc()).limit(1)
    row = connection.execute(_settled(connection, chosen)).first()
    return Cursor(0, 0) if row is None else Cursor(*row)


def since(connection: Connection, cursor: Cursor) -> Changes:
    """At most a few hundred changes after `cursor`."""
    chosen = select(changes).where(tuple_(changes.c.tx, changes.c.seq) > tuple_(cursor.tx, cursor.seq))
    rows = connection.execute(_settled(connection, chosen).order_by(changes.c.tx, changes.c.seq).limit(_MOST)).all()
    last = Cursor(rows[-1].tx, rows[-1].seq) if rows else cursor
    named = {what: tuple(dict.fromkeys(row.id for row in rows if row.what == what)) for what in ("incident", "alert")}
    return Changes(last, named["incident"], named["alert"])


def is_lost(connection: Connection, cursor: Cursor) -> bool:
    """Whether changes after `cursor` may have been cleared up already, or it is of another store."""
    first, last = connection.execute(select(func.min(changes.c.seq), func.max(changes.c.seq))).one()
    if first is None:
        return cursor.seq > 0
    return bool(cursor.seq + 1 < first or cursor.seq > last)


def _settled(connection: Connection, chosen: Any) -> Any:
    return chosen.where(_SETTLED) if connection.dialect.name == "postgresql" else chosen


def incidents_with_threads(connection: Connection, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of `incidents`, each with its `thread` (None: nobody is told), in the order of `ids`."""
    rows = {row.incident_id: dict(row._mapping) for row in _by_id(connection, incidents, "incident_id", ids)}
    for row in rows.values():
        row["thread"] = None
    for thread in _by_id(connection, threads, "incident_id", ids):
        if thread.incident_id in rows:
            rows[thread.incident_id]["thread"] = dict(thread._mapping)
    return [rows[name] for name in ids if name in rows]


def alerts_with_cameras(connection: Connection, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of `alerts`, each with the `camera` of its incident (empty: a warning's or a test's)."""
    chosen = select(alerts, incidents.c.camera).outerjoin(incidents, incidents.c.incident_id == alerts.c.incident_id)
    rows = connection.execute(chosen.where(alerts.c.alert_id.in_(ids)))
    found = {row.alert_id: dict(row._mapping) | {"camera": row.camera or ""} for row in rows}
    return [found[name] for name in ids if name in found]


def _by_id(connection: Connection, table: Any, column: str, ids: Sequence[str]) -> list[Any]:
    return list(connection.execute(select(table).where(table.c[column].in_(ids)))) if ids else []
