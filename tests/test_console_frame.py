"""The frame of the console: log-in, cookies, CSRF, headers, languages, static files, and the form of refusals."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from fastapi.testclient import TestClient

from console.app import create_app
from console.parts import Parts, parts_of
from console.wording import FOLDER, Words
from pipelines.access.passwords import Passwords
from pipelines.access.roles import Role
from pipelines.config.loader import load_text
from pipelines.errors import GatewatchError
from pipelines.store.database import Database, sqlite_url
from pipelines.testing import FakeClock

GOOD = "correct horse battery"
HOST = "http://console"
SITE = "site: {name: North, language: en}\ncameras: {gate-north: {name: 北门, main: {url: 'rtsp://u:hunter2@192.0.2.1/1'}}}\n"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def parts(tmp_path: Path, clock: FakeClock) -> Iterator[Parts]:
    config = load_text(SITE, "site.yaml", {}).model_copy(update={"data": tmp_path})
    database = Database(sqlite_url(tmp_path))
    database.migrate()
    parts = parts_of(config, database, clock, Passwords.cheap(), Event())
    parts.people.add_user("root", Role.ADMIN, GOOD, by="setup")
    parts.people.add_user("wang", Role.GUARD, GOOD, by="root")
    yield parts
    database.close()


def browser(parts: Parts, base: str = HOST) -> TestClient:
    return TestClient(create_app(parts), base, headers={"Accept": "text/html", "Origin": base}, follow_redirects=False)


def log_in(client: TestClient, name: str = "root", **more: str) -> str:
    """Returns the token that pages carry against forged requests."""
    answer = client.post("/login", data={"name": name, "password": GOOD, **more})
    assert answer.status_code == 303, answer.text
    return csrf_of(client)


def csrf_of(client: TestClient) -> str:
    found = re.search(r'data-csrf="(\w+)"', client.get("/account").text)
    assert found is not None
    return found[1]


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
    answer = client.post("/login", data={"name": "root", "password": GOOD, "next": "/people"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/people")
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("gatewatch=")
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie
    assert "People and tokens" in client.get("/people").text


def test_over_tls_the_cookie_is_bound_to_it(parts: Parts) -> None:
    client = browser(parts, "https://console")
    answer = client.post("/login", data={"name": "root", "password": GOOD})
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
    answer = client.post("/login", data={"name": "root", "password": GOOD, "next": next})
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
    assert client.post("/login", data={"name": "root", "password": GOOD}).status_code == 303


def test_a_locked_name_is_told_how_long(parts: Parts, clock: FakeClock) -> None:
    client = browser(parts)
    for _ in range(5):
        client.post("/login", data={"name": "root", "password": "wrong"})
    answer = client.post("/login", data={"name": "root", "password": GOOD})
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "30"
    assert "30 s" in answer.text


def test_what_changes_something_comes_from_our_own_page(parts: Parts) -> None:
    client = browser(parts)
    csrf = log_in(client)
    form = {"name": "li", "role": "guard", "password": GOOD}
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
    answer = client.post("/login", data={"name": "root", "password": GOOD}, headers={"Origin": "https://evil.example"})
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
    form = {"name": "one", "password": GOOD, "again": GOOD}
    for row in parts.people.users():
        with parts.database.write() as connection:
            connection.exec_driver_sql("UPDATE users SET revoked_s = 1 WHERE name = ?", (row["name"],))
    assert client.post("/setup/s3cret", data=form | {"again": "other"}).status_code == 422
    assert client.post("/setup/s3cret", data=form | {"password": "short", "again": "short"}).status_code == 422
    assert client.post("/setup/s3cret", data=form).headers["location"] == "/login"
    assert client.post("/setup/s3cret", data=form).status_code == 404
    assert client.post("/login", data={"name": "one", "password": GOOD}).status_code == 303


def test_the_link_is_good_for_an_hour(parts: Parts, clock: FakeClock) -> None:
    parts.setup_secret, parts.setup_until_s = "s3cret", clock.monotonic_s() + 3600.0
    clock.advance(3601.0)
    assert browser(parts).get("/setup/s3cret").status_code == 404


def test_ones_own_password_is_changed_with_the_old_one(parts: Parts) -> None:
    client = browser(parts)
    csrf = log_in(client, "wang")
    other = browser(parts)
    log_in(other, "wang")
    form = {"csrf": csrf, "old": GOOD, "password": GOOD + "!", "again": GOOD + "!"}
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


HEADERS = {
    "content-security-policy": "default-src 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.mark.parametrize("path", ["/login", "/nothing", "/people", "/static/x/gatewatch.css"])
def test_every_answer_carries_the_headers(parts: Parts, path: str) -> None:
    answer = browser(parts).get(path)
    for name, beginning in HEADERS.items():
        assert answer.headers[name].startswith(beginning)
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["cache-control"] == (
        "public, max-age=31536000, immutable" if path.startswith("/static") else "no-store"
    )


def test_pages_hold_nothing_inline_and_nothing_of_others(parts: Parts) -> None:
    client = browser(parts)
    pages = [client.get("/login").text]
    log_in(client)
    pages += [client.get(path).text for path in ("/account", "/people", "/nothing")]
    for page in pages:
        assert not re.search(r"<[^>]+\s(style|on\w+)=", page)
        assert not re.search(r"<style|javascript:", page)
        scripts = re.findall(r"<script([^>]*)>([^<]*)<", page)
        assert [body for attributes, body in scripts if body.strip() and "application/json" not in attributes] == []
        links = re.findall(r'(?:src|href|action)="([^"]*)"', page)
        assert links
        assert [link for link in links if not re.match(r"(/(?!/)|\?|#)", link)] == []
        for link in links:
            if link.startswith("/static/"):
                assert client.get(link).status_code == 200


def test_a_refusal_is_a_problem_document_for_programs_and_a_page_for_people(parts: Parts) -> None:
    client = TestClient(create_app(parts), HOST)
    for method, path, status in (
        ("GET", "/people", 401),
        ("GET", "/nothing", 404),
        ("DELETE", "/login", 405),
        ("POST", "/login", 422),
    ):
        answer = client.request(method, path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert body["status"] == status
        assert {"type", "title", "detail", "code"} <= set(body)
    page = browser(parts).get("/nothing")
    assert page.status_code == 404
    assert "There is no such page" in page.text


def test_what_is_too_long_is_refused_before_it_is_read(parts: Parts) -> None:
    client = TestClient(create_app(parts), HOST)
    for content in (b"x" * 300_000, iter([b"x" * 100_000] * 3)):
        answer = client.post("/login", content=content)
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == 413
        assert "content-security-policy" in answer.headers


def test_a_fault_of_ours_tells_nothing_of_our_inside(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(type(parts.sessions), "log_in", broken)
    client = TestClient(create_app(parts), HOST, raise_server_exceptions=False)
    answer = client.post("/login", data={"name": "root", "password": GOOD})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "hunter2" not in answer.text


def test_a_bad_password_is_not_repeated_in_the_refusal(parts: Parts) -> None:
    answer = TestClient(create_app(parts), HOST).post("/login", data={"name": "root", "password": "geheim" * 1000})
    assert answer.status_code == 422
    assert "geheim" not in answer.text


# Languages


def test_both_languages_are_complete() -> None:
    words = Words()
    assert words.keys("zh-CN") == words.keys("en")
    for path in FOLDER.glob("*.json"):
        for key, texts in json.loads(path.read_text("utf-8")).items():
            assert set(texts) == {"zh-CN", "en"}, key
            assert len({frozenset(re.findall(r"\{\w+\}", text)) for text in texts.values()}) == 1, key


def test_a_text_without_its_other_language_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"a.b": {"en": "x"}}')
    with pytest.raises(GatewatchError, match=r"x\.json: a\.b"):
        Words(tmp_path)
    (tmp_path / "x.json").write_text('{"a.b": {"en": "x", "zh-CN": "y"}}')
    (tmp_path / "y.json").write_text('{"a.b": {"en": "x", "zh-CN": "y"}}')
    with pytest.raises(GatewatchError, match="twice"):
        Words(tmp_path)


def test_every_word_that_a_page_or_module_names_is_there_and_every_word_is_used() -> None:
    root = FOLDER.parent
    sources = [path.read_text("utf-8") for path in [*root.rglob("*.html"), *root.rglob("*.js"), *root.rglob("*.py")]]
    named = {key for text in sources for key in re.findall(r"""["'`]([a-z]+\.[a-z0-9_.-]+)["'`]""", text)}
    prefixes = {key for text in sources for key in re.findall(r"""["'`]([a-z]+\.(?:[a-z_]+\.)?)["'`]\s*[~+]""", text)}
    prefixes |= {key for text in sources for key in re.findall(r"`([a-z]+\.(?:[a-z_]+\.)?)\$\{", text)}
    words = Words()
    for text in sources:
        for key in re.findall(r"""\bt\(\s*["']([^"'`$]+)["']\s*[,)]""", text):
            words.text("en", key)
    known = words.keys("en")
    unused = {key for key in known - named if not key.startswith(tuple(prefixes))}
    assert unused == set()


def test_the_language_is_chosen_by_the_person_else_by_the_site(parts: Parts) -> None:
    client = browser(parts)
    assert '<html lang="en">' in client.get("/login").text
    chosen = client.get("/login?language=zh-CN")
    assert "登录" in chosen.text
    assert "gatewatch-language=zh-CN" in chosen.headers["set-cookie"]
    assert "登录" in client.get("/login").text
    assert '<html lang="en">' in client.get("/login?language=fr").text


def test_names_and_data_are_text_on_the_page_and_never_markup(parts: Parts) -> None:
    frame = create_app(parts).state.frame
    client = browser(parts)
    answer = client.post("/login", data={"name": "<script>alert(1)</script>", "password": "x"})
    assert "<script>alert" not in answer.text
    assert frame.words.text("en", "kind.crowding") == "crowding"
    with pytest.raises(KeyError):
        frame.words.text("en", "no.such")
