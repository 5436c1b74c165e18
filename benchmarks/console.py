"""What the control room costs, and how fast it shows: the page *Now* in Chromium in front of real processes.

    .venv/bin/python benchmarks/console.py [--minutes 3] [--alerts 2000] [--cameras 32] [--role guard]
        [--only load,delay,hours,paint,memory]

Embedded Valkey, a dispatcher and a console as processes of their own, SQLite; this process plays the workers: it publishes a
picture of each camera every second (640 x 360 as a worker sends them, JPEG of about 32 KB, eight people in it) and the
incidents. Chromium is headless and draws in software, so a screen with a graphics card costs less.

`delay`: from just before an incident is published to its card in the page, 20 a minute, the wall running. `paint`: from the
beginning of a load with nothing cached, logged in, to the first picture of the wall and the first card. `load`: CPU seconds per
second of all Chromium's processes and of the console, one page with the wall open. `hours`: alerts through one open page, each
opened, acknowledged and judged over the API, some looked at large; the page's heap after a collection, its nodes and
listeners, and the memory of the console, with the slope over the second half. `memory`: the memory of the page's process over as
many again, with no debugger attached.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from console_site import PASSWORD, Site, chromium_pids, cpu_s, rss_bytes
from playwright.sync_api import Browser, CDPSession, Error, Page, Playwright, sync_playwright

from pipelines.events.redis_streams import connect
from pipelines.metrics import package_version
from pipelines.samples.cameras import free_port

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
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


def memory(playwright: Playwright, site: Site, cookies: Any, alerts: int) -> dict[str, Any]:
    """The renderer's memory over the same, while nobody is attached to the browser: a debugger keeps what went over the network
    in it, and that is not the page's."""
    client = connect(site.bus_url, 5.0)
    port = free_port()
    command = ["/usr/bin/chromium", *FLAGS, f"--remote-debugging-port={port}", "--window-size=1920,1080"]
    running = subprocess.Popen(
        [*command, f"--user-data-dir={site.folder}/browser", "about:blank"], stderr=subprocess.DEVNULL
    )
    taken: list[tuple[int, int]] = []
    waiting: list[str] = []
    try:
        with attached(playwright, port) as page:
            page.context.add_cookies(cookies)
            page.add_init_script(WATCH)
            page.goto(f"{site.url}/now")
            until(page, "window.useful")
        for number in range(alerts + 1):
            if number % max(1, alerts // 40) == 0:
                taken.append((number, max(rss_bytes([pid]) for pid in chromium_pids("renderer"))))
                sys.stderr.write(f"{number}: renderer {taken[-1][1]}\n")
            waiting.append(site.tell(client, number)[0])
            time.sleep(0.05)
            if len(waiting) > 30:
                name = waiting.pop(0)
                site.api("POST", f"/api/v1/incidents/{name}/acknowledge", {})
                site.api("POST", f"/api/v1/incidents/{name}/verdict", {"verdict": "unsure", "note": ""})
    finally:
        running.terminate()
        running.wait(30)
    later = [one for one in taken if one[0] >= alerts / 2]
    slope = float(np.polyfit([number for number, _ in later], [found for _, found in later], 1)[0])
    return {"first": taken[0][1], "half": later[0][1], "last": taken[-1][1], "per_1000_alerts": round(1000 * slope)}


@contextmanager
def attached(playwright: Playwright, port: int) -> Iterator[Page]:
    """The browser's only page, for a moment."""
    for attempt in range(40):
        try:
            browser = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
            break
        except Error:
            if attempt == 39:
                raise
            time.sleep(0.5)
    try:
        page = browser.contexts[0].pages[0]
        page.set_default_timeout(120_000)
        yield page
    finally:
        browser.close()


def main() -> int:
    parser = argparse.ArgumentParser(description="what the control room costs")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--alerts", type=int, default=2000)
    parser.add_argument("--cameras", type=int, default=32)
    parser.add_argument("--role", default="guard", help="viewer: the console blurs every picture")
    parser.add_argument("--only", default="load,delay,hours,paint,memory")
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
        if "memory" in chosen:
            result["memory"] = memory(playwright, site, cookies, args.alerts)
    print(json.dumps(result, indent=1))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
