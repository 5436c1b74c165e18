"""What every SQLite file of ours needs, whoever opens it."""

from __future__ import annotations

import sqlite3
import time
from typing import Final

_PATIENCE_S: Final = 20.0
_PAUSE_S: Final = 0.02


def write_ahead(connection: sqlite3.Connection, patience_s: float = _PATIENCE_S) -> None:
    """Put the file into write-ahead mode, which stays with it; asking again needs no lock.

    Several that open a new file in the same moment all want the switch, and SQLite refuses all but one of them at once,
    whatever its busy time-out (https://www.sqlite.org/wal.html, "Activating"): here they wait for their turn.

    Raises:
        sqlite3.OperationalError: somebody else has kept it locked for `patience_s`.
    """
    until_s = time.monotonic() + patience_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            busy = (error.sqlite_errorcode & 0xFF) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or time.monotonic() >= until_s:
                raise
        time.sleep(_PAUSE_S)
