from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from pipelines.errors import BadInput, Unavailable
from pipelines.events.envelope import EnvelopeError, Event, incident_event
from pipelines.store import incidents
from pipelines.store.database import Database, sqlite_url
from pipelines.store.incidents import notice_of
from pipelines.store.queries import IncidentFilter, list_incidents, show_incident
from pipelines.store.schema import metadata
from pipelines.testing import an_incident
from vision.incident import Phase


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    made = Database(store_url)
    yield made
    made.close()


def event(incident_id: str = "case-1", revision: int = 1, phase: Phase = Phase.OPENED, **changes: Any) -> Event:
    return incident_event(an_incident(incident_id, revision, phase, **changes), "v1", "North")


def store(database: Database, *events: Event) -> list[str]:
    with database.write() as connection:
        changes = incidents.apply(connection, [notice_of(event) for event in events], 5.0)
    return [change.notice.event.id for change in changes]


def rows(database: Database, **wanted: Any) -> list[dict[str, Any]]:
    with database.reading() as connection:
        return list_incidents(connection, IncidentFilter(**wanted)).rows


def test_the_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    with database.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
        if connection.dialect.name == "sqlite":
            # An index that only PostgreSQL needs.
            differences = [one for one in differences if getattr(one[1], "name", "") != "incidents_by_beginning"]
        assert differences == []


def test_migrating_again_and_from_several_at_once_is_harmless(tmp_path: Path) -> None:
    errors: list[BaseException] = []

    def migrate() -> None:
        try:
            Database(sqlite_url(tmp_path)).migrate()
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    database = Database(sqlite_url(tmp_path))
    assert store(database, event()) == ["case-1:1"]
    database.migrate()
    assert [row["incident_id"] for row in rows(database)] == ["case-1"]
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM alembic_version").scalar_one() == 1
    database.close()


def test_a_newer_store_is_refused(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(BadInput, match="newer"):
        database.migrate()
    with pytest.raises(BadInput, match="another version"), database.reading():
        pass


def test_no_store_yet(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no store at"), Database(sqlite_url(tmp_path)).reading():
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://u:hunter2@h/db", "oracle://x"])
def test_a_url_that_cannot_be_used(url: str) -> None:
    with pytest.raises(BadInput, match="sqlite:///PATH") as caught:
        Database(url)
    assert "hunter2" not in str(caught.value)


def test_an_older_revision_and_a_redelivery_change_nothing(database: Database) -> None:
    assert store(database, event(revision=2, phase=Phase.UPDATED, severity=1)) == ["case-1:2"]
    assert store(database, event(revision=1)) == []
    assert store(database, event(revision=2, phase=Phase.UPDATED, severity=1)) == []
    (row,) = rows(database)
    assert (row["revision"], row["severity"], row["phase"]) == (2, 1, "updated")
    with database.reading() as connection:
        found = show_incident(connection, "case")
    assert found is not None
    assert [one["revision"] for one in found["events"]] == [1, 2]


def test_a_batch_holds_a_whole_life(database: Database) -> None:
    told = store(
        database,
        event(phase=Phase.WARNED),
        event(revision=2),
        event(revision=4, phase=Phase.CLOSED),
        event(revision=3, phase=Phase.UPDATED),
        event(revision=4, phase=Phase.CLOSED),
    )
    assert told == ["case-1:1", "case-1:2", "case-1:4"]
    (row,) = rows(database)
    assert (row["phase"], row["close_reason"], row["closed_s"]) == ("closed", "left", 1_790_000_400.5)


def test_warnings_and_cases_that_never_opened_are_no_incidents(database: Database) -> None:
    store(database, event(phase=Phase.WARNED), event(revision=2, phase=Phase.CLOSED, opened_s=None))
    assert rows(database) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"severity": 7}, "severity"),
        ({"severity": True}, "severity"),
        ({"score": "high"}, "score"),
        ({"incident_id": ""}, "incident_id"),
        ({"first_seen_s": None}, "first_seen_s"),
        ({"revision": -1}, "revision"),
        ({"phase": "exploded"}, "phase"),
        ({"evidence": []}, "evidence"),
        ({"camera": None}, "camera"),
        ({"time_s": float("inf")}, "time_s"),
        ({"camera": "c" * 65}, "camera has 65 characters"),
        ({"camera_name": "half of a pair \ud83d"}, "camera_name holds a character"),
        ({"rule": "no\0thing"}, "rule holds a character"),
    ],
)
def test_what_cannot_be_stored_is_refused_before_the_transaction(change: dict[str, Any], reason: str) -> None:
    good = event()
    with pytest.raises(EnvelopeError, match=reason):
        notice_of(Event(good.id, good.type, good.source, good.subject, good.time, "v", good.data | change))


def test_a_missing_field_is_named() -> None:
    good = event()
    data = {name: value for name, value in good.data.items() if name != "kind"}
    with pytest.raises(EnvelopeError, match="'kind'"):
        notice_of(Event(good.id, good.type, good.source, good.subject, good.time, "v", data))


def test_filters_and_pages_by_key(database: Database) -> None:
    store(
        database,
        *(
            event(
                f"case-{number:02d}",
                camera_id="a" if number % 2 else "b",
                opened_s=100.0 + number // 3,
                severity=1 + number % 4,
            )
            for number in range(25)
        ),
    )
    seen: list[str] = []
    cursor = None
    for _ in range(9):
        with database.reading() as connection:
            page = list_incidents(connection, IncidentFilter(), 4, cursor)
        seen += [row["incident_id"] for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == [f"case-{number:02d}" for number in reversed(range(25))]
    assert len(rows(database, camera="a")) == 12
    assert {row["severity"] for row in rows(database, severity=2)} == {1, 2}
    assert len(rows(database, since_s=102.0, until_s=103.0)) == 3
    assert len(rows(database, state="open")) == 25
    assert [row["incident_id"] for row in rows(database, text="CASE-07")] == ["case-07"]
    assert rows(database, text="%") == []
    assert len(rows(database, verdict="none")) == 25
    assert rows(database, kind="crowding") == []
    with database.reading() as connection:
        for bad in ("x", "bm9uc2Vuc2U", "WzFd"):
            with pytest.raises(BadInput, match="cursor"):
                list_incidents(connection, IncidentFilter(), 4, bad)
        with pytest.raises(BadInput, match="1000"):
            list_incidents(connection, IncidentFilter(), 5000)
        with pytest.raises(BadInput, match="several"):
            show_incident(connection, "case-")
        assert show_incident(connection, "nothing") is None


HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
connection.execute("COMMIT")
"""


@pytest.mark.parametrize(("timeout_s", "stored"), [(60.0, True), (0.2, False)])
def test_another_process_holds_the_store_for_a_while(tmp_path: Path, timeout_s: float, stored: bool) -> None:
    database = Database(sqlite_url(tmp_path), busy_timeout_s=timeout_s)
    database.migrate()
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "gatewatch.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    assert other.stdin is not None
    assert other.stdout.readline() == "held\n"
    if stored:
        threading.Timer(2.0, other.stdin.close).start()
        assert store(database, event()) == ["case-1:1"]
    else:
        with pytest.raises(Unavailable, match="locked"):
            store(database, event())
        other.stdin.close()
    assert other.wait(90) == 0
    assert store(database, event()) == ([] if stored else ["case-1:1"])
    database.close()


def test_a_disk_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "gatewatch.db").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(Exception, match="not a database"):
        Database(sqlite_url(tmp_path)).migrate()
