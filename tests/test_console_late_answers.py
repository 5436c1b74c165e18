"""*Cameras* and *Footage* in a browser whose answers come late, in another order, or not at all: what is shown, changed and
kept is always of the camera that was chosen last."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from console.serve import Server
from console.testing import NORTH, PASSWORD, SOUTH, Site, a_site
from pipelines.clock import SystemClock
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.recording.footage import Footage

if TYPE_CHECKING:
    from conftest import FilledVolume

pytestmark = pytest.mark.slow
#: A bound for a hang on a loaded machine, not a speed.
PATIENCE_MS = 60_000


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = a_site(tmp_path, SystemClock())
    yield site
    site.parts.database.close()


@pytest.fixture
def page(site: Site, browser: Browser) -> Iterator[Page]:
    """Logged in as an administrator."""
    server = Server(site.parts, "127.0.0.1", 0)
    server.start()
    context = browser.new_context(viewport={"width": 1500, "height": 900}, base_url=f"http://127.0.0.1:{server.port}")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto("/login?language=en&next=/account")
    page.fill("[name=name]", "admin")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/account*")
    yield page
    context.close()
    server.stop()
    assert faults == []


class Held:
    """Requests of an address that are not answered until the test says so."""

    def __init__(self, page: Page, path: str) -> None:
        self._page, self._path = page, path
        self._routes: list[Route] = []
        self._answered = False
        page.route(path, self._hold)

    def _hold(self, route: Route) -> None:
        if self._answered:
            route.continue_()
        else:
            self._routes.append(route)

    def first(self) -> Route:
        # The page's events are only seen while it is waited in this way.
        for _ in range(PATIENCE_MS // 50):
            if self._routes:
                break
            self._page.wait_for_timeout(50)
        return self._routes[0]

    def answer(self) -> None:
        """The first one gets its answer, and the page has read it; later ones are not held."""
        route = self.first()
        self._answered = True
        with self._page.expect_response(self._path) as response:
            route.continue_()
        response.value.finished()
        self._page.evaluate("() => new Promise(done => setTimeout(done, 50))")


# Cameras

ZONES = "#lists .zones .item"


def test_zones_of_one_camera_are_never_drawn_for_another(page: Page) -> None:
    path = f"**/cameras/{SOUTH}/configuration"
    page.goto(f"/cameras?camera={NORTH}")
    name = page.locator("[data-field='zone 0']")
    expect(name).to_have_value("kerb")
    held = Held(page, path)
    page.select_option("#camera", SOUTH)
    held.first()
    expect(page.locator(ZONES)).to_have_count(0)
    expect(page.locator("body")).to_have_attribute("data-frozen", "true")
    page.select_option("#camera", NORTH)
    expect(name).to_have_value("kerb")
    held.answer()
    expect(name).to_have_value("kerb")
    expect(page.locator("body")).to_have_attribute("data-frozen", "false")
    # Nor when its own cannot be had: what stood there could be put in force for it.
    page.route(path, lambda route: route.fulfill(status=503, json={"detail": "the store is away"}))
    page.select_option("#camera", SOUTH)
    expect(page.locator("#banner")).to_contain_text("the store is away")
    expect(page.locator(ZONES)).to_have_count(0)
    expect(page.locator("#overlay polygon")).to_have_count(0)
    page.locator("#tab-change").click()
    expect(page.locator("#apply")).to_have_count(0)


def test_letters_that_are_typed_while_the_check_is_on_its_way_stay(page: Page) -> None:
    page.goto(f"/cameras?camera={NORTH}")
    after = page.locator("[data-field='rule 0 after']")
    expect(after).to_be_visible()
    expect(page.locator("#changed")).to_be_empty()
    held = Held(page, "**/configuration/preview")
    after.fill("soon")
    after.press("Tab")
    held.first()
    typed = page.locator("[data-field='zone 0']")
    typed.focus()
    page.keyboard.press("End")
    page.keyboard.type("-stone")
    held.answer()
    page.keyboard.type("s")
    expect(typed).to_have_value("kerb-stones")
    expect(typed).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#lists .rule .fault")).to_contain_text("rules[0].after: expected a duration")
    expect(page.locator("[data-field='rule 0 zone']")).to_have_value("kerb-stones")
    # Enter settles it too, and the focus stays.
    after.fill("95s")
    after.press("Enter")
    expect(page.locator("#lists .rule .fault")).to_have_count(0)
    expect(after).to_be_focused()


def test_only_the_newest_version_is_followed_until_it_is_used(page: Page) -> None:
    used, asked = "v1", 0

    def version(route: Route) -> None:
        if route.request.method == "POST":
            route.fulfill(json={"number": number, "config_version": f"v{number}"})
        else:
            route.continue_()

    def in_use(route: Route) -> None:
        nonlocal asked
        asked += 1
        route.fulfill(json={"worker": used, "config_version": used})

    page.route(f"**/cameras/{NORTH}/configuration", version)
    page.route("**/api/v1/configuration", in_use)
    page.goto(f"/cameras?camera={NORTH}")
    for number in (2, 3):
        page.locator("#tab-picture").click()
        page.locator("[data-field='rule 0 after']").fill(f"{90 + number}s")
        page.keyboard.press("Tab")
        page.locator("#tab-change").click()
        page.locator("#why").fill("a test")
        page.locator("#apply").click()
        expect(page.locator("#said")).to_have_text(re.compile(f"^Written as version {number};"))
    used = "v3"
    expect(page.locator("#said")).to_have_text(re.compile("^Version 3 is in force"))
    settled = asked
    page.wait_for_timeout(2500)
    assert asked == settled, "the second version is followed still, and would be told as not used"


# System


def test_the_same_page_of_the_audit_is_never_shown_twice(page: Page) -> None:
    line = {"at_s": 1_790_000_000.0, "who": "li", "action": "a", "subject": "s", "detail": {}}
    held: list[Route] = []

    def audit(route: Route) -> None:
        if "cursor" in route.request.url:
            held.append(route)
        else:
            route.fulfill(json={"cursor": "next", "lines": [line]})

    page.route("**/api/v1/audit?*", audit)
    page.goto("/system")
    expect(page.locator("#audit tbody tr")).to_have_count(1)
    for _ in range(2):
        page.locator("#older").evaluate("button => button.click()")
    while not held:
        page.wait_for_timeout(50)
    page.wait_for_timeout(300)
    assert len(held) == 1
    held[0].fulfill(json={"cursor": None, "lines": [line]})
    expect(page.locator("#older")).to_be_hidden()
    expect(page.locator("#audit tbody tr")).to_have_count(2)


# Footage


@pytest.fixture
def start_s(site: Site, filled: FilledVolume) -> float:
    """Ten seconds of the north gate are recorded from then on, and four of the backyard."""
    start_s = float(int(time.time()) - 600)
    filled.add(NORTH, round(start_s * 1000), count=5)
    filled.add(SOUTH, round(start_s * 1000), count=2)
    ffmpeg, clock = Ffmpeg.find(None), SystemClock()
    site.parts.footage = lambda: Footage(filled.volume, ffmpeg, clock, pre_s=1.0, post_s=1.0)
    return start_s


PLAYS = "document.getElementById('video').readyState >= 2"


def wait_for_video(page: Page) -> None:
    expect(page.locator("#note")).to_be_hidden()
    for _ in range(PATIENCE_MS // 50):
        if page.evaluate(PLAYS):
            return
        page.wait_for_timeout(50)
    raise AssertionError("the recording cannot be seen")


def test_the_line_is_that_of_the_camera_chosen_last(page: Page, start_s: float) -> None:
    held: list[Route] = []
    late = False

    def line(route: Route, share: float) -> None:
        piece = {"from_s": start_s, "to_s": start_s + 10}
        found = {"recorded": [piece], "gaps": [], "holds": [], "incidents": [], "completeness": share}
        route.fulfill(json=found)

    def north(route: Route) -> None:
        if late:
            held.append(route)
        else:
            line(route, 0.25)

    page.route(f"**/cameras/{NORTH}/timeline*", north)
    page.route(f"**/cameras/{SOUTH}/timeline*", lambda route: line(route, 0.5))
    summary = page.locator("#summary")
    page.goto(f"/footage?camera={NORTH}&at={start_s}")
    expect(summary).to_contain_text("25.00 %")
    late = True
    with page.expect_request(f"**/cameras/{SOUTH}/timeline*"):
        page.select_option("#camera", SOUTH)
    expect(summary).to_contain_text("50.00 %")
    with page.expect_request(f"**/cameras/{NORTH}/timeline*"):
        page.select_option("#camera", NORTH)
    with page.expect_request(f"**/cameras/{SOUTH}/timeline*"):
        page.select_option("#camera", SOUTH)
    expect(summary).to_contain_text("50.00 %")
    while not held:
        page.wait_for_timeout(50)
    with page.expect_response(f"**/cameras/{NORTH}/timeline*") as response:
        line(held[0], 0.25)
    response.value.finished()
    page.evaluate("() => new Promise(done => setTimeout(done, 50))")
    expect(summary).to_contain_text("50.00 %")


def test_what_is_kept_bears_the_name_of_the_camera_that_was_seen(page: Page, start_s: float, site: Site) -> None:
    page.goto(f"/footage?camera={NORTH}&at={start_s}")
    wait_for_video(page)
    page.locator("#from").click()
    expect(page.locator("#range")).to_have_text(re.compile(r"\d\d:\d\d:\d\d … –"))
    held = Held(page, f"**/cameras/{SOUTH}/segments?*")
    page.select_option("#camera", SOUTH)
    held.first()
    expect(page.locator("#range")).to_be_empty()
    kept: list[str] = []

    def keep(request: Request) -> None:
        if request.url.endswith("/snapshots"):
            kept.append(request.url)

    page.on("request", keep)
    page.locator("#snapshot").click()  # the north gate stands there still, and the backyard is chosen
    held.answer()
    wait_for_video(page)
    assert kept == []
    with page.expect_download() as download:
        page.locator("#snapshot").click()
    assert download.value.suggested_filename.startswith(f"{SOUTH}-")
    assert [url.split("/")[-2] for url in kept] == [SOUTH]


def test_a_recording_that_nobody_waits_for_any_more_is_not_played_unseen(
    page: Page, start_s: float, site: Site
) -> None:
    site.tell("taped", opened_s=start_s + 9, first_seen_s=start_s + 5, time_s=start_s + 9)
    asked: list[str] = []

    def ask(request: Request) -> None:
        asked.append(request.url)

    page.on("request", ask)
    held = Held(page, f"**/cameras/{NORTH}/segments?*")
    page.goto("/now")
    card = page.locator(".alert[data-incident=taped]")
    card.click()
    held.first()
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()
    held.answer()
    card.click()
    for _ in range(PATIENCE_MS // 50):
        if page.evaluate("document.querySelector('.stage video')?.currentTime > 0"):
            break
        page.wait_for_timeout(50)
    media = [url for url in asked if re.search(r"/segments/\d+$", url)]
    assert media
    assert len(media) == len(set(media)), "no segment was fetched twice"
