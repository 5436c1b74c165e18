"""Whose turn it is to write to an SQLite file, among processes.

SQLite lets a writer that finds another one sleep longer and longer (up to 0.1 s) and look again, whoever came first: two busy
dispatchers then mostly sleep. Here the next one is named by a lock on a file beside the database, and looks every
millisecond; who has just written cannot overtake. It only settles the order: exclusion stays SQLite's own business.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

_LOOK_EVERY_S: Final = 0.001


class Turn:
    """One process's place in the row. Not for several threads at once."""

    def __init__(self, database: Path, patience_s: float) -> None:
        """`patience_s`: how long `begin` waits, in all."""
        self._path = database.with_name(database.name + "-turn")
        self._patience_s = patience_s
        self._fd = -1

    def begin(self, connection: sqlite3.Connection) -> bool:
        """Begin a transaction that writes. False: others were writing all the time, or SQLite refuses; asked again, it says
        which."""
        deadline_s = time.monotonic() + self._patience_s
        if not _soon(self._lock, deadline_s):
            return False
        try:
            return _soon(lambda: _begun(connection), deadline_s)
        except sqlite3.Error:
            return False
        finally:
            if self._fd >= 0:
                fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _lock(self) -> bool:
        try:
            if self._fd < 0:
                self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True  # no such file can be made or locked there: then without order, as SQLite has it
        return True


def _begun(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            return False
        raise
    return True


def _soon(done: Callable[[], bool], deadline_s: float) -> bool:
    while not done():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(_LOOK_EVERY_S)
    return True
