"""A shift's sheet: what stands on it, that both shifts sign it, and that nothing changes it afterwards; on both databases."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert, text, update

from console import handover
from console.testing import HOST, NORTH, PASSWORD, SOUTH, Site, a_site, csrf_of
from pipelines.access.roles import Role
from pipelines.config.loader import load_text
from pipelines.errors import BadInput
from pipelines.events.envelope import incident_event
from pipelines.recording.footage import Footage
from pipelines.store import handovers, incidents, shift, snoozes, threads
from pipelines.store.database import Database, Refused
from pipelines.store.handover_schema import handovers as table
from pipelines.store.incidents import notice_of
from pipelines.store.schema import deliveries
from pipelines.store.threads import Thread
from pipelines.testing import FakeClock, an_incident

HOUR_S = 3600.0
#: 2026-09-21 14:00 in Shanghai.
FROM_S = 1_789_970_400.0
UNTIL_S = FROM_S + 8 * HOUR_S


def tell(
    store: Database, name: str, at_s: float, *, answered_s: float | None = None, drill: bool = False, **changes: Any
) -> None:
    with store.write() as connection:
        times = {"first_seen_s": at_s - 30, "opened_s": at_s, "time_s": at_s} | changes
        event = incident_event(an_incident(name, **times), "v", times.get("camera_id", NORTH), drill=drill)
        incidents.apply(connection, [notice_of(event)], at_s)
        threads.put(connection, [Thread(name, "sent", 2, created_s=at_s + 1, sent_s=at_s + 2)])
        if answered_s is not None:
            values = {"state": "closed", "acknowledged_s": at_s + 1 + answered_s, "acknowledged_by": "li"}
            threads.change(connection, name, **values, closed_s=at_s + 300, closed_by="li")


def a_shift(store: Database) -> None:
    tell(store, "before", FROM_S - 10, answered_s=5)
    tell(store, "first", FROM_S, answered_s=12)
    tell(store, "grave", FROM_S + HOUR_S, severity=1, camera_id=SOUTH, kind="crowding")
    tell(store, "small", FROM_S + 2 * HOUR_S, severity=4, answered_s=5)
    tell(store, "drill", FROM_S + 3 * HOUR_S, drill=True, answered_s=5)
    tell(store, "after", UNTIL_S, answered_s=5)
    with store.write() as connection:
        for minutes, action in ((1, "escalated"), (2, "expired")):
            at_s = FROM_S + HOUR_S + minutes * 60
            threads.log(connection, "grave", action, before="sent", after=action, who="gatewatch", now_s=at_s, note="x")
        snoozes.put(connection, NORTH, "r1", reason="paint", who="li", now_s=FROM_S + 60, until_s=UNTIL_S + 60)
        snoozes.put(connection, SOUTH, "r2", reason="past", who="li", now_s=FROM_S - 90, until_s=FROM_S - 30)
        values = {"alert_id": "a", "recipient": "head", "idempotency_key": "k", "event_id": "e", "event_s": FROM_S}
        values |= {"attempts": 5, "next_attempt_s": 0.0, "lease_until_s": 0.0, "created_s": FROM_S}
        for number, (incident, finished_s) in enumerate((("grave", FROM_S + 9), ("first", UNTIL_S + 9))):
            row = {"incident_id": incident, "channel": f"mail{number}", "finished_s": finished_s}
            connection.execute(insert(deliveries).values(**values, **row, state="dead", reason="no such host"))


def test_what_happened_in_a_shift(store: Database) -> None:
    a_shift(store)
    with store.read() as connection:
        counted = shift.counts(connection, FROM_S, UNTIL_S, None)
        grave = shift.grave(connection, FROM_S, UNTIL_S, None)
        still = shift.unanswered(connection, None)
        missed = shift.missed(connection, FROM_S, UNTIL_S, None)
        earlier = shift.missed(connection, FROM_S - 8 * HOUR_S, FROM_S, None)
        dead = shift.dead(connection, FROM_S, UNTIL_S, None)
        snoozed = shift.snoozed(connection, FROM_S, UNTIL_S, None)
    assert [(one["kind"], one["severity"], bool(one["drill"]), one["incidents"]) for one in counted] == [
        ("crowding", 1, False, 1),
        ("illegal_parking", 2, False, 1),
        ("illegal_parking", 2, True, 1),
        ("illegal_parking", 4, False, 1),
    ]
    assert [(one["incident_id"], one["acknowledged_by"]) for one in grave] == [
        ("first", "li"),
        ("grave", None),
        ("drill", "li"),
    ]
    assert grave[0]["acknowledged_s"] - grave[0]["created_s"] == 12
    assert [one["incident_id"] for one in still] == ["grave"]
    assert [(one["incident_id"], one["at_s"] - FROM_S - HOUR_S, one["times"]) for one in missed] == [("grave", 60, 2)]
    assert earlier == []
    assert [(one["channel"], one["reason"]) for one in dead] == [("mail0", "no such host")]
    assert [one["rule"] for one in snoozed] == ["r1"]
    with store.read() as connection:
        near = frozenset({NORTH})
        assert [one["incident_id"] for one in shift.grave(connection, FROM_S, UNTIL_S, near)] == ["first", "drill"]
        for of in (shift.missed, shift.dead):
            assert of(connection, FROM_S, UNTIL_S, near) == []
        assert shift.unanswered(connection, near) == []
        assert {one["kind"] for one in shift.counts(connection, FROM_S, UNTIL_S, near)} == {"illegal_parking"}
        assert [one["rule"] for one in shift.snoozed(connection, FROM_S, UNTIL_S, frozenset({SOUTH}))] == []


def test_a_sheet_is_signed_twice_and_then_stays(store: Database) -> None:
    sheet = {"text": "早班 café", "number": 0.1, "list": [1, None, True]}
    span = {"from_s": FROM_S, "until_s": UNTIL_S, "cameras": [SOUTH, NORTH]}
    with store.write() as connection:
        one = handovers.give(connection, **span, sheet=sheet, note="gate oiled", who="li", now_s=UNTIL_S)
        two = handovers.give(connection, **span | {"cameras": None}, sheet=sheet, note="", who="li", now_s=UNTIL_S)
    with store.read() as connection:
        row = handovers.get(connection, one)
        assert row is not None
        assert (row["sheet"], row["cameras"], row["taken_by"]) == (sheet, sorted([NORTH, SOUTH]), None)
        assert handovers.seal(row) == row["sha256"]
        assert [found["handover_id"] for found in handovers.newest(connection)] == [two, one]
        assert handovers.get(connection, 99) is None
    with pytest.raises(BadInput, match="somebody else"), store.write() as connection:
        handovers.take(connection, one, who="li", remark="", now_s=UNTIL_S)
    with pytest.raises(BadInput, match="no sheet 99"), store.write() as connection:
        handovers.take(connection, 99, who="wang", remark="", now_s=UNTIL_S)
    changes: list[Any] = [
        update(table).values(note="other"),
        update(table).values(sheet={}),
        update(table).values(given_by="zhao"),
        text("DELETE FROM handovers"),
    ]
    for change in changes:
        with pytest.raises(Refused, match="stays as it was signed"), store.write() as connection:
            connection.execute(change)
    with store.write() as connection:
        handovers.take(connection, one, who="wang", remark="seen", now_s=UNTIL_S + 60)
    with pytest.raises(BadInput, match="wang has signed"), store.write() as connection:
        handovers.take(connection, one, who="zhao", remark="", now_s=UNTIL_S + 90)
    for change in (*changes, update(table).where(table.c.handover_id == one).values(remark="other")):
        with pytest.raises(Refused, match="stays as it was signed"), store.write() as connection:
            connection.execute(change)
    with store.read() as connection:
        row = handovers.get(connection, one)
        assert row is not None
        assert (row["taken_by"], row["taken_s"], row["remark"], handovers.seal(row)) == (
            "wang",
            UNTIL_S + 60,
            "seen",
            row["sha256"],
        )
        lines = list(connection.exec_driver_sql("SELECT action, who, subject FROM audit ORDER BY audit_id"))
    subject = f"handover {one}"
    assert [tuple(line) for line in lines if line[2] == subject] == [
        ("handover.give", "li", subject),
        ("handover.take", "wang", subject),
    ]


# Shifts by the rosters


ROSTERS = """
site: {timezone: Asia/Shanghai}
recipients:
  li: {name: 李, channels: [log]}
  wang: {channels: [log]}
rosters:
  guards:
    - {schedule: "daily 06:00-14:00", people: [li]}
    - {schedule: "daily 14:00-22:00", people: [wang]}
"""


def test_shifts_are_those_of_the_rosters() -> None:
    config = load_text(ROSTERS, "site.yaml", {})
    found = handover.shifts(config, FROM_S + HOUR_S)
    zone = ZoneInfo("Asia/Shanghai")
    told = [
        (*(datetime.fromtimestamp(at_s, zone).strftime("%d %H:%M") for at_s in (one.from_s, one.until_s)), one.people)
        for one in found
    ]
    assert told == [
        ("21 14:00", "21 15:00", ("wang",)),
        ("21 06:00", "21 14:00", ("李",)),
        ("20 14:00", "20 22:00", ("wang",)),
        ("20 06:00", "20 14:00", ("李",)),
    ]
    assert handover.on_duty(config, FROM_S + 9 * HOUR_S) == ()
    bare = load_text("site: {}", "site.yaml", {})
    assert handover.shifts(bare, UNTIL_S) == [handover.Shift(FROM_S, UNTIL_S, ())]


# The pages


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(UNTIL_S)


@pytest.fixture
def site(tmp_path: Path, clock: FakeClock, store: Database) -> Site:
    site = a_site(tmp_path, clock, store)
    a_shift(store)
    return site


def browser(site: Site, name: str) -> tuple[TestClient, str]:
    client = TestClient(site.app, HOST, headers={"Accept": "text/html", "Origin": HOST}, follow_redirects=False)
    assert client.post("/login?language=en", data={"name": name, "password": PASSWORD}).status_code == 303
    return client, csrf_of(client)


SPAN = {"from_s": str(FROM_S), "until_s": str(UNTIL_S)}


def test_one_shift_gives_and_the_next_takes_at_the_same_screen(site: Site, clock: FakeClock) -> None:
    site.parts.people.add_user("zhao", Role.GUARD, PASSWORD, by="setup")
    client, csrf = browser(site, "guard")
    assert "/handover/sheet?from_s=" in client.get("/handover").text
    draft = client.get("/handover/sheet", params={"begin": "2026-09-21T14:00", "end": "2026-09-21T22:00"})
    assert "A draft" in draft.text
    assert 'href="?begin=2026-09-21T14%3A00&amp;end=2026-09-21T22%3A00&amp;language=zh-CN"' in draft.text
    for words in ("li, 0:12", "no such host", "paint", "backyard", "drills besides", "unknown"):
        assert words in draft.text, words
    form = SPAN | {"csrf": csrf, "note": "<b>gate</b> oiled"}
    wrong = client.post("/handover", data=form | {"password": "not it"})
    assert wrong.status_code == 422
    assert "The name or the password is wrong" in wrong.text
    assert "&lt;b&gt;gate&lt;/b&gt; oiled" in wrong.text
    given = client.post("/handover", data=form | {"password": PASSWORD})
    assert given.status_code == 303
    path = given.headers["location"]
    # What happens later is not on it.
    tell(site.parts.database, "later", UNTIL_S - 5, severity=1)
    clock.advance(600.0)
    take = {"csrf": csrf, "name": "guard", "password": PASSWORD}
    for who, why in (("guard", "somebody else"), ("viewer", "may not take"), ("zhao", "wrong")):
        password = "not it at all" if who == "zhao" else PASSWORD
        refused = client.post(f"{path}/take", data=take | {"name": who, "password": password})
        assert refused.status_code == 422
        assert why in refused.text
    assert client.post(f"{path}/take", data=take | {"name": "Zhao", "remark": "seen"}).status_code == 303
    page = client.get(path).text
    assert "later" not in page
    assert "checksum" not in page
    assert re.search(r"taken over by.*zhao.*seen", page, re.DOTALL)
    assert "/take" not in page
    again = client.post(f"{path}/take", data=take | {"name": "admin"})
    assert "zhao has signed" in again.text


def test_five_wrong_passwords_lock_the_name(site: Site, clock: FakeClock) -> None:
    client, csrf = browser(site, "guard")
    form = SPAN | {"csrf": csrf, "password": "not it"}
    for _ in range(5):
        clock.advance(4.0)
        assert client.post("/handover", data=form).status_code == 422
    clock.advance(4.0)
    assert "Too many wrong passwords" in client.post("/handover", data=form | {"password": PASSWORD}).text


def test_a_sheet_is_shown_only_to_who_may_know_of_all_its_cameras(site: Site) -> None:
    site.parts.people.add_user("near", Role.GUARD, PASSWORD, by="setup", cameras=[NORTH])
    near, csrf = browser(site, "near")
    whole, other = browser(site, "guard")
    sheet = whole.post("/handover", data=SPAN | {"csrf": other, "password": PASSWORD}).headers["location"]
    mine = near.post("/handover", data=SPAN | {"csrf": csrf, "password": PASSWORD}).headers["location"]
    assert near.get(sheet).status_code == 404
    assert near.post(f"{sheet}/take", data={"csrf": csrf, "name": "near", "password": PASSWORD}).status_code == 404
    assert "backyard" not in near.get(mine).text
    assert sheet not in near.get("/handover").text
    assert sheet in whole.get("/handover").text
    # Who sees one camera cannot sign for all, at whoever's screen.
    refused = whole.post(f"{sheet}/take", data={"csrf": other, "name": "near", "password": PASSWORD})
    assert "not all of its cameras" in refused.text
    for path in ("/handover/99", "/handover/x", "/handover/-1", "/handover/9999999999999999999"):
        assert whole.get(path).status_code == 404


@pytest.mark.parametrize(
    "span",
    [
        {},
        {"from_s": "5"},
        {"begin": "soon", "end": "later"},
        {"from_s": UNTIL_S, "until_s": UNTIL_S},
        {"from_s": FROM_S, "until_s": UNTIL_S + 900},
        {"from_s": UNTIL_S - 8 * 86_400, "until_s": UNTIL_S},
    ],
)
def test_spans_that_are_none(site: Site, span: dict[str, Any]) -> None:
    client, _ = browser(site, "guard")
    assert client.get("/handover/sheet", params=span).status_code == 422


def test_seconds_that_are_not_recorded_stand_on_the_sheet(site: Site, filled: Any, clock: FakeClock) -> None:
    filled.add(NORTH, start_ms=round(FROM_S * 1000), count=30)
    site.parts.footage = lambda: Footage(filled.volume, Path("ffmpeg"), clock, pre_s=1.0, post_s=1.0)
    found = handover.sheet(site.parts, FROM_S, FROM_S + 120.0, frozenset({NORTH}))
    (fault,) = found["faults"]
    assert (fault["camera"], fault["age_s"]) == (NORTH, None)
    assert sum(fault["gaps_s"].values()) == pytest.approx(60.0)
