"""The chain with real processes: bus, dispatchers, store, a webhook receiver that fails, and kill -9."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import redis

from pipelines.alerting.channels.webhook import verify
from pipelines.cli import main
from pipelines.clock import SystemClock
from pipelines.events.embedded import EmbeddedValkey
from pipelines.events.envelope import incident_event
from pipelines.events.locate import embedded_folder
from pipelines.events.redis_streams import DISPATCHERS, STREAM, RedisPublisher, connect, dead_letters
from pipelines.store.database import Database, sqlite_url
from pipelines.store.queries import AlertFilter, IncidentFilter, list_alerts, list_incidents
from pipelines.testing import an_incident, until
from vision.incident import Phase

SECRET = "webhook secret"


class Receiver:
    """A webhook that fails a third of first tries (which ones is fixed by the key) and counts what it took."""

    def __init__(self, fails: bool = True) -> None:
        self.taken: list[tuple[str, str, int]] = []  # key, incident, revision
        self.tries: Counter[str] = Counter()
        self.unsigned = 0
        self.delay_s = 0.0
        receiver, mutex = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                key = self.headers["Idempotency-Key"]
                if receiver.delay_s:
                    threading.Event().wait(receiver.delay_s)
                with mutex:
                    receiver.tries[key] += 1
                    stamp, signed = self.headers["X-Gatewatch-Timestamp"], self.headers["X-Gatewatch-Signature"]
                    receiver.unsigned += not verify(SECRET, stamp, signed, body, now_s=SystemClock().now_s())
                    bad = fails and receiver.tries[key] == 1 and hashlib.sha256(key.encode()).digest()[0] % 3 == 0
                    if not bad:
                        data = json.loads(body)["event"]["data"]
                        receiver.taken.append((key, data["incident_id"], data["revision"]))
                self.send_response(503 if bad else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


class Site:
    """A site on a folder: its configuration, bus and dispatchers."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.folder = folder
        self.receiver = receiver
        self.bus = EmbeddedValkey(embedded_folder(folder))
        self.bus.start()
        self.client: redis.Redis = connect(self.bus.url, 5.0)
        self.publisher = RedisPublisher(self.bus.url, folder / "spool")
        self.publisher.open()
        self.alerts = folder / "alerts.jsonl"
        self.config = folder / "gatewatch.yaml"
        self.config.write_text(
            f"data: {folder}\nsite: {{language: en}}\n"
            f"channels: {{log: false, jsonl: {self.alerts}, webhook: {{url: '{receiver.url}', secret: '{SECRET}'}}}}\n"
            "dispatcher: {take_over: 2s}\n"
        )
        self.dispatchers: list[subprocess.Popen[bytes]] = []

    def publish(self, names: list[str], revision: int = 1, phase: Phase = Phase.OPENED) -> None:
        for name in names:
            self.publisher.publish(incident_event(an_incident(name, revision, phase), "v1", "North"))

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "pipelines.cli", *arguments, "-c", str(self.config)]

    def dispatcher(self) -> subprocess.Popen[bytes]:
        log = (self.folder / f"dispatcher-{len(self.dispatchers)}.log").open("wb")
        process = subprocess.Popen(
            self.command("dispatch", "--health-port", "0", "--log", "json"), stdout=log, stderr=log
        )
        self.dispatchers.append(process)
        return process

    def ask(self, *arguments: str) -> tuple[int, Any]:
        done = subprocess.run(
            self.command(*arguments, "--json"), capture_output=True, text=True, timeout=60, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, json.loads(done.stdout)

    def query(self, function: Callable[..., Any], wanted: Any) -> list[dict[str, Any]]:
        database = Database(sqlite_url(self.folder))
        try:
            with database.reading() as connection:
                rows: list[dict[str, Any]] = function(connection, wanted, 1000).rows
                return rows
        finally:
            database.close()

    def settled(self, count: int) -> bool:
        if not (self.folder / "gatewatch.db").exists() or self.client.xlen(STREAM):
            return False
        return len(set(self.receiver.taken)) >= count and len(self.lines()) >= count

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.alerts.read_text().splitlines()] if self.alerts.exists() else []

    def end(self) -> None:
        for process in self.dispatchers:
            if process.poll() is None:
                process.terminate()
        for process in self.dispatchers:
            process.wait(30)
        self.publisher.close()
        self.client.close()
        self.bus.stop()
        self.receiver.server.shutdown()
        self.receiver.server.server_close()


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
    assert (first.wait(30), second.wait(30)) == (0, 0)
    check_all_told_once(site, 300)
    # About a third failed once and was tried again.
    assert 60 < sum(count == 2 for count in site.receiver.tries.values()) < 140
    assert site.client.xinfo_consumers(STREAM, DISPATCHERS) == []


def test_what_a_killed_dispatcher_left_is_taken_over(site: Site) -> None:
    site.receiver.delay_s = 0.02
    first = site.dispatcher()
    until((site.folder / "gatewatch.db").exists)
    site.publish(names(150))
    until(lambda: len(site.receiver.taken) > 20, 30, "the first dispatcher's start")
    os.kill(first.pid, signal.SIGKILL)
    second = site.dispatcher()
    site.publish(names(200)[150:])
    until(lambda: site.settled(200), 60, "taking over")
    second.terminate()
    assert second.wait(30) == 0
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
    until(lambda: site.settled(2), 30)
    check_all_told_once(site, 2)
    assert len(dead_letters(site.client)) == 7
    status, dead = site.ask("alerts", "dead")
    assert status == 1
    assert any("severity is no whole number in 1..4: 99" in letter["reason"] for letter in dead["messages"])


def test_the_commands_tell_what_happened(site: Site) -> None:
    done = subprocess.run(site.command("incidents", "list"), capture_output=True, text=True, check=False)
    assert (done.returncode, "no store" in done.stderr) == (2, True)
    site.dispatcher()
    until((site.folder / "gatewatch.db").exists)
    site.publish(names(3))
    site.publish(["case-0002"], 2, Phase.CLOSED)
    until(lambda: len(site.receiver.taken) >= 4 and len(site.lines()) >= 4, 30)
    status, test = site.ask("alerts", "test")
    assert (status, test["ok"]) == (0, True)
    assert {line["channel"]: line["state"] for line in test["channels"]} == {"jsonl": "sent", "webhook": "sent"}
    status, listed = site.ask("incidents", "list", "--state", "open", "--from", "2026-01-01")
    assert (status, [row["incident_id"] for row in listed]) == (0, ["case-0001", "case-0000"])
    assert listed[0]["opened_at"] == "2026-09-21T14:16:20.000Z"
    _, shown = site.ask("incidents", "show", "case-0002")
    assert [alert["state"] for alert in shown["alerts"]] == ["sent"]
    assert [sent["state"] for sent in shown["alerts"][0]["deliveries"]] == ["sent"] * 4
    for words, told in (
        (["incidents", "list"], "case-0002"),
        (["incidents", "show", "case-0000"], "zone kerb"),
        (["alerts", "list"], "test-"),
        (["alerts", "dead"], "nothing is dead"),
    ):
        done = subprocess.run(site.command(*words), capture_output=True, text=True, check=False)
        assert (done.returncode, told in done.stdout) == (0, True), done
    done = subprocess.run(site.command("incidents", "show", "nothing"), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_person_answers_by_command(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: str) -> tuple[int, str, str]:
        """As a process would, without the second that each one takes to start."""
        capsys.readouterr()
        status = main([*words, "-c", str(site.config)])
        out, err = capsys.readouterr()
        return status, out, err

    def ask(*words: str) -> tuple[int, Any]:
        status, out, _ = run(*words, "--json")
        return status, json.loads(out)

    site.config.write_text(
        site.config.read_text()
        + "cameras: {gate-north: {main: {url: a.mp4}, zones: {kerb: {polygon: [[0, 0.1], [1, 0.1], [1, 1]]}},\n"
        + "  rules: [{kind: illegal_parking, zone: kerb}]}}\n"
    )
    site.dispatcher()
    until((site.folder / "gatewatch.db").exists)
    picture = site.folder / "seen.jpg"
    picture.write_bytes(b"\xff\xd8\xff\xe0 a picture")
    words = ["--kind", "other", "--camera", "gate-north", "--note", "a fence is down", "--picture", str(picture)]
    status, raised = ask("incidents", "raise", *words)
    incident_id = raised["incident_id"]
    until(lambda: (incident_id, 1) in {taken[1:] for taken in site.receiver.taken}, 30)
    until(lambda: ask("incidents", "show", incident_id)[1]["thread"]["state"] == "sent", 30)
    status, thread = ask("alerts", "acknowledge", incident_id[:12])
    assert (status, thread["state"]) == (0, "acknowledged")
    status, _, said = run("alerts", "acknowledge", incident_id)
    assert (status, "was acknowledged by" in said) == (1, True)
    assert ask("alerts", "onsite", incident_id)[1]["state"] == "on_site"
    status, thread = ask("alerts", "close", incident_id, "--verdict", "true", "--note", "mended")
    assert (status, thread["state"]) == (0, "closed")
    assert ask("incidents", "verdict", incident_id, "unsure")[0] == 0
    assert "unsure" in run("incidents", "show", incident_id)[1]
    _, shown = ask("incidents", "show", incident_id)
    assert [line["action"] for line in shown["log"]] == ["acknowledged", "on_site", "closed:true", "verdict:unsure"]
    assert (shown["verdict"], shown["phase"], shown["pictures"][0]["role"]) == ("unsure", "closed", "by_hand")
    status, made = ask("alerts", "snooze", "gate-north", "illegal_parking:kerb", "--until", "2h", "--reason", "works")
    assert status == 0
    assert [row["reason"] for row in ask("alerts", "snoozes")[1]] == ["works"]
    assert ask("alerts", "unsnooze", str(made["snooze"]))[0] == 0
    assert ask("alerts", "snoozes") == (0, [])
    for bad in (
        ["alerts", "snooze", "gate-south", "x", "--until", "2h", "--reason", "works"],
        ["alerts", "snooze", "gate-north", "crowding:kerb", "--until", "2h", "--reason", "works"],
        ["alerts", "acknowledge", "nothing"],
        ["incidents", "raise", "--kind", "dragons", "--camera", "gate-north"],
        ["incidents", "raise", "--kind", "other", "--camera", "gate-north", "--picture", str(site.config)],
    ):
        status, out, said = run(*bad)
        assert (status, out, said.count("\n")) == (2, "", 1), said


def test_a_dead_delivery_is_seen_and_sent_again(site: Site) -> None:
    site.receiver.server.shutdown()
    site.receiver.server.server_close()
    refusing = Receiver(fails=False)
    site.receiver = refusing

    class Refusing:
        on = True

    original = refusing.server.RequestHandlerClass.do_POST  # type: ignore[attr-defined]

    def refuse(handler: BaseHTTPRequestHandler) -> None:
        if not Refusing.on:
            original(handler)
            return
        handler.rfile.read(int(handler.headers["Content-Length"]))
        handler.send_response(404)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    refusing.server.RequestHandlerClass.do_POST = refuse  # type: ignore[attr-defined]
    before = site.config.read_text().split("channels:")[0]
    webhook = f"{{url: '{refusing.url}', secret: '{SECRET}'}}"
    site.config.write_text(f"{before}channels: {{log: false, webhook: {webhook}}}\n")
    site.dispatcher()
    site.publish(["case-0000"])
    until((site.folder / "gatewatch.db").exists, 30)
    until(lambda: site.ask("alerts", "dead")[1]["deliveries"], 30)
    (row,) = site.query(list_alerts, AlertFilter())
    assert row["state"] == "failed"
    Refusing.on = False
    assert site.ask("alerts", "resend", "--all")[0] == 0
    until(lambda: refusing.taken, 30)
    until(lambda: site.query(list_alerts, AlertFilter())[0]["state"] == "sent", 10)
    assert site.ask("alerts", "dead") == (0, {"deliveries": [], "messages": []})


def test_ready_when_it_works_and_not_when_the_bus_is_away(site: Site) -> None:
    port_log = site.folder / "dispatcher-0.log"
    site.config.write_text(site.config.read_text() + "redis: {url: 'redis://127.0.0.1:1/0'}\n")
    site.dispatcher()

    def port() -> int | None:
        for line in port_log.read_text().splitlines():
            entry = json.loads(line)
            if "port" in entry:
                return int(entry["port"])
        return None

    until(port, 30)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{port()}/readyz", timeout=5)
    assert json.loads(caught.value.read())["failing"] == ["bus"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port()}/livez", timeout=5) as answer:
        assert answer.status == 200
