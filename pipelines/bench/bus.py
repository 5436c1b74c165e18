"""`gatewatch bench bus`: from published to received by a webhook, with real processes on a fresh folder.

An embedded Valkey, dispatchers as processes of their own, SQLite, and a receiver in this process. Publishers are threads
here, each with a connection and a spool of its own, as workers have. Times are monotonic, of one machine.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pipelines.alerting.routing import CONTROL_ROOM, alert_id
from pipelines.bench.receiver import Receiver
from pipelines.errors import GatewatchError
from pipelines.events.embedded import EmbeddedValkey
from pipelines.events.envelope import incident_event
from pipelines.events.locate import embedded_folder
from pipelines.events.redis_streams import RedisPublisher
from pipelines.metrics import package_version
from vision.incident import Incident, Phase, Quantity

_PATIENCE_S: Final = 120.0


def run(seconds: float = 15.0, burst: int = 4000, dispatchers: int = 1, publishers: int = 8) -> dict[str, Any]:
    """Measure; returns `p50_ms_at_10, p95_ms_at_10, p50_ms_at_200, p95_ms_at_200, sustained_per_s` and how it was done;
    `publish_p95_ms_at_*` is the part of it until the bus had the message.

    Raises: GatewatchError: something did not arrive.
    """
    with tempfile.TemporaryDirectory(prefix="gatewatch-bench-") as name, _Site(Path(name), dispatchers).up() as site:
        site.publish_at(20.0, 1.0, publishers)  # connections, caches
        figures: dict[str, Any] = {"version": package_version(), "dispatchers": dispatchers, "publishers": publishers}
        for rate in (10, 200):
            published_s, received_s = map(sorted, site.publish_at(float(rate), seconds, publishers))
            figures[f"p50_ms_at_{rate}"] = round(1000 * _percentile(received_s, 0.50), 1)
            figures[f"p95_ms_at_{rate}"] = round(1000 * _percentile(received_s, 0.95), 1)
            figures[f"publish_p95_ms_at_{rate}"] = round(1000 * _percentile(published_s, 0.95), 1)
            figures[f"messages_at_{rate}"] = len(received_s)
        figures["sustained_per_s"] = round(site.publish_all(burst, publishers), 1)
        figures["burst"] = burst
        figures["doubles"] = site.receiver.doubles
        return figures


def _percentile(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, round(part * (len(ordered) - 1)))]


class _Site:
    def __init__(self, folder: Path, dispatchers: int) -> None:
        self.receiver = Receiver()
        self._folder = folder
        self._dispatchers = dispatchers
        self._bus = EmbeddedValkey(embedded_folder(folder))
        self._processes: list[subprocess.Popen[bytes]] = []

    @contextmanager
    def up(self) -> Iterator[_Site]:
        with self.receiver, self._bus:
            config = self._folder / "gatewatch.yaml"
            webhook = f"{{url: 'http://127.0.0.1:{self.receiver.port}/', secret: of-the-benchmark}}"
            config.write_text(f"data: {self._folder}\nchannels: {{log: false, webhook: {webhook}}}\n", "utf-8")
            command = [sys.executable, "-m", "pipelines.cli", "dispatch", "-c", str(config), "--health-port", "0"]
            try:
                with (self._folder / "dispatch.log").open("wb") as log:
                    self._processes = [subprocess.Popen(command, stderr=log) for _ in range(self._dispatchers)]
                yield self
            finally:
                for process in self._processes:
                    process.terminate()
                for process in self._processes:
                    process.wait(60.0)

    def publish_at(self, rate: float, seconds: float, publishers: int) -> tuple[list[float], list[float]]:
        """Publish on a fixed timetable, the publishers by turns; returns each message's delay in seconds from when it was due
        until it was published and until it was received."""
        incidents = [_incident() for _ in range(round(rate * seconds))]
        begin_s = time.monotonic() + 0.1
        due = {_key(incident): begin_s + number / rate for number, incident in enumerate(incidents)}
        published: dict[str, float] = {}

        def work(number: int) -> None:
            publisher = self._publisher(number)
            for incident in incidents[number::publishers]:
                key = _key(incident)
                time.sleep(max(0.0, due[key] - time.monotonic()))
                publisher.publish(incident_event(incident, "bench", "Bench"))
                published[key] = time.monotonic()
            publisher.flush()
            publisher.close()

        _in_threads(work, publishers)
        self._wait(set(due))
        return (
            [published[key] - at_s for key, at_s in due.items()],
            [self.receiver.arrived[key] - at_s for key, at_s in due.items()],
        )

    def publish_all(self, count: int, publishers: int) -> float:
        """Publish as fast as they can; returns messages a second, from the first publish to the last arrival."""
        shares = [[_incident() for _ in range(count // publishers)] for _ in range(publishers)]

        def work(number: int) -> None:
            publisher = self._publisher(number)
            for incident in shares[number]:
                publisher.publish(incident_event(incident, "bench", "Bench"))
            publisher.flush()
            publisher.close()

        begin_s = time.monotonic()
        _in_threads(work, publishers)
        keys = {_key(incident) for share in shares for incident in share}
        self._wait(keys)
        return len(keys) / (max(self.receiver.arrived[key] for key in keys) - begin_s)

    def _publisher(self, number: int) -> RedisPublisher:
        publisher = RedisPublisher(self._bus.url, self._folder / "spool" / str(number))
        publisher.open()
        return publisher

    def _wait(self, keys: set[str]) -> None:
        deadline_s = time.monotonic() + _PATIENCE_S
        while not keys <= self.receiver.arrived.keys():
            if time.monotonic() > deadline_s:
                missing = len(keys - self.receiver.arrived.keys())
                raise GatewatchError(f"{missing} of {len(keys)} messages did not arrive within {_PATIENCE_S:.0f} s")
            time.sleep(0.02)


def _in_threads(work: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _incident() -> Incident:
    now_s = time.time()
    return Incident(
        incident_id=str(uuid.uuid4()),
        camera_id="bench",
        kind="illegal_parking",
        rule_id="illegal_parking:kerb",
        zone_id="kerb",
        phase=Phase.OPENED,
        revision=1,
        severity=2,
        score=0.8,
        first_seen_s=now_s,
        opened_s=now_s,
        closed_s=None,
        close_reason=None,
        time_s=now_s,
        box_norm=(0.1, 0.2, 0.3, 0.4),
        track_ids=(1,),
        evidence={"stopped": Quantity(180.0, "s")},
    )


def _key(incident: Incident) -> str:
    return alert_id(incident.incident_id, CONTROL_ROOM, "incident")
