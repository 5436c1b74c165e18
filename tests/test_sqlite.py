"""A new file that several open in the same moment."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from pipelines.sqlite import write_ahead

TOGETHER = 6


def test_several_that_open_a_new_file_together_all_get_their_turn(tmp_path: Path) -> None:
    def open_it(path: Path, together: Barrier) -> str:
        connection = sqlite3.connect(path, timeout=10.0)
        together.wait(30)
        write_ahead(connection)
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        connection.close()
        return str(mode)

    with ThreadPoolExecutor(TOGETHER) as pool:
        for number in range(60):
            together = Barrier(TOGETHER)
            path = tmp_path / f"{number}.sqlite3"
            assert list(pool.map(lambda _, p=path, b=together: open_it(p, b), range(TOGETHER))) == ["wal"] * TOGETHER


def test_a_file_that_somebody_keeps_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "kept.sqlite3"
    keeper = sqlite3.connect(path, isolation_level=None)
    keeper.execute("CREATE TABLE one (a)")
    keeper.execute("BEGIN EXCLUSIVE")
    late = sqlite3.connect(path, timeout=0.0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        write_ahead(late, patience_s=0.2)
    keeper.execute("COMMIT")
    write_ahead(late, patience_s=0.2)
    late.close()
    keeper.close()
