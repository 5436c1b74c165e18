"""What the control room costs, and how fast it shows: the page *Now* in Chromium in front of real processes.

    .venv/bin/python benchmarks/console.py [--minutes 3] [--alerts 2000] [--cameras 32] [--role guard]
        [--only delay,load,paint,hours]

Embedded Valkey, a dispatcher and a console as processes of their own, SQLite; this process plays the workers: it publishes a
picture of each camera every second (640 x 360 as a worker sends them, JPEG of about 32 KB, eight people in it) and the
incidents. Chromium is headless and draws in software, so a screen with a graphics card costs less.

`delay`: from just before an incident is published to its card in the page, 20 a minute, the wall running. `paint`: from the
beginning of a load with nothing cached, logged in, to the first picture of the wall and the first card. `load`: CPU seconds per
second of all Chromium's processes and of the console, one page with the wall open. `hours`: alerts through one open page, each
opened, acknowledged and judged over the API, some looked at large; the page's heap after a collection, its nodes and
listeners, and the memory of its process and of the console, with the slope over the second half.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
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
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from pipelines.events.embedded import EmbeddedValkey
from pipelines.events.envelope import incident_event
from pipelines.events.live import LivePicture, LivePublisher
from pipelines.events.locate import embedded_folder
from pipelines.events.redis_streams import connect, publish_now
from pipelines.metrics import package_version
from pipelines.samples.cameras import free_port
from vision.incident import Incident, Phase, Quantity

GATEWATCH = (sys.executable, "-m", "pipelines.cli")
PASSWORD = "correct horse battery"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
TICKS = os.sysconf("SC_CLK_TCK")
KINDS = ("illegal_parking", "crowding", "possible_bullying")
#: In the page, before its own scripts: when each card came, and when there was something to look at.
WATCH = """
window.seen = {}; window.useful = null;
const look = () => {
  for (const card of document.querySelectorAll('.alert[data-incident]'))
    if (!(card.dataset.incident in window.seen)) window.seen[card.dataset.incident] = Date.now() / 1000;
  if (window.useful === null && document.querySelector('.alert') && document.querySelector('.tile:not([data-stale])'))
    requestAnimationFrame(() => { window.useful ??= performance.now(); });
};
document.addEventListener('DOMContentLoaded', () => {
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
  look();
});
"""


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


def opened(browser: Browser, site: Site) -> Page:
    """*Now* of somebody who is logged in, in a browser that has nothing cached."""
    context = browser.new_context(viewport={"width": 1920, "height": 1080})
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{site.url}/login?language=zh-CN")
    page.fill("[name=name]", "person")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/now*")
    return page


def fresh(browser: Browser, site: Site, cookies: Any) -> Page:
    context = browser.new_context(viewport={"width": 1920, "height": 1080})
    context.add_cookies(cookies)
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.add_init_script(WATCH)
    page.goto(f"{site.url}/now")
    return page


def delay(page: Page, site: Site, minutes: float) -> dict[str, Any]:
    """20 a minute; older ones are answered, as guards do."""
    client = connect(site.bus_url, 5.0)
    published: dict[str, float] = {}
    begin_s = time.monotonic()
    names: list[str] = []
    while time.monotonic() < begin_s + minutes * 60:
        name, at_s = site.tell(client, len(names))
        published[name] = at_s
        names.append(name)
        if len(names) > 12:
            site.api("POST", f"/api/v1/incidents/{names[-12]}/acknowledge", {})
            site.api("POST", f"/api/v1/incidents/{names[-12]}/verdict", {"verdict": "true", "note": ""})
        page.wait_for_timeout(max(0.0, 1000 * (begin_s + 3.0 * len(names) - time.monotonic())))
    page.wait_for_timeout(5000)
    seen = page.evaluate("window.seen")
    delays = sorted(seen[name] - at_s for name, at_s in published.items() if name in seen)
    return {
        "alerts": len(published),
        "lost": len(published) - len(delays),
        "p50_s": round(statistics.median(delays), 3),
        "p95_s": round(delays[round(0.95 * (len(delays) - 1))], 3),
        "most_s": round(delays[-1], 3),
    }


def paint(browser: Browser, site: Site, cookies: Any, times: int = 10) -> dict[str, Any]:
    firsts, usefuls = [], []
    for _ in range(times):
        page = fresh(browser, site, cookies)
        until(page, "window.useful")
        usefuls.append(page.evaluate("window.useful") / 1000)
        firsts.append(
            page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN") / 1000
        )
        page.context.close()
    return {
        "loads": times,
        "first_paint_median_s": round(statistics.median(firsts), 3),
        "first_paint_most_s": round(max(firsts), 3),
        "useful_median_s": round(statistics.median(usefuls), 3),
        "useful_most_s": round(max(usefuls), 3),
    }


def until(page: Page, expression: str, patience_s: float = 60.0) -> None:
    """Asked from outside: the page's policy forbids what a waiting function in it would need."""
    end_s = time.monotonic() + patience_s
    while page.evaluate(expression) is None:
        if time.monotonic() > end_s:
            raise SystemExit(f"{expression} did not come true")
        page.wait_for_timeout(20)


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


def load(page: Page, site: Site, seconds: float) -> dict[str, Any]:
    assert site.console is not None
    page.wait_for_timeout(5000)
    pids = chromium_pids()
    before_s, server_s, begin_s = cpu_s(pids), cpu_s([site.console.pid]), time.monotonic()
    page.wait_for_timeout(seconds * 1000)
    lasted_s = time.monotonic() - begin_s
    live = page.locator(".tile:not([data-stale])").count()
    return {
        "cameras_live": live,
        "seconds": round(lasted_s),
        "picture_bytes": site.jpeg_bytes,
        "browser_cores": round((cpu_s(pids) - before_s) / lasted_s, 3),
        "server_cores": round((cpu_s([site.console.pid]) - server_s) / lasted_s, 3),
        "load_average": os.getloadavg()[0],
    }


def measures(session: CDPSession, site: Site) -> dict[str, float]:
    assert site.console is not None
    session.send("HeapProfiler.collectGarbage")
    found = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return {
        "heap_bytes": found["JSHeapUsedSize"],
        "nodes": found["Nodes"],
        "listeners": found["JSEventListeners"],
        "renderer_bytes": max(rss_bytes([pid]) for pid in chromium_pids("renderer")),
        "console_bytes": rss_bytes([site.console.pid]),
    }


def hours(page: Page, site: Site, alerts: int) -> dict[str, Any]:
    """As quickly as they can be answered; about thirty wait at any time."""
    client = connect(site.bus_url, 5.0)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    session.send("HeapProfiler.enable")
    taken: list[tuple[int, dict[str, float]]] = []
    waiting: list[str] = []
    cards: set[str] = set()
    begin_s = time.monotonic()
    for number in range(alerts + 1):
        if number % max(1, alerts // 20) == 0:
            page.wait_for_timeout(1500)
            # What this program notes in the page is not the page's.
            cards |= set(
                page.evaluate("(() => { const was = Object.keys(window.seen); window.seen = {}; return was; })()")
            )
            taken.append((number, measures(session, site)))
            sys.stderr.write(f"{number}: {taken[-1][1]}\n")
        waiting.append(site.tell(client, number)[0])
        if number % 25 == 10:
            page.keyboard.press("ArrowDown")
            page.wait_for_timeout(300)
            page.keyboard.press("Escape")
        page.wait_for_timeout(60)
        if len(waiting) > 30:
            name = waiting.pop(0)
            site.api("POST", f"/api/v1/incidents/{name}/acknowledge", {})
            site.api("POST", f"/api/v1/incidents/{name}/verdict", {"verdict": "unsure", "note": ""})
    later = [one for one in taken if one[0] >= alerts / 2]
    places = np.array([number for number, _ in later], float)
    result: dict[str, Any] = {"alerts": alerts, "seconds": round(time.monotonic() - begin_s)}
    for name in taken[0][1]:
        values = np.array([found[name] for _, found in later])
        slope = float(np.polyfit(places, values, 1)[0])
        result[name] = {
            "first": round(taken[0][1][name]),
            "half": round(later[0][1][name]),
            "last": round(taken[-1][1][name]),
            "per_1000_alerts": round(1000 * slope),
        }
    result["cards_seen"] = len(cards)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description="what the control room costs")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--alerts", type=int, default=2000)
    parser.add_argument("--cameras", type=int, default=32)
    parser.add_argument("--role", default="guard", help="viewer: the console blurs every picture")
    parser.add_argument("--only", default="delay,paint,load,hours")
    args = parser.parse_args()
    chosen = set(args.only.split(","))
    result: dict[str, Any] = {"version": package_version(), "cameras": args.cameras, "role": args.role}
    with (
        tempfile.TemporaryDirectory(prefix="gatewatch-bench-") as name,
        sync_playwright() as playwright,
        Site(Path(name), args.cameras, args.role).up() as site,
    ):
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        first = opened(browser, site)
        cookies = first.context.cookies()
        first.context.close()
        site.tell(connect(site.bus_url, 5.0), 0)
        page = fresh(browser, site, cookies)
        until(page, "window.useful")
        if "load" in chosen:
            result["load"] = load(page, site, args.minutes * 20)
        if "delay" in chosen:
            result["delay"] = delay(page, site, args.minutes)
        if "hours" in chosen:
            result["hours"] = hours(page, site, args.alerts)
        page.context.close()
        if "paint" in chosen:
            result["paint"] = paint(browser, site, cookies)
        browser.close()
    print(json.dumps(result, indent=1))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
