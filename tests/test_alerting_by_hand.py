"""What a person silences for a while, and what a person raises: on a real store, as the commands and pages call it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from sqlalchemy import text

from pipelines.alerting import actions, by_hand
from pipelines.alerting.life import Verdict
from pipelines.alerting.testing import NOW_S, Room
from pipelines.errors import BadInput
from pipelines.events.envelope import Event, event_schema, incident_event
from pipelines.store import snoozes
from pipelines.store.database import Database
from pipelines.store.queries import AlertFilter, list_alerts
from pipelines.testing import an_incident
from vision.incident import Phase


@pytest.fixture
def room(store: Database) -> Room:
    return Room(store)


def opened(incident_id: str = "case-1", **changes: Any) -> Event:
    return incident_event(an_incident(incident_id, **changes), "v1", "North")


def snooze(room: Room, **changes: Any) -> int:
    given: dict[str, Any] = {"severity": 2, "until_s": NOW_S + 600, "reason": "road works", "who": "Wang"}
    given |= {"now_s": NOW_S} | changes
    return actions.snooze(room.database, "gate-north", "illegal_parking:kerb", **given)


def test_a_snoozed_rule_tells_nobody_but_is_recorded_and_level_1_is_told(room: Room) -> None:
    number = snooze(room)
    room.tell(
        opened("quiet"),
        opened("grave", severity=1),
        opened("elsewhere", camera_id="gate-south"),
        opened("other", rule_id="crowding:kerb", kind="crowding"),
    )
    with room.database.reading() as connection:
        told = {row["incident_id"] for row in list_alerts(connection, AlertFilter()).rows}
        assert [row["reason"] for row in snoozes.in_force(connection, NOW_S, "gate-north")] == ["road works"]
    assert told == {"grave", "elsewhere", "other"}
    assert room.shown("quiet")["thread"]["silenced"] == f"snooze {number}"
    # When it is over, an incident that still goes on is told at its next news.
    actions.unsnooze(room.database, number, who="Li", now_s=NOW_S + 1)
    room.tell(opened("quiet", revision=2, phase=Phase.UPDATED))
    assert [alert["recipient"] for alert in room.shown("quiet")["alerts"]] == ["guard", "head"]
    with room.database.reading() as connection:
        assert snoozes.in_force(connection, NOW_S + 2) == []
        (past,) = snoozes.newest(connection)
        audited = connection.execute(text("SELECT who, action, subject FROM audit ORDER BY audit_id")).all()
    assert (past["who"], past["ended_by"]) == ("Wang", "Li")
    assert audited == [
        ("Wang", "snooze", "gate-north: illegal_parking:kerb"),
        ("Li", "unsnooze", "gate-north: illegal_parking:kerb"),
    ]
    with pytest.raises(BadInput, match="no snooze"):
        actions.unsnooze(room.database, number, who="Li", now_s=NOW_S + 3)


def test_a_snooze_ends_by_itself(room: Room) -> None:
    snooze(room)
    room.clock.advance(601)
    room.tell(opened())
    assert room.alert_states() == {"guard": "pending", "head": "pending"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reason": " "}, "reason"),
        ({"severity": 1}, "level 1"),
        ({"until_s": NOW_S}, "future"),
        ({"until_s": NOW_S + 40 * 86400}, "31 days"),
    ],
)
def test_snoozes_that_are_refused(room: Room, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        snooze(room, **changes)


def raised(**changes: Any) -> by_hand.Raised:
    given: dict[str, Any] = {"kind": "other", "camera": "gate-north", "camera_name": "North", "at_s": NOW_S - 30}
    return by_hand.Raised(**(given | changes))


def test_an_incident_raised_by_hand_goes_the_way_of_every_other(room: Room) -> None:
    event = by_hand.event_of(
        raised(note="a man climbs the fence", plate="京A12345"), who="Wang", now_s=NOW_S, config_version="v1"
    )
    jsonschema.validate(json.loads(event.to_json()), event_schema())
    room.tell(event)
    found = room.shown(event.subject)
    assert (found["kind"], found["rule"], found["opened_s"], found["updated_s"]) == (
        "other",
        "by_hand",
        NOW_S - 30,
        NOW_S,
    )
    assert {name: item["value"] for name, item in found["evidence"].items()} == {
        "raised_by": "Wang",
        "note": "a man climbs the fence",
        "plate": "京A12345",
    }
    assert room.alert_states() == {"guard": "pending", "head": "pending"}
    # No camera sees its end: it is over when a person closes it.
    actions.close(room.database, event.subject, Verdict.TRUE, who="Wang", now_s=NOW_S + 100)
    found = room.shown(event.subject)
    assert (found["phase"], found["closed_s"], found["revision"]) == ("closed", NOW_S + 100, 2)
    assert [one["type"] for one in found["events"]] == ["incident.opened", "incident.closed"]
    jsonschema.validate(found["events"][1]["body"], event_schema())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"at_s": NOW_S + 120}, "has not come"),
        ({"note": "x" * 1001}, "1000 characters"),
        ({"plate": "x" * 21}, "number plate"),
        ({"plate": "a\x00b"}, "number plate"),
        ({"severity": 5}, "level"),
    ],
)
def test_what_cannot_be_raised(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        by_hand.event_of(raised(**changes), who="Wang", now_s=NOW_S, config_version="v1")


def test_a_picture_is_copied_into_the_record(tmp_path: Path) -> None:
    picture = tmp_path / "seen.jpg"
    picture.write_bytes(b"\xff\xd8\xff\xe0 something")
    record = by_hand.keep_picture(tmp_path / "data", "case-9", picture, NOW_S)
    assert (tmp_path / "data" / "pictures" / record["path"]).read_bytes() == picture.read_bytes()
    assert record["captured_at"] == "2026-09-21T14:21:40.000Z"
    for bad in (tmp_path / "nothing.jpg", tmp_path):
        with pytest.raises(BadInput, match="cannot be read"):
            by_hand.keep_picture(tmp_path, "case-9", bad, NOW_S)
    picture.write_bytes(b"GIF89a")
    with pytest.raises(BadInput, match="not a JPEG"):
        by_hand.keep_picture(tmp_path, "case-9", picture, NOW_S)
