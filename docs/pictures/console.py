"""Makes docs/pictures/PAGE.LANGUAGE.jpg: every page of the control room in both languages, as a sample site shows them.

    .venv/bin/python docs/pictures/console.py

Sample cameras, worker, recorder, dispatcher and console are the real ones, and so are the incidents on *Now*. The history behind
them (six weeks) is made up. Every role of the site sees people blurred; only the page *Footage*, which such roles may not
open, is taken by one that sees them, and its whole video is blurred for the picture. Needs Chromium and the samples.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from playwright.sync_api import Browser, Error, Page, sync_playwright

from pipelines.events.envelope import incident_event
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.samples import library
from pipelines.samples.cameras import SampleCameras, free_port
from pipelines.store import incidents, threads
from pipelines.store.database import Database, sqlite_url
from pipelines.store.threads import Thread
from pipelines.testing import an_incident
from vision.incident import Phase, Quantity

HERE = Path(__file__).parent
GATEWATCH = (sys.executable, "-m", "pipelines.cli")
PASSWORD = "correct horse battery"
PEOPLE = {"li.wei": "guard", "wang.fang": "guard", "zhao.min": "analyst", "root": "admin", "office": "viewer"}
LANGUAGES = ("en", "zh-CN")
SIZE = {"width": 1440, "height": 810}
LARGEST_BYTES = 150_000
DAY_S = 86_400.0
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--autoplay-policy=no-user-gesture-required"),
]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="gatewatch-pictures-") as name:
        folder = Path(name)
        library.prepare(Ffmpeg.find(None), say)
        with SampleCameras(library.camera_list(4), library.streams_dir()) as served:
            values = configuration(folder, served.cameras)
            config = write(folder / "site.yaml", values)
            history(folder / "data", [camera.camera_id for camera in served.cameras], values["cameras"])
            for person, role in PEOPLE.items():
                command = [*GATEWATCH, "user", "add", person, "--role", role, "--password-stdin", "-c", str(config)]
                subprocess.run(command, input=PASSWORD + "\n", text=True, check=True, capture_output=True)
            # A second console, whose roles see people as they are.
            page = {"port": free_port(), "metrics": {"port": free_port()}}
            open_config = write(folder / "open.yaml", values | {"console": page})
            running = [start("up", config, folder)]
            try:
                with sync_playwright() as playwright:
                    browser = playwright.chromium.launch(args=FLAGS, executable_path=chromium())
                    base = f"http://127.0.0.1:{values['console']['port']}"
                    wait_for(browser, base)
                    running.append(start("console", open_config, folder))
                    for language in LANGUAGES:
                        take(browser, base, language)
                        footage(browser, f"http://127.0.0.1:{page['port']}", language)
                    browser.close()
            finally:
                for process in reversed(running):
                    process.terminate()
                    process.wait(60)
    return 0


def say(text: str) -> None:
    sys.stderr.write(text + "\n")


def chromium() -> str:
    import shutil

    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        raise SystemExit("Chromium is missing: apt-get install chromium")
    return found


def configuration(folder: Path, cameras: Any) -> dict[str, Any]:
    """Four cameras, rosters, and nobody who sees people as they are."""
    made = {camera.camera_id: library.camera_values(camera) for camera in cameras}
    for camera in made.values():
        camera["rules"] = [
            rule | ({"after": "15s", "warn_after": "5s"} if "after" in rule else {}) for rule in camera["rules"]
        ]
    metrics = {name: {"metrics": {"port": free_port()}} for name in ("worker", "dispatcher", "recorder")}
    return {
        "data": str(folder / "data"),
        "site": {"name": "示范学校 · Sample school"},
        "cameras": made,
        "recording": {"reserve_free": "0B"},
        "channels": {"jsonl": str(folder / "alerts.jsonl")},
        "recipients": {
            "li": {"name": "李伟", "channels": ["jsonl"]},
            "wang": {"name": "王芳", "channels": ["jsonl"]},
        },
        "rosters": {
            "guards": [
                {"schedule": "daily 06:00-14:00", "people": ["li"]},
                {"schedule": "daily 14:00-22:00", "people": ["wang"]},
                {"schedule": "daily 22:00-06:00", "people": ["li"]},
            ]
        },
        "console": {
            "port": free_port(),
            "metrics": {"port": free_port()},
            "blurred_for": ["viewer", "guard", "analyst", "admin"],
        },
    } | metrics


def write(path: Path, values: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(values, allow_unicode=True, sort_keys=False), "utf-8")
    return path


def start(what: str, config: Path, folder: Path) -> subprocess.Popen[bytes]:
    log = (folder / f"{what}.log").open("wb")
    return subprocess.Popen([*GATEWATCH, what, "-c", str(config)], stderr=log)


def history(data: Path, names: list[str], cameras: dict[str, Any]) -> None:
    """Six weeks of incidents as a school may have them: at opening and closing time, most of them answered and judged."""
    database = Database(sqlite_url(data))
    database.migrate()
    chance = random.Random(11)
    now_s = time.time()
    with database.write() as connection:
        for number in range(420):
            day_s = (now_s - chance.randrange(1, 42) * DAY_S) // DAY_S * DAY_S - 8 * 3600.0
            weekday = int((day_s + 8 * 3600.0) // DAY_S + 3) % 7
            if weekday > 4 and chance.random() < 0.85:
                continue
            hour = chance.choices((7, 8, 11, 12, 16, 17, 18), (30, 12, 6, 5, 30, 22, 4))[0]
            opened_s = day_s + hour * 3600.0 + chance.random() * 3600.0
            camera = chance.choice(names)
            rule = chance.choice(cameras[camera]["rules"])
            lasted_s = chance.expovariate(1 / 240.0)
            case = an_incident(
                f"made-up-{number:04d}",
                2,
                Phase.CLOSED,
                camera_id=camera,
                kind=rule["kind"],
                zone_id=rule["zone"],
                rule_id=f"{rule['kind']}:{rule['zone']}",
                severity=chance.choices((1, 2, 3, 4), (2, 30, 55, 13))[0],
                first_seen_s=opened_s - 20.0,
                opened_s=opened_s,
                closed_s=opened_s + lasted_s,
                time_s=opened_s + lasted_s,
                evidence={"standing": Quantity(round(lasted_s + 20), "s")},
            )
            event = incident_event(case, "sample", cameras[camera]["name"])
            incidents.apply(connection, [incidents.notice_of(event)], opened_s + 0.2)
            threads.put(connection, [Thread(case.incident_id, "closed", case.severity, created_s=opened_s + 0.2)])
            answered_s = opened_s + 0.2 + chance.lognormvariate(2.8, 0.7)
            moments = {"acknowledged_s": answered_s, "closed_s": answered_s + chance.expovariate(1 / 300.0)}
            if chance.random() < 0.6:
                moments["on_site_s"] = answered_s + chance.expovariate(1 / 80.0)
            who = chance.choice(("li.wei", "wang.fang"))
            threads.change(
                connection, case.incident_id, sent_s=opened_s + 0.4, acknowledged_by=who, closed_by=who, **moments
            )
            if chance.random() < 0.85:
                verdict = chance.choices(("true", "false", "unsure"), (82, 13, 5))[0]
                at_s = moments["closed_s"]
                threads.add_verdict(connection, case.incident_id, verdict, who=who, now_s=at_s, note="")
    database.close()


def page_of(browser: Browser, base: str, person: str, path: str, language: str) -> Page:
    """A page of somebody who is logged in."""
    page = browser.new_context(viewport=SIZE, locale=language, timezone_id="Asia/Shanghai").new_page()  # type: ignore[arg-type]
    page.set_default_timeout(120_000)
    page.goto(f"{base}/login?language={language}&next={path}")
    page.fill("[name=name]", person)
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    return page


def wait_for(browser: Browser, base: str) -> None:
    """Until the site is up, every camera sends pictures, and three incidents wait."""
    for _ in range(120):
        page = browser.new_page()
        try:
            page.goto(f"{base}/login")
            break
        except Error:
            time.sleep(1.0)
        finally:
            page.close()
    page = page_of(browser, base, "li.wei", "/now", "en")
    until(lambda: page.locator(".tile:not([data-stale])").count() == 4 and page.locator(".alert").count() >= 3)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("a")
    page.context.close()


def until(true: Callable[[], bool]) -> None:
    for _ in range(240):
        if true():
            return
        time.sleep(1.0)
    raise SystemExit("the sample site did not come to life in four minutes")


def take(browser: Browser, base: str, language: str) -> None:
    """Every page but *Footage*."""
    page = browser.new_context(viewport=SIZE, locale=language).new_page()  # type: ignore[arg-type]
    page.goto(f"{base}/login?language={language}")
    save(page, "login", language)
    page = page_of(browser, base, "li.wei", "/now", language)
    until(lambda: page.locator(".tile:not([data-stale])").count() == 4)
    page.wait_for_timeout(3000)
    save(page, "now", language)
    # An alarm of the whole site has no picture.
    page.locator(".alert", has_text={"en": "illegal parking", "zh-CN": "违法停车"}[language]).first.click()
    page.locator(".stage img").wait_for()
    page.wait_for_timeout(1500)
    save(page, "incident", language)
    page.goto(f"{base}/history")
    page.locator("#charts svg").first.wait_for()
    save(page, "history", language)
    handed(page, base, language)
    root = page_of(browser, base, "root", "/system", language)
    root.locator("#cameras tbody tr").first.wait_for()
    root.wait_for_timeout(5500)
    save(root, "system", language)
    root.goto(f"{base}/people")
    save(root, "people", language)
    root.goto(f"{base}/cameras")
    root.locator("#live:not([hidden])").wait_for()
    root.wait_for_timeout(2000)
    zone = root.locator("#overlay polygon").first
    if zone.count():
        zone.click(force=True)
    root.wait_for_timeout(500)
    until(lambda: root.locator("#live:not([data-stale])").count() == 1)
    save(root, "zones", language)
    root.context.close()
    page.context.close()


def handed(page: Page, base: str, language: str) -> None:
    """A sheet that both have signed."""
    page.goto(f"{base}/handover")
    page.locator(".shifts a").first.click()
    page.locator("textarea[name=note]").fill(
        {"en": "South gate's lamp is out; the repair is ordered.", "zh-CN": "南门照明灯故障，已报修。"}[language]
    )
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("button.primary").click()
    page.locator("input[name=name]").fill("wang.fang")
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("button.primary").click()
    page.locator("form.stack").wait_for(state="detached")
    save(page, "handover", language)


def footage(browser: Browser, base: str, language: str) -> None:
    """Played from half a minute ago, the whole video blurred."""
    page = page_of(browser, base, "li.wei", f"/footage?at={time.time() - 40:.0f}", language)
    page.evaluate("document.querySelector('video').style.filter = 'blur(7px)'")
    until(lambda: bool(page.evaluate("document.querySelector('video').currentTime > 0.5")))
    page.wait_for_timeout(1500)
    save(page, "footage", language)
    page.context.close()


def save(page: Page, name: str, language: str) -> None:
    """The page as a JPEG under 150 KB; a PNG of it beside the script's log when a folder is given."""
    pixels = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    if len(sys.argv) > 1:
        cv2.imwrite(str(Path(sys.argv[1]) / f"{name}.{language}.png"), pixels)
    for quality in range(72, 20, -4):
        jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(jpeg) < LARGEST_BYTES:
            break
    (HERE / f"{name}.{language}.jpg").write_bytes(jpeg)
    say(f"{name}.{language}.jpg {len(jpeg) / 1000:.0f} KB, quality {quality}")


if __name__ == "__main__":
    sys.exit(main())
