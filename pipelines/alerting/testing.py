"""Dispatchers without their processes, for tests: the real logic on a real store, with a clock and a bus in the test's hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from pipelines.alerting.dispatcher import Dispatcher
from pipelines.alerting.escalation import Escalation
from pipelines.alerting.policy import policy_of
from pipelines.alerting.routing import Policy, Recipient
from pipelines.config.loader import load_text
from pipelines.events.bus import Delivery
from pipelines.events.envelope import Event, incident_event
from pipelines.metrics import Metrics
from pipelines.store import outbox, receipts, threads
from pipelines.store.database import Database
from pipelines.store.queries import AlertFilter, list_alerts, show_incident
from pipelines.testing import FakeClock, an_incident
from vision.incident import Phase

NOW_S: Final = 1_790_000_500.0
#: A school with a roster, three chains, an exempt place and a cooldown.
SCHOOL: Final = """
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


class BusInHand:
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


class Walk:
    """Two dispatchers' worth of logic over one store; every message sent is noted with its second."""

    def __init__(self, store: Database, yaml: str, at: str, zone: str = "Asia/Shanghai") -> None:
        config = load_text(yaml, "site.yaml", {})
        self.store, self.zone = store, ZoneInfo(zone)
        self.clock = FakeClock(datetime.fromisoformat(at).replace(tzinfo=self.zone).timestamp())
        self.metrics = Metrics()
        self.policy = policy_of(config, config.channels.names())
        self.bus = BusInHand()
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
                due_s = threads.next_due_s(connection) or end_s
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


class Room:
    """A dispatcher over a real store; two recipients with one channel each."""

    def __init__(self, database: Database) -> None:
        self.database, self.bus, self.clock = database, BusInHand(), FakeClock(NOW_S)
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
