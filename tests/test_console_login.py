"""Who gets into the console: log-in, cookies, CSRF, sessions that end, the first user, passwords and tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from console.app import create_app
from console.parts import Parts
from console.testing import HOST, PASSWORD, a_bare_console, browser, log_in
from pipelines.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def parts(tmp_path: Path, clock: FakeClock) -> Iterator[Parts]:
    parts = a_bare_console(tmp_path, clock)
    yield parts
    parts.database.close()


def test_nobody_sees_more_than_the_log_in(parts: Parts) -> None:
    client = browser(parts)
    assert client.get("/").headers["location"] == "/login"
    assert client.get("/people?x=1").headers["location"] == "/login?next=/people%3Fx%3D1"
    page = client.get("/login")
    assert page.status_code == 200
    assert "Log in" in page.text
    assert "hunter2" not in page.text


def test_the_log_in_leads_back_and_its_cookie_is_kept_from_scripts_and_other_sites(parts: Parts) -> None:
    client = browser(parts)
    answer = client.post("/login", data={"name": "root", "password": PASSWORD, "next": "/people"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/people")
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("gatewatch=")
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie
    assert "People and tokens" in client.get("/people").text


def test_over_tls_the_cookie_is_bound_to_it(parts: Parts) -> None:
    client = browser(parts, "https://console")
    answer = client.post("/login", data={"name": "root", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-gatewatch=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert client.get("/account").status_code == 200


@pytest.mark.parametrize(
    "next", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x", "/a\nb"]
)
def test_a_log_in_leads_nowhere_else(parts: Parts, next: str) -> None:
    client = browser(parts)
    answer = client.post("/login", data={"name": "root", "password": PASSWORD, "next": next})
    assert answer.headers["location"] == "/"


def test_a_wrong_password_is_told_without_saying_what_was_wrong(parts: Parts) -> None:
    client = browser(parts)
    texts = []
    for name in ("root", "nobody"):
        answer = client.post("/login", data={"name": name, "password": "wrong password"})
        assert answer.status_code == 401
        texts.append(answer.text.replace(name, ""))
    assert texts[0] == texts[1]
    assert "The name or the password is wrong" in texts[0]


def test_one_address_may_not_try_for_ever(parts: Parts, clock: FakeClock) -> None:
    client = browser(parts)
    codes = [client.post("/login", data={"name": f"n{n}", "password": "x"}).status_code for n in range(12)]
    assert codes == [401] * 10 + [429] * 2
    clock.advance(3.1)
    assert client.post("/login", data={"name": "root", "password": PASSWORD}).status_code == 303


def test_a_locked_name_is_told_how_long(parts: Parts, clock: FakeClock) -> None:
    client = browser(parts)
    for _ in range(5):
        client.post("/login", data={"name": "root", "password": "wrong"})
    answer = client.post("/login", data={"name": "root", "password": PASSWORD})
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "30"
    assert "30 s" in answer.text


def test_what_changes_something_comes_from_our_own_page(parts: Parts) -> None:
    client = browser(parts)
    csrf = log_in(client)
    form = {"name": "li", "role": "guard", "password": PASSWORD}
    for data, headers in (
        (form, {}),
        (form | {"csrf": "0" * 64}, {}),
        (form | {"csrf": csrf}, {"Origin": "https://evil.example"}),
        (form | {"csrf": csrf}, {"Origin": "null"}),
    ):
        answer = client.post("/people/users", data=data, headers={"Accept": "application/json", **headers})
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf")
    del client.headers["Origin"]
    assert client.post("/people/users", data=form | {"csrf": csrf}).status_code == 403
    client.headers["Origin"] = HOST
    assert client.post("/people/users", data=form | {"csrf": csrf}).status_code == 303
    assert client.post("/people/users/li/revoke", headers={"X-CSRF-Token": csrf}).status_code == 303
    assert [row["name"] for row in parts.people.users() if row["revoked_s"] is None] == ["root", "wang"]


def test_a_log_in_cannot_be_forged_either(parts: Parts) -> None:
    client = browser(parts)
    answer = client.post(
        "/login", data={"name": "root", "password": PASSWORD}, headers={"Origin": "https://evil.example"}
    )
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_another_sessions_token_does_not_fit(parts: Parts) -> None:
    one, two = browser(parts), browser(parts)
    first, second = log_in(one), log_in(two)
    assert first != second
    assert one.post("/logout", data={"csrf": second}).status_code == 403


def test_logging_out_ends_the_session_itself(parts: Parts) -> None:
    client = browser(parts)
    csrf = log_in(client)
    cookie = client.cookies["gatewatch"]
    assert client.post("/logout", data={"csrf": csrf}).headers["location"] == "/login"
    assert client.get("/account", headers={"Cookie": f"gatewatch={cookie}"}).status_code == 303


def test_idle_browsers_are_logged_out_and_walls_are_not(parts: Parts, clock: FakeClock) -> None:
    desk, wall, own = browser(parts), browser(parts), browser(parts)
    log_in(desk)
    log_in(own)
    log_in(wall, "wang", wall="yes")
    for _ in range(4):
        clock.advance(900.0)
        assert desk.get("/alive").status_code == 204
        if _ == 0:
            assert own.get("/alive", headers={"Gatewatch-Background": "1"}).status_code == 204
    assert own.get("/account").status_code == 303
    clock.advance(1801.0)
    assert desk.get("/account").status_code == 303
    assert wall.get("/account").status_code == 200


def test_the_first_user_is_made_by_a_link_that_works_once(parts: Parts, clock: FakeClock) -> None:
    client = browser(parts)
    assert client.get("/setup/").status_code == 404
    assert client.get("/setup/guess").status_code == 404
    parts.setup_secret, parts.setup_until_s = "s3cret", clock.monotonic_s() + 3600.0
    assert client.get("/setup/guess").status_code == 404
    assert client.get("/setup/s3cret").status_code == 200
    form = {"name": "one", "password": PASSWORD, "again": PASSWORD}
    for row in parts.people.users():
        with parts.database.write() as connection:
            connection.exec_driver_sql("UPDATE users SET revoked_s = 1 WHERE name = ?", (row["name"],))
    assert client.post("/setup/s3cret", data=form | {"again": "other"}).status_code == 422
    assert client.post("/setup/s3cret", data=form | {"password": "short", "again": "short"}).status_code == 422
    assert client.post("/setup/s3cret", data=form).headers["location"] == "/login"
    assert client.post("/setup/s3cret", data=form).status_code == 404
    assert client.post("/login", data={"name": "one", "password": PASSWORD}).status_code == 303


def test_the_link_is_good_for_an_hour(parts: Parts, clock: FakeClock) -> None:
    parts.setup_secret, parts.setup_until_s = "s3cret", clock.monotonic_s() + 3600.0
    clock.advance(3601.0)
    assert browser(parts).get("/setup/s3cret").status_code == 404


def test_ones_own_password_is_changed_with_the_old_one(parts: Parts) -> None:
    client = browser(parts)
    csrf = log_in(client, "wang")
    other = browser(parts)
    log_in(other, "wang")
    form = {"csrf": csrf, "old": PASSWORD, "password": PASSWORD + "!", "again": PASSWORD + "!"}
    assert client.post("/account/password", data=form | {"old": "wrong"}).status_code == 422
    assert client.post("/account/password", data=form | {"again": "x"}).status_code == 422
    assert client.post("/account/password", data=form).status_code == 200
    assert client.get("/account").status_code == 200
    assert other.get("/account").status_code == 303


def test_a_token_is_shown_once_and_is_no_log_in_for_forms(parts: Parts) -> None:
    client = browser(parts)
    csrf = log_in(client)
    page = client.post("/people/tokens", data={"csrf": csrf, "name": "wall", "role": "viewer", "days": "30"})
    found = re.search(r"gw_[0-9a-f]{12}_[\w-]{43}", page.text)
    assert found is not None
    assert found[0] not in client.get("/people").text
    program = TestClient(create_app(parts), HOST, headers={"Authorization": f"Bearer {found[0]}"})
    assert program.get("/account").status_code == 200
    assert program.get("/people").status_code == 403
