"""The sheet as it is asked for, over HTTP and by the command: what it answers, what it refuses, and what the audit says of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from console.testing import a_program
from pipelines.access.roles import Role
from pipelines.cli import main
from pipelines.config.loader import load_text
from pipelines.errors import BadInput
from pipelines.report.making import Order, console_of, make
from pipelines.report.model import Count
from pipelines.report.period import Wanted
from pipelines.report.testing import CONFIG, NOW_S, WrittenSite, a_written_site
from pipelines.store.schema import audit
from pipelines.testing import FakeClock

BASE = "https://gatewatch.school.example"


@pytest.fixture
def site(tmp_path: Path) -> WrittenSite:
    return a_written_site(tmp_path)


def console_of_chen(site: WrittenSite, cameras: list[str] | None = None, role: Role = Role.ANALYST) -> TestClient:
    """The console as an analyst's program calls it, on the Monday after."""
    return a_program(site.config, site.store, FakeClock(NOW_S), role, cameras)


@pytest.mark.parametrize(("package", "kind"), [("xlsxwriter", "xlsx"), ("fpdf", "pdf")])
def test_a_package_that_is_missing(site: WrittenSite, monkeypatch: pytest.MonkeyPatch, package: str, kind: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    for name in ("pdf", "pages"):
        monkeypatch.delitem(sys.modules, f"pipelines.report.{name}", raising=False)
    with pytest.raises(BadInput, match=r"pip install 'gatewatch\[analysis\]'"):
        make(site.config, site.store, Order(Wanted(), kind, "en", BASE), NOW_S)  # type: ignore[arg-type]


def test_over_http(site: WrittenSite, chinese_font: object) -> None:
    client = console_of_chen(site)
    page = client.get("/api/v1/report", params={"date": "2026-11-18", "language": "en"})
    assert page.status_code == 200, page.text
    assert page.headers["content-disposition"] == 'attachment; filename="gatewatch-2026-W47.html"'
    assert "http://console/history?since_s=" in page.text
    for kind, begins in (("xlsx", b"PK"), ("pdf", b"%PDF-"), ("json", b"{")):
        answer = client.get("/api/v1/report", params={"format": kind})
        assert answer.content.startswith(begins), answer.text
    refused = client.get("/api/v1/report", params={"from": "2026-11-30"})
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert "has not begun" in refused.json()["detail"]
    with site.store.read() as connection:
        lines = [tuple(row) for row in connection.execute(select(audit.c.who, audit.c.action, audit.c.detail))][-4:]
    assert [(who, action) for who, action, _ in lines] == [("token:chen", "report.made")] * 4
    assert lines[0][2] == {"period": "2026-W47", "format": "html", "out": "console"}


def test_over_http_for_some_cameras(site: WrittenSite) -> None:
    client = console_of_chen(site, ["south"])
    answer = client.get("/api/v1/report", params={"format": "json"})
    whole = answer.json()
    assert whole["partial"]
    assert set(whole["cases"]) == {"case-i4", "a-gap", "old-gap"}
    for other in ("case-i1", "north", "北门", "office", "yard"):
        assert other not in answer.text


def test_who_was_refused_an_export_is_in_the_audit_and_on_the_sheet(site: WrittenSite) -> None:
    client = console_of_chen(site, role=Role.GUARD)
    asked = {"from_s": 1, "to_s": 2, "reason": "r"}
    for path, params in (("/api/v1/report", {}), ("/api/v1/cameras/north/video", asked), ("/api/v1/people", {})):
        assert client.get(path, params=params).status_code in (403, 404)
    with site.store.read() as connection:
        refused = select(audit.c.who, audit.c.subject, audit.c.detail).where(audit.c.action == "export.refused")
        lines = [tuple(row) for row in connection.execute(refused.order_by(audit.c.audit_id))][1:]
    assert lines == [
        ("token:chen", "/api/v1/report", {"camera": "", "why": "not_allowed"}),
        ("token:chen", "/api/v1/cameras/north/video", {"camera": "north", "why": "not_allowed"}),
    ]
    found = site.sheet().whole.figure("refusals")
    assert found is not None
    assert found.value == Count(1, "exports")  # the one of the week; these two are of the Monday after


def config_file(site: WrittenSite, tmp_path: Path) -> str:
    path = tmp_path / "gatewatch.yaml"
    path.write_text(f"{CONFIG}\ndata: {json.dumps(str(tmp_path))}\n")
    return str(path)


def test_the_command(site: WrittenSite, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, out = config_file(site, tmp_path), tmp_path / "week.html"
    command = ["report", "-c", config, "--date", "2026-11-18"]
    assert main([*command, "--out", str(out)]) == 0
    assert capsys.readouterr().err == f"2026-W47: {out}\n"
    page = out.read_text()
    assert '<html lang="zh-CN">' in page
    assert "http://127.0.0.1:8470/history?" in page
    assert main([*command, "--out", "-", "--language", "en", "--console", BASE]) == 0
    printed = capsys.readouterr().out
    assert '<html lang="en">' in printed
    assert f"{BASE}/history?" in printed
    assert main([*command, "--out", "-", "--format", "json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    figures = {one["key"]: one["value"] for group in whole["chapters"][0]["groups"] for one in group["figures"]}
    assert figures["acknowledged"] == {"is": "Share", "part": 2, "whole": 5, "unit": "incidents"}
    assert figures["guard_post"] is None
    with site.store.read() as connection:
        lines = [tuple(row) for row in connection.execute(select(audit.c.action, audit.c.detail))][-3:]
    assert [action for action, _ in lines] == ["report.made"] * 3
    assert lines[0][1] == {"period": "2026-W47", "format": "html", "out": str(out)}


def test_what_the_command_refuses(site: WrittenSite, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, there = config_file(site, tmp_path), tmp_path / "there.html"
    there.write_text("mine")
    for more, told in (
        (["--out", str(there)], "is there already"),
        (["--out", str(tmp_path / "no" / "x.html")], "cannot be written"),
        (["--console", "javascript:alert(1)"], "is no address of a console"),
        (["--date", "2026-11-18", "--current"], "give one of --date, --current and --from"),
    ):
        assert main(["report", "-c", config, *more]) == 2
        assert told in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main(["report", "--date", "yesterday"])
    assert stopped.value.code == 2
    assert there.read_text() == "mine"
    empty = tmp_path / "empty.yaml"
    empty.write_text(f"data: {tmp_path / 'nothing'}\n")
    assert main(["report", "-c", str(empty)]) == 2
    assert "there is no store at" in capsys.readouterr().err


def test_where_the_console_is(tmp_path: Path) -> None:
    def of(more: str) -> str:
        return console_of(load_text(f"cameras: {{}}\n{more}\n", "site.yaml", {}))

    assert of("console: {host: '::1', port: 99}") == "http://[::1]:99"
    assert of("channels: {link: 'https://gate.example:8443/x/{id}?a=b'}") == "https://gate.example:8443"
