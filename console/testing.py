"""A console for tests: a real store with two cameras' history, users of every role, and a token for each role and scope."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from threading import Event as Stop
from typing import Any, Final

from fastapi import FastAPI
from fastapi.testclient import TestClient

from console.app import create_app
from console.parts import Parts, parts_of
from pipelines.access.passwords import Passwords
from pipelines.access.roles import Role
from pipelines.clock import Clock
from pipelines.config.loader import load, load_text
from pipelines.config.schema import Config
from pipelines.events.envelope import Event, incident_event
from pipelines.store import incidents, outbox, threads
from pipelines.store.database import Database, sqlite_url
from pipelines.store.outbox import NewAlert, NewDelivery
from pipelines.store.threads import Thread
from pipelines.testing import an_incident
from vision.incident import Phase

PASSWORD: Final = "correct horse battery"
HOST: Final = "http://console"
NORTH: Final = "gate-north"
#: Its id, name, zone and rule stand nowhere else: nothing of it may reach whoever sees only the north gate.
SOUTH: Final = "backyard"
SECRETS: Final = ("hunter2", "192.0.2.")
CONFIG: Final = """
site: {name: North Primary School, language: en}
cameras:
  gate-north:
    name: 北门
    main: {url: "rtsp://guard:hunter2@192.0.2.10/main"}
    zones: {kerb: {polygon: [[0.1, 0.6], [0.9, 0.6], [0.9, 0.8]]}}
    rules: [{kind: illegal_parking, zone: kerb}]
  backyard:
    name: backyard 后院
    main: {url: "rtsp://guard:hunter2@192.0.2.11/main"}
    zones: {backyard-lawn: {polygon: [[0.1, 0.6], [0.9, 0.6], [0.9, 0.8]]}}
    rules: [{kind: crowding, zone: backyard-lawn, people: 20, severity: 1}]
"""
BARE: Final = """
site: {name: North, language: en}
cameras: {gate-north: {name: 北门, main: {url: "rtsp://u:hunter2@192.0.2.1/1"}}}
"""


@dataclasses.dataclass
class Site:
    """`published`: events that the console put on the bus."""

    parts: Parts
    app: FastAPI
    published: list[Event]
    tokens: dict[tuple[Role, str | None], str]

    def client(self, role: Role | None = None, camera: str | None = None) -> TestClient:
        """A program with a token of `role`, for the whole site or one camera; None: nobody."""
        headers = {} if role is None else {"Authorization": f"Bearer {self.tokens[role, camera]}"}
        return TestClient(self.app, HOST, headers=headers, follow_redirects=False)

    def tell(self, *ids: str, camera: str = NORTH, phase: Phase = Phase.OPENED, revision: int = 1, **more: Any) -> None:
        """Incidents as a dispatcher stores them: the record, a thread, an alert and its delivery."""
        zone = "kerb" if camera == NORTH else "backyard-lawn"
        name = "北门" if camera == NORTH else "backyard 后院"
        pictures: Sequence[dict[str, Any]] = more.pop("pictures", ())
        events = [
            incident_event(
                an_incident(
                    one, revision, phase, camera_id=camera, zone_id=zone, rule_id=f"illegal_parking:{zone}", **more
                ),
                "v1",
                name,
                pictures,
            )
            for one in ids
        ]
        with self.parts.database.write() as connection:
            incidents.apply(connection, [incidents.notice_of(event) for event in events], 1_790_000_190.0)
            threads.put(connection, [Thread(one, "sent", 2, step=0, created_s=1_790_000_190.0) for one in ids])
            outbox.put(
                connection,
                [NewAlert(f"alert-{one}", one, "guard", "incident", 2, False, 1_790_000_190.0) for one in ids],
                [
                    NewDelivery(
                        alert_id=f"alert-{one}",
                        incident_id=one,
                        recipient="guard",
                        channel="log",
                        idempotency_key=f"alert-{one}",
                        event_id=event.id,
                        event_s=1_790_000_190.0,
                    )
                    for one, event in zip(ids, events, strict=True)
                ],
                1_790_000_190.0,
            )


def a_site(folder: Path, clock: Clock, database: Database | None = None, *, more: str = "") -> Site:
    """Two incidents at the north gate and one in the backyard, each with a picture; nothing is recorded. `more`: YAML that is
    added to the configuration."""
    path = folder / "site.yaml"
    path.write_text(f"data: {json.dumps(str(folder))}\n{CONFIG}{more}", "utf-8")
    config = load(path).config
    database = database or Database(sqlite_url(folder))
    database.migrate()
    parts = parts_of(config, database, clock, Passwords.cheap(), Stop(), "v1", path)
    published: list[Event] = []
    parts.publish = published.append
    tokens: dict[tuple[Role, str | None], str] = {}
    for role in Role:
        parts.people.add_user(role.value, role, PASSWORD, by="setup")
        for camera in (None, NORTH):
            cameras = None if camera is None else [camera]
            tokens[role, camera] = parts.people.add_token(role.value, role, 86_400.0, by="setup", cameras=cameras)[1]
    site = Site(parts, create_app(parts), published, tokens)
    site.tell("north-1", "north-2", pictures=[a_picture(folder, "north-1")])
    site.tell("backyard-1", camera=SOUTH, pictures=[a_picture(folder, "backyard-1")])
    return site


def a_bare_console(folder: Path, clock: Clock) -> Parts:
    """A console where nothing happened: one camera, `root` who administers it and `wang` who guards it. Close its database."""
    config = load_text(BARE, "site.yaml", {}).model_copy(update={"data": folder})
    database = Database(sqlite_url(folder))
    database.migrate()
    parts = parts_of(config, database, clock, Passwords.cheap(), Stop())
    parts.people.add_user("root", Role.ADMIN, PASSWORD, by="setup")
    parts.people.add_user("wang", Role.GUARD, PASSWORD, by="root")
    return parts


def browser(parts: Parts, base: str = HOST) -> TestClient:
    """As a browser comes: it wants pages, says where it is from, and does not follow on its own."""
    return TestClient(create_app(parts), base, headers={"Accept": "text/html", "Origin": base}, follow_redirects=False)


def log_in(client: TestClient, name: str = "root", **more: str) -> str:
    """Returns the token that pages carry against forged requests."""
    answer = client.post("/login", data={"name": name, "password": PASSWORD, **more})
    assert answer.status_code == 303, answer.text
    return csrf_of(client)


def a_program(
    config: Config, database: Database, clock: Clock, role: Role, cameras: list[str] | None = None
) -> TestClient:
    """A program of `chen`'s on a store that is there already, with a token of `role` for `cameras`; None: for all."""
    parts = parts_of(config, database, clock, Passwords.cheap(), Stop(), "v")
    parts.people.add_user("chen", role, PASSWORD, by="setup")
    token = parts.people.add_token("chen", role, 86_400.0, by="setup", cameras=cameras)[1]
    return TestClient(create_app(parts), HOST, headers={"Authorization": f"Bearer {token}"})


def csrf_of(client: TestClient) -> str:
    """The token on the page of one's own account."""
    found = re.search(r'data-csrf="(\w+)"', client.get("/account").text)
    assert found is not None
    return found[1]


def a_picture(
    data: Path, incident_id: str, *, role: str = "limit", hide: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """A JPEG of 64 x 48 noise in the pictures' folder, as a worker leaves it; returns its record."""
    import cv2
    import numpy as np

    pixels = np.random.default_rng(len(role)).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    content = cv2.imencode(".jpg", pixels)[1].tobytes()
    path = data / "pictures" / "2026-09-21" / incident_id / f"{role}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    record: dict[str, Any] = {
        "role": role,
        "path": path.relative_to(data / "pictures").as_posix(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "source": "analysed stream",
        "width": 64,
        "height": 48,
        "captured_at": "2026-09-21T13:33:10.000Z",
    }
    boxes = [{"kind": "person", "x1_px": 8, "y1_px": 8, "x2_px": 40, "y2_px": 40}] if hide is None else hide
    path.with_suffix(".json").write_text(json.dumps(record | {"hide": boxes}))
    return record
