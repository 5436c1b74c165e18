"""The chain with real processes: bus, dispatchers, store, a webhook receiver that fails, and kill -9."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.events.envelope import incident_event
from pipelines.events.redis_streams import DISPATCHERS, STREAM, dead_letters
from pipelines.store.queries import AlertFilter, IncidentFilter, list_alerts, list_incidents
from pipelines.testing import an_incident, until
from pipelines.testing_site import Receiver, Site
from vision.incident import Phase


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, Receiver())
    yield made
    made.end()


def names(count: int) -> list[str]:
    return [f"case-{number:04d}" for number in range(count)]


def check_all_told_once(site: Site, count: int, duplicates: int = 0) -> None:
    assert sorted(row["incident_id"] for row in site.query(list_incidents, IncidentFilter())) == names(count)
    alerts = site.query(list_alerts, AlertFilter())
    assert sorted(row["incident_id"] for row in alerts) == names(count)
    assert {row["state"] for row in alerts} == {"sent"}
    keys = Counter(key for key, _, _ in site.receiver.taken)
    assert len(keys) == count
    assert sum(keys.values()) <= count + duplicates
    assert {line["idempotency_key"] for line in site.lines()} == set(keys)
    assert len(site.lines()) <= count + duplicates
    assert site.receiver.unsigned == 0


def test_what_piled_up_is_told_once_by_two_dispatchers(site: Site) -> None:
    site.publish(names(300))
    first, second = site.dispatcher(), site.dispatcher()
    until(lambda: site.settled(300), 60, "telling 300 incidents")
    for process in (first, second):
        process.terminate()
    assert (first.wait(90), second.wait(90)) == (0, 0)
    check_all_told_once(site, 300)
    # About a third failed once and was tried again.
    assert 60 < sum(count == 2 for count in site.receiver.tries.values()) < 140
    assert site.client.xinfo_consumers(STREAM, DISPATCHERS) == []


def test_what_a_killed_dispatcher_left_is_taken_over(site: Site) -> None:
    site.receiver.delay_s = 0.02
    first = site.dispatcher()
    until((site.folder / "gatewatch.db").exists, 60, "the dispatcher's start")
    site.publish(names(150))
    until(lambda: len(site.receiver.taken) > 20, 60, "the first dispatcher's start")
    os.kill(first.pid, signal.SIGKILL)
    second = site.dispatcher()
    site.publish(names(200)[150:])
    until(lambda: site.settled(200), 60, "taking over")
    second.terminate()
    assert second.wait(90) == 0
    # What was sent and not yet written down when it died is told again, under the same key: at most what one channel
    # leases at a time for one worker.
    check_all_told_once(site, 200, duplicates=16)


def test_follow_ups_keep_their_order_per_incident(site: Site) -> None:
    site.dispatcher()
    for revision, phase in ((1, Phase.WARNED), (2, Phase.OPENED), (3, Phase.UPDATED), (4, Phase.CLOSED)):
        site.publish(names(30), revision, phase)
    until(lambda: len(site.receiver.taken) >= 60, 60, "telling openings and ends")
    for name in names(30):
        assert [revision for _, incident, revision in site.receiver.taken if incident == name] == [2, 4]
    assert len(site.query(list_alerts, AlertFilter())) == 30


def test_poison_is_laid_aside_and_the_rest_goes_on(site: Site) -> None:
    site.publish(["case-0000"])
    for body in (b"", b"{", b'{"specversion":"1.0"}', b"\xff\xfe", b"[" * 100_000):
        site.client.xadd(STREAM, {"event": body})
    site.client.xadd(STREAM, {"nonsense": "1"})
    good = json.loads(incident_event(an_incident("bad"), "v", "n").to_json())
    good["data"]["severity"] = 99
    site.client.xadd(STREAM, {"event": json.dumps(good)})
    site.publish(["case-0001"])
    site.dispatcher()
    until(lambda: site.settled(3), 60)  # and one alarm about all seven
    incidents = site.query(list_incidents, IncidentFilter())
    (alarm,) = (row for row in incidents if row["kind"] == "message_lost")
    assert sorted(row["incident_id"] for row in incidents if row is not alarm) == names(2)
    assert (alarm["severity"], "not an envelope" in alarm["evidence"]["cause"]["value"]) == (1, True)
    assert alarm["incident_id"] in {incident for _, incident, _ in site.receiver.taken}
    assert len(dead_letters(site.client)) == 7
    status, dead = site.ask("alerts", "dead")
    assert status == 1
    assert any("severity is no whole number in 1..4: 99" in letter["reason"] for letter in dead["messages"])
