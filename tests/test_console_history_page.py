"""The page *History* in a browser: every mark leads to its incidents; and incidents as a file, over the API."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from console.pouring import Gone, poured
from console.serve import Server
from console.testing import NORTH, PASSWORD, SOUTH, Site, a_site
from pipelines.access.roles import Role
from pipelines.clock import SystemClock
from pipelines.store import threads
from vision.incident import Phase

DAY_S = 86_400.0
#: 2026-08-31, a Monday, 08:10 in Shanghai.
MONDAY_S = 1_788_135_000.0
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Besides those of `a_site`: six weeks with an incident each Monday at eight and each Thursday at five, half of them judged
    and acknowledged after twelve seconds."""
    site = a_site(tmp_path_factory.mktemp("site"), SystemClock())
    for week in range(6):
        for name, offset_s, camera in (("mon", 0.0, NORTH), ("thu", 3 * DAY_S + 9 * 3600.0, SOUTH)):
            at_s = MONDAY_S + week * 7 * DAY_S + offset_s
            times = {"first_seen_s": at_s - 30, "opened_s": at_s, "time_s": at_s + 90, "closed_s": at_s + 90}
            site.tell(f"{name}-{week}", camera=camera, phase=Phase.CLOSED, **times)
            with site.parts.database.write() as connection:
                begun_s = 1_790_000_190.0
                if week % 2:
                    threads.add_verdict(connection, f"{name}-{week}", "true", who="li", now_s=at_s + 60, note="")
                    threads.change(
                        connection,
                        f"{name}-{week}",
                        acknowledged_s=begun_s + 12,
                        acknowledged_by="li",
                        created_s=begun_s,
                    )
    yield site
    site.parts.database.close()


def listed(site: Site, role: Role = Role.ANALYST, camera: str | None = None, **query: Any) -> set[str]:
    found = site.client(role, camera).get("/api/v1/incidents", params={"limit": 200, **query}).json()["incidents"]
    return {one["incident_id"] for one in found}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"weekday": 1, "hour": 8}, {f"mon-{week}" for week in range(6)}),
        ({"weekday": 4, "hour": 17}, {f"thu-{week}" for week in range(6)}),
        ({"weekday": 4, "hour": 8}, set()),
        ({"level": 1}, set()),
        ({"hour": 8, "verdict": "true", "since_s": MONDAY_S + 8 * DAY_S}, {"mon-3", "mon-5"}),
        ({"rule": "illegal_parking:kerb", "until_s": MONDAY_S + 6 * DAY_S}, {"mon-0"}),
    ],
)
def test_one_filter_means_the_same_in_lists_and_files(site: Site, query: Any, names: set[str]) -> None:
    assert listed(site, **query) == names
    analyst = site.client(Role.ANALYST)
    asked = query | {"reason": "督导", "format": "jsonl"}
    lines = analyst.get("/api/v1/exports/incidents", params=asked).text.splitlines()
    assert {json.loads(line)["incident_id"] for line in lines} == names


def test_files_hold_only_the_callers_cameras(site: Site) -> None:
    near = site.client(Role.ANALYST, NORTH)
    body = near.get("/api/v1/exports/incidents", params={"reason": "x"}).text
    assert "north-1" in body
    assert "backyard" not in body
    assert listed(site, camera=NORTH) == {"north-1", "north-2", *(f"mon-{week}" for week in range(6))}


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_an_export_is_a_file_with_its_reason_in_the_audit_before_and_its_rows_after(site: Site, kind: str) -> None:
    analyst = site.client(Role.ANALYST)
    query = {"format": kind, "severity": 3, "hour": 8, "drills": False}
    assert analyst.get("/api/v1/exports/incidents", params=query).status_code == 422
    assert analyst.get("/api/v1/exports/incidents", params=query | {"reason": "  "}).status_code == 422
    query |= {"reason": f"asked by the county, {kind}", "bom": True}
    answer = analyst.get("/api/v1/exports/incidents", params=query)
    assert answer.headers["content-disposition"] == f'attachment; filename="incidents.{kind}"'
    rows: list[dict[str, Any]]
    if kind == "csv":
        assert answer.content.startswith(b"\xef\xbb\xbf")
        rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    elif kind == "json":
        rows = answer.json()
    else:
        from pyarrow import parquet

        rows = parquet.read_table(io.BytesIO(answer.content)).to_pylist()
    assert [row["incident_id"] for row in rows] == [f"mon-{week}" for week in reversed(range(6))]
    lines = site.client(Role.ADMIN).get("/api/v1/audit", params={"limit": 2}).json()["lines"]
    assert [(line["action"], line["who"]) for line in lines] == [
        ("exported", "token:analyst"),
        ("export", "token:analyst"),
    ]
    assert lines[1]["detail"]["reason"] == f"asked by the county, {kind}"
    assert lines[1]["detail"]["filter"] == {"severity": 3, "hour": 8, "drills": False}
    assert lines[0]["detail"]["rows"] == 6


def test_level_one_stands_in_the_audit(site: Site) -> None:
    site.client(Role.ANALYST).get("/api/v1/exports/incidents", params={"severity": 1, "reason": "x"})
    (line,) = site.client(Role.ADMIN).get("/api/v1/audit", params={"limit": 1}).json()["lines"]
    assert line["detail"]["filter"] == {"severity": 1}


def test_more_figures_than_the_machine_bears_are_refused_for_a_while(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.api.history._PATIENCE_S", 0.01)
    with site.parts.heavy, site.parts.heavy:
        refused = site.client(Role.ANALYST).get("/api/v1/stats")
    assert (refused.status_code, refused.json()["code"]) == (503, "busy")
    assert site.client(Role.ANALYST).get("/api/v1/stats").status_code == 200


# What is written is read piece by piece


def test_what_is_written_comes_out_whole_and_faults_are_told() -> None:
    pieces = [bytes([number % 251]) * 1000 for number in range(500)]

    def write(out: IO[bytes]) -> None:
        for piece in pieces:
            assert out.write(piece) == 1000

    assert b"".join(poured(write)) == b"".join(pieces)
    assert list(poured(lambda _out: None)) == []

    def breaks(out: IO[bytes]) -> None:
        out.write(b"x" * 70_000)
        raise OSError("away")

    found = poured(breaks)
    assert next(found) == b"x" * 70_000
    with pytest.raises(OSError, match="away"):
        next(found)


def test_a_writer_ends_when_nobody_reads_any_more() -> None:
    ended = threading.Event()

    def for_ever(out: IO[bytes]) -> None:
        try:
            while True:
                out.write(b"x" * 100_000)
        except Gone:
            ended.set()
            raise

    found = poured(for_ever)
    next(found)
    found.close()
    assert ended.wait(60)


# In a browser


@pytest.fixture(scope="module")
def page(site: Site, chromium: str) -> Iterator[Page]:
    server = Server(site.parts, "127.0.0.1", 0)
    server.start()
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_context(viewport={"width": 1500, "height": 900}, accept_downloads=True).new_page()
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        page.goto(f"http://127.0.0.1:{server.port}/login?language=en&next=/history%3Fsince_s%3D1780000000")
        page.fill("[name=name]", "analyst")
        page.fill("[name=password]", PASSWORD)
        page.press("[name=password]", "Enter")
        yield page
        browser.close()
    server.stop()


def asked_for(page: Page, **wanted: str) -> None:
    """Waits until the page's address asks for it: the browser tells of a new address after what led to it."""

    def there(url: str) -> bool:
        query = parse_qs(urlsplit(url).query)
        return all(query.get(name) == [value] for name, value in wanted.items())

    page.wait_for_url(there)


def test_marks_and_chips_and_keys_lead_to_incidents(page: Page) -> None:
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    rows = page.locator("#rows tr")
    expect(rows).to_have_count(15)
    expect(page.locator(".chip")).to_have_count(1)
    # A mark of the heat map adds weekday and hour; the list then holds what the mark said.
    page.locator('#charts a[aria-label="Mon 08:00: 6"]').click()
    expect(rows).to_have_count(6)
    asked_for(page, weekday="1", hour="8", drills="false")
    expect(page.locator(".chip")).to_have_text([re.compile("from 05/2"), "Mon×", "08 to 09 h×", "without drills×"])
    # The back button takes it back, a chip is taken off by a click.
    page.go_back()
    expect(rows).to_have_count(15)
    page.locator("#charts").get_by_role("link", name=re.compile("acknowledged, level 2: 6, median 12 s")).click()
    asked_for(page, level="2")
    expect(page.locator("#charts:not([aria-busy])")).to_have_count(1)
    page.locator("#charts").get_by_role(
        "link", name=re.compile(r"^backyard 后院 · .*right in 100 %.*3 true, 0 false$")
    ).click()
    asked_for(page, rule="illegal_parking:backyard-lawn")
    expect(rows).to_have_count(7)
    expect(page.locator(".chip")).to_have_count(6)
    for _ in range(6):
        page.locator(".chip").first.click()
    expect(page.locator(".chip")).to_have_count(0)
    expect(rows).to_have_count(15)
    # By keys alone: down the list, one large, back.
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#detail h2")).to_have_text("illegal parking")
    page.wait_for_url("**incident=*")
    page.reload()
    expect(page.locator("#detail h2")).to_have_text("illegal parking")
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()
    # The other language keeps the view.
    page.goto(page.url.split("?")[0] + "?weekday=4")
    expect(rows).to_have_count(6)
    page.locator('.languages a[lang="zh-CN"]').click()
    expect(page.locator("h1")).to_have_text("历史记录")
    expect(rows).to_have_count(6)
    page.locator('.languages a[lang="en"]').click()
    expect(page.locator("h1")).to_have_text("History")
    assert faults == []


def test_an_export_asks_for_its_reason(page: Page, site: Site, tmp_path: Path) -> None:
    page.goto(page.url.split("?")[0] + "?weekday=4")
    expect(page.locator("#rows tr")).to_have_count(6)
    page.keyboard.press("e")
    page.locator("#form textarea").fill("for the county")
    with page.expect_download() as download:
        page.locator("#form button.primary").click()
    path = tmp_path / "out.csv"
    download.value.save_as(path)
    rows = list(csv.DictReader(path.open(encoding="utf-8-sig")))
    assert {row["incident_id"] for row in rows} == {f"thu-{week}" for week in range(6)}
    (line,) = site.client(Role.ADMIN).get("/api/v1/audit", params={"action": "exported", "limit": 1}).json()["lines"]
    assert (line["who"], line["detail"]["reason"], line["detail"]["rows"]) == ("analyst", "for the county", 6)
