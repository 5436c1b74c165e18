"""Each role, with the whole site and with one camera, follows every link and asks every route: no secret, no camera's address,
nothing of a camera out of scope, and no picture of people as they are reaches whoever may not see it."""

from __future__ import annotations

import dataclasses
import html
import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient

from console.app import ROUTERS
from console.testing import HOST, NORTH, PASSWORD, SOUTH, Site, a_picture, a_site
from pipelines.access.people import digest
from pipelines.access.roles import Role
from pipelines.config.secrets import secrets
from pipelines.errors import Unavailable
from pipelines.events.live import LivePicture
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.recording.footage import Footage
from pipelines.store import handovers, schema, threads
from pipelines.testing import FakeClock

if TYPE_CHECKING:
    from conftest import FilledVolume

MORNING_S = 1_772_438_400.0
#: Beside those of `a_site`: a key of each sort that a configuration may hold.
MORE = """
console: {blurred_for: [viewer, analyst]}
redis: {url: "redis://:redis-sesame@192.0.2.77:6379/0"}
channels:
  webhook: {url: "https://alerts.example/in", secret: "webhook-sesame-0123456789abcdef"}
recipients:
  head: {channels: [webhook]}
rosters:
  guards: [{schedule: daily 00:00-24:00, people: [head]}]
"""
#: Beyond so many addresses something turns in a circle.
MOST = 600


@pytest.fixture
def site(tmp_path: Path, filled: FilledVolume) -> Iterator[Site]:
    clock = FakeClock(MORNING_S + 100.0)
    for camera in (NORTH, SOUTH):
        filled.add(camera, count=3)
    site = a_site(tmp_path, clock, more=MORE)
    for camera in (NORTH, SOUTH):
        name = "at-eight" if camera == NORTH else "backyard-at-eight"
        times = {"first_seen_s": MORNING_S + 1, "opened_s": MORNING_S + 2, "time_s": MORNING_S + 2}
        site.tell(name, camera=camera, pictures=[a_picture(tmp_path, name)], **times)
        site.parts.live._take(camera, live_picture(camera).to_bytes())
    with site.parts.database.write() as connection:
        threads.add_verdict(connection, "at-eight", "true", who="guard", now_s=MORNING_S + 50, note="")
        for cameras in (None, [NORTH]):
            sheet = {"from_s": MORNING_S, "until_s": MORNING_S + 60, "cameras": cameras, "note": "", "who": "guard"}
            names = {NORTH: "北门"} | ({SOUTH: "backyard 后院"} if cameras is None else {})
            handovers.give(connection, **sheet, sheet=EMPTY | {"cameras": names}, now_s=MORNING_S + 60)  # type: ignore[arg-type]
    site.parts.by_caller.take = lambda _key: 0.0  # type: ignore[method-assign]
    site.parts.by_address.take = lambda _key: 0.0  # type: ignore[method-assign]
    site.parts.videos.codec = away  # type: ignore[method-assign]
    footage = Footage(filled.volume, Ffmpeg.find(None), clock, pre_s=1.0, post_s=1.0)
    footage.make_clip("at-eight", NORTH, MORNING_S + 2, MORNING_S + 3)
    site.parts.footage = lambda: footage
    for role in Role:
        site.parts.people.add_user(f"{role}-north", role, PASSWORD, by="setup", cameras=[NORTH])
    yield site
    site.parts.database.close()


EMPTY: dict[str, Any] = {name: [] for name in ("counts", "grave", "open", "missed", "snoozes", "dead", "faults")}
EMPTY |= {"version": 1, "made_s": MORNING_S, "site": "North", "timezone": "UTC", "on_duty": [], "next": []}


def away(url: str) -> str:
    raise Unavailable("no camera")


def live_picture(camera: str) -> LivePicture:
    """Noise with somebody in the middle."""
    pixels = np.random.default_rng(3).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    seen: dict[str, Any] = {"boxes": [], "rules": [], "view": "usable", "hide": [["person", 0.25, 0.25, 0.5, 0.75]]}
    return LivePicture(camera, MORNING_S + 90.0, jpeg, seen)


@dataclasses.dataclass
class Crawl:
    """`answers`: address -> what came back. `client` is logged in as a person with a browser."""

    client: TestClient
    answers: dict[str, Any] = dataclasses.field(default_factory=dict)

    def run(self, begin: list[str]) -> None:
        waiting = list(begin)
        while waiting:
            address = waiting.pop()
            if address in self.answers or not self.wanted(address):
                continue
            assert len(self.answers) < MOST, sorted(self.answers)[-20:]
            answer = self.client.get(address)
            self.answers[address] = answer
            assert answer.status_code != 500, (address, answer.text)
            waiting += links(answer)

    def wanted(self, address: str) -> bool:
        path = urlsplit(address).path
        # A language is no other page; a stream does not end by itself.
        return "language=" not in address and path != "/logout" and (path != "/api/v1/events" or "once=" in address)


def links(answer: Any) -> Iterator[str]:
    """Whatever looks like an address of ours: attributes, strings in JSON, also in the data blocks of pages."""
    kind = answer.headers.get("content-type", "")
    if "location" in answer.headers:
        yield answer.headers["location"].removeprefix(HOST)
    if kind.startswith("text/html"):
        for found in re.findall(r'(?:href|src|action)="([^"]+)"', answer.text):
            text = html.unescape(found)
            yield urlsplit(str(answer.url)).path + text if text.startswith("?") else text
    if "json" in kind or kind.startswith("text/html"):
        yield from (found for found in re.findall(r'"(/[a-z][^"\\ {}]*)"', answer.text) if not found.startswith("//"))


def routes() -> Iterator[str]:
    """Every GET route, filled with what is in scope, out of it, and what never was."""
    span = f"from_s={MORNING_S}&to_s={MORNING_S + 60}&until_s={MORNING_S + 60}&since_s=0&reason=look&once=true&after=0"
    for router in ROUTERS:
        for route in router.routes:
            if "GET" not in getattr(route, "methods", ()):
                continue
            for incident, camera, number in (("at-eight", NORTH, 0), ("backyard-at-eight", SOUTH, 1), ("x", "x", 9)):
                given = {"incident_id": incident, "alert_id": f"alert-{incident}", "camera": camera, "number": number}
                given |= {"start_ms": round(MORNING_S * 1000), "handover_id": 1 + number, "effect_id": "0" * 32}
                path = route.path
                for word in re.findall(r"\{(\w+)\}", path):
                    path = path.replace(f"{{{word}}}", str(given.get(word, "x")))
                yield path
                yield f"{path}?{span}" if path != "/api/v1/events" else f"{path}?once=true&after=0-0"


def crawled(site: Site, name: str) -> Crawl:
    client = TestClient(site.app, HOST, headers={"Accept": "text/html", "Origin": HOST}, follow_redirects=False)
    assert client.post("/login?language=en", data={"name": name, "password": PASSWORD}).status_code == 303
    crawl = Crawl(client)
    crawl.run(["/", *routes()])
    # Refusals have another form for scripts.
    client.headers["Accept"] = "application/json"
    again = Crawl(client)
    again.run([address for address, answer in crawl.answers.items() if answer.status_code >= 300])
    return Crawl(client, crawl.answers | {f"{address} (JSON)": answer for address, answer in again.answers.items()})


def text_of(answer: Any) -> str:
    """Body and headers, whatever the body is; the caller's own cookie is theirs."""
    headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items() if name != "set-cookie")
    return headers + "\n" + answer.content.decode("utf-8", "replace")


def forbidden(site: Site) -> dict[str, str]:
    """What nobody's page may hold, with what it is."""
    config = site.parts.config
    found = dict.fromkeys(secrets(config), "a secret of the configuration")
    for camera in config.cameras.values():
        found[urlsplit(camera.main.url).netloc] = "a camera's address"
        found[str(urlsplit(camera.main.url).hostname)] = "a camera's host"
    found["192.0.2.77"] = "where the bus is"
    with site.parts.database.read() as connection:
        for row in connection.execute(schema.metadata.tables["users"].select()):
            found[row.password_hash] = "the hash of a password"
        for row in connection.execute(schema.metadata.tables["api_tokens"].select()):
            found[row.secret_hash] = "the hash of a token"
        for row in connection.execute(schema.metadata.tables["sessions"].select()):
            found[row.session_hash] = "the hash of a session"
    found |= dict.fromkeys(site.tokens.values(), "a token")
    found |= {digest(token): "the hash of a token" for token in site.tokens.values()}
    found["$argon2"] = "the hash of a password"
    found["rtsp://"] = "a camera's address"
    assert len(found) > 20
    return found


@pytest.mark.parametrize("scope", ["site", "north"])
@pytest.mark.parametrize("role", list(Role))
def test_a_role_sees_what_it_may_and_nothing_else(site: Site, role: Role, scope: str, tmp_path: Path) -> None:
    found = crawled(site, role.value if scope == "site" else f"{role}-north").answers
    pages = {urlsplit(address).path for address, answer in found.items() if answer.status_code == 200}
    assert {"/now", "/account", "/live/queue"} <= pages
    assert ("/handover/2" in pages) == (role is not Role.VIEWER)
    assert ("/system" in pages) == ("/people" in pages) == (role is Role.ADMIN and scope == "site")
    assert ('href="/footage"' in found["/now"].text) == (role in (Role.GUARD, Role.ADMIN))
    never = forbidden(site)
    for address, answer in found.items():
        text = text_of(answer)
        told = [why for secret, why in never.items() if secret in text]
        assert told == [], (address, told)
        if scope == "north" and not address.startswith("/static/"):
            # What was asked for stands in the address of the log-in and in refusals of bad values only.
            assert "backyard" not in text.replace("backyard-at-eight", "").replace("alert-", ""), address
            assert "backyard" not in answer.headers.get("location", ""), address
    check_pictures(site, role, found, tmp_path)


def check_pictures(site: Site, role: Role, found: dict[str, Any], data: Path) -> None:
    """Who sees people only blurred gets every picture changed where somebody is, and no video at all; the others get it as
    it was stored."""
    blurred = role.value in site.parts.config.console.blurred_for
    seen = 0
    for address, answer in found.items():
        kind = answer.headers.get("content-type", "")
        assert not (blurred and kind.startswith("video/")), address
        if answer.status_code != 200:
            continue
        if kind == "image/jpeg":
            # All of `a_picture` are alike.
            original = (data / "pictures" / "2026-09-21" / "at-eight" / "limit.jpg").read_bytes()
            seen += compare(answer.content, original, (slice(8, 16), slice(12, 36)), blurred)
        elif urlsplit(address).path == "/live/wall":
            (length,) = struct.unpack_from(">I", answer.content)
            at = 4 + length
            for one in json.loads(answer.content[4:at])["cameras"]:
                original = live_picture(one["camera"]).jpeg
                part = answer.content[at : at + one["bytes"]]
                seen += compare(part, original, (slice(32, 44), slice(46, 74)), blurred)
                at += one["bytes"]
            assert at == len(answer.content)
    assert seen >= 3
    videos = [one for one in found.values() if one.status_code == 200 and one.headers["content-type"] == "video/mp4"]
    assert bool(videos) == (role in (Role.GUARD, Role.ADMIN))


def compare(shown: bytes, original: bytes, where: tuple[slice, slice], blurred: bool) -> int:
    before, after = (cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR) for one in (original, shown))
    assert before is not None
    assert after is not None
    assert before.shape == after.shape
    if blurred:
        # Of the noise in the head nothing is left but blocks.
        assert after[where].std() < 40 < before[where].std()
    else:
        assert shown == original
    return 1
