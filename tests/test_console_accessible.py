"""axe-core finds no serious fault on any page, in either language, nor in what opens on them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from console.app import PLACES
from console.serve import Server
from console.testing import PASSWORD, Site, a_site
from pipelines.clock import SystemClock
from pipelines.store import handovers, threads
from vision.incident import Phase

pytestmark = pytest.mark.slow
#: Of axe's four grades (minor, moderate, serious, critical) those that keep somebody from using a page.
SERIOUS = ("serious", "critical")
PATIENCE_MS = 60_000
#: 2026-08-31 08:10 in Shanghai.
MONDAY_S = 1_788_135_000.0
SETUP = "s" * 43


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = a_site(tmp_path_factory.mktemp("site"), SystemClock())
    for number in range(6):
        at_s = MONDAY_S + number * 86_400
        times = {"first_seen_s": at_s - 30, "opened_s": at_s, "time_s": at_s + 90, "closed_s": at_s + 90}
        site.tell(f"past-{number}", phase=Phase.CLOSED, severity=1 + number % 4, **times)
        with site.parts.database.write() as connection:
            threads.change(connection, f"past-{number}", acknowledged_s=1_790_000_200.0, acknowledged_by="li")
            threads.add_verdict(connection, f"past-{number}", "true", who="li", now_s=at_s + 60, note="")
    site.parts.by_address.take = lambda _key: 0.0  # type: ignore[method-assign]
    site.parts.setup_secret = SETUP
    site.parts.setup_until_s = site.parts.clock.monotonic_s() + 1e6
    yield site
    site.parts.database.close()


@pytest.fixture(scope="module")
def url(site: Site) -> Iterator[str]:
    server = Server(site.parts, "127.0.0.1", 0)
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


def faults(page: Page, where: str) -> list[str]:
    """The serious ones, each with the first elements that have it."""
    found = Axe().run(page).response["violations"]
    return [
        f"{where}: {one['id']} ({one['help']}): "
        + "; ".join(f"{node['html'][:160]} {node['failureSummary'][:300]}" for node in one["nodes"][:3])
        for one in found
        if one["impact"] in SERIOUS
    ]


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_no_page_has_a_serious_fault(browser: Browser, site: Site, url: str, language: str) -> None:
    expect.set_options(timeout=PATIENCE_MS)
    page = browser.new_context(viewport={"width": 1600, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE_MS)
    found: list[str] = []
    looked: set[str] = set()

    def look(what: str) -> None:
        looked.add(what)
        found.extend(faults(page, f"{language} {what}"))

    def go(path: str, ready: str) -> None:
        page.goto(f"{url}{path}")
        expect(page.locator(ready).first).to_be_visible()
        look(path.partition("?")[0])

    go(f"/setup/{SETUP}?language={language}", "form")
    go("/login", "form")
    page.fill("[name=name]", "admin")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/now*")
    expect(page.locator(".alert").first).to_be_visible()
    look("/now")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#detail h2")).to_be_visible()
    look("/now, one incident")
    for key, what in (("?", "keys"), ("r", "raise"), ("z", "snooze")):
        page.keyboard.press(key)
        expect(page.locator("dialog[open]")).to_be_visible()
        look(f"/now, {what}")
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()
    page.locator(".tile").first.click()
    expect(page.locator("#detail")).to_be_visible()
    look("/now, one camera")

    go(f"/history?since_s={MONDAY_S - 86_400:.0f}", "#charts svg")
    for key, what in (("f", "filter"), ("e", "export")):
        page.keyboard.press(key)
        expect(page.locator("dialog[open]")).to_be_visible()
        look(f"/history, {what}")
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#detail h2")).to_be_visible()
    look("/history, one incident")

    go("/footage", "#line")
    go("/cameras", "#lists .zones .item")
    after = page.locator("[data-field='rule 0 after']")
    for text, ready, what in (
        ("soon", "#lists .rule .fault", "a fault"),
        ("90s", "#changed:not([data-bad])", "changed"),
    ):
        after.fill(text)
        after.press("Tab")
        expect(page.locator(ready)).to_be_visible()
        look(f"/cameras, {what}")
        page.locator("#tab-change").click()
        expect(page.locator(".diff .new")).to_be_visible()
        look(f"/cameras, {what}, in the file")
    page.locator("#tab-versions").click()
    expect(page.locator("#versions > *")).to_be_visible()
    look("/cameras, versions")
    page.locator("#tab-picture").click()
    page.locator("#undo").click()
    if page.locator("#undo").is_enabled():
        page.locator("#undo").click()
    expect(page.locator("#changed")).to_be_empty()
    go("/handover", "form.span")
    go(f"/handover/sheet?from_s={MONDAY_S - 60:.0f}&until_s={MONDAY_S + 6 * 86_400:.0f}", "form.stack")
    with site.parts.database.read() as connection:
        known = handovers.newest(connection)
    if not known:
        page.fill("[name=password]", PASSWORD)
        page.press("[name=password]", "Enter")
        page.wait_for_url("**/handover/1")
    go("/handover/1", "form.stack")
    go("/system", "#processes tbody tr")
    go("/people", "main table")
    go("/account", "main form")
    go("/nowhere", "main h1")
    # It does look: a picture without words is found.
    page.evaluate("document.querySelector('main').append(new Image())")
    assert "image-alt" in "".join(faults(page, "made up"))
    assert {place.path for place in PLACES} <= looked
    assert found == []
