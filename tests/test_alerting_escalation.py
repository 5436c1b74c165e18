"""An escalation walked through with a clock that the test moves: who is told at which second."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.alerting import actions
from pipelines.alerting.escalation import Escalation
from pipelines.alerting.life import Verdict
from pipelines.alerting.testing import SCHOOL, Walk
from pipelines.errors import Unavailable
from pipelines.store.database import Database, sqlite_url
from pipelines.store.queries import AlertFilter, list_alerts, show_incident
from vision.incident import Phase


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(sqlite_url(tmp_path))
    made.migrate()
    yield made
    made.close()


def test_each_limit_missed_tells_the_next_at_its_second(store: Database) -> None:
    walk = Walk(store, SCHOOL, "2026-11-24 10:00:00")
    walk.incident()
    assert walk.thread()["deadline_s"] == walk.clock.now_s() + 60
    walk.go(700)
    assert walk.told() == [
        ("10:00:00", "wang"),
        ("10:01:00", "head"),
        ("10:04:00", "bureau"),
        ("10:04:00", "principal"),
    ]
    # The head has two channels; everybody is told once per channel.
    assert sorted((recipient, channel) for _, recipient, channel, _ in walk.sent) == [
        ("bureau", "jsonl"),
        ("head", "jsonl"),
        ("head", "log"),
        ("principal", "jsonl"),
        ("wang", "log"),
    ]
    found = walk.shown()
    begin_s = found["thread"]["created_s"]
    assert [(line["at_s"] - begin_s, line["who"], line["action"], line["to_state"]) for line in found["log"]] == [
        (60, "gatewatch", "escalated", "escalated"),
        (240, "gatewatch", "escalated", "escalated"),
        (540, "gatewatch", "expired", "expired"),
    ]
    assert found["thread"]["state"] == "expired"
    assert {alert["recipient"]: alert["state"] for alert in found["alerts"]} == dict.fromkeys(
        ("wang", "head", "principal", "bureau"), "expired"
    )
    moves = [
        (one["from_state"], one["to_state"], one["at_s"] - begin_s)
        for alert in found["alerts"]
        if alert["recipient"] == "wang"
        for one in alert["transitions"]
    ]
    assert moves == [("pending", "sent", 0), ("sent", "escalated", 60), ("escalated", "expired", 540)]
    # What the head reads says who did not answer and for how long.
    escalated = next(body for _, recipient, _, body in walk.sent if recipient == "head")
    assert escalated["type"] == "alert.escalated"
    assert escalated["data"]["details"] == {"unanswered_by": ["王伟"], "waited_s": 60.0}
    # A late answer is better than none.
    assert actions.acknowledge(store, "case-1", who="head", now_s=walk.clock.now_s()).state == "acknowledged"


def test_an_answer_ends_it(database: Database) -> None:
    walk = Walk(database, SCHOOL, "2026-11-24 10:00:00")
    walk.incident()
    walk.go(45)
    actions.acknowledge(database, "case-1", who="王伟", now_s=walk.clock.now_s())
    walk.go(600)
    assert walk.told() == [("10:00:00", "wang")]
    text = walk.metrics.exposition()[0].decode()
    assert "gatewatch_alert_acknowledge_seconds_count 1.0" in text
    assert "gatewatch_alert_acknowledge_seconds_sum 45.0" in text
    actions.close(database, "case-1", Verdict.TRUE, who="王伟", now_s=walk.clock.now_s())
    walk.go(5)
    assert "alert_acknowledge_seconds_count 1.0" in walk.metrics.exposition()[0].decode(), "counted once"


def test_levels_have_their_limits_and_parallel_steps(database: Database) -> None:
    walk = Walk(database, SCHOOL, "2026-11-24 10:00:00")
    walk.incident("grave", kind="possible_bullying", severity=1)
    walk.incident("watch", severity=3, camera_id="gate-south")
    walk.incident("information", severity=4, camera_id="gate-east")
    walk.go(31)
    assert walk.told()[:3] == [("10:00:00", "police"), ("10:00:00", "wang"), ("10:00:30", "head")]
    assert (walk.state("watch"), walk.state("information")) == ("sent", "sent")
    walk.go(270)
    assert walk.state("watch") == "escalated"
    # Level 4 has the shift: Wang's ends at 14:00, and by then the head is told.
    assert walk.thread("information")["deadline_s"] == walk.thread("information")["created_s"] + 4 * 3600
    walk.go(4 * 3600 - 301 - 1)
    assert walk.state("information") == "sent"
    walk.go(2)
    assert walk.state("information") == "escalated"


def test_who_comes_on_duty_is_told_of_what_nobody_answered(store: Database) -> None:
    walk = Walk(store, SCHOOL, "2026-11-24 13:59:40")
    walk.incident(severity=3)
    walk.go(330)
    assert walk.told() == [("13:59:40", "wang"), ("14:00:00", "li"), ("14:04:40", "head")]
    assert [line["action"] for line in walk.shown()["log"]] == ["shift", "escalated"]


def test_on_a_holiday_another_guard_is_on_duty_and_a_make_up_day_is_a_school_day(database: Database) -> None:
    # Thursday in the National Day holiday; Saturday that is worked in exchange.
    for day, guard in (("2026-10-01", "holiday-guard"), ("2026-10-10", "wang"), ("2026-10-11", "holiday-guard")):
        walk = Walk(database, SCHOOL, f"{day} 10:00:00")
        walk.incident(f"on {day}", camera_id=day)
        walk.go(59)
        assert walk.told() == [("10:00:00", guard)]
        walk.go(1)
        assert walk.told()[1:] == [("10:01:00", "head")]
        actions.acknowledge(database, f"on {day}", who="head", now_s=walk.clock.now_s())


BERLIN = """
site: {timezone: Europe/Berlin}
recipients: {night: {channels: [log]}, morning: {channels: [log]}, head: {channels: [log]}}
rosters:
  guards:
    - {schedule: "daily 22:00-02:30", people: [night]}
    - {schedule: "daily 02:30-10:00", people: [morning]}
escalation: {default: [{tell: [guards], within: 2h}, {tell: [head]}]}
alerts: {storm: null}
"""


def at_utc(walk: Walk) -> list[tuple[str, str]]:
    return [(f"{datetime.fromtimestamp(at_s, UTC):%H:%M:%S}", recipient) for at_s, recipient, _, _ in walk.sent]


def test_the_clock_goes_back_in_the_night(database: Database) -> None:
    # 2026-10-25: 03:00 CEST is 02:00 CET. At 00:20 UTC the clocks show 02:20 for the first time.
    walk = Walk(database, BERLIN, "2026-10-25 02:20:00", "Europe/Berlin")
    assert datetime.fromtimestamp(walk.clock.now_s(), UTC).hour == 0
    walk.incident()
    walk.go(2 * 3600 + 10)
    # 02:30 for the first time: the morning guard. 02:00 again: the night guard, who knows. The limit is two real hours.
    assert at_utc(walk) == [("00:20:00", "night"), ("00:30:00", "morning"), ("02:20:00", "head")]


def test_the_clock_goes_forward_in_the_night(database: Database) -> None:
    # 2026-03-29: 02:00 CET is 03:00 CEST, there is no 02:30: the shift changes when the clock jumps past it.
    walk = Walk(database, BERLIN, "2026-03-29 01:50:00", "Europe/Berlin")
    walk.incident()
    walk.go(2 * 3600 + 10)
    assert at_utc(walk) == [("00:50:00", "night"), ("01:00:00", "morning"), ("02:50:00", "head")]


def test_quiet_hours_hold_back_everything_but_level_1(database: Database) -> None:
    walk = Walk(database, SCHOOL, "2026-11-24 23:00:00")
    walk.incident("quiet", kind="crowding", severity=2)
    walk.incident("grave", kind="crowding", severity=1)
    assert walk.told() == [("23:00:00", "principal")]
    assert walk.sent[0][3]["subject"] == "grave"
    assert (walk.thread("quiet")["silenced"], walk.state("quiet")) == ("quiet hours", "pending")
    actions.acknowledge(database, "grave", who="principal", now_s=walk.clock.now_s())
    # It is told when they are over, and its limit counts from then.
    walk.go(7 * 3600 + 300)
    assert walk.told()[1:] == [("06:00:00", "principal")]
    assert walk.thread("quiet")["silenced"] == ""
    assert walk.state("quiet") == "expired"


def test_a_step_whose_people_sleep_is_passed_over(database: Database) -> None:
    walk = Walk(database, SCHOOL.replace("[principal, bureau]", "[principal]"), "2026-11-24 23:00:00")
    walk.incident()
    walk.go(600)
    # The principal hears nothing at 23:04; there is nobody after them.
    assert walk.told() == [("23:00:00", "holiday-guard"), ("23:01:00", "head")]
    assert walk.state() == "expired"


def test_an_exempt_place_tells_nobody_but_level_1_is_told(database: Database) -> None:
    walk = Walk(database, SCHOOL, "2026-11-28 10:00:00")  # Saturday
    walk.incident("ordinary", camera_id="car-park")
    walk.incident("grave", camera_id="car-park", severity=1)
    assert walk.thread("ordinary")["silenced"] == "exempt: the car park is open to the public"
    assert {body["subject"] for _, _, _, body in walk.sent} == {"grave"}
    walk.clock.advance(2 * 86400)  # Monday
    walk.incident("monday", camera_id="car-park")
    assert walk.state("monday") == "sent"


def test_a_chain_that_comes_to_nobody_tells_everybody(database: Database) -> None:
    hole = SCHOOL.replace('    - {schedule: "non_school_days; school_days 22:00-06:00", people: [holiday-guard]}\n', "")
    hole = hole.replace("    - {tell: [head], within: 3m}\n    - {tell: [principal, bureau], within: 5m}\n", "", 1)
    walk = Walk(database, hole, "2026-11-28 10:00:00")
    walk.incident()
    assert {recipient for _, recipient, _, _ in walk.sent} == set(walk.policy.staff.people)


def test_a_cooldown_is_charged_only_for_what_was_sent(database: Database) -> None:
    walk = Walk(database, SCHOOL, "2026-11-24 10:00:00")
    walk.dead = {"log"}
    walk.incident("first")
    walk.dead = set()
    walk.go(1)  # only now the first is really sent
    walk.incident("second")
    assert walk.thread("second")["silenced"] == "cooldown"
    walk.incident("graver", severity=1)
    walk.incident("elsewhere", camera_id="gate-south")
    assert [body["subject"] for _, _, _, body in walk.sent] == ["first", "graver", "elsewhere"]
    walk.go(601)
    actions.acknowledge(database, "first", who="wang", now_s=walk.clock.now_s())
    walk.incident("later")
    assert walk.state("later") == "sent"


def test_level_1_is_told_again_and_again_whatever_the_cooldown(database: Database) -> None:
    walk = Walk(database, SCHOOL, "2026-11-24 10:00:00")
    for name in ("first", "second", "third"):
        walk.incident(name, severity=1)
        walk.go(5)
    assert [body["subject"] for _, _, _, body in walk.sent] == ["first", "second", "third"]
    assert [walk.thread(name)["silenced"] for name in ("first", "second", "third")] == [""] * 3
    walk.incident("of level 2", severity=2)
    assert walk.thread("of level 2")["silenced"] == "cooldown", "what was told of a graver level covers it"


def test_a_failed_message_charges_no_cooldown(database: Database) -> None:
    walk = Walk(database, SCHOOL, "2026-11-24 10:00:00")
    walk.dead = {"log"}
    walk.incident("first")
    walk.incident("second")
    walk.dead = set()
    walk.go(1)
    assert {body["subject"] for _, _, _, body in walk.sent} == {"first", "second"}


def test_what_gets_graver_is_told_to_those_whom_the_graver_level_concerns(database: Database) -> None:
    walk = Walk(database, SCHOOL, "2026-11-24 10:00:00")
    walk.incident(kind="possible_bullying", severity=3)
    walk.go(10)
    walk.incident(revision=2, phase=Phase.UPDATED, kind="possible_bullying", severity=1)
    assert walk.told() == [("10:00:00", "wang"), ("10:00:10", "police"), ("10:00:10", "wang")]
    # From now on the limit of level 1 counts.
    walk.go(30)
    assert ("10:00:40", "head") in walk.told()
    walk.incident(revision=3, phase=Phase.CLOSED, kind="possible_bullying", severity=1)
    assert walk.told()[-3:] == [("10:00:40", "head"), ("10:00:40", "police"), ("10:00:40", "wang")]


def test_a_restart_forgets_nothing_and_two_engines_take_each_step_once(store: Database) -> None:
    walk = Walk(store, SCHOOL, "2026-11-24 10:00:00")
    for number in range(30):
        walk.incident(f"case-{number}", camera_id=f"gate-{number}")
    walk.clock.advance(61)  # nobody ran meanwhile
    engines = [Escalation(store, walk.policy, walk.clock, walk.metrics) for _ in range(4)]
    errors: list[BaseException] = []

    def work(engine: Escalation) -> None:
        try:
            while engine.run_once():
                pass
        except (Unavailable, AssertionError) as error:
            errors.append(error)

    workers = [threading.Thread(target=work, args=(engine,)) for engine in engines]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == []
    with store.reading() as connection:
        rows = list_alerts(connection, AlertFilter(recipient="head"), 1000).rows
        assert len(rows) == 30
        assert {row["purpose"] for row in rows} == {"step-1"}
        for number in range(30):
            found = show_incident(connection, f"case-{number}")
            assert found is not None
            assert [line["action"] for line in found["log"]] == ["escalated"]
