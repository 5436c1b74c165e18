"""The index: one SQLite file on the recording volume, opened only in this package.

WAL, short transactions, one connection per thread. `synchronous=NORMAL` for the recorder: a power cut may take back the
newest rows but never damages the file, and what lies on the disk is adopted again at start. Holds and deletions use
`durable=True` (`synchronous=FULL`): a hold that was confirmed to a person must be there after a power cut.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from pipelines.errors import Unavailable
from pipelines.sqlite import write_ahead

SCHEMA_VERSION: Final = 2

#: States of a segment row.
PRESENT: Final = 0
DELETING: Final = 1
MISSING: Final = 2
QUARANTINED: Final = 3

_SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE cameras (camera TEXT PRIMARY KEY, since_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE segments (
    id INTEGER PRIMARY KEY, camera TEXT NOT NULL, day INTEGER NOT NULL, seq INTEGER NOT NULL, run TEXT NOT NULL,
    start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    sha256 BLOB NOT NULL, link BLOB NOT NULL, state INTEGER NOT NULL DEFAULT 0, offset_ms INTEGER);
CREATE UNIQUE INDEX segments_chain ON segments (camera, day, seq);
CREATE INDEX segments_time ON segments (camera, start_ms, end_ms, state, size_bytes);
CREATE INDEX segments_damaged ON segments (state) WHERE state != 0;
CREATE TABLE deletions (
    camera TEXT NOT NULL, day INTEGER NOT NULL, seq INTEGER NOT NULL, run TEXT NOT NULL,
    start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, size_bytes INTEGER NOT NULL, sha256 BLOB NOT NULL,
    link BLOB NOT NULL, deleted_ms INTEGER NOT NULL, rule TEXT NOT NULL, finished INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (camera, day, seq)) WITHOUT ROWID;
CREATE INDEX deletions_time ON deletions (camera, start_ms, end_ms);
CREATE INDEX deletions_open ON deletions (finished) WHERE finished = 0;
CREATE TABLE gaps (
    id INTEGER PRIMARY KEY, camera TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER,
    cause TEXT NOT NULL, detail TEXT NOT NULL, inside INTEGER NOT NULL DEFAULT 0);
CREATE INDEX gaps_time ON gaps (camera, from_ms);
CREATE INDEX gaps_open ON gaps (camera) WHERE to_ms IS NULL;
CREATE TABLE clock_steps (
    id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, step_ms INTEGER NOT NULL, accepted INTEGER NOT NULL DEFAULT 0);
CREATE TABLE heads (
    camera TEXT NOT NULL, day INTEGER NOT NULL, body TEXT NOT NULL, algorithm TEXT NOT NULL, key_id TEXT NOT NULL,
    signature BLOB NOT NULL, made_ms INTEGER NOT NULL, sent_ms INTEGER, PRIMARY KEY (camera, day)) WITHOUT ROWID;
CREATE TABLE holds (
    hold_id TEXT PRIMARY KEY, reason TEXT NOT NULL, owner TEXT NOT NULL, created_by TEXT NOT NULL,
    created_ms INTEGER NOT NULL, expires_ms INTEGER, released_ms INTEGER, released_by TEXT, release_reason TEXT) WITHOUT ROWID;
CREATE TABLE hold_spans (
    hold_id TEXT NOT NULL REFERENCES holds, camera TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL);
CREATE INDEX hold_spans_camera ON hold_spans (camera, from_ms);
CREATE TABLE marks (
    incident_id TEXT PRIMARY KEY, camera TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX marks_camera ON marks (camera, from_ms);
CREATE TABLE clips (
    incident_id TEXT PRIMARY KEY, camera TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,
    path TEXT NOT NULL, size_bytes INTEGER NOT NULL, sha256 TEXT NOT NULL, made_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX clips_time ON clips (camera, from_ms);
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY, incident_id TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL,
    created_ms INTEGER NOT NULL, forwarded_ms INTEGER, UNIQUE (incident_id, revision));
CREATE INDEX outbox_waiting ON outbox (id) WHERE forwarded_ms IS NULL;
"""
#: What each version added to the one before it.
_STEPS: Final = {
    2: """
CREATE TABLE clocks (
    camera TEXT NOT NULL, source TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,
    low_ms INTEGER, high_ms INTEGER);
CREATE INDEX clocks_time ON clocks (camera, from_ms);
"""
}


class Index:
    """One connection. Use it in the thread that opened it."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self.path = path

    @classmethod
    def open(cls, path: Path, *, durable: bool = False, create: bool = False) -> Self:
        """Raises: Unavailable: there is no index, or it cannot be read."""
        if not create and not path.exists():
            raise Unavailable(f"{path}: no index there; has anything been recorded?")
        try:
            connection = sqlite3.connect(path, timeout=20.0, isolation_level=None)
            write_ahead(connection)
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA wal_autocheckpoint=400")
            index = cls(connection, path)
            index._prepare()
        except sqlite3.DatabaseError as error:
            raise Unavailable(
                f"{path}: the index cannot be used ({error}); `gatewatch footage rebuild` makes it anew"
            ) from error
        return index

    def _prepare(self) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version == SCHEMA_VERSION:
            return
        if version > SCHEMA_VERSION:
            raise Unavailable(f"{self.path}: written by a newer Gatewatch (index version {version})")
        with self.transaction() as cursor:
            (version,) = cursor.execute("PRAGMA user_version").fetchone()
            steps = [_SCHEMA] if version == 0 else []
            steps += [_STEPS[step] for step in range(max(2, version + 1), SCHEMA_VERSION + 1)]
            for statement in ";\n".join(steps).split(";\n"):
                cursor.execute(statement)
            cursor.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A short write transaction; rolled back when the body raises. Raises Unavailable (locked, full, read-only)."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.OperationalError as error:
            raise Unavailable(f"{self.path}: the index cannot be written ({error})") from error

    def read(self, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
        """Rows of a SELECT. Raises Unavailable."""
        try:
            return self._connection.execute(sql, parameters)
        except sqlite3.DatabaseError as error:
            raise Unavailable(f"{self.path}: the index cannot be read ({error})") from error

    def meta(self, key: str) -> str | None:
        row = self.read("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        with self.transaction() as cursor:
            cursor.execute(
                "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
            )

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
