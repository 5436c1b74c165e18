"""One incident large, in a real browser: which of its pictures is shown first."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from console.serve import Server
from console.testing import PASSWORD, a_picture, a_site
from pipelines.clock import SystemClock

pytestmark = pytest.mark.slow
PATIENCE_MS = 60_000


def test_the_newest_picture_of_the_place_is_shown_before_the_close_up(chromium: str, tmp_path: Path) -> None:
    site = a_site(tmp_path, SystemClock())
    roles = ("first_seen", "limit", "close_up")
    pictures = [a_picture(tmp_path, "newest", role=role) for role in roles]
    now_s = site.parts.clock.now_s()
    site.tell("newest", pictures=pictures, first_seen_s=now_s - 60, opened_s=now_s - 30, time_s=now_s - 30)
    server = Server(site.parts, "127.0.0.1", 0)
    server.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--headless", "--no-sandbox"])
            page = browser.new_page(locale="en")
            page.set_default_timeout(PATIENCE_MS)
            page.goto(f"http://127.0.0.1:{server.port}/login?language=en")
            page.fill("[name=name]", "guard")
            page.fill("[name=password]", PASSWORD)
            page.press("[name=password]", "Enter")
            page.wait_for_url("**/now*")
            page.locator(".alert[data-incident=newest]").click()
            expect(page.locator("#detail .strip img")).to_have_count(3, timeout=PATIENCE_MS)
            shown = page.locator("#detail .stage img")
            expect(shown).to_have_attribute("alt", "at the limit", timeout=PATIENCE_MS)
            page.locator("#detail .strip button", has_text="close-up").click()
            expect(shown).to_have_attribute("alt", "close-up", timeout=PATIENCE_MS)
            browser.close()
    finally:
        server.stop()
        site.parts.database.close()
