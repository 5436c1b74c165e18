"""An escalation walked through with a clock that the test moves: who is told at which second."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import pytest
from sqlalchemy import func, select

from pipelines.alerting import actions
from pipelines.alerting.dispatcher import Dispatcher
from pipelines.alerting.drill import Drills
from pipelines.alerting.escalation import Escalation
from pipelines.alerting.life import Verdict
from pipelines.alerting.policy import policy_of
from pipelines.config.loader import load_text
from pipelines.errors import Unavailable
from pipelines.events.bus import Delivery
from pipelines.events.envelope import Event, event_schema, incident_event
from pipelines.metrics import Metrics
from pipelines.store import outbox, receipts
from pipelines.store.database import Database, sqlite_url
from pipelines.store.queries import AlertFilter, IncidentFilter, list_alerts, list_incidents, show_incident
from pipelines.store.schema import threads
from pipelines.testing import FakeClock, an_incident
from vision.incident import Phase

SCHOOL = """
site: {timezone: Asia/Shanghai}
calendar: {terms: [2026-09-01/2027-01-20], holidays: [2026-10-01/2026-10-07], extra_school_days: [2026-10-10]}
channels: {log: true, jsonl: alerts.jsonl}
recipients:
  wang: {name: 王伟, channels: [log]}
  li: {name: 李强, channels: [log]}
  holiday-guard: {channels: [log]}
  head: {channels: [log, jsonl]}
  principal: {channels: [jsonl], quiet: "daily 22:00-06:00"}
  bureau: {channels: [jsonl]}
  police: {channels: [jsonl]}
rosters:
  guards:
    - {schedule: "school_days 06:00-14:00", people: [wang]}
    - {schedule: "school_days 14:00-22:00", people: [li]}
    - {schedule: "non_school_days; school_days 22:00-06:00", people: [holiday-guard]}
escalation:
  default:
    - {tell: [guards]}
    - {tell: [head], within: 3m}
    - {tell: [principal, bureau], within: 5m}
  grave:
    - {tell: [guards, police]}
    - {tell: [head]}
  principal-only:
    - {tell: [principal]}
routes:
  - {kinds: [possible_bullying], levels: [1], chain: grave}
  - {cameras: [car-park], schedule: "sat,sun", exempt: the car park is open to the public}
  - {kinds: [crowding], chain: principal-only}
  - {kinds: [illegal_parking], cooldown: 10m, chain: default}
cameras:
  car-park: {main: {url: a.mp4}}
alerts: {storm: null}
"""


class Bus:
    def __init__(self) -> None:
        self.waiting: list[Event] = []

    def read(self, limit: int, block_s: float) -> list[Delivery]:
        taken, self.waiting = self.waiting, []
        return [Delivery(f"{number}-0", event.to_json().encode(), 1) for number, event in enumerate(taken)]

    def acknowledge(self, entry_ids: list[str]) -> None:
        pass

    def dead_letter(self, delivery: Delivery, reason: str) -> None:
        raise AssertionError(reason)


class Walk:
    """Two dispatchers' worth of logic over one store; every message sent is noted with its second."""

    def __init__(self, store: Database, yaml: str, at: str, zone: str = "Asia/Shanghai") -> None:
        config = load_text(yaml, "site.yaml", {})
        self.store, self.zone = store, ZoneInfo(zone)
        self.clock = FakeClock(datetime.fromisoformat(at).replace(tzinfo=self.zone).timestamp())
        self.metrics = Metrics()
        self.policy = policy_of(config, config.channels.names())
        self.bus = Bus()
        self.dispatcher = Dispatcher(self.bus, store, self.policy, self.clock, self.metrics)
        self.engines = [Escalation(store, self.policy, self.clock, self.metrics) for _ in range(2)]
        self.sent: list[tuple[float, str, str, dict[str, Any]]] = []  # when, to whom, through what, the message
        self.dead: set[str] = set()  # channels that take nothing

    def incident(
        self, incident_id: str = "case-1", revision: int = 1, phase: Phase = Phase.OPENED, **changes: Any
    ) -> None:
        now_s = self.clock.now_s()
        times = {"time_s": now_s, "opened_s": now_s, "first_seen_s": now_s}
        self.bus.waiting.append(
            incident_event(an_incident(incident_id, revision, phase, **(times | changes)), "v", "N")
        )
        self.dispatcher.run_once()
        self.send()

    def send(self) -> None:
        now_s = self.clock.now_s()
        for channel in {"log", "jsonl"} - self.dead:
            while True:
                with self.store.read() as connection:
                    if not outbox.anything_due(connection, channel, now_s):
                        break
                with self.store.write() as connection:
                    leased = outbox.claim(connection, channel, owner="me", now_s=now_s, lease_s=30, limit=100)
                    results = [receipts.Result(one.delivery_id, one.alert_id, "sent", "", now_s, 0.0) for one in leased]
                    receipts.finish(connection, results, "me", now_s)
                self.sent += [(now_s, one.recipient, channel, dict(one.body)) for one in leased]

    def go(self, seconds: float, at_most_s: float = 60.0) -> None:
        """Time passes; the engines take turns, as two processes would. Where nothing can happen it passes in bigger steps,
        but every second at which something is due is looked at, and the second before it."""
        end_s, turn = self.clock.now_s() + seconds, 0
        while (now_s := self.clock.now_s()) < end_s:
            with self.store.read() as connection:
                due_s = connection.scalar(select(func.min(threads.c.due_s))) or end_s
            until_s = due_s - 1.0 if due_s - now_s > 1.0 else now_s + 1.0
            self.clock.advance(min(until_s, end_s, now_s + at_most_s) - now_s)
            turn += 1
            while self.engines[turn % 2].run_once():
                pass
            self.send()

    def told(self) -> list[tuple[str, str]]:
        """(local time, recipient) of each message so far, each recipient once per second; those of one second by name."""
        once = sorted({(at_s, recipient) for at_s, recipient, _, _ in self.sent})
        return [(f"{datetime.fromtimestamp(at_s, self.zone):%H:%M:%S}", recipient) for at_s, recipient in once]

    def state(self, incident_id: str = "case-1") -> str:
        return str(self.thread(incident_id)["state"])

    def thread(self, incident_id: str = "case-1") -> dict[str, Any]:
        return dict(self.shown(incident_id)["thread"])

    def shown(self, incident_id: str = "case-1") -> dict[str, Any]:
        with self.store.reading() as connection:
            found = show_incident(connection, incident_id)
        assert found is not None
        return found


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
