"""A sender's leases and its journal: what is under way stays its own, and what a killed one had sent is not sent again."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.alerting.channels.base import Message, NotDelivered
from pipelines.alerting.facts import Manner
from pipelines.alerting.journal import Journal
from pipelines.alerting.messages import Letters
from pipelines.alerting.sender import Retries, Sender
from pipelines.events.envelope import incident_event
from pipelines.metrics import Metrics
from pipelines.store import incidents, outbox
from pipelines.store.database import Database
from pipelines.store.incidents import notice_of
from pipelines.store.outbox import NewAlert, NewDelivery
from pipelines.store.queries import AlertFilter, list_alerts, tries_of
from pipelines.testing import FakeClock, an_incident, until


class Channel:
    """Takes messages as `answer` says."""

    name, workers = "room", 2

    def __init__(self, answer: Callable[[Message], str] = lambda _: "ok") -> None:
        self.answer = answer
        self.sent: list[str] = []

    def send(self, message: Message) -> str:
        receipt = self.answer(message)
        self.sent.append(message.alert_id)
        return receipt

    def close(self) -> None:
        pass


class Running:
    """A sender whose loop the test turns by hand, with one worker beside it."""

    def __init__(self, store: Database, clock: FakeClock, owner: str, channel: Channel, folder: Path) -> None:
        letters = Letters(Manner("en", "UTC", "School"))
        journal = Journal(folder, owner)
        retries = Retries(tries=3)
        self.sender = Sender(store, channel, owner, clock, Metrics(), letters, None, journal, retries, lease_s=30.0)
        self._worker = threading.Thread(target=self.sender._send_on, daemon=True)

    def work(self) -> None:
        self._worker.start()

    def turn(self) -> bool:
        return self.sender.run_once()

    def end(self) -> None:
        self.sender._work.put(None)
        self._worker.join(30)


def put(store: Database, *incident_ids: str) -> None:
    with store.write() as connection:
        for incident_id in incident_ids:
            notice = notice_of(incident_event(an_incident(incident_id), "v", "North"))
            incidents.apply(connection, [notice], 0.0)
            alert = NewAlert(f"alert-{incident_id}", incident_id, "guard", "incident", 2, False, 0.0)
            told = NewDelivery(alert.alert_id, incident_id, "guard", "room", alert.alert_id, notice.event.id, 0.0)
            outbox.put(connection, [alert], [told], 0.0)


def states(store: Database) -> dict[str, str]:
    with store.reading() as connection:
        return {row["incident_id"]: row["state"] for row in list_alerts(connection, AlertFilter()).rows}


def receipts(store: Database) -> list[str]:
    with store.reading() as connection:
        return [row["detail"] for row in tries_of(connection, 1)]


def test_a_slow_message_stays_its_senders(store: Database, tmp_path: Path) -> None:
    put(store, "one")
    clock, answered = FakeClock(), threading.Event()
    began = threading.Event()

    def slowly(_: Message) -> str:
        began.set()
        assert answered.wait(90)
        return "at last"

    slow, other = (
        Running(store, clock, owner, channel, tmp_path)
        for owner, channel in (("slow", Channel(slowly)), ("other", Channel()))
    )
    slow.work()
    assert slow.turn()
    assert began.wait(90)
    for _ in range(5):  # ten times its lease
        clock.advance(15)
        slow.turn()
        assert not other.turn()
    answered.set()
    until(lambda: slow.turn() and states(store) == {"one": "sent"})
    slow.end()
    assert receipts(store) == ["at last"]


def test_what_was_not_renewed_in_time_is_not_begun(store: Database, tmp_path: Path) -> None:
    put(store, "one")
    clock, late, quick = FakeClock(), Channel(), Channel()
    stuck = Running(store, clock, "stuck", late, tmp_path)
    assert stuck.turn()  # leased, and then the process stands still
    clock.advance(31)
    other = Running(store, clock, "other", quick, tmp_path)
    assert other.turn()
    stuck.work()
    until(lambda: not stuck.sender._untried.empty())
    stuck.turn()
    other.work()
    until(lambda: other.turn() and states(store) == {"one": "sent"})
    for one in (stuck, other):
        one.end()
    assert (late.sent, quick.sent) == ([], ["alert-one"])


def test_what_a_killed_sender_had_sent_is_only_written_down(store: Database, tmp_path: Path) -> None:
    put(store, "one", "two")
    clock, first, second = FakeClock(), Channel(lambda _: "taken as no. 7"), Channel()
    killed = Running(store, clock, "host:1:aa", first, tmp_path)
    killed.turn()
    killed.sender._work.get()  # the second message was never begun
    killed.work()
    until(lambda: not killed.sender._results.empty())
    # Here it is killed: sent, and not recorded.
    assert states(store) == {"one": "pending", "two": "pending"}
    clock.advance(31)
    heir = Running(store, clock, "host:2:bb", second, tmp_path)
    heir.work()
    until(lambda: heir.turn() and set(states(store).values()) == {"sent"})
    heir.end()
    killed.end()
    assert sorted(first.sent + second.sent) == ["alert-one", "alert-two"]
    with store.reading() as connection:
        told = [row["detail"] for number in (1, 2) for row in tries_of(connection, number)]
    assert sorted(told) == ["ok", "taken as no. 7 (in the journal of host:1:aa, which died)"]


def test_a_channel_that_breaks_is_tried_again(store: Database, tmp_path: Path) -> None:
    put(store, "one")
    clock = FakeClock()

    def broken(message: Message) -> str:
        if message.attempt == 1:
            raise ZeroDivisionError
        raise NotDelivered("away")

    running = Running(store, clock, "me", Channel(broken), tmp_path)
    running.work()

    def dead() -> bool:
        running.turn()
        clock.advance(10)
        return states(store) == {"one": "failed"}

    until(dead, 90)
    running.end()
    assert receipts(store) == ["the channel failed: ZeroDivisionError", "away", "away (after 3 tries)"]


def test_a_journal_holds_what_the_store_does_not(tmp_path: Path) -> None:
    mine, other = Journal(tmp_path / "sent", "host:1:aa"), Journal(tmp_path / "sent", "host:2:bb")
    lines = mine.open("room")
    lines.sent(7, 1, "200 ok\nand more")
    lines.sent(8, 2, "\udcff")
    assert other.left("host:1:aa", "room") == {(7, 1): "200 ok and more", (8, 2): "?"}
    assert other.left("host:1:aa", "mail") == {}
    (path,) = (tmp_path / "sent").iterdir()
    path.write_bytes(path.read_bytes() + b"9 1 cut o")
    assert (9, 1) not in other.left("host:1:aa", "room")
    lines.stored([7])
    assert (7, 1) in other.left("host:1:aa", "room")
    lines.stored([8, 12])
    assert other.left("host:1:aa", "room") == {}
    lines.close()
    assert list((tmp_path / "sent").iterdir()) == []


def test_old_journals_go(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "host:1:aa")
    journal.open("room").sent(1, 1, "ok")
    journal.clear_up()
    assert len(list(tmp_path.iterdir())) == 1

    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))
    journal.clear_up()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_no_journal_costs_no_message(store: Database, tmp_path: Path) -> None:
    put(store, "one")
    (tmp_path / "file").write_bytes(b"")
    channel: Any = Channel()
    running = Running(store, FakeClock(), "me", channel, tmp_path / "file")
    running.work()
    until(lambda: running.turn() and states(store) == {"one": "sent"})
    running.end()
    assert channel.sent == ["alert-one"]
