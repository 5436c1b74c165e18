"""One incident large, in a real browser: which of its pictures is shown first, whose it is, and larger ones as they come."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from console.serve import Server
from console.testing import PASSWORD, a_picture, a_site
from pipelines.clock import SystemClock
from pipelines.store import stills

pytestmark = pytest.mark.slow
PATIENCE_MS = 60_000


def test_the_newest_picture_of_the_place_is_shown_before_the_close_up_and_says_which_stream_it_is_of(
    chromium: str, tmp_path: Path
) -> None:
    site = a_site(tmp_path, SystemClock())
    roles = ("first_seen", "limit", "close_up")
    pictures = [a_picture(tmp_path, "newest", role=role) for role in roles]
    now_s = site.parts.clock.now_s()
    site.tell("newest", pictures=pictures, first_seen_s=now_s - 60, opened_s=now_s - 30, time_s=now_s - 30)

    def keep(number: int, **still: object) -> None:
        about = {**still, "role": roles[number], "of": pictures[number]["sha256"]}
        with site.parts.database.write() as connection:
            stills.put(connection, "newest", about)

    large = a_picture(tmp_path, "newest", role="limit.main")
    sizes = {"width": 1920, "height": 1080, "off_s": -0.24, "blurrable": True}
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
            shown, words = page.locator("#detail .stage img"), page.locator("#detail .stage .whose")
            expect(shown).to_have_attribute("alt", "at the limit", timeout=PATIENCE_MS)
            expect(words).to_have_text("analysed stream, 64 × 48")
            page.locator("#detail .strip button", has_text="close-up").click()
            expect(shown).to_have_attribute("alt", "close-up", timeout=PATIENCE_MS)
            # What is cut meanwhile comes to the incident that is open; what is looked at stays until another is chosen.
            keep(1, **large | sizes)
            keep(2, missing="gap", detail="network")
            button = page.locator("#detail .strip button", has_text="at the limit")
            expect(button.locator("img")).to_have_attribute("src", re.compile("/pictures/1/main$"), timeout=PATIENCE_MS)
            expect(shown).to_have_attribute("alt", "close-up")
            button.click()
            expect(words).to_contain_text("recorded main stream, 1920 × 1080 · -0.24 s from the moment")
            page.locator("#detail .stage button", has_text="Analysed picture").click()
            expect(words).to_have_text("analysed stream, 64 × 48")
            expect(shown).to_have_attribute("src", re.compile("/pictures/1$"))
            page.locator("#detail .strip button", has_text="close-up").click()
            expect(words).to_contain_text("that moment is not recorded")
            browser.close()
    finally:
        server.stop()
        site.parts.database.close()
