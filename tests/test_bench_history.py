"""The benchmark of the history, small: that it measures what it says, on both databases, and leaves nothing behind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.bench import history as bench
from pipelines.bench import history_writing
from pipelines.bench.history import FILTERS
from pipelines.bench.history_rows import END_S, fill
from pipelines.cli import main
from pipelines.store import history
from pipelines.store.database import Database, sqlite_url
from pipelines.store.queries import IncidentFilter

ROWS = 5_000
MONTH = IncidentFilter(since_s=END_S - 30 * 86_400.0)


def test_measures_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_writing, "_ROUNDS", 1)
    monkeypatch.setattr(history_writing, "_BATCHES", 1)
    command = ["bench", "history", "--rows", str(ROWS), "--database", "sqlite", "--folder", str(tmp_path)]
    assert main([*command, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    found = figures["sqlite"]
    assert set(found["pages"]) == set(FILTERS)
    assert {name for name, page in found["pages"].items() if page["rows"] == 50} >= {
        "everything",
        "a kind",
        "judged false",
    }
    assert all(
        0 < page["median_ms"] <= page["worst_ms"] <= page["worst_first_try_ms"] for page in found["pages"].values()
    )
    assert 0.18 * ROWS < found["stats_term"]["incidents"] < 0.23 * ROWS
    assert found["stats_term"]["cameras"] == 200
    assert found["writing"]["per_s"] > 0
    assert list(tmp_path.iterdir()) == []
    assert main([*command[:3], "10", *command[4:]]) == 2
    assert "at least 1000" in capsys.readouterr().err


def test_a_server_of_ones_own_is_left_as_it_was(
    postgres: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_writing, "_ROUNDS", 1)
    monkeypatch.setattr(history_writing, "_BATCHES", 1)
    monkeypatch.setattr(bench, "FILTERS", {"a camera": FILTERS["a camera"]})
    url = postgres.url()
    command = ["bench", "history", "--rows", "1000", "--url", url, "--folder", str(tmp_path), "--json"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert "sqlite" not in found
    assert found["postgresql"]["pages"]["a camera"]["rows"] > 0
    with Database(url).read() as connection:
        asked = "SELECT count(*) FROM pg_database WHERE datname LIKE 'gatewatch%%'"
        assert connection.exec_driver_sql(asked).scalar() == 0
    assert main([*command[:5], "sqlite:///x"]) == 2
    assert main([*command[:4], "--url", url, "--database", "sqlite"]) == 2


def test_both_databases_hold_the_same_incidents(tmp_path: Path, postgres: Any) -> None:
    found: list[list[tuple[Any, ...]]] = []
    for url, path in ((sqlite_url(tmp_path), tmp_path / "gatewatch.db"), (postgres.url(), None)):
        database = Database(url)
        database.migrate()
        database.close()
        fill(database, path, 3000, lambda _text: None)
        with database.read() as connection:
            assert len(history.stale(connection)) > 700
            rows = [
                (round(float(at_s), 3), columns.places[place], int(severity), columns.verdicts[verdict])
                for columns in history.stream(connection, MONTH)
                for at_s, place, severity, verdict in zip(
                    columns.at_s, columns.place, columns.severity, columns.verdict, strict=True
                )
            ]
            crowds = sum(
                len(columns.crowd_row) for columns in history.stream(connection, replace(MONTH, kind="crowding"))
            )
        database.close()
        assert 90 < len(rows) < 160
        assert crowds > 10
        found.append(rows)
    assert found[0] == found[1]
