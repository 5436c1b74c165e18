from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from pipelines.errors import BadInput, Unavailable
from pipelines.events.bus import Delivery
from pipelines.events.embedded import EmbeddedValkey
from pipelines.events.envelope import Event, incident_event
from pipelines.events.redis_streams import STREAM, CameraLeases, RedisConsumer, RedisPublisher, connect, dead_stream
from pipelines.metrics import Metrics
from pipelines.testing import FakeClock, an_incident, until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path_factory.mktemp("bus")) as running:
        yield running


@pytest.fixture
def client(server: EmbeddedValkey) -> Iterator[redis.Redis]:
    connection = connect(server.url, 5.0)
    connection.flushall()
    yield connection
    connection.close()


def event(number: int, incident_id: str = "case") -> Event:
    return incident_event(an_incident(f"{incident_id}-{number}"), "v1", "North")


def ids(client: redis.Redis) -> list[str]:
    return [Event.from_json(values[b"event"]).id for _, values in client.xrange(STREAM)]


def expected(count: int) -> list[str]:
    return [f"case-{number}:1" for number in range(count)]


@pytest.fixture
def publisher(client: redis.Redis, tmp_path: Path) -> Iterator[RedisPublisher]:
    made = RedisPublisher(client, tmp_path / "spool", metrics=Metrics(), max_length=50)
    made.open()
    yield made
    made.close()


def test_a_repeated_attempt_adds_nothing(client: redis.Redis, publisher: RedisPublisher) -> None:
    for _ in range(3):
        publisher.publish(event(0))
    publisher.publish(event(1))
    assert ids(client) == expected(2)


def test_full_of_what_nobody_acknowledged_it_spools_and_goes_on_in_order(
    client: redis.Redis, publisher: RedisPublisher
) -> None:
    consumer = RedisConsumer(client, "g", "c", trim_every_s=0)
    assert consumer.read(1, 0.01) == []
    for number in range(60):
        publisher.publish(event(number))
    assert client.xlen(STREAM) == 50
    assert publisher.spooled == 10
    with pytest.raises(Unavailable, match="full"):
        publisher.flush()
    seen: list[str] = []
    while entries := consumer.read(7, 0.01):
        seen += [Event.from_json(entry.body).id for entry in entries]
        consumer.acknowledge([entry.entry_id for entry in entries])
    publisher.flush()
    assert publisher.spooled == 0
    while entries := consumer.read(7, 0.01):
        seen += [Event.from_json(entry.body).id for entry in entries]
        consumer.acknowledge([entry.entry_id for entry in entries])
    assert seen == expected(60)
    assert client.xlen(STREAM) == 0


def test_trimmed_only_behind_what_every_group_acknowledged(client: redis.Redis, publisher: RedisPublisher) -> None:
    first = RedisConsumer(client, "first", "c", trim_every_s=0)
    second = RedisConsumer(client, "second", "c", trim_every_s=0)
    for consumer in (first, second):
        consumer.read(1, 0.01)
    for number in range(10):
        publisher.publish(event(number))
    entries = first.read(10, 0.01)
    first.acknowledge([entry.entry_id for entry in entries])
    assert client.xlen(STREAM) == 10  # the second group has read nothing
    entries = second.read(6, 0.01)
    second.acknowledge([entry.entry_id for entry in entries[:3] + entries[4:]])
    assert ids(client) == expected(10)[3:]  # number 3 is read, but not acknowledged
    assert (first.pending(), second.pending()) == (0, 5)


def test_the_full_stream_is_trimmed_by_the_producer_too(client: redis.Redis, publisher: RedisPublisher) -> None:
    consumer = RedisConsumer(client, "g", "c", trim_every_s=1e9)
    consumer.acknowledge([])  # its one trim is used up
    consumer.read(1, 0.01)
    for number in range(50):
        publisher.publish(event(number))
    consumer.acknowledge([entry.entry_id for entry in consumer.read(50, 0.01)])
    publisher.publish(event(50))
    assert publisher.spooled == 0
    assert ids(client) == ["case-50:1"]


def test_abandoned_entries_are_taken_over_with_their_attempts(client: redis.Redis, publisher: RedisPublisher) -> None:
    clock = FakeClock()
    dead = RedisConsumer(client, "g", "dead", clock, claim_idle_s=0.001)
    alive = RedisConsumer(client, "g", "alive", clock, claim_idle_s=0.001)
    publisher.publish(event(0))
    (left,) = dead.read(5, 0.01)
    assert left.attempts == 1
    until(lambda: client.xpending_range(STREAM, "g", "-", "+", 1)[0]["time_since_delivered"] > 1)
    (taken,) = alive.read(5, 0.01)
    assert (taken.entry_id, taken.attempts) == (left.entry_id, 2)
    alive.acknowledge([taken.entry_id])
    clock.advance(60)
    assert alive.read(5, 0.01) == []


def test_taking_over_one_at_a_time_spares_the_neighbours_attempts(
    client: redis.Redis, publisher: RedisPublisher
) -> None:
    dead = RedisConsumer(client, "g", "dead", claim_idle_s=0.001)
    alive = RedisConsumer(client, "g", "alive", FakeClock(), claim_idle_s=0.001)
    dead.read(1, 0.01)
    for number in range(3):
        publisher.publish(event(number))
    assert len(dead.read(5, 0.01)) == 3
    until(lambda: client.xpending_range(STREAM, "g", "-", "+", 1)[0]["time_since_delivered"] > 1)
    assert len(alive.read(5, 0.01)) == 1
    assert [row["times_delivered"] for row in client.xpending_range(STREAM, "g", "-", "+", 5)] == [2, 1, 1]


def test_a_dead_letter_is_moved_once_and_says_why(client: redis.Redis, publisher: RedisPublisher) -> None:
    consumer = RedisConsumer(client, "g", "c")
    publisher.publish(event(0))
    (entry,) = consumer.read(1, 0.01)
    for _ in range(2):
        consumer.dead_letter(entry, "no such thing")
    ((_, values),) = client.xrange(dead_stream())
    assert (values[b"reason"], values[b"event"], values[b"group"]) == (b"no such thing", entry.body, b"g")
    assert consumer.pending() == 0


def test_an_entry_of_somebody_else_has_an_empty_body(client: redis.Redis) -> None:
    consumer = RedisConsumer(client, "g", "c")
    client.xadd(STREAM, {"nonsense": "1"})
    assert [(entry.body, entry.attempts) for entry in consumer.read(5, 0.01)] == [(b"", 1)]


def test_a_server_that_lost_everything_gets_its_group_again(client: redis.Redis, publisher: RedisPublisher) -> None:
    consumer = RedisConsumer(client, "g", "c")
    assert consumer.read(1, 0.01) == []
    client.flushall()
    publisher.publish(event(0))
    taken: list[Delivery] = []
    until(lambda: taken.extend(consumer.read(1, 0.01)) or taken)
    assert [Event.from_json(entry.body).id for entry in taken] == expected(1)
    consumer.acknowledge([entry.entry_id for entry in taken])
    assert consumer.pending() == 0


def test_a_member_that_holds_something_is_not_forgotten(client: redis.Redis, publisher: RedisPublisher) -> None:
    consumer = RedisConsumer(client, "g", "c")
    publisher.publish(event(0))
    (entry,) = consumer.read(1, 0.01)
    consumer.leave()
    assert len(client.xinfo_consumers(STREAM, "g")) == 1
    consumer.acknowledge([entry.entry_id])
    consumer.leave()
    assert client.xinfo_consumers(STREAM, "g") == []


@pytest.mark.parametrize("url", ["", "http://x", "redis//", "redis://h:port/0"])
def test_what_is_no_redis_address(url: str) -> None:
    with pytest.raises(BadInput, match="redis://"):
        connect(url)


def test_errors_show_no_password(tmp_path: Path) -> None:
    consumer = RedisConsumer(connect("redis://:hunter2@127.0.0.1:1/0"), "g", "c")
    with pytest.raises(Unavailable) as caught:
        consumer.read(1, 0.01)
    assert "hunter2" not in str(caught.value)


def test_a_server_that_hangs_delays_only_the_first_publish(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:  # accepts and says nothing
        publisher = RedisPublisher(f"redis://127.0.0.1:{mute.getsockname()[1]}/0", tmp_path)
        publisher.open()
        attempts: list[int] = []
        send = publisher._send
        publisher._send = lambda events: attempts.append(len(events)) or send(events)  # type: ignore[method-assign,func-returns-value]
        for number in range(20):
            publisher.publish(event(number))
        assert attempts == [1]
        assert publisher.spooled == 20
        publisher.close()


def test_an_answer_that_was_lost_does_not_double(client: redis.Redis, tmp_path: Path) -> None:
    publisher = RedisPublisher(client, tmp_path)
    publisher.open()
    send = publisher._send

    def lossy(events: object) -> int:
        send(events)  # type: ignore[arg-type]
        raise Unavailable("the answer was lost")

    publisher._send = lossy  # type: ignore[method-assign]
    publisher.publish(event(0))
    assert publisher.spooled == 1
    publisher._send = send  # type: ignore[method-assign]
    publisher.publish(event(1))
    publisher.flush()
    assert ids(client) == expected(2)
    publisher.close()


def test_bus_away_for_a_while_every_event_once_and_in_order(tmp_path: Path) -> None:
    metrics = Metrics()
    bus = EmbeddedValkey(tmp_path / "bus")
    bus.start()
    publisher = RedisPublisher(bus.url, tmp_path / "spool", metrics=metrics)
    publisher.open()
    stop = threading.Event()
    runner = threading.Thread(target=publisher.run, args=(stop,))
    runner.start()
    try:
        number = 0

        def publish_for(steps: int) -> None:
            nonlocal number
            for _ in range(steps):
                publisher.publish(event(number))
                number += 1
                stop.wait(0.005)

        publish_for(40)
        bus.stop()
        publish_for(300)
        assert publisher.spooled == 300
        assert metrics.registry.get_sample_value("gatewatch_spool_messages") == 300
        bus.start()
        publish_for(100)
        until(lambda: publisher.spooled == 0, 90)
        assert ids(connect(bus.url)) == expected(440)
    finally:
        stop.set()
        runner.join()
        publisher.close()
        bus.stop()


def test_kill_9_of_the_server_loses_nothing_acknowledged(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path / "bus") as bus:
        publisher = RedisPublisher(bus.url, tmp_path / "spool")
        publisher.open()
        for number in range(100):
            publisher.publish(event(number))
        assert publisher.spooled == 0
        assert bus.pid is not None
        os.kill(bus.pid, signal.SIGKILL)
        for number in range(100, 120):
            publisher.publish(event(number))
        assert publisher.spooled == 20
        until(lambda: not bus.alive())
        bus.run_once()
        publisher.flush()
        assert ids(connect(bus.url)) == expected(120)
        publisher.close()


def test_a_spool_survives_its_process(client: redis.Redis, tmp_path: Path) -> None:
    away = RedisPublisher("redis://127.0.0.1:1/0", tmp_path)
    away.open()
    for number in range(5):
        away.publish(event(number))
    away.close()
    back = RedisPublisher(client, tmp_path)
    back.open()
    assert back.spooled == 5
    back.publish(event(5))  # behind the five
    back.flush()
    assert ids(client) == expected(6)
    back.close()


def test_one_camera_one_worker(client: redis.Redis) -> None:
    mine, other = CameraLeases(client, "me", 30), CameraLeases(client, "you", 30)
    assert mine.acquire("ac") == {"a": True, "c": True}
    assert mine.acquire("a") == {"a": True}
    # Each camera has an answer of its own, in one round trip.
    assert other.acquire("abc") == {"a": False, "b": True, "c": False}
    assert other.holder("a") == "me"
    other.release("a")
    assert mine.acquire("a") == {"a": True}
    mine.release("a")
    assert mine.holder("a") is None
    assert other.acquire("a") == {"a": True}
    assert mine.acquire("ac") == {"a": False, "c": True}
    client.flushall()  # the server lost its data, and its scripts at a restart
    client.script_flush()
    assert other.acquire("a") == {"a": True}
    assert client.pttl("gatewatch:lease:camera:a") > 20_000
    assert mine.acquire("") == {}


def test_a_lease_ends_by_itself(client: redis.Redis) -> None:
    assert CameraLeases(client, "dead", 0.05).acquire("a") == {"a": True}
    waiting = CameraLeases(client, "next", 30)
    until(lambda: waiting.acquire("a")["a"])
    with pytest.raises(Unavailable):
        CameraLeases(connect("redis://127.0.0.1:1/0"), "x").acquire("a")
