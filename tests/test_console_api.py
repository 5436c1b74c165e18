"""The API's answers: lists and pages, what people do, pictures, dead letters, the audit, refusals, rates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.limits import Buckets
from console.testing import NORTH, SOUTH, Site, a_picture, a_site
from pipelines.access.roles import Role
from pipelines.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_790_000_300.0)


@pytest.fixture
def site(tmp_path: Path, clock: FakeClock) -> Iterator[Site]:
    site = a_site(tmp_path, clock)
    yield site
    site.parts.database.close()


def audit(site: Site, action: str) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = (
        site.client(Role.ADMIN).get("/api/v1/audit", params={"action": action}).json()["lines"]
    )
    return lines


def test_incidents_are_listed_a_page_at_a_time(site: Site) -> None:
    client = site.client(Role.VIEWER)
    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": 2} | ({} if cursor is None else {"cursor": cursor})
        page = client.get("/api/v1/incidents", params=query).json()
        seen += [one["incident_id"] for one in page["incidents"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert sorted(seen) == ["backyard-1", "north-1", "north-2"]
    bad = client.get("/api/v1/incidents", params={"cursor": "rubbish"})
    assert (bad.status_code, bad.headers["content-type"]) == (422, "application/problem+json")


def test_filters(site: Site) -> None:
    client = site.client(Role.VIEWER)
    for query, count in (
        ({"camera": NORTH}, 2),
        ({"camera": SOUTH, "severity": 2}, 1),
        ({"severity": 1}, 0),
        ({"kind": "crowding"}, 0),
        ({"zone": "kerb"}, 2),
        ({"state": "open"}, 3),
        ({"state": "closed"}, 0),
        ({"verdict": "none"}, 3),
        ({"text": "NORTH-1"}, 1),
        ({"since_s": 1_790_000_181}, 0),
        ({"until_s": 1_790_000_181}, 3),
    ):
        found = client.get("/api/v1/incidents", params=query).json()["incidents"]  # type: ignore[arg-type]
        assert len(found) == count, query


def test_an_incident_is_shown_with_everything_that_belongs_to_it(site: Site) -> None:
    client = site.client(Role.VIEWER)
    found = client.get("/api/v1/incidents/north-1").json()
    assert found["thread"]["state"] == "sent"
    assert found["evidence"] == {"stopped": {"value": 180.0, "unit": "s"}}
    assert found["pictures"][0]["url"] == "/api/v1/incidents/north-1/pictures/0"
    assert "path" not in found["pictures"][0]
    assert [one["alert_id"] for one in found["alerts"]] == ["alert-north-1"]
    assert found["alerts"][0]["deliveries"][0]["channel"] == "log"
    events = client.get("/api/v1/incidents/north-1/events").json()
    assert [one["type"] for one in events] == ["incident.opened"]
    assert len(client.get("/api/v1/incidents/north-1/deliveries").json()) == 1
    assert client.get("/api/v1/alerts/alert-north-1").json()["incident_id"] == "north-1"
    assert client.get("/api/v1/incidents/north").status_code == 404, "the beginning of an id is not enough"


def test_an_alert_is_answered_step_by_step_and_the_second_is_told_who_was_first(site: Site) -> None:
    guard, admin = site.client(Role.GUARD), site.client(Role.ADMIN)
    thread = guard.post("/api/v1/incidents/north-1/acknowledge", json={"note": "going"}).json()
    assert (thread["state"], thread["acknowledged_by"]) == ("acknowledged", "token:guard")
    second = admin.post("/api/v1/incidents/north-1/acknowledge", json={})
    assert second.status_code == 409
    assert second.headers["content-type"] == "application/problem+json"
    assert second.json()["who"] == "token:guard"
    assert second.json()["state"] == "acknowledged"
    assert guard.post("/api/v1/incidents/north-1/on-site", json={}).json()["state"] == "on_site"
    assert guard.post("/api/v1/incidents/north-1/note", json={"text": "a white van"}).status_code == 204
    closed = guard.post("/api/v1/incidents/north-1/close", json={"verdict": "true"}).json()
    assert closed["state"] == "closed"
    again = site.client(Role.ANALYST).post("/api/v1/incidents/north-1/verdict", json={"verdict": "duplicate"})
    assert again.status_code == 200
    shown = guard.get("/api/v1/incidents/north-1").json()
    assert shown["verdict"] == "duplicate"
    assert [one["verdict"] for one in shown["verdicts"]] == ["true", "duplicate"]
    assert "a white van" in [one["note"] for one in shown["log"]]
    assert {one["incident_id"] for one in guard.get("/api/v1/open").json()} == {"north-2", "backyard-1"}
    assert guard.post("/api/v1/incidents/north-1/close", json={"verdict": "maybe"}).status_code == 422
    assert guard.post("/api/v1/incidents/north-1/close", json={"verdict": "true", "x": 1}).status_code == 422


def test_an_incident_by_hand_goes_to_the_bus(site: Site, clock: FakeClock) -> None:
    guard = site.client(Role.GUARD, NORTH)
    asked = {"kind": "other", "zone": "kerb", "note": "a fight", "plate": "京A12345"}
    answer = guard.post(f"/api/v1/cameras/{NORTH}/incidents", json=asked)
    assert answer.status_code == 202
    (event,) = site.published
    assert event.data["incident_id"] == answer.json()["incident_id"]
    assert event.data["evidence"]["raised_by"]["value"] == "token:guard"
    assert event.data["camera_name"] == "北门"
    for wrong in (
        {"kind": "nonsense"},
        {"kind": "other", "zone": "lawn"},
        {"kind": "other", "at_s": clock.now_s() + 999},
    ):
        assert guard.post(f"/api/v1/cameras/{NORTH}/incidents", json=wrong).status_code == 422
    assert guard.post("/api/v1/cameras/nowhere/incidents", json=asked).status_code == 404


def test_a_rule_is_silenced_with_a_reason_and_heard_again(site: Site, clock: FakeClock) -> None:
    guard = site.client(Role.GUARD)
    path = f"/api/v1/cameras/{NORTH}/snoozes"
    asked = {"rule": "illegal_parking:kerb", "until_s": clock.now_s() + 600, "reason": "road works"}
    number = guard.post(path, json=asked).json()["snooze_id"]
    (camera,) = [one for one in guard.get("/api/v1/cameras").json() if one["camera"] == NORTH]
    assert [one["reason"] for one in camera["snoozes"]] == ["road works"]
    assert camera["open_incidents"] == 2
    assert [one["snooze_id"] for one in guard.get("/api/v1/snoozes").json()] == [number]
    assert site.client(Role.GUARD, NORTH).delete(f"{path}/{number}").status_code == 204
    assert guard.delete(f"{path}/{number}").status_code == 404
    assert guard.post(path, json=asked | {"rule": "no:rule"}).status_code == 422
    level1 = asked | {"rule": "crowding:backyard-lawn"}
    refused = guard.post(f"/api/v1/cameras/{SOUTH}/snoozes", json=level1)
    assert refused.status_code == 422
    assert "level 1" in refused.json()["detail"]
    assert {line["action"] for line in audit(site, "snooze")} == {"snooze"}


def test_pictures_are_blurred_for_whom_the_configuration_says_and_every_viewing_is_in_the_audit(
    site: Site, tmp_path: Path, clock: FakeClock
) -> None:
    path = "/api/v1/incidents/north-1/pictures/0"
    original = site.client(Role.GUARD).get(path)
    blurred = site.client(Role.VIEWER).get(path)
    assert original.headers["content-type"] == blurred.headers["content-type"] == "image/jpeg"
    assert original.content == (tmp_path / "pictures/2026-09-21/north-1/limit.jpg").read_bytes()
    assert blurred.content != original.content
    for _ in range(3):
        site.client(Role.GUARD).get(path)
    lines = audit(site, "picture.view")
    assert [(line["who"], line["detail"]["blurred"]) for line in lines] == [
        ("token:viewer", True),
        ("token:guard", False),
    ]
    clock.advance(301.0)
    site.client(Role.GUARD).get(path)
    assert len(audit(site, "picture.view")) == 3
    a_picture(tmp_path, "north-1", hide=[{"kind": "nobody looked"}])
    assert site.client(Role.VIEWER).get(path).status_code == 404
    assert site.client(Role.GUARD).get("/api/v1/incidents/north-1/pictures/1").status_code == 404
    assert site.client(Role.GUARD).get("/api/v1/incidents/north-2/pictures/0").status_code == 200


def test_dead_letters_are_sent_again(site: Site) -> None:
    with site.parts.database.write() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'dead', reason = 'gone' WHERE delivery_id < 3")
    admin = site.client(Role.ADMIN)
    dead = admin.get("/api/v1/dead-letters").json()
    assert [(one["delivery_id"], one["reason"]) for one in dead] == [(2, "gone"), (1, "gone")]
    assert admin.post("/api/v1/dead-letters/resend", json={"deliveries": [1, 3]}).json() == {"deliveries": [1]}
    assert admin.post("/api/v1/dead-letters/resend", json={"deliveries": None}).json() == {"deliveries": [2]}
    assert admin.get("/api/v1/dead-letters").json() == []
    assert {line["who"] for line in audit(site, "resend")} == {"token:admin"}


def test_the_audit_is_read_a_page_at_a_time(site: Site) -> None:
    admin = site.client(Role.ADMIN)
    seen: list[int] = []
    cursor = None
    for _ in range(20):
        query = {"limit": 5} | ({} if cursor is None else {"cursor": cursor})
        page = admin.get("/api/v1/audit", params=query).json()
        seen += [line["audit_id"] for line in page["lines"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 12  # four users, eight tokens
    assert {line["action"] for line in audit(site, "user")} == {"user.add"}
    assert admin.get("/api/v1/audit", params={"who": "nobody"}).json()["lines"] == []
    assert admin.get("/api/v1/audit", params={"cursor": "x"}).status_code == 422


def test_a_caller_that_asks_too_much_is_told_to_wait_and_others_are_not(site: Site, clock: FakeClock) -> None:
    site.parts.by_caller = Buckets(50.0, 20.0, clock)
    guard = site.client(Role.GUARD)
    codes = [guard.get("/api/v1/snoozes").status_code for _ in range(25)]
    assert codes == [200] * 20 + [429] * 5
    refused = guard.get("/api/v1/snoozes")
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["status"] == 429
    assert site.client(Role.VIEWER).get("/api/v1/snoozes").status_code == 200
    clock.advance(0.1)
    assert guard.get("/api/v1/snoozes").status_code == 200


def test_a_token_that_is_over_is_refused_at_once(site: Site, clock: FakeClock) -> None:
    guard = site.client(Role.GUARD)
    assert guard.get("/api/v1/snoozes").status_code == 200
    (row,) = [row for row in site.parts.people.tokens() if row["name"] == "guard" and row["cameras"] is None]
    site.parts.people.revoke_token(row["token_id"], by="root")
    refused = guard.get("/api/v1/snoozes")
    assert refused.status_code == 401
    assert "invalid_token" in refused.headers["www-authenticate"]
    assert site.client(Role.VIEWER).get("/api/v1/snoozes").status_code == 200
    clock.advance(86_400.0)
    assert site.client(Role.VIEWER).get("/api/v1/snoozes").status_code == 401


def test_every_refusal_is_a_problem_document(site: Site) -> None:
    client = site.client(Role.ADMIN)
    for method, path, status in (
        ("GET", "/api/v1/nothing", 404),
        ("DELETE", "/api/v1/incidents", 405),
        ("GET", "/api/v1/incidents?limit=0", 422),
        ("GET", "/api/v1/incidents?since_s=nan", 422),
        ("GET", "/api/v1/incidents?text=%00", 422),
        ("POST", "/api/v1/incidents/north-1/acknowledge", 422),
        ("GET", "/api/v1/cameras/gate-north/timeline?from_s=0&to_s=1", 503),
    ):
        answer = client.request(method, path)
        assert answer.status_code == status, path
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert body["status"] == status
        assert all(isinstance(body[name], str) for name in ("type", "title", "code", "detail"))


def test_the_document_says_how_one_is_let_in_and_what_a_refusal_is(site: Site) -> None:
    document = site.client(Role.VIEWER).get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert not [path for path in document["paths"] if not path.startswith("/api/v1/")]
    for operations in document["paths"].values():
        for operation in operations.values():
            assert {"401", "403", "422", "429"} <= set(operation["responses"])
            assert list(operation["responses"]["403"]["content"]) == ["application/problem+json"]
            assert operation["description"], operation
