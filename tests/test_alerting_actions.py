"""What a person does to an incident: each action on a real store, as the commands and pages call it."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from sqlalchemy import text

from pipelines.alerting import actions, by_hand
from pipelines.alerting.dispatcher import Dispatcher
from pipelines.alerting.life import Conflict, State, Verdict
from pipelines.alerting.routing import Policy, Recipient
from pipelines.errors import BadInput
from pipelines.events.bus import Delivery
from pipelines.events.envelope import Event, event_schema, incident_event
from pipelines.metrics import Metrics
from pipelines.store import outbox, receipts, snoozes, threads
from pipelines.store.database import Database, Refused
from pipelines.store.queries import AlertFilter, list_alerts, show_incident
from pipelines.testing import FakeClock, an_incident
from vision.incident import Phase

NOW_S = 1_790_000_500.0


class Bus:
    """Hands out what the test puts in."""

    def __init__(self) -> None:
        self.waiting: list[Event] = []

    def read(self, limit: int, block_s: float) -> list[Delivery]:
        taken, self.waiting = self.waiting, []
        return [Delivery(f"{number}-0", event.to_json().encode(), 1) for number, event in enumerate(taken)]

    def acknowledge(self, entry_ids: list[str]) -> None:
        pass

    def dead_letter(self, delivery: Delivery, reason: str) -> None:
        raise AssertionError(reason)


class Room:
    """A dispatcher over a real store; two recipients with one channel each."""

    def __init__(self, database: Database) -> None:
        self.database, self.bus, self.clock = database, Bus(), FakeClock(NOW_S)
        policy = Policy((Recipient("guard", ("log",)), Recipient("head", ("log",))))
        self.dispatcher = Dispatcher(self.bus, database, policy, self.clock, Metrics())

    def tell(self, *events: Event) -> None:
        self.bus.waiting += events
        self.dispatcher.run_once()

    def send(self, *recipients: str) -> None:
        """As a sender does: lease and write the receipts of these recipients."""
        with self.database.write() as connection:
            leased = outbox.claim(connection, "log", owner="me", now_s=self.clock.now_s(), lease_s=30, limit=100)
            results = [
                receipts.Result(one.delivery_id, one.alert_id, "sent", "ok", self.clock.now_s(), 0.0)
                for one in leased
                if one.recipient in recipients
            ]
            receipts.finish(connection, results, "me", self.clock.now_s())

    def shown(self, incident_id: str = "case-1") -> dict[str, Any]:
        with self.database.reading() as connection:
            found = show_incident(connection, incident_id)
        assert found is not None
        return found

    def alert_states(self) -> dict[str, str]:
        with self.database.reading() as connection:
            return {row["recipient"]: row["state"] for row in list_alerts(connection, AlertFilter()).rows}


@pytest.fixture
def room(store: Database) -> Room:
    return Room(store)


def opened(incident_id: str = "case-1", **changes: Any) -> Event:
    return incident_event(an_incident(incident_id, **changes), "v1", "North")


def test_an_alert_is_sent_acknowledged_on_site_and_closed_with_who_and_when(room: Room) -> None:
    room.tell(opened())
    assert room.shown()["thread"]["state"] == "pending"
    room.send("guard")
    assert room.shown()["thread"] | {"state": "sent", "sent_s": NOW_S} == room.shown()["thread"]
    actions.acknowledge(room.database, "case-1", who="Wang", now_s=NOW_S + 20)
    actions.on_site(room.database, "case-1", who="Li", now_s=NOW_S + 90, note="at the north gate")
    thread = actions.close(room.database, "case-1", Verdict.TRUE, who="Li", now_s=NOW_S + 300, note="moved on")
    assert (thread.state, thread.acknowledged_by, thread.on_site_by, thread.closed_by) == ("closed", "Wang", "Li", "Li")
    assert (thread.acknowledged_s, thread.on_site_s, thread.closed_s) == (NOW_S + 20, NOW_S + 90, NOW_S + 300)
    found = room.shown()
    assert [(line["at_s"] - NOW_S, line["who"], line["action"], line["note"]) for line in found["log"]] == [
        (20, "Wang", "acknowledged", ""),
        (90, "Li", "on_site", "at the north gate"),
        (300, "Li", "closed:true", "moved on"),
    ]
    assert found["verdict"] == "true"
    assert [(one["verdict"], one["who"], one["note"]) for one in found["verdicts"]] == [("true", "Li", "moved on")]
    # Every recipient's alert went along, each move with who and when; the head's had no receipt yet.
    assert room.alert_states() == {"guard": "closed", "head": "closed"}
    moves = {
        alert["recipient"]: [(one["from_state"], one["to_state"], one["who"]) for one in alert["transitions"]]
        for alert in found["alerts"]
    }
    answered = [("acknowledged", "on_site", "Li"), ("on_site", "closed", "Li")]
    assert moves["guard"] == [
        ("pending", "sent", "gatewatch"),
        ("sent", "acknowledged", "Wang"),
        *answered,
    ]
    assert moves["head"] == [("pending", "acknowledged", "Wang"), *answered]
    # A receipt that comes after the answer is kept and moves nothing.
    room.clock.advance(400)
    room.send("head")
    assert room.alert_states() == {"guard": "closed", "head": "closed"}


def test_the_second_is_told_who_was_first(room: Room) -> None:
    room.tell(opened())
    actions.acknowledge(room.database, "case", who="Wang", now_s=NOW_S)
    with pytest.raises(Conflict, match=r"was acknowledged by Wang at 2026-09-21T14:21:40\.000Z") as caught:
        actions.acknowledge(room.database, "case-1", who="Li", now_s=NOW_S + 5)
    assert (caught.value.state, caught.value.who, caught.value.at_s) == (State.ACKNOWLEDGED, "Wang", NOW_S)
    actions.close(room.database, "case-1", Verdict.DRILL, who="Li", now_s=NOW_S + 6)
    for action in (actions.acknowledge, actions.on_site):
        with pytest.raises(Conflict, match="was closed by Li"):
            action(room.database, "case-1", who="Zhao", now_s=NOW_S + 7)
    with pytest.raises(Conflict, match="cannot become closed"):
        actions.close(room.database, "case-1", Verdict.TRUE, who="Zhao", now_s=NOW_S + 7)
    assert len(room.shown()["log"]) == 2
    assert room.shown()["thread"]["acknowledged_by"] == "Wang"


def test_of_many_at_once_one_is_first(room: Room) -> None:
    room.tell(opened())
    outcomes: list[str] = []

    def press(who: str) -> None:
        try:
            actions.acknowledge(room.database, "case-1", who=who, now_s=NOW_S)
            outcomes.append("first")
        except Conflict as error:
            outcomes.append(str(error.who))

    pressing = [threading.Thread(target=press, args=(f"guard {number}",)) for number in range(8)]
    for thread in pressing:
        thread.start()
    for thread in pressing:
        thread.join()
    winner = room.shown()["thread"]["acknowledged_by"]
    assert sorted(outcomes) == sorted(["first", *[winner] * 7])
    assert len(room.shown()["log"]) == 1


@pytest.mark.parametrize("action", ["on_site", "close"])
def test_who_does_more_has_acknowledged_too(room: Room, action: str) -> None:
    room.tell(opened())
    if action == "on_site":
        thread = actions.on_site(room.database, "case-1", who="Wang", now_s=NOW_S + 3)
    else:
        thread = actions.close(room.database, "case-1", Verdict.DUPLICATE, who="Wang", now_s=NOW_S + 3)
    assert (thread.acknowledged_by, thread.acknowledged_s) == ("Wang", NOW_S + 3)


def test_an_alerts_own_id_means_its_incident(room: Room) -> None:
    room.tell(opened(), opened("case-2"))
    with room.database.reading() as connection:
        (alert, *_) = list_alerts(connection, AlertFilter(incident_id="case-2", recipient="head")).rows
    assert actions.acknowledge(room.database, alert["alert_id"], who="W", now_s=NOW_S).incident_id == "case-2"
    for wrong, said in (("nothing", "no incident or alert"), ("case-", "several"), ("", "no incident or alert")):
        with pytest.raises(BadInput, match=said):
            actions.acknowledge(room.database, wrong, who="W", now_s=NOW_S)


def test_verdicts_are_added_never_changed_or_removed(room: Room) -> None:
    room.tell(opened(kind="possible_bullying"))
    for reason in ("", "  \n"):
        with pytest.raises(BadInput, match="needs a reason"):
            actions.close(room.database, "case-1", Verdict.FALSE, who="Wang", now_s=NOW_S, note=reason)
    assert room.shown()["thread"]["state"] == "pending"
    actions.close(room.database, "case-1", Verdict.FALSE, who="Wang", now_s=NOW_S, note="they were dancing")
    actions.judge(room.database, "case-1", Verdict.TRUE, who="Li", now_s=NOW_S + 60)
    with pytest.raises(BadInput, match="needs a reason"):
        actions.judge(room.database, "case-1", Verdict.FALSE, who="Li", now_s=NOW_S + 70)
    found = room.shown()
    assert found["verdict"] == "true"
    assert [(one["verdict"], one["note"]) for one in found["verdicts"]] == [
        ("false", "they were dancing"),
        ("true", ""),
    ]
    for statement in ("DELETE FROM verdicts", "UPDATE verdicts SET verdict = 'unsure'"):
        with pytest.raises(Refused, match="never changed or removed"), room.database.write() as connection:
            connection.execute(text(statement))
    assert len(room.shown()["verdicts"]) == 2
    with room.database.reading() as connection:
        audited = connection.execute(text("SELECT who, action, subject FROM audit")).all()
    assert audited == [("Wang", "verdict", "incident case-1"), ("Li", "verdict", "incident case-1")]


def test_a_verdict_closes_what_is_open(room: Room) -> None:
    room.tell(opened())
    assert actions.judge(room.database, "case-1", Verdict.UNSURE, who="Wang", now_s=NOW_S).state == "closed"


def test_notes(room: Room) -> None:
    room.tell(opened())
    actions.add_note(room.database, "case-1", "a white van, the driver is inside", who="Wang", now_s=NOW_S)
    actions.acknowledge(room.database, "case-1", who="Wang", now_s=NOW_S)
    assert [line["action"] for line in room.shown()["log"]] == ["note", "acknowledged"]
    for words in (" ", "x" * 5000):
        with pytest.raises(BadInput):
            actions.add_note(room.database, "case-1", words, who="Wang", now_s=NOW_S)


def test_an_incident_stored_before_there_were_threads(room: Room) -> None:
    room.tell(opened())
    room.send("guard", "head")
    with room.database.write() as connection:
        connection.execute(text("DELETE FROM threads"))
    thread = actions.acknowledge(room.database, "case-1", who="Wang", now_s=NOW_S + 9)
    assert (thread.state, thread.sent_s, thread.acknowledged_by) == ("acknowledged", NOW_S, "Wang")
    assert room.alert_states() == {"guard": "acknowledged", "head": "acknowledged"}


def test_the_list_of_what_waits_for_a_person(room: Room) -> None:
    room.tell(opened("old", severity=2), opened("grave", severity=1), opened("answered", severity=3))
    actions.acknowledge(room.database, "answered", who="Wang", now_s=NOW_S)
    room.tell(opened("done"))
    actions.close(room.database, "done", Verdict.TRUE, who="Wang", now_s=NOW_S)
    with room.database.reading() as connection:
        rows = threads.unanswered(connection)
    assert [(row["incident_id"], row["state"], row["acknowledged_by"]) for row in rows] == [
        ("grave", "pending", None),
        ("old", "pending", None),
        ("answered", "acknowledged", "Wang"),
    ]
    assert rows[0]["camera_name"] == "North"
    assert rows[0]["incident_closed_s"] is None


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
