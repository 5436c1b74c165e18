"""Every route with every role and with nobody; and one camera's people learn nothing of another camera."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from console.access import Access, access_of, allow
from console.app import ROUTERS, create_app
from console.testing import HOST, NORTH, SECRETS, SOUTH, Site, a_site
from pipelines.access.roles import MATRIX, Permission, Role
from pipelines.clock import SystemClock
from pipelines.errors import Unavailable

#: Paths that stand for themselves whatever else is added; the walk below holds all others against their declaration.
EXPECTED = {
    ("GET", "/login"): "anybody",
    ("GET", "/account"): "viewer guard analyst admin",
    ("GET", "/people"): "admin",
    ("POST", "/people/users"): "admin",
    ("GET", "/history"): "guard analyst admin",
    ("GET", "/api/v1/exports/incidents"): "analyst admin",
    ("GET", "/api/v1/report"): "analyst admin",
    ("GET", "/api/v1/incidents"): "viewer guard analyst admin",
    ("GET", "/api/v1/events"): "viewer guard analyst admin",
    ("POST", "/api/v1/incidents/{incident_id}/acknowledge"): "guard admin",
    ("POST", "/api/v1/incidents/{incident_id}/verdict"): "guard analyst admin",
    ("POST", "/api/v1/cameras/{camera}/incidents"): "guard admin",
    ("POST", "/api/v1/cameras/{camera}/snoozes"): "guard admin",
    ("GET", "/api/v1/incidents/{incident_id}/clip"): "guard analyst admin",
    ("GET", "/api/v1/cameras/{camera}/segments/{start_ms}"): "guard analyst admin",
    ("GET", "/api/v1/cameras/{camera}/video"): "analyst admin",
    ("POST", "/api/v1/cameras/{camera}/snapshots"): "guard analyst admin",
    ("POST", "/api/v1/holds"): "analyst admin",
    ("POST", "/api/v1/holds/{hold_id}/release"): "admin",
    ("POST", "/api/v1/dead-letters/resend"): "admin",
    ("GET", "/api/v1/audit"): "admin",
    ("GET", "/cameras"): "admin",
    ("GET", "/api/v1/cameras/{camera}/configuration"): "admin",
    ("POST", "/api/v1/cameras/{camera}/configuration"): "admin",
    ("POST", "/api/v1/cameras/{camera}/configuration/effect"): "admin",
    ("GET", "/api/v1/configuration/versions/{number}"): "admin",
    ("POST", "/api/v1/configuration/versions/{number}/revert"): "admin",
}


@dataclass(frozen=True)
class Way:
    method: str
    path: str
    access: Access | None


WAYS = [
    Way(method, route.path, access_of(route.endpoint))
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods)
]
IDS = [f"{way.method} {way.path}" for way in WAYS]


def away(url: str) -> str:
    """No camera is asked for its video here."""
    raise Unavailable("no camera")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = a_site(tmp_path_factory.mktemp("site"), SystemClock())
    site.parts.videos.codec = away  # type: ignore[method-assign]
    # Roles are what is asked here, not how often.
    site.parts.by_caller.take = lambda _key: 0.0  # type: ignore[method-assign]
    site.parts.by_address.take = lambda _key: 0.0  # type: ignore[method-assign]
    yield site
    site.parts.database.close()


def filled(path: str, camera: str = NORTH) -> str:
    incident = "north-1" if camera == NORTH else "backyard-1"
    given = {"incident_id": incident, "alert_id": f"alert-{incident}", "camera": camera, "number": "0", "start_ms": "1"}
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda match: given.get(match[1], "1"), path)


def asked(client: TestClient, way: Way, camera: str = NORTH) -> Any:
    once = {"once": "true"} if way.path.endswith("/events") and "{" not in way.path else {}
    # Nothing is sent along: whoever may is told what is missing, and nothing is changed.
    return client.request(way.method, filled(way.path, camera), params=once)


def test_the_walk_meets_every_route_of_the_application(site: Site) -> None:
    assert len(WAYS) >= 35
    included = {id(router) for router in ROUTERS}
    for route in site.app.routes:
        assert id(getattr(route, "original_router", None)) in included, f"{route} stands beside the routers"
    for router in ROUTERS:
        assert [route for route in router.routes if not isinstance(route, APIRoute)] == []


@pytest.mark.parametrize("way", WAYS, ids=IDS)
def test_every_route_says_who_may(way: Way) -> None:
    assert way.access is not None


@pytest.mark.parametrize("way", WAYS, ids=IDS)
def test_every_route_admits_whom_it_says_and_nobody_else(site: Site, way: Way) -> None:
    assert way.access is not None
    told = EXPECTED.get((way.method, way.path))
    answer = asked(site.client(), way)
    if way.access.public:
        assert told in (None, "anybody")
        assert answer.status_code not in (401, 403)
        return
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    for role in Role:
        may = way.access.permission is None or way.access.permission in MATRIX[role]
        if told is not None:
            assert may == (role.value in told.split()), role
        for camera in (None, NORTH):
            answer = asked(site.client(role, camera), way)
            admitted = may and (camera is None or not way.access.whole_site)
            if admitted:
                assert answer.status_code not in (401, 500), answer.text
                assert answer.status_code != 403 or answer.json()["code"] in ("no_password", "blurred_only")
            else:
                assert answer.status_code == 403, answer.text
                assert answer.headers["content-type"] == "application/problem+json"


def test_nothing_is_expected_of_a_route_that_is_not_there() -> None:
    assert set(EXPECTED) <= {(way.method, way.path) for way in WAYS}


def test_a_route_that_does_not_say_who_may_is_closed_to_everybody(site: Site) -> None:
    app = create_app(site.parts)
    router = APIRouter()

    @router.get("/open")
    def forgotten() -> str:
        return "seen"

    @router.get("/said")
    @allow(Permission.SEE)
    def said() -> str:
        return "seen"

    app.include_router(router)
    for role in (None, *Role):
        headers = {} if role is None else {"Authorization": f"Bearer {site.tokens[role, None]}"}
        client = TestClient(app, HOST, headers=headers)
        assert client.get("/open").json()["code"] == "undeclared"
        assert client.get("/said").status_code == (401 if role is None else 200)


# One camera's people


@pytest.mark.parametrize("way", WAYS, ids=IDS)
@pytest.mark.parametrize("role", list(Role))
def test_what_is_out_of_scope_is_not_there(site: Site, way: Way, role: Role) -> None:
    """Asked for by name it is as unknown as what never was; in lists and pages it does not occur."""
    assert way.access is not None
    client = site.client(role, NORTH)
    answer = asked(client, way, SOUTH)
    named = set(re.findall(r"\{(\w+)\}", way.path)) & {"incident_id", "alert_id", "camera"}
    if named and way.access.permission in MATRIX[role] and not way.access.whole_site:
        assert answer.status_code == 404
        for one in named:
            never = filled(way.path.replace(f"{{{one}}}", "never-was"), SOUTH)
            assert client.request(way.method, never).json() == answer.json()
    if not way.access.public:
        assert "backyard" not in answer.text


def test_no_filter_finds_what_is_out_of_scope(site: Site) -> None:
    client = site.client(Role.ANALYST, NORTH)
    for query in (
        {"camera": SOUTH},
        {"zone": "backyard-lawn"},
        {"text": "backyard"},
        {"text": "后院"},
        {"kind": "illegal_parking"},
        {},
    ):
        found = client.get("/api/v1/incidents", params=query).json()["incidents"]
        assert {one["incident_id"] for one in found} <= {"north-1", "north-2"}, query
    assert client.get("/api/v1/alerts", params={"incident": "backyard-1"}).json()["alerts"] == []
    assert {one["incident_id"] for one in client.get("/api/v1/alerts").json()["alerts"]} == {"north-1", "north-2"}
    assert [one["camera"] for one in client.get("/api/v1/cameras").json()] == [NORTH]
    assert {one["incident_id"] for one in client.get("/api/v1/open").json()} == {"north-1", "north-2"}
    everybody = site.client(Role.ANALYST)
    assert len(everybody.get("/api/v1/incidents").json()["incidents"]) == 3


def test_pages_do_not_tell_how_much_is_hidden(site: Site) -> None:
    client = site.client(Role.ANALYST, NORTH)
    first = client.get("/api/v1/incidents", params={"limit": 2}).json()
    assert (len(first["incidents"]), first["cursor"]) == (2, None)


def test_the_stream_tells_only_of_ones_own_cameras(site: Site) -> None:
    for role in Role:
        text = site.client(role, NORTH).get("/api/v1/events", params={"once": True, "after": "0-0"}).text
        assert "north-1" in text
        assert "backyard" not in text
        assert "backyard-1" in site.client(role).get("/api/v1/events", params={"once": True, "after": "0-0"}).text


def test_no_secret_and_no_address_of_a_camera_is_ever_given(site: Site) -> None:
    assert all(secret in site.parts.config.cameras[NORTH].main.url for secret in SECRETS)
    given: set[str] = set()
    for way in WAYS:
        if way.method != "GET":
            continue
        for role in (None, *Role):
            answer = asked(site.client(role), way)
            assert not [secret for secret in SECRETS if secret in answer.text], (way, role)
            if answer.status_code == 200:
                given.add(way.path)
    # What was looked through are answers and no refusals; among them those that tell of cameras and their addresses.
    assert len(given) >= 30
    assert given >= {
        "/api/v1/cameras/{camera}",
        "/api/v1/cameras/{camera}/configuration",
        "/cameras",
        "/system",
        "/now",
    }
