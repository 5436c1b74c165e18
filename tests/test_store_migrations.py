"""A store that an older Gatewatch wrote is brought forward with all that it held, on both databases."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Table, func, select, text

from pipelines.store import history, outbox, schema
from pipelines.store.database import Database, sqlite_url
from pipelines.store.queries import IncidentFilter, list_incidents, show_incident

OLD = Path(__file__).with_name("old_stores")
MIGRATIONS = Path(outbox.__file__).with_name("migrations")
VERSIONS = sorted(path.stem for path in OLD.glob("*.sql"))
ROWS = {
    "incidents": 2,
    "incident_events": 3,
    "alerts": 2,
    "alert_transitions": 2,
    "deliveries": 2,
    "attempts": 1,
    "verdicts": 1,
    "audit": 1,
}


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    return made


def write_old(url: str, version: str) -> None:
    """The tables of `version`, made by its own migrations, and its rows in plain SQL as they were."""
    database = Database(url)
    with database.write() as connection:
        alembic = config()
        alembic.attributes["connection"] = connection
        command.upgrade(alembic, version)
        for line in (OLD / f"{version}.sql").read_text("utf-8").splitlines():
            if not line.startswith("--"):
                connection.exec_driver_sql(line)
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    url: str = request.getfixturevalue("postgres").url(template="template0")
    return url


def check(url: str) -> None:
    """Everything that was in the old store is there, and can be worked with."""
    database = Database(url)
    database.migrate()
    with database.reading() as connection:
        newest, oldest = list_incidents(connection, IncidentFilter()).rows
        found: dict[str, Any] | None = show_incident(connection, "case-a")
        # Places were made of what was there.
        assert [row["incident_id"] for row in list_incidents(connection, IncidentFilter(text="北门")).rows] == [
            "case-a"
        ]
        for name, count in ROWS.items():
            table: Table = schema.metadata.tables[name]
            assert connection.scalar(select(func.count()).select_from(table)) == count, name
    assert found is not None
    for row in (oldest, found):
        assert (row["incident_id"], row["camera_name"], row["verdict"], row["drill"]) == (
            "case-a",
            "北门",
            "true",
            False,
        )
        assert (row["first_seen_s"], row["closed_s"], row["score"]) == (1780000000.25, 1780000400.125, 0.875)
        assert row["evidence"] == {"stopped": {"value": 220.0, "unit": "s"}}
        assert row["box_norm"] == [0.1, 0.2, 0.3, 0.4]
    assert (newest["camera_name"], newest["drill"], newest["closed_s"]) == ('南门 "B"', True, None)
    assert [event["body"]["id"] for event in found["events"]] == ["case-a:1", "case-a:3"]
    assert found["events"][0]["body"]["data"]["camera_name"] == "北门"
    (alert,) = found["alerts"]
    assert (alert["state"], alert["acknowledged_s"], alert["closed_s"]) == ("closed", 1780000200.0, 1780000500.0)
    assert [move["note"] for move in alert["transitions"]] == ["", "看到了"]
    assert [sent["state"] for sent in alert["deliveries"]] == ["sent"]
    assert [verdict["note"] for verdict in found["verdicts"]] == ["确实"]
    with database.read() as connection:
        (columns,) = history.stream(connection, IncidentFilter())
        days = history.stale(connection)
    assert columns.at_s.tolist() == [1780000180.5, 1780003630.0]
    assert days == [20601]  # the history is summed up from what was there
    assert columns.verdicts[columns.verdict[0]] == "true"
    with database.write() as connection:  # what waited to be sent still does
        (leased,) = outbox.claim(connection, "webhook", owner="a", now_s=1780003700.0, lease_s=30.0, limit=10)
        assert (leased.incident_id, leased.attempt) == ("case-b", 3)
        connection.execute(schema.audit.insert().values(at_s=1.0, who="a", action="b", subject="c", detail={}))
        assert connection.scalar(select(func.max(schema.audit.c.audit_id))) == 2  # numbers go on
    database.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_an_older_store_comes_forward_with_everything_in_it(empty_url: str, version: str) -> None:
    write_old(empty_url, version)
    check(empty_url)


def test_a_copy_of_an_older_file_comes_forward_and_the_file_stays(tmp_path: Path) -> None:
    write_old(sqlite_url(tmp_path), "0001")
    before = (tmp_path / "gatewatch.db").read_bytes()
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(tmp_path / "gatewatch.db", copy)
    check(sqlite_url(copy))
    assert (tmp_path / "gatewatch.db").read_bytes() == before


def test_a_step_that_fails_leaves_the_store_as_it_was(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def upgrade(alembic: Config, revision: str) -> None:
        real(alembic, revision)
        raise RuntimeError("the power went away")

    write_old(empty_url, "0001")
    real = command.upgrade
    database = Database(empty_url)
    with monkeypatch.context() as patched:
        patched.setattr(command, "upgrade", upgrade)
        if ScriptDirectory.from_config(config()).get_current_head() != "0001":
            with pytest.raises(RuntimeError, match="power"):
                database.migrate()
    with database.read() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "0001"
    database.close()
    check(empty_url)


def test_each_step_follows_one_other() -> None:
    script = ScriptDirectory.from_config(config())
    assert len(script.get_heads()) == 1
    steps = [revision.revision for revision in script.walk_revisions()]
    assert steps == sorted(steps, reverse=True)
    assert set(VERSIONS) <= set(steps)
