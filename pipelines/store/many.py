"""Many rows at once, at what the database itself costs.

SQLAlchemy prepares each row's parameters anew, which takes longer than SQLite needs to store them. Here a statement is
compiled once, and its rows go to the driver as they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import JSON, Connection, Dialect, Insert, Table, insert
from sqlalchemy.dialects import postgresql, sqlite

#: Makes an insert into a table for a dialect.
Maker = Callable[[Dialect, Table], Insert]


class _Compiled(NamedTuple):
    sql: str
    order: tuple[str, ...] | None  # of parameters, where they have no names
    documents: tuple[str, ...]


def insert_many(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], maker: Maker) -> None:
    """Add `rows`, which all have the same keys (columns). `maker` says what happens to those that are there already."""
    if not rows:
        return
    compiled = _compiled(maker, table, connection.dialect, tuple(rows[0]))
    if compiled.documents:
        rows = [{**row, **{name: _document(row[name]) for name in compiled.documents}} for row in rows]
    if compiled.order is None:
        connection.exec_driver_sql(compiled.sql, [dict(row) for row in rows])
    else:
        connection.exec_driver_sql(compiled.sql, [tuple(map(row.__getitem__, compiled.order)) for row in rows])


def or_fail(_dialect: Dialect, table: Table) -> Insert:
    """A plain insert."""
    return insert(table)


def or_ignore(dialect: Dialect, table: Table) -> Insert:
    """An insert that leaves a row that is already there as it is."""
    if dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


def _document(value: Any) -> str:
    # As SQLAlchemy writes it: no value is the document `null`.
    return json.dumps(value)


@lru_cache(maxsize=64)
def _compiled(maker: Maker, table: Table, dialect: Dialect, keys: tuple[str, ...]) -> _Compiled:
    compiled: Any = maker(dialect, table).compile(dialect=dialect, column_keys=list(keys))
    documents = tuple(name for name, bind in compiled.binds.items() if isinstance(bind.type, JSON) and name in keys)
    return _Compiled(str(compiled), None if compiled.positiontup is None else tuple(compiled.positiontup), documents)
