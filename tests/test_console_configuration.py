"""The configuration in force: nobody's work is written over, versions are kept and taken back, what cannot be written is told,
and the console follows its file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from console.following import Following
from console.testing import HOST, NORTH, PASSWORD, Site, a_site
from console.testing_drawing import URL, VERSIONS, applied, lines, moved, path_of
from pipelines.access.roles import Role
from pipelines.config import load
from pipelines.store import audit
from pipelines.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def site(tmp_path: Path, clock: FakeClock) -> Iterator[Site]:
    site = a_site(tmp_path, clock)
    yield site
    site.parts.database.close()


@pytest.fixture
def admin(site: Site) -> TestClient:
    return site.client(Role.ADMIN)


def test_the_second_of_two_editors_is_told_who_was_first(site: Site, admin: TestClient) -> None:
    mine = moved(admin, 0.3)
    assert applied(admin, moved(admin, 0.25)).status_code == 200
    for url in (URL, f"{URL}/preview", f"{URL}/effect"):
        answer = admin.post(url, json=mine | ({"why": "x"} if url == URL else {}))
        assert answer.status_code == 409
        assert (answer.json()["code"], answer.json()["who"], answer.json()["by_hand"]) == (
            "changed",
            "token:admin",
            False,
        )
    assert load(path_of(site)).config.cameras[NORTH].zones["kerb"].polygon[0] == (0.25, 0.6)
    again = moved(admin, 0.3)
    path_of(site).write_text(path_of(site).read_text("utf-8") + "# by hand\n", "utf-8")
    answer = applied(admin, again)
    assert (answer.json()["code"], answer.json()["by_hand"]) == ("changed", True)
    assert answer.json()["who"] == path_of(site).owner()


def test_what_somebody_writes_between_the_check_and_the_write_is_not_lost(
    site: Site, admin: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, path = moved(admin), path_of(site)
    real = site.parts.database.write

    def slow() -> Any:
        path.write_text(path.read_text("utf-8") + "# meanwhile\n", "utf-8")
        return real()

    monkeypatch.setattr(site.parts.database, "write", slow)
    answer = applied(admin, body)
    assert (answer.status_code, answer.json()["code"]) == (409, "changed")
    assert path.read_text("utf-8").endswith("# meanwhile\n")
    assert "0.25" not in path.read_text("utf-8")
    with site.parts.database.read() as connection:
        assert audit.page(connection, action="configuration", limit=5)[0] == []


def test_going_back_shows_what_it_changes_and_gives_the_same_bytes(site: Site, admin: TestClient) -> None:
    before = path_of(site).read_bytes()
    applied(admin, moved(admin))
    found = admin.get(f"{VERSIONS}/1").json()
    assert lines(found, "new") == ["zones: {kerb: {polygon: [[0.1, 0.6], [0.9, 0.6], [0.9, 0.8]]}}"]
    assert found["faults"] == []
    stale = admin.post(f"{VERSIONS}/1/revert", json={"base": "0" * 64, "why": "x"})
    assert (stale.status_code, stale.json()["code"]) == (409, "changed")
    made = admin.post(f"{VERSIONS}/1/revert", json={"base": found["base"], "why": "wrong kerb"}).json()
    assert (made["number"], made["what"], made["reverted_to"], made["in_force"]) == (3, "reverted", 1, True)
    assert path_of(site).read_bytes() == before
    assert [one["in_force"] for one in admin.get(VERSIONS).json()] == [True, False, False]
    assert admin.get(f"{VERSIONS}/9").status_code == 404


def test_a_file_with_faults_is_not_edited(site: Site, admin: TestClient) -> None:
    body = moved(admin)
    path_of(site).write_text(path_of(site).read_text("utf-8").replace("severity: 1", "severity: 9"))
    found = admin.get(URL).json()
    assert "severity" in found["faults"][0]["text"]
    assert [zone["name"] for zone in found["zones"]] == ["kerb"], "what is in force is shown"
    assert found["rules"][0]["fields"]["after"] is None
    answer = applied(admin, body | {"base": found["base"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "faults")


def test_a_file_that_may_not_be_written_says_so(site: Site, admin: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and real(path, mode))
    assert admin.get(URL).json()["writable"] is False
    assert admin.post(f"{URL}/preview", json=moved(admin)).status_code == 200
    answer = applied(admin, moved(admin))
    assert (answer.status_code, answer.json()["code"]) == (409, "read_only")


def test_a_full_disk_leaves_everything_as_it_was(
    site: Site, admin: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, before, real = moved(admin), path_of(site).read_bytes(), os.fsync

    def full(descriptor: int) -> None:
        if "site.yaml" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    answer = applied(admin, body)
    assert answer.status_code == 503
    assert "No space left on device; nothing was changed" in answer.json()["detail"]
    assert path_of(site).read_bytes() == before
    assert [one["what"] for one in admin.get(VERSIONS).json()] == ["found"]
    with site.parts.database.read() as connection:
        assert audit.page(connection, action="configuration", limit=5)[0] == []


def test_from_a_browser_it_takes_the_page_s_own_token(site: Site) -> None:
    browser = TestClient(site.app, HOST, headers={"Origin": HOST}, follow_redirects=False)
    assert browser.post("/login", data={"name": "admin", "password": PASSWORD}).status_code == 303
    answer = applied(browser, moved(browser))
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")


# The console follows the file


def test_the_console_follows_its_file_and_keeps_what_was_there_when_it_has_faults(
    site: Site, admin: TestClient, clock: FakeClock
) -> None:
    parts, path = site.parts, path_of(site)
    parts.following = Following()
    told: list[list[str]] = []
    reloader = parts.following.reloader(
        path, clock, parts, site.app.state.frame, lambda config: told.append(list(config.cameras))
    )
    reloader.run_once()
    assert told == []
    before = path.read_text("utf-8")
    changed = (
        before.replace("language: en", "language: zh-CN")
        .replace("backyard:", "garden:")
        .replace("name: 北门", "name: 南门")
    )
    path.write_text(changed + "console: {rate: 3, port: 9999}\nrecording: {keep: 45d}\n", "utf-8")
    reloader.run_once()
    assert [one["camera"] for one in admin.get("/api/v1/cameras").json()] == [NORTH, "garden"]
    assert admin.get("/api/v1/cameras").json()[0]["name"] == "南门"
    page = TestClient(site.app, HOST).get("/login").text
    assert '<html lang="zh-CN">' in page
    state = admin.get("/api/v1/configuration").json()
    assert (state["faults"], state["needs_restart"]) == ([], ["console.port"])
    assert state["config_version"] == load(path).version
    wall = admin.get("/live/wall").content
    # The open wall asks for its cameras anew when this changes.
    assert json.loads(wall[4 : 4 + int.from_bytes(wall[:4], "big")])["config"] == load(path).version
    assert parts.config.console.port == 8470
    assert parts.config.recording.keep == 45 * 86_400.0

    path.write_text(changed + "consol: {}\n", "utf-8")
    reloader.run_once()
    assert [one["camera"] for one in admin.get("/api/v1/cameras").json()] == [NORTH, "garden"]
    for answer in (admin.get("/api/v1/configuration").json(), admin.get("/live/system").json()["configuration"]):
        assert "unknown key" in answer["faults"][0]
    path.write_text(before, "utf-8")
    reloader.run_once()
    assert admin.get("/live/system").json()["configuration"]["faults"] == []
    assert [one["camera"] for one in admin.get("/api/v1/cameras").json()] == [NORTH, "backyard"]
    assert json.loads(json.dumps(told)) == [[NORTH, "garden"], [NORTH, "backyard"]]
