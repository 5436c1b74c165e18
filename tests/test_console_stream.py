"""Server-sent events: what happens is told within the second, a cut loses nothing, and what is too old is said to be."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from console.serve import Server
from console.testing import NORTH, SOUTH, Site, a_site
from pipelines.access.roles import Role
from pipelines.clock import SystemClock
from pipelines.store import changes
from pipelines.store.changes import Cursor
from pipelines.testing import until
from vision.incident import Phase


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = a_site(tmp_path, SystemClock())
    yield site
    site.parts.stop.set()
    site.parts.database.close()


def parsed(text: str) -> tuple[str, list[tuple[str, Any]]]:
    """(the last id as a browser keeps it, [(event, data)])."""
    last, told = "", []
    for block in text.split("\n\n"):
        lines = dict(line.partition(": ")[::2] for line in block.splitlines() if not line.startswith(":"))
        last = lines.get("id", last)
        if "data" in lines:
            told.append((lines["event"], json.loads(lines["data"])))
    return last, told


def once(client: TestClient, after: str | None = None) -> tuple[str, list[tuple[str, Any]]]:
    headers = {} if after is None else {"Last-Event-ID": after}
    answer = client.get("/api/v1/events", params={"once": True}, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    return parsed(answer.text)


def fresh(site: Site) -> None:
    site.parts.feed.newest(fresh=True)


def test_who_comes_back_is_told_what_happened_meanwhile_and_once(site: Site) -> None:
    client = site.client(Role.GUARD)
    last, told = once(client)
    assert [name for name, _ in told] == ["hello"]
    site.tell("north-3")
    site.tell("north-3", revision=2, phase=Phase.UPDATED, severity=1)
    client.post("/api/v1/incidents/north-1/acknowledge", json={})
    fresh(site)
    last, told = once(client, last)
    incidents = {data["incident_id"]: data for name, data in told if name == "incident"}
    assert set(incidents) == {"north-3", "north-1"}
    assert incidents["north-3"]["severity"] == 1
    assert incidents["north-1"]["thread"]["state"] == "acknowledged"
    assert {data["alert_id"]: data["state"] for name, data in told if name == "alert"} == {
        "alert-north-3": "pending",
        "alert-north-1": "acknowledged",
    }
    assert [name for name, _ in once(client, last)[1]] == ["hello"]


def test_a_cut_in_the_middle_of_a_batch_repeats_it_rather_than_losing_it(site: Site) -> None:
    client = site.client(Role.GUARD)
    last, _ = once(client)
    site.tell("a", "b", "c")
    fresh(site)
    text = client.get("/api/v1/events", params={"once": True, "after": last}).text
    blocks = text.split("\n\n")
    cut = "\n\n".join(blocks[:3]) + "\n\n"  # hello, and two of three incidents
    again, told = once(client, parsed(cut)[0])
    assert {data["incident_id"] for name, data in told if name == "incident"} == {"a", "b", "c"}
    assert again != last


def test_what_is_out_of_scope_moves_the_cursor_and_is_not_told(site: Site) -> None:
    client = site.client(Role.GUARD, NORTH)
    last, _ = once(client)
    site.tell("backyard-2", camera=SOUTH)
    fresh(site)
    after, told = once(client, last)
    assert [name for name, _ in told] == ["hello"]
    assert after != last


def test_what_is_cleared_up_already_is_told_as_a_reset(site: Site) -> None:
    client = site.client(Role.GUARD)
    with site.parts.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM changes WHERE seq < 5")
    last, told = once(client, "0-1")
    assert [name for name, _ in told] == ["reset"]
    assert [name for name, _ in once(client, last)[1]] == ["hello"]
    assert [name for name, _ in once(client, "0-999999")[1]] == ["reset"], "a cursor of another store"
    assert client.get("/api/v1/events", params={"after": "x"}).status_code == 422


def test_old_changes_are_cleared_up_by_the_store_itself(site: Site) -> None:
    with site.parts.database.write() as connection:
        connection.exec_driver_sql(
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 101500) "
            "INSERT INTO changes (tx, what, id) SELECT 0, 'incident', 'x' FROM n"
        )
    with site.parts.database.read() as connection:
        kept = connection.exec_driver_sql("SELECT count(*) FROM changes").scalar_one()
        assert 100_000 <= kept < 102_000
        assert changes.is_lost(connection, Cursor(0, 1))
        assert not changes.is_lost(connection, changes.newest(connection))


def test_over_a_real_connection_it_is_told_at_once_and_many_are_told_the_same(site: Site) -> None:
    import httpx2

    server = Server(site.parts, "127.0.0.1", 0)
    server.start()
    heard: dict[str, list[tuple[str, float]]] = {"one": [], "two": []}
    ready = threading.Barrier(3, timeout=90)

    def listen(name: str, role: Role) -> None:
        headers = {"Authorization": f"Bearer {site.tokens[role, None]}"}
        url = f"http://127.0.0.1:{server.port}/api/v1/events"
        with httpx2.stream("GET", url, headers=headers, timeout=60) as answer:
            for line in answer.iter_lines():
                if line.startswith("event: hello"):
                    ready.wait()
                if line.startswith("data: ") and '"incident_id": "live-' in line and '"phase"' in line:
                    heard[name].append((json.loads(line[6:])["incident_id"], time.monotonic()))

    threads = [
        threading.Thread(target=listen, args=args, daemon=True) for args in (("one", Role.GUARD), ("two", Role.VIEWER))
    ]
    for thread in threads:
        thread.start()
    try:
        ready.wait()
        for number in range(5):
            site.tell(f"live-{number}")
        until(lambda: all(len({one for one, _ in told}) == 5 for told in heard.values()), 90, "all are told of all")
    finally:
        server.stop()
    for thread in threads:
        thread.join(20)
    assert not [thread for thread in threads if thread.is_alive()], "a stream outlives its server"


def test_one_caller_may_not_hold_every_stream(site: Site) -> None:
    feed = site.parts.feed
    key = site.parts.people.of_token(site.tokens[Role.GUARD, None])
    assert key is not None
    for _ in range(24):
        assert feed.enter(key.key)
    refused = site.client(Role.GUARD).get("/api/v1/events", params={"once": True})
    assert refused.status_code == 429
    for _ in range(24):
        feed.leave(key.key)
    assert site.client(Role.GUARD).get("/api/v1/events", params={"once": True}).status_code == 200
