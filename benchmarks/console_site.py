"""The site in front of which `benchmarks/console.py` measures: real processes, and this one in the workers' place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipelines.events.embedded import EmbeddedValkey
from pipelines.events.envelope import incident_event
from pipelines.events.live import LivePicture, LivePublisher
from pipelines.events.locate import embedded_folder
from pipelines.events.redis_streams import connect, publish_now
from pipelines.samples.cameras import free_port
from vision.incident import Incident, Phase, Quantity

GATEWATCH = (sys.executable, "-m", "pipelines.cli")
PASSWORD = "correct horse battery"
TICKS = os.sysconf("SC_CLK_TCK")
KINDS = ("illegal_parking", "crowding", "possible_bullying")


class Site:
    """The processes; `url` of the console, `token` of a guard."""

    def __init__(self, folder: Path, cameras: int, role: str) -> None:
        self.folder = folder
        self.role = role
        self.cameras = [f"gate-{number:02d}" for number in range(cameras)]
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = ""
        self.console: subprocess.Popen[bytes] | None = None
        self._stop = threading.Event()

    @contextmanager
    def up(self) -> Iterator[Site]:
        config = self._configured()
        with EmbeddedValkey(embedded_folder(self.folder)) as bus:
            self.bus_url = bus.url
            running = []
            for what in ("dispatch", "console"):
                log = (self.folder / f"{what}.log").open("wb")
                running.append(subprocess.Popen([*GATEWATCH, what, "-c", str(config)], stderr=log))
            self.console = running[-1]
            workers = threading.Thread(target=self._send_pictures, daemon=True)
            try:
                self._wait()
                workers.start()
                yield self
            finally:
                self._stop.set()
                for process in running:
                    process.terminate()
                for process in running:
                    process.wait(60)

    def _configured(self) -> Path:
        zone = "{polygon: [[0.1, 0.6], [0.9, 0.6], [0.9, 0.8], [0.1, 0.8]]}"
        cameras = "\n".join(
            f"  {name}: {{name: 校门 {name}, main: {{url: 'rtsp://192.0.2.1/{name}'}}, zones: {{kerb: {zone}}}, "
            "rules: [{kind: illegal_parking, zone: kerb}]}"
            for name in self.cameras
        )
        ports = "\n".join(
            f"{name}: {{metrics: {{port: {free_port()}}}}}" for name in ("worker", "dispatcher", "recorder")
        )
        page = f"console: {{port: {self.port}, rate: 1000, metrics: {{port: {free_port()}}}}}"
        config = self.folder / "site.yaml"
        head = f"data: {self.folder / 'data'}\nsite: {{language: zh-CN}}\nchannels: {{log: false, jsonl: {self.folder}/a.jsonl}}"
        config.write_text(f"{head}\n{page}\n{ports}\ncameras:\n{cameras}\n", "utf-8")
        self.folder = self.folder / "data"
        add = [*GATEWATCH, "user", "add", "person", "--role", self.role, "--password-stdin", "-c", str(config)]
        subprocess.run(add, input=PASSWORD + "\n", text=True, check=True, capture_output=True)
        made = [*GATEWATCH, "token", "add", "bench", "--role", "guard", "-c", str(config)]
        found = subprocess.run(made, text=True, check=True, capture_output=True)
        self.token = next(word for word in (found.stdout + found.stderr).split() if word.startswith("gw_"))
        return config

    def _wait(self) -> None:
        for _ in range(240):
            try:
                self.api("GET", "/api/v1/cameras")
                return
            except OSError:
                time.sleep(0.5)
        raise SystemExit("the console did not start")

    def _send_pictures(self) -> None:
        """As workers do while somebody looks: one a second of each camera, spread over the second."""
        publisher = LivePublisher(connect(self.bus_url))
        chance = np.random.default_rng(1)
        base = cv2.GaussianBlur(chance.integers(0, 255, (360, 640, 3), dtype=np.uint8), (0, 0), 3)
        jpegs = []
        for number in range(8):
            cv2.rectangle(base, (70 * number, 150), (70 * number + 50, 260), (90, 90, 200), -1)
            jpegs.append(cv2.imencode(".jpg", base, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes())
        self.jpeg_bytes = len(jpegs[0])
        boxes = [{"box": [0.1 * n, 0.4, 0.1 * n + 0.05, 0.7], "kind": "person", "track": n} for n in range(8)]
        hide = [["person", *one["box"]] for one in boxes]  # type: ignore[misc]
        number = 0
        while not self._stop.wait(1.0 / len(self.cameras)):
            camera = self.cameras[number % len(self.cameras)]
            overlay = {"boxes": boxes, "rules": [], "view": "usable", "hide": hide}
            publisher.publish(LivePicture(camera, time.time(), jpegs[number // 7 % 8], overlay))
            number += 1

    def api(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def tell(self, client: Any, number: int) -> tuple[str, float]:
        """Publish an incident; returns its id and when."""
        name, now_s = str(uuid.uuid4()), time.time()
        incident = Incident(
            incident_id=name,
            camera_id=self.cameras[number % len(self.cameras)],
            kind=KINDS[number % 3],
            rule_id=f"{KINDS[number % 3]}:kerb",
            zone_id="kerb",
            phase=Phase.OPENED,
            revision=1,
            severity=1 + number % 4,
            score=0.9,
            first_seen_s=now_s - 60,
            opened_s=now_s,
            closed_s=None,
            close_reason=None,
            time_s=now_s,
            box_norm=(0.1, 0.2, 0.3, 0.4),
            track_ids=(number,),
            evidence={"standing": Quantity(60.0, "s")},
        )
        event = incident_event(incident, "bench", f"校门 {incident.camera_id}")
        at_s = time.time()
        publish_now(client, event)
        return name, at_s


def cpu_s(pids: list[int]) -> float:
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def rss_bytes(pids: list[int]) -> int:
    found = 0
    for pid in pids:
        try:
            found += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            continue
    return found


def chromium_pids(kind: str = "") -> list[int]:
    """Chromium's processes under this one; `kind`: only of that sort (`renderer`)."""
    parents, commands = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(") ")[2].split()[1])
                commands[int(entry.name)] = (
                    (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
            except OSError:
                continue
    mine = {os.getpid()}
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in mine} - mine
        grown = bool(more)
        mine |= more
    return [
        pid
        for pid in mine
        if "chrom" in commands.get(pid, "").split(" ")[0] and (not kind or f"--type={kind}" in commands[pid])
    ]
