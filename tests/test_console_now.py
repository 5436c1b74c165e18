"""What the page *Now* is given: live pictures, the queue, one incident in words; each only to who may see it."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import cv2
import numpy as np
import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient

from console.app import create_app
from console.parts import Parts, parts_of
from pipelines.access.passwords import Passwords
from pipelines.access.roles import Role
from pipelines.config.loader import load_text
from pipelines.events.envelope import incident_event
from pipelines.events.live import LivePicture
from pipelines.store import incidents, threads
from pipelines.store.database import Database, sqlite_url
from pipelines.testing import FakeClock, an_incident
from vision.incident import Quantity

GOOD = "correct horse battery"
HOST = "http://console"
SITE = """
site: {name: North, language: en}
cameras:
  gate-north:
    name: 北门
    main: {url: 'rtsp://u:hunter2@192.0.2.1/1'}
    zones: {kerb: {polygon: [[0.1, 0.6], [0.9, 0.6], [0.9, 0.8], [0.1, 0.8]]}}
    rules: [{kind: illegal_parking, zone: kerb, after: 60s}]
  yard: {main: {url: 'rtsp://u:hunter2@192.0.2.2/1'}}
"""


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    config = load_text(SITE, "site.yaml", {}).model_copy(update={"data": tmp_path})
    database = Database(sqlite_url(tmp_path))
    database.migrate()
    clock = FakeClock()
    parts = parts_of(
        config, database, clock, Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)), Event()
    )
    parts.people.add_user("wang", Role.GUARD, GOOD, by="setup")
    parts.people.add_user("yardman", Role.GUARD, GOOD, by="setup", cameras=["yard"])
    parts.people.add_user("guest", Role.VIEWER, GOOD, by="setup")
    with database.write() as connection:
        for number, camera in enumerate(("gate-north", "yard")):
            event = incident_event(
                an_incident(f"case-{camera}", camera_id=camera, evidence={"standing": Quantity(200.0, "s")}),
                "v1",
                camera,
            )
            incidents.apply(connection, [incidents.notice_of(event)], clock.now_s())
            made = threads.Thread(f"case-{camera}", "sent", 2 - number, created_s=clock.now_s())
            threads.put(connection, [made])
    yield parts
    database.close()


def browser(parts: Parts, name: str) -> TestClient:
    client = TestClient(create_app(parts), HOST, headers={"Origin": HOST}, follow_redirects=False)
    assert client.post("/login", data={"name": name, "password": GOOD}).status_code == 303
    return client


def give(parts: Parts, picture: LivePicture) -> None:
    parts.live._take(picture.camera_id, picture.to_bytes())


def a_picture(camera: str = "gate-north", time_s: float = 1_790_000_000.0, **overlay: object) -> LivePicture:
    """Noise, so that what is hidden can be told from what is not."""
    pixels = np.random.default_rng(1).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    _, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
    seen = {"boxes": [], "rules": [], "view": "usable", "hide": [["person", 0.25, 0.25, 0.5, 0.75]]}
    return LivePicture(camera, time_s, jpeg.tobytes(), seen | overlay)


def wall(client: TestClient, after: int = 0) -> tuple[dict[str, object], list[bytes]]:
    content = client.get(f"/live/wall?after={after}").content
    (length,) = struct.unpack_from(">I", content)
    head, at, jpegs = json.loads(content[4 : 4 + length]), 4 + length, []
    for one in head["cameras"]:
        jpegs.append(content[at : at + one["bytes"]])
        at += one["bytes"]
    assert at == len(content)
    return head, jpegs


def test_the_wall_asks_for_and_shows_only_cameras_of_the_scope(parts: Parts) -> None:
    give(parts, a_picture("gate-north"))
    give(parts, a_picture("yard"))
    head, _ = wall(browser(parts, "yardman"))
    assert [one["camera"] for one in head["cameras"]] == ["yard"]
    assert parts.live.watched == {"yard"}
    head, jpegs = wall(browser(parts, "wang"))
    assert [one["camera"] for one in head["cameras"]] == ["gate-north", "yard"]
    assert jpegs[0] == a_picture().jpeg
    assert "hide" not in head["cameras"][0]


def test_a_picture_comes_once(parts: Parts) -> None:
    client = browser(parts, "wang")
    give(parts, a_picture())
    head, jpegs = wall(client)
    assert len(jpegs) == 1
    assert wall(client, head["number"])[1] == []
    give(parts, a_picture())
    assert len(wall(client, head["number"])[1]) == 1


def test_a_role_that_sees_people_blurred_never_gets_the_picture_as_it_is(parts: Parts) -> None:
    client = browser(parts, "guest")
    give(parts, a_picture())
    (jpeg,) = wall(client)[1]
    before = cv2.imdecode(np.frombuffer(a_picture().jpeg, np.uint8), cv2.IMREAD_COLOR)
    after = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert before is not None
    assert after is not None
    assert after[32:48, 44:76].std() < 25 < before[32:48, 44:76].std(), "the head is blocks now"
    assert np.abs(after[100:].astype(int) - before[100:]).mean() < 20, "the rest is as it was"
    for bad in (a_picture(time_s=1_790_000_001.0, hide=None), LivePicture("gate-north", 1.0, b"no jpeg", {"hide": []})):
        give(parts, bad)
        assert wall(client)[1] == [], "what cannot be blurred is not shown"
    answer = client.get("/live/gate-north/video")
    assert (answer.status_code, answer.json()["code"]) == (403, "blurred_only")


def test_the_queue_has_the_gravest_first_and_only_cameras_of_the_scope(parts: Parts) -> None:
    rows = browser(parts, "wang").get("/live/queue").json()["rows"]
    assert [row["incident_id"] for row in rows] == ["case-yard", "case-gate-north"]
    rows = browser(parts, "yardman").get("/live/queue").json()["rows"]
    assert [row["incident_id"] for row in rows] == ["case-yard"]


@pytest.mark.parametrize(
    ("language", "label", "text"), [("en", "standing for", "3 min 20 s"), ("zh-CN", "停留", "3分20秒")]
)
def test_an_incident_is_told_in_the_language_of_the_page(parts: Parts, language: str, label: str, text: str) -> None:
    client = browser(parts, "wang")
    client.get(f"/now?language={language}")
    found = client.get("/live/incidents/case-gate-north").json()
    assert [label, text] in found["facts"]
    assert found["thread"]["state"] == "sent"
    assert found["action"] != ""
    assert browser(parts, "yardman").get("/live/incidents/case-gate-north").status_code == 404


def test_the_page_names_zones_and_no_address(parts: Parts) -> None:
    page = browser(parts, "wang").get("/now").text
    found = re.search(r'id="for-scripts">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    given = json.loads(found[1])
    assert given["data"]["cameras"][0]["zones"]["kerb"][0] == [0.1, 0.6]
    assert "192.0.2" not in page
    assert "hunter2" not in page
