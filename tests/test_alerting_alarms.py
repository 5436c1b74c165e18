"""What the alerting says of itself: what reached nobody, storms in one message, drills; with a clock that the test moves."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from pipelines.alerting import actions
from pipelines.alerting.drill import Drills
from pipelines.alerting.life import Verdict
from pipelines.alerting.testing import SCHOOL, Walk
from pipelines.events.envelope import Event, event_schema
from pipelines.store.database import Database, sqlite_url
from pipelines.store.queries import IncidentFilter, list_incidents
from vision.incident import Phase


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(sqlite_url(tmp_path))
    made.migrate()
    yield made
    made.close()


def test_an_alert_that_reached_nobody_is_an_alarm_and_an_alarm_raises_none(database: Database) -> None:
    walk = Walk(database, SCHOOL, "2026-11-24 10:00:00")
    walk.dead = {"log"}
    walk.incident("lost", kind="possible_bullying", severity=2)
    walk.incident("answered", severity=2)
    actions.acknowledge(database, "answered", who="wang", now_s=walk.clock.now_s())
    walk.dead = {"log", "jsonl"}
    walk.go(59)
    with database.reading() as connection:
        assert [row["kind"] for row in list_incidents(connection, IncidentFilter()).rows].count("alert_unreached") == 0
    walk.go(300, 5)
    with database.reading() as connection:
        alarms = [row for row in list_incidents(connection, IncidentFilter()).rows if row["kind"] == "alert_unreached"]
    (alarm,) = alarms
    assert alarm["severity"] == 1
    assert alarm["evidence"] == {"alerts": {"value": 1, "unit": "alerts"}, "incident": {"value": "lost", "unit": ""}}
    # It is told like any other, and is over when a person says so.
    walk.dead = set()
    walk.go(1)
    assert any(body["subject"] == alarm["incident_id"] for _, _, _, body in walk.sent)
    actions.close(database, alarm["incident_id"], Verdict.TRUE, who="head", now_s=walk.clock.now_s())
    assert walk.shown(alarm["incident_id"])["phase"] == "closed"


STORM = """
recipients: {guard: {channels: [log]}}
alerts: {storm: {more_than: 3, within: 1m, gather: 15s}}
"""


def test_a_storm_becomes_one_message_that_says_what_it_holds(store: Database) -> None:
    walk = Walk(store, STORM, "2026-11-24 10:00:00")
    for number in range(20):
        kind = "crowding" if number % 4 == 0 else "illegal_parking"
        walk.incident(f"case-{number}", kind=kind, severity=1 if number == 10 else 3)
    walk.go(20, 1)
    subjects = [body["subject"] for _, _, _, body in walk.sent]
    assert subjects[:4] == ["case-0", "case-1", "case-2", "case-10"]  # three, and level 1 always by itself
    assert len(subjects) == 5
    at_s, recipient, _, body = walk.sent[4]
    assert (at_s - walk.sent[0][0], recipient, body["type"]) == (15, "guard", "alert.digest")
    assert (body["data"]["count"], body["data"]["kinds"]) == (16, {"illegal_parking": 12, "crowding": 4})
    assert len(body["data"]["incidents"]) == 16
    # What the digest told is sent, so nobody raises an alarm about it, and a person can answer each of them.
    assert {walk.state(f"case-{number}") for number in range(20)} == {"sent"}
    actions.acknowledge(store, "case-7", who="guard", now_s=walk.clock.now_s())
    # Their ends are no storm either.
    for number in range(20):
        walk.incident(f"case-{number}", 2, Phase.CLOSED, severity=1 if number == 10 else 3)
    assert [body["subject"] for _, _, _, body in walk.sent[5:]] == ["case-10"]
    walk.go(61)
    walk.incident("calm")
    assert walk.sent[-1][3]["subject"] == "calm"


DRILLED = SCHOOL.replace("storm: null}", 'storm: null, drill: {schedule: "mon 09:00-09:10", within: 2m}}')


class Published:
    """The bus as the janitor sees it."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def publish(self, event: Event) -> None:
        self.events.append(event)


def drills_of(walk: Walk, bus: Published) -> Drills:
    assert walk.policy.drill is not None
    return Drills(walk.policy.drill, bus, walk.clock, "v", "School", logging.getLogger("test.drill"))


def test_a_drill_goes_to_every_channel_of_everybody_and_is_no_alarm_when_it_arrives(database: Database) -> None:
    walk, bus = Walk(database, DRILLED, "2026-11-23 08:59:59"), Published()  # a Monday
    drills = drills_of(walk, bus)
    assert not drills.run_once()
    walk.go(1)
    assert drills.run_once()
    assert not drills.run_once()
    # A janitor that was started anew makes it again under the same id, which the bus and the store take once.
    assert drills_of(walk, bus).run_once()
    assert {event.id for event in bus.events} == {
        "drill-2026-11-23T01:00:00.000Z:1",
        "drill-2026-11-23T01:00:00.000Z:2",
    }
    walk.bus.waiting += bus.events
    walk.dispatcher.run_once()
    walk.send()
    everybody = {(one.name, channel) for one in walk.policy.recipients for channel in one.channels}
    assert {(recipient, channel) for _, recipient, channel, _ in walk.sent} == everybody
    assert len(walk.sent) == len(everybody)
    assert all(body["data"]["drill"] for _, _, _, body in walk.sent)
    walk.go(300)
    assert kinds(database) == ["drill"]
    assert 'gatewatch_drill_delay_seconds{channel="jsonl"} 0.0' in walk.metrics.exposition()[0].decode()


@pytest.mark.parametrize("made", [True, False])
def test_a_drill_that_does_not_arrive_is_an_alarm_that_says_where(database: Database, made: bool) -> None:
    walk, bus = Walk(database, DRILLED, "2026-11-23 08:59:00"), Published()
    walk.go(60, 1)
    if made:
        drills_of(walk, bus).run_once()
        walk.bus.waiting += bus.events
        walk.dispatcher.run_once()
        walk.dead = {"jsonl"}
        walk.send()
    walk.go(119)
    assert "drill_failed" not in kinds(database)
    walk.go(5, 1)
    walk.go(120)
    assert kinds(database).count("drill_failed") == 1
    missing = walk.shown("drill-2026-11-23T01:00:00.000Z-failed")["evidence"]["missing"]["value"]
    assert "bureau (jsonl)" in missing
    assert ("王伟 (log)" in missing) is not made


def test_a_digest_and_an_escalation_keep_the_schema_of_the_message(database: Database) -> None:
    walk = Walk(database, STORM, "2026-11-24 10:00:00")
    for number in range(6):
        walk.incident(f"case-{number}", severity=3)
    walk.go(20, 1)
    school = Walk(database, SCHOOL, "2026-11-24 10:00:00")
    school.incident("other", camera_id="gate-south")
    school.go(61)
    told = [body for _, _, _, body in (*walk.sent, *school.sent)]
    assert {"alert.digest", "alert.escalated"} <= {body["type"] for body in told}
    for body in told:
        jsonschema.validate(body, event_schema())


def kinds(database: Database) -> list[str]:
    with database.reading() as connection:
        return [row["kind"] for row in list_incidents(connection, IncidentFilter()).rows]
