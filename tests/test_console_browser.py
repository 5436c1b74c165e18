"""The control room in a real browser, in front of a real site: sample camera, worker, bus, dispatcher, recorder, console."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, Page, expect, sync_playwright

from pipelines.samples import library
from pipelines.samples.cameras import SampleCameras, free_port
from pipelines.testing import until

pytestmark = [pytest.mark.model, pytest.mark.slow]

GATEWATCH = (sys.executable, "-m", "pipelines.cli")
PASSWORD = "correct horse battery"
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--autoplay-policy=no-user-gesture-required"),
]
#: A bound for a hang on a loaded machine, not a speed.
PATIENCE_MS = 90_000


@dataclass(frozen=True)
class Site:
    url: str
    config: Path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One camera in front of which two vehicles stand for good; a case opens after five seconds."""
    folder = tmp_path_factory.mktemp("site")
    with SampleCameras(library.camera_list(1), library.streams_dir()) as served:
        camera = library.camera_values(served.cameras[0])
        camera["rules"] = [{"kind": "illegal_parking", "zone": "double_yellow_lines", "after": "5s"}]
        port = free_port()
        values = {
            "data": str(folder / "data"),
            "site": {"name": "North", "language": "en"},
            "cameras": {"campus": camera},
            "recording": {"reserve_free": "0B"},
            "channels": {"log": False, "jsonl": str(folder / "alerts.jsonl")},
            "console": {"port": port, "metrics": {"port": free_port()}},
        } | {name: {"metrics": {"port": free_port()}} for name in ("worker", "dispatcher", "recorder")}
        config = folder / "site.yaml"
        config.write_text(yaml.safe_dump(values, allow_unicode=True))
        for name, role in (("li", "guard"), ("wang", "guard"), ("root", "admin")):
            command = [*GATEWATCH, "user", "add", name, "--role", role, "--password-stdin", "-c", str(config)]
            subprocess.run(command, input=PASSWORD + "\n", text=True, check=True, capture_output=True)
        with (folder / "up.log").open("wb") as log:
            running = subprocess.Popen([*GATEWATCH, "up", "-c", str(config)], stderr=log)
        try:
            yield Site(f"http://127.0.0.1:{port}", config)
        finally:
            running.terminate()
            try:
                running.wait(60)
            finally:
                running.kill()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


def log_in(browser: Browser, site: Site, name: str, path: str = "/now") -> Page:
    """A browser of its own for each person."""
    page = browser.new_context(viewport={"width": 1600, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE_MS)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.faults = faults  # type: ignore[attr-defined]
    for _ in range(60):
        try:
            page.goto(f"{site.url}/login?language=en&next={path}")
            break
        except Exception as error:
            if "ERR_CONNECTION_REFUSED" not in str(error):
                raise
            page.wait_for_timeout(1000)
    page.fill("[name=name]", name)
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(f"**{path}*")
    return page


def test_from_the_camera_to_the_verdict(browser: Browser, site: Site) -> None:
    expect.set_options(timeout=PATIENCE_MS)
    li, wang = log_in(browser, site, "li"), log_in(browser, site, "wang")
    # The wall lives: a picture came, and the rule's clock runs in it.
    expect(li.locator(".tile:not([data-stale])")).to_have_count(1)
    expect(li.locator(".tile .rule").first).to_have_text(re.compile(r"\d:\d\d / 0:05"))
    # Incidents appear by themselves in both rooms.
    expect(li.locator(".alert")).to_have_count(2)
    expect(wang.locator(".alert")).to_have_count(2)
    expect(li).to_have_title(re.compile(r"^\(2\) "))

    # Chosen by key, the clip plays: pictures go on.
    li.keyboard.press("ArrowDown")
    first = li.locator(".alert").first.get_attribute("data-incident")
    expect(li.locator(".detail h2")).to_have_text("illegal parking")
    expect(li.locator(".facts")).to_contain_text("standing for")
    expect(li.locator(".strip img").first).to_be_visible()
    at = "document.querySelector('.stage video')?.currentTime ?? 0"
    # Asked from outside: the page's own policy forbids what a waiting function in it would need.

    def plays() -> bool:
        """What is recorded so far, or the clip once it is made; neither before the first segment is closed."""
        li.keyboard.press("Escape")
        li.locator(f'.alert[data-incident="{first}"]').click()
        li.wait_for_timeout(3000)
        return bool(li.evaluate(at) > 0.5)

    until(plays, PATIENCE_MS / 1000, "the clip plays")

    # Two guards at once: the second to acknowledge is told who was first.
    wang.locator(f'.alert[data-incident="{first}"]').click()
    expect(wang.locator(".detail h2")).to_have_text("illegal parking")
    li.keyboard.press("a")
    expect(li.locator(f'.alert[data-incident="{first}"] .state')).to_contain_text("acknowledged · li")
    expect(wang.locator(f'.alert[data-incident="{first}"] .state')).to_contain_text("acknowledged · li")
    wang.keyboard.press("a")
    expect(wang.locator("#said")).to_contain_text("li was first")

    # A verdict closes it, for everybody.
    li.keyboard.press("1")
    expect(li.locator(f'.alert[data-incident="{first}"]')).to_have_count(0)
    expect(wang.locator(f'.alert[data-incident="{first}"]')).to_have_count(0)

    # The history has it, with its clip, and who answered.
    li.goto(f"{site.url}/history?verdict=true")
    expect(li.locator("#rows tr")).to_have_count(1)
    expect(li.locator("#rows tr")).to_contain_text("li")
    li.keyboard.press("ArrowDown")
    li.keyboard.press("Enter")
    expect(li.locator("#detail .log").first).to_contain_text("closed: true")
    expect(li.locator("#detail .strip img").first).to_be_visible()
    assert li.faults == wang.faults == []  # type: ignore[attr-defined]


def test_a_lost_connection_is_shown_and_heals_by_itself(browser: Browser, site: Site) -> None:
    page = log_in(browser, site, "li")
    expect(page.locator(".tile:not([data-stale])")).to_have_count(1)
    page.context.set_offline(True)
    expect(page.locator(".lost")).to_be_visible()
    expect(page.locator(".tile[data-stale]")).to_have_count(1)
    page.context.set_offline(False)
    expect(page.locator(".lost")).to_be_hidden()
    expect(page.locator(".tile:not([data-stale])")).to_have_count(1)


def test_a_camera_opens_large_with_smooth_video(browser: Browser, site: Site) -> None:
    page = log_in(browser, site, "li")
    page.locator(".tile").click()
    shown = "document.querySelector('.stage.live video')?.getVideoPlaybackQuality().totalVideoFrames ?? 0"
    until(lambda: page.evaluate(shown) > 20, PATIENCE_MS / 1000, "live video plays")
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()
