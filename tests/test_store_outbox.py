"""The outbox on both databases: what one sender leases no other has, and an incident's messages keep their order."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from pipelines.events.envelope import incident_event
from pipelines.store import incidents, outbox, receipts
from pipelines.store.database import Database
from pipelines.store.incidents import Change, notice_of
from pipelines.store.outbox import NewAlert, NewDelivery
from pipelines.store.queries import AlertFilter, dead_deliveries, list_alerts, resend, tries_of
from pipelines.store.receipts import Outcome, Result
from pipelines.testing import an_incident
from vision.incident import Phase

NOW_S = 1_790_000_500.0


def put(store: Database, incident_id: str, channels: tuple[str, ...] = ("log",), revisions: int = 1) -> None:
    """An incident with one alert and one delivery for each channel and revision."""
    with store.write() as connection:
        for revision in range(1, revisions + 1):
            notice = notice_of(incident_event(an_incident(incident_id, revision), "v", "North"))
            incidents.apply(connection, [notice], NOW_S)
            alert = NewAlert(f"alert-{incident_id}", incident_id, "room", "incident", 2, False, NOW_S)
            told = [
                NewDelivery(
                    alert.alert_id, incident_id, "room", channel, f"{incident_id}:{revision}", notice.event.id, NOW_S
                )
                for channel in channels
            ]
            outbox.put(connection, [alert], told, NOW_S)


def claimed(
    store: Database, owner: str, now_s: float = NOW_S, channel: str = "log", limit: int = 10
) -> list[outbox.Leased]:
    with store.write() as connection:
        return outbox.claim(connection, channel, owner=owner, now_s=now_s, lease_s=30.0, limit=limit)


def finished(store: Database, leased: list[outbox.Leased], outcome: Outcome, owner: str = "a", **more: float) -> None:
    with store.write() as connection:
        receipts.finish(
            connection,
            [Result(one.delivery_id, one.alert_id, outcome, "said so", NOW_S, 0.1, **more) for one in leased],
            owner,
            NOW_S + 1,
        )


def states(store: Database) -> dict[str, str]:
    with store.reading() as connection:
        return {row["incident_id"]: row["state"] for row in list_alerts(connection, AlertFilter()).rows}


def test_a_lease_is_one_senders_until_it_runs_out(store: Database) -> None:
    put(store, "one")
    put(store, "two")
    (first, second) = claimed(store, "a")
    assert (first.attempt, first.incident_id, first.body["data"]["camera"]) == (1, "one", "gate-north")
    assert claimed(store, "b") == []
    assert [one.attempt for one in claimed(store, "b", NOW_S + 31)] == [2, 2]
    finished(store, [first], "failed", next_attempt_s=NOW_S + 5)  # a lost it: only its receipt counts
    finished(store, [second], "sent")  # what was sent was sent
    assert states(store) == {"one": "pending", "two": "sent"}
    assert [one.incident_id for one in claimed(store, "c", NOW_S + 62)] == ["one"]


def test_an_incidents_messages_go_one_after_the_other_on_each_channel(store: Database) -> None:
    put(store, "one", ("log", "mail"), revisions=3)
    for revision in (1, 2, 3):
        leased = claimed(store, "a")
        assert [one.idempotency_key for one in leased] == [f"one:{revision}"]
        finished(store, leased, "sent")
    assert [one.idempotency_key for one in claimed(store, "a", channel="mail")] == ["one:1"]
    with store.read() as connection:
        assert outbox.waiting(connection) == 3


def test_dead_letters_can_be_sent_again(store: Database) -> None:
    put(store, "one")
    leased = claimed(store, "a")
    finished(store, leased, "failed", next_attempt_s=NOW_S + 5)
    assert claimed(store, "a", NOW_S + 4) == []
    leased = claimed(store, "a", NOW_S + 5)
    finished(store, leased, "dead")
    assert states(store) == {"one": "failed"}
    with store.write() as connection:
        (dead,) = dead_deliveries(connection)
        assert (dead["reason"], dead["attempts"], dead["finished_s"]) == ("said so", 2, NOW_S + 1)
        assert [one["outcome"] for one in tries_of(connection, dead["delivery_id"])] == ["failed", "dead"]
        assert resend(connection, None, now_s=NOW_S, who="me") == [dead["delivery_id"]]
        assert resend(connection, [10**12], now_s=NOW_S, who="me") == []
    leased = claimed(store, "a")
    with store.write() as connection:
        outbox.give_back(connection, [one.delivery_id for one in leased], "a")
    leased = claimed(store, "b")
    finished(store, leased, "sent", "b")
    assert states(store) == {"one": "sent"}


def at_once(*work: Callable[[], None]) -> None:
    """Run these in threads; any error is raised here."""
    errors: list[BaseException] = []
    start = threading.Barrier(len(work))

    def run(one: Callable[[], None]) -> None:
        try:
            start.wait(30)
            one()
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_senders_beside_each_other_lease_each_delivery_once(store: Database, store_url: str) -> None:
    for number in range(40):
        put(store, f"case-{number}", ("log", "mail"))
    leased: list[tuple[str, int]] = []

    def work(owner: str, channel: str) -> Callable[[], None]:
        def run() -> None:
            database = Database(store_url)  # as another process has it
            while mine := claimed(database, owner, channel=channel, limit=3):
                leased.extend((channel, one.delivery_id) for one in mine)
                # Both channels finish the same alerts, in opposite orders.
                finished(database, mine if channel == "log" else mine[::-1], "sent", owner)
            database.close()

        return run

    at_once(*(work(f"{channel}-{number}", channel) for channel in ("log", "mail") for number in range(2)))
    assert sorted(Counter(leased).values()) == [1] * 80
    assert set(states(store).values()) == {"sent"}


def test_two_dispatchers_with_two_revisions_of_one_incident_know_of_each_other(store: Database, store_url: str) -> None:
    """What the second finds decides whether it makes an alert or follows one up: they must not both find nothing."""
    rounds = 12
    known: dict[str, list[Change]] = {f"case-{number}": [] for number in range(rounds)}

    def work(revision: int, phase: Phase) -> Callable[[], None]:
        def run() -> None:
            database = Database(store_url)
            # One goes up through the incidents and the other down, each in batches of four.
            names = sorted(known, reverse=revision == 2)
            for begin in range(0, rounds, 4):
                notices = [
                    notice_of(incident_event(an_incident(name, revision, phase), "v", "North"))
                    for name in names[begin : begin + 4]
                ]
                with database.write() as connection:
                    for change in incidents.apply(connection, notices, NOW_S):
                        known[change.notice.incident_id].append(change)
            database.close()

        return run

    at_once(work(1, Phase.OPENED), work(2, Phase.CLOSED))
    for changes in known.values():
        # Either both told something new, the second knowing of the first, or revision 1 came too late to.
        before = {change.notice.revision: change.known.revision for change in changes}
        assert before in ({1: -1, 2: 1}, {2: -1})
