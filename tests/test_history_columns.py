"""The history in columns says what the rows say: after any change, on both databases, whatever the filter."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, select, text, update

from pipelines.errors import BadInput
from pipelines.events.envelope import incident_event
from pipelines.history.keeping import HistoryKeeper
from pipelines.store import history, incidents, schema, threads
from pipelines.store.columns import Columns, decode, encode
from pipelines.store.database import Database, sqlite_url
from pipelines.store.incidents import notice_of
from pipelines.store.queries import IncidentFilter, list_incidents
from pipelines.store.threads import Thread
from pipelines.testing import FakeClock, an_incident
from vision.incident import Phase, Quantity

DAY_S = 86_400.0
MONDAY_S = 1_788_134_400.0  # 2026-08-31 00:00 UTC


def put(store: Database, number: int, opened_s: float, phase: Phase = Phase.OPENED, **changes: Any) -> str:
    with store.write() as connection:
        return put_on(connection, number, opened_s, phase, **changes)


def put_on(connection: Connection, number: int, opened_s: float, phase: Phase, **changes: Any) -> str:
    name = f"case-{number:04d}"
    changes = {"first_seen_s": opened_s - 30, "opened_s": opened_s, "time_s": opened_s} | changes
    event = incident_event(an_incident(name, changes.pop("revision", 1), phase, **changes), "v", "北门")
    incidents.apply(connection, [notice_of(event)], opened_s)
    return name


def filled(store: Database, count: int = 120) -> None:
    """A fortnight of incidents of all sorts."""
    chance = random.Random(7)
    with store.write() as connection:
        for number in range(count):
            opened_s = MONDAY_S + chance.random() * 14 * DAY_S
            what = {"kind": chance.choice(("illegal_parking", "crowding", "possible_bullying"))}
            name = put_on(
                connection,
                number,
                opened_s,
                Phase.OPENED,
                camera_id=chance.choice(("north", "south")),
                zone_id=chance.choice(("kerb", "yard")),
                severity=chance.randint(1, 4),
                evidence={"plate": Quantity(chance.choice(("京A 123", "沪B9", "unknown")), "")},
                **what,
            )
            threads.put(connection, [Thread(name, "sent", 2, created_s=opened_s + 1, sent_s=opened_s + 2)])
            if chance.random() < 0.7:
                threads.change(connection, name, acknowledged_s=opened_s + 1 + 60 * chance.random())
            if chance.random() < 0.5:
                end = {"revision": 2, "time_s": opened_s + 200, "closed_s": opened_s + 200}
                put_on(connection, number, opened_s, Phase.CLOSED, **what, **end)
            if chance.random() < 0.5:
                verdict = chance.choice(("true", "false", "unsure"))
                threads.add_verdict(connection, name, verdict, who="guard", now_s=opened_s + 90, note="")


def told(columns: Iterator[Columns]) -> list[tuple[Any, ...]]:
    """Each incident as a tuple, in order."""
    rows: list[tuple[Any, ...]] = []
    for portion in columns:
        plates = dict(portion.plates)
        crowds = {
            row: (known_s, tuple(above_s))
            for row, (known_s, *above_s) in zip(portion.crowd_row.tolist(), portion.crowd_s.tolist(), strict=True)
        }
        for row in range(len(portion)):
            delays = [portion.acknowledge_s, portion.on_site_s, portion.close_s, portion.lasted_s]
            seconds = tuple(None if np.isnan(one[row]) else float(one[row]) for one in delays)
            rows.append(
                (
                    float(portion.at_s[row]),
                    (*portion.places[portion.place[row]], int(portion.severity[row]), bool(portion.drill[row])),
                    portion.verdicts[portion.verdict[row]],
                    bool(portion.told[row]),
                    seconds,
                    plates.get(row),
                    crowds.get(row),
                )
            )
    return rows


def asked(store: Database, **wanted: Any) -> list[tuple[Any, ...]]:
    with store.read() as connection:
        return told(history.stream(connection, IncidentFilter(**wanted)))


def roll_all(store: Database) -> int:
    with store.read() as connection:
        days = history.stale(connection)
    for day in days:
        with store.write() as connection:
            history.roll(connection, day)
    return len(days)


FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"camera": "north"},
    {"zone": "kerb", "kind": "crowding"},
    {"severity": 2},
    {"state": "open"},
    {"state": "closed", "verdict": "none"},
    {"verdict": "false"},
    {"text": "case-00"},
    {"since_s": MONDAY_S + 2.37 * DAY_S, "until_s": MONDAY_S + 9.81 * DAY_S},
    {"cameras": frozenset({"south"})},
    {"cameras": frozenset[str]()},
    {"drills": False, "until_s": MONDAY_S + 3 * DAY_S},
    {"since_s": MONDAY_S + 100 * DAY_S},
    {"level": 2, "rule": "illegal_parking:kerb"},
    {"weekday": 3, "timezone": "Asia/Kathmandu"},
    {"hour": 7, "kind": "crowding", "timezone": "America/St_Johns"},
    {"weekday": 7, "hour": 23, "since_s": MONDAY_S + 3.3 * DAY_S},
)


def test_columns_and_rows_say_the_same(store: Database) -> None:
    assert asked(store) == []
    filled(store)
    before = [asked(store, **wanted) for wanted in FILTERS]
    with store.read() as connection:
        listed = [
            sorted(row["opened_s"] for row in list_incidents(connection, IncidentFilter(**wanted), 1000).rows)
            for wanted in FILTERS
        ]
    assert [[row[0] for row in found] for found in before] == listed
    assert len(before[0]) == 120
    assert roll_all(store) == 14
    with store.read() as connection:
        assert history.stale(connection) == []
    assert [asked(store, **wanted) for wanted in FILTERS] == before
    # Now the rows are not even read.
    with store.write() as connection:
        connection.execute(text("UPDATE history_days SET body = body"))
        connection.execute(update(schema.threads).values(deadline_s=1.0))
    with store.read() as connection:
        assert history.stale(connection) == []


def test_each_change_is_seen_at_once(store: Database) -> None:
    name = put(store, 1, MONDAY_S + 100, kind="crowding", evidence={"density": Quantity(4.0, "people/m2")})
    put(store, 2, MONDAY_S + 3 * DAY_S)

    def change(act: Any) -> tuple[Any, ...]:
        """The first incident's row, after a change to a store that was summed up."""
        roll_all(store)
        act()
        with store.read() as connection:
            days = history.stale(connection)
        assert days == [int(MONDAY_S / DAY_S)]
        live = asked(store)
        assert roll_all(store) == 1
        assert asked(store) == live
        return live[0]

    def thread(function: Any, *arguments: Any, **values: Any) -> Any:
        def act() -> None:
            with store.write() as connection:
                function(connection, *arguments, **values)

        return act

    # To a thread that begins nothing has happened yet: no figure changes.
    roll_all(store)
    thread(threads.put, [Thread(name, "pending", 2, created_s=MONDAY_S + 110)])()
    assert roll_all(store) == 0
    assert asked(store)[0][3:5] == (False, (None, None, None, None))
    row = change(thread(threads.change, name, sent_s=MONDAY_S + 111, acknowledged_s=MONDAY_S + 140.5))
    assert (row[3], row[4][0]) == (True, 30.5)
    row = change(thread(threads.change, name, on_site_s=MONDAY_S + 170, closed_s=MONDAY_S + 410))
    assert row[4][:3] == (30.5, 60.0, 300.0)
    row = change(thread(threads.add_verdict, name, "true", who="a", now_s=MONDAY_S, note=""))
    assert row[2] == "true"
    more = {"kind": "crowding", "revision": 2, "time_s": MONDAY_S + 130}
    row = change(
        lambda: put(store, 1, MONDAY_S + 100, Phase.UPDATED, evidence={"density": Quantity(2.5, "people/m2")}, **more)
    )
    assert row[6] == (30.0, (30.0, 30.0, 0.0))
    more |= {"revision": 3, "time_s": MONDAY_S + 165, "closed_s": MONDAY_S + 160}
    row = change(lambda: put(store, 1, MONDAY_S + 100, Phase.CLOSED, evidence={}, **more))
    assert row[4][3] == 60.0
    assert row[6] == (60.0, (60.0, 30.0, 0.0))
    # A message that comes late is of the record too, though it changes no incident.
    late = {"kind": "crowding", "revision": 0, "time_s": MONDAY_S + 115}
    row = change(
        lambda: put(store, 1, MONDAY_S + 100, Phase.UPDATED, evidence={"density": Quantity(9.0, "people/m2")}, **late)
    )
    assert row[6] == (60.0, (60.0, 30.0, 15.0))
    with store.write() as connection:
        connection.execute(schema.incidents.delete().where(schema.incidents.c.incident_id == name))
    assert len(asked(store)) == 1
    assert roll_all(store) == 1
    assert len(asked(store)) == 1


def test_a_day_of_another_version_is_not_used(store: Database) -> None:
    put(store, 1, MONDAY_S + 100)
    roll_all(store)
    with store.write() as connection:
        connection.execute(text("UPDATE history_days SET version = 0, body = 'x'"))
    assert len(asked(store)) == 1
    assert roll_all(store) == 1
    with store.read() as connection:
        assert len(decode(connection.scalar(select(schema.history_days.c.body)) or b"")) == 1


def test_before_1970_is_a_day_too(store: Database) -> None:
    put(store, 1, -100.0)
    put(store, 2, 100.0)
    assert roll_all(store) == 2
    put(store, 3, -50.0)
    assert [row[0] for row in asked(store)] == [-100.0, -50.0, 100.0]


def test_what_is_written_while_a_day_is_summed_up_is_not_lost(store: Database, store_url: str) -> None:
    """On PostgreSQL a writer and whoever sums up do not see each other; on SQLite one waits."""
    done = threading.Event()
    errors: list[BaseException] = []

    def roll() -> None:
        other = Database(store_url)
        try:
            while not done.is_set():
                roll_all(other)
        except BaseException as error:
            errors.append(error)
            raise
        finally:
            other.close()

    thread = threading.Thread(target=roll)
    thread.start()
    try:
        for number in range(60):
            put(store, number, MONDAY_S + number)
            if number % 10 == 0:
                assert len(asked(store)) == number + 1
    finally:
        done.set()
        thread.join()
    assert errors == []
    assert len(asked(store)) == 60
    roll_all(store)
    assert len(asked(store)) == 60


def test_bytes_and_back(store: Database) -> None:
    filled(store, 20)
    with store.read() as connection:
        for columns in history.stream(connection, IncidentFilter()):
            again = decode(encode(columns))
            assert told(iter([again])) == told(iter([columns]))
            keep = np.arange(len(columns)) % 2 == 0
            assert told(iter([again.where(keep)])) == told(iter([columns]))[::2]


def test_a_density_that_is_no_number_is_unknown(store: Database) -> None:
    with store.write() as connection:
        for number, value in enumerate(("abc", None, "1e999", [1], {"a": 1}, True)):
            event = incident_event(an_incident(f"case-{number}", kind="crowding", opened_s=MONDAY_S), "v", "n")
            event.data["evidence"] = {"density": {"value": value, "unit": "people/m2"}, "plate": value}
            incidents.apply(connection, [notice_of(event)], 1.0)
    assert [(row[5], row[6]) for row in asked(store)] == [(None, None)] * 6


def test_the_janitor_sums_up_what_changed(store: Database, tmp_path: Path) -> None:
    keeper = HistoryKeeper(store, FakeClock(), logging.getLogger("test"))
    put(store, 1, MONDAY_S)
    put(store, 2, MONDAY_S + 5 * DAY_S)
    assert keeper.run_once() == 2
    assert keeper.run_once() == 0
    with pytest.raises(BadInput, match="no store"):
        HistoryKeeper(Database(sqlite_url(tmp_path / "none")), FakeClock(), logging.getLogger("test")).run_once()
