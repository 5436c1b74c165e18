"""The frame of the console: headers, pages without anything inline, languages, and the form of refusals."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from console.app import create_app
from console.parts import Parts
from console.testing import HOST, PASSWORD, a_bare_console, browser, log_in
from console.wording import FOLDER, Words
from pipelines.errors import GatewatchError
from pipelines.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def parts(tmp_path: Path, clock: FakeClock) -> Iterator[Parts]:
    parts = a_bare_console(tmp_path, clock)
    yield parts
    parts.database.close()


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
    answer = client.post("/login", data={"name": "root", "password": PASSWORD})
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
