"""What a person does to an incident: each action on a real store, as the commands and pages call it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import text

from pipelines.alerting import actions
from pipelines.alerting.life import Conflict, State, Verdict
from pipelines.alerting.testing import NOW_S, Room
from pipelines.errors import BadInput
from pipelines.events.envelope import Event, incident_event
from pipelines.store import threads
from pipelines.store.database import Database, Refused
from pipelines.store.queries import AlertFilter, list_alerts
from pipelines.testing import an_incident


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
