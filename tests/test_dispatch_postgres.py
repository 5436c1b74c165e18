"""Dispatchers as real processes on one PostgreSQL: the same promises as on SQLite, with more than one writer."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from pipelines.events.embedded import EmbeddedValkey
from pipelines.events.envelope import incident_event
from pipelines.events.locate import embedded_folder
from pipelines.events.redis_streams import STREAM, RedisPublisher, connect
from pipelines.store.database import Database
from pipelines.store.queries import AlertFilter, IncidentFilter, list_alerts, list_incidents
from pipelines.testing import an_incident, until
from vision.incident import Phase

INCIDENTS = 120


def test_two_dispatchers_of_which_one_is_killed(tmp_path: Path, postgres: Any) -> None:
    url = postgres.url(template="template0")  # the first dispatcher makes the tables
    told = tmp_path / "alerts.jsonl"
    config = tmp_path / "gatewatch.yaml"
    config.write_text(
        f"data: {tmp_path}\ndatabase: {{url: '{url}'}}\n"
        f"channels: {{log: false, jsonl: {told}}}\ndispatcher: {{take_over: 2s}}\n"
    )
    command = [sys.executable, "-m", "pipelines.cli", "dispatch", "--health-port", "0", "--log", "json"]
    names = [f"case-{number:03d}" for number in range(INCIDENTS)]
    with EmbeddedValkey(embedded_folder(tmp_path)) as bus, (tmp_path / "dispatch.log").open("wb") as log:
        publisher, client = RedisPublisher(bus.url, tmp_path / "spool"), connect(bus.url, 5.0)
        publisher.open()
        processes = [subprocess.Popen([*command, "-c", str(config)], stderr=log) for _ in range(2)]
        try:
            for name in names:
                for revision, phase in ((1, Phase.OPENED), (2, Phase.CLOSED)):
                    publisher.publish(incident_event(an_incident(name, revision, phase), "v1", "北门"))
            until(lambda: told.exists() and len(told.read_bytes().splitlines()) > 10, 60, "the first messages")
            processes[0].send_signal(signal.SIGKILL)
            until(lambda: not client.xlen(STREAM) and len(lines(told)) >= 2 * INCIDENTS, 60, "telling the rest")
            processes[1].terminate()
            assert processes[1].wait(90) == 0
        finally:
            for process in processes:
                process.kill()
                process.wait()
            publisher.close()
            client.close()
    database = Database(url)
    with database.reading() as connection:
        found = list_incidents(connection, IncidentFilter(state="closed", text="北门"), 1000).rows
        alerts = list_alerts(connection, AlertFilter(), 1000).rows
    database.close()
    assert sorted(row["incident_id"] for row in found) == names
    assert sorted(row["incident_id"] for row in alerts) == names
    assert {row["state"] for row in alerts} == {"sent"}
    order: dict[str, list[int]] = {}
    for line in lines(told):
        revisions = order.setdefault(line["event"]["data"]["incident_id"], [])
        revision = line["event"]["data"]["revision"]
        if revision not in revisions:
            revisions.append(revision)
    assert sorted(order) == names
    assert all(revisions == [1, 2] for revisions in order.values())
    # What was told and not yet written down when the first one died is told again, under the same key.
    doubles = Counter(line["idempotency_key"] for line in lines(told))
    assert sum(doubles.values()) - len(doubles) <= 32
    assert "Traceback" not in (tmp_path / "dispatch.log").read_text()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
