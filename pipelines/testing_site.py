"""A site in a folder for tests: real bus, real dispatchers, and a webhook that fails as it is told."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pipelines.alerting.channels.webhook import verify
from pipelines.clock import SystemClock
from pipelines.events.embedded import EmbeddedValkey
from pipelines.events.envelope import incident_event
from pipelines.events.locate import embedded_folder
from pipelines.events.redis_streams import STREAM, RedisPublisher, connect
from pipelines.store.database import Database, sqlite_url
from pipelines.testing import an_incident
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
        self.client = connect(self.bus.url, 5.0)
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
