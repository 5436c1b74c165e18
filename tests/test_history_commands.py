"""`incidents list | export | stats` on a real store, as an analyst calls them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from pipelines.cli import main
from pipelines.errors import BadInput
from pipelines.events.envelope import incident_event
from pipelines.history import export
from pipelines.store import incidents, threads
from pipelines.store.database import Database
from pipelines.store.incidents import notice_of
from pipelines.store.schema import audit, places, stale_days
from pipelines.store.schema import threads as threads_table
from pipelines.store.threads import Thread
from pipelines.testing import an_incident
from vision.incident import Phase

MORNING_S = 1_788_134_400.0  # 2026-08-31 08:00 in Shanghai


@pytest.fixture
def config(store: Database, store_url: str, tmp_path: Path) -> str:
    """A site whose store has five incidents, one with a name that is a formula."""
    with store.write() as connection:
        for number, name in enumerate(("北门", '=HYPERLINK("http://x")', "南门, 东侧", "＝1+1", "门")):
            at_s = MORNING_S + 3600 * number
            case = an_incident(
                f"case-{number}", 2, Phase.CLOSED, opened_s=at_s, closed_s=at_s + 60, camera_id=f"gate-{number % 2}"
            )
            incidents.apply(connection, [notice_of(incident_event(case, "v", name))], at_s)
            threads.put(connection, [Thread(f"case-{number}", "sent", 2, created_s=at_s, acknowledged_s=at_s + 12.5)])
    path = tmp_path / "gatewatch.yaml"
    path.write_text(
        f"data: {tmp_path}\ndatabase: {{url: '{store_url}'}}\nsite: {{timezone: Asia/Shanghai, language: zh-CN}}\n"
    )
    return str(path)


def audited(store: Database) -> list[tuple[str, dict[str, Any]]]:
    with store.read() as connection:
        rows = connection.execute(select(audit.c.action, audit.c.detail).order_by(audit.c.audit_id))
        return [(action, detail) for action, detail in rows]


def test_export_in_each_format(
    store: Database, config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pyarrow import parquet

    def exported(kind: str, *more: str) -> Path:
        path = tmp_path / f"out.{kind}{len(more)}"
        command = ["incidents", "export", "--format", kind, "--out", str(path), "--reason", "督导检查", "-c", config]
        assert main([*command, *more]) == 0
        assert f"in {path}" in capsys.readouterr().err
        return path

    plain = exported("csv").read_bytes()
    assert not plain.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(plain.decode("utf-8"))))
    assert [row["incident_id"] for row in rows] == [f"case-{number}" for number in (4, 3, 2, 1, 0)]
    assert [row["camera_name"] for row in rows] == ["门", "'＝1+1", "南门, 东侧", '\'=HYPERLINK("http://x")', "北门"]
    assert (rows[4]["opened_local"], rows[4]["opened_at"]) == ("2026-08-31 08:00:00+08:00", "2026-08-31T00:00:00.000Z")
    assert (rows[4]["acknowledge_s"], rows[4]["lasted_s"], rows[4]["drill"], rows[4]["verdict"]) == (
        "12.5",
        "60.0",
        "false",
        "",
    )
    assert exported("csv", "--bom").read_bytes() == b"\xef\xbb\xbf" + plain
    whole = json.loads(exported("json").read_text("utf-8"))
    lines = [json.loads(line) for line in exported("jsonl").read_text("utf-8").splitlines()]
    columns = parquet.read_table(exported("parquet")).to_pylist()
    assert whole == lines == columns
    assert [row["camera_name"] for row in whole][1] == "＝1+1"  # only a spreadsheet runs formulas
    assert json.loads(exported("json", "--camera", "nowhere").read_text("utf-8")) == []
    found = audited(store)
    assert [action for action, _ in found] == ["export", "exported"] * 6
    assert found[1][1]["reason"] == "督导检查"
    assert found[1][1]["rows"] == 5
    assert found[11][1] | {"filter": {"camera": "nowhere"}, "rows": 0} == found[11][1]


def test_what_export_refuses(store: Database, config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = tmp_path / "there.csv"
    there.write_text("mine")
    for more, told in (
        (["--out", str(there), "--reason", "x"], "is there already"),
        (["--out", str(tmp_path / "no" / "x.csv"), "--reason", "x"], "cannot be written"),
        (["--out", "-", "--reason", " "], "--reason is empty"),
        (["--out", "-", "--reason", "x", "--format", "json", "--bom"], "--bom is for CSV"),
        (["--out", "-", "--reason", "x", "--from", "2026-09-02", "--to", "2026-09-01"], "is not after"),
    ):
        assert main(["incidents", "export", "-c", config, *more]) == 2
        assert told in capsys.readouterr().err
    assert there.read_text() == "mine"
    assert audited(store) == []


def test_list_and_stats(store: Database, config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*arguments: str) -> str:
        assert main(["incidents", *arguments, "-c", config]) == 0
        return capsys.readouterr().out

    rows = list(csv.DictReader(io.StringIO(said("list", "--format", "csv", "--camera", "gate-1"))))
    assert [row["camera_name"] for row in rows] == ["'＝1+1", '\'=HYPERLINK("http://x")']
    assert [row["incident_id"] for row in json.loads(said("list", "--json", "--from", "2026-08-31T10:00"))] == [
        "case-4",
        "case-3",
        "case-2",
    ]
    lines = said("list", "--format", "jsonl", "--only-level", "2", "--weekday", "mon", "--hour", "9").splitlines()
    assert [json.loads(line)["incident_id"] for line in lines] == ["case-1"]
    figures = json.loads(said("stats", "--json", "--pictures", str(tmp_path / "pictures")))
    assert (figures["incidents"], figures["filter"]) == (5, {"drills": False})
    assert figures["by_hour_and_weekday"][0][8:13] == [1, 1, 1, 1, 1]
    assert figures["delays"]["acknowledge"]["all"] == {"count": 5, "median_s": 12.5, "p95_s": 12.5}
    assert {row["camera"]: row["name"] for row in figures["by_camera"]} == {"gate-0": "门", "gate-1": "＝1+1"}
    assert len(list((tmp_path / "pictures").glob("*.svg"))) == 4
    people = said("stats", "--camera", "gate-0")
    for words in ("3 incidents, 0 still open", "Asia/Shanghai", "acknowledge", "12.5 s"):
        assert words in people
    assert "again at" not in people, "all of one day"
    with store.write() as connection:
        at_s = MORNING_S + 86_400
        case = an_incident("case-5", 2, Phase.CLOSED, opened_s=at_s, closed_s=at_s + 60, camera_id="gate-0")
        incidents.apply(connection, [notice_of(incident_event(case, "v", "门"))], at_s)
    lines = said("stats", "--camera", "gate-0").splitlines()
    (at,) = (number for number, line in enumerate(lines) if line.startswith("again at"))
    assert [line.split() for line in lines[at : at + 2]] == [
        ["again", "at", "zone", "kind", "incidents", "days"],
        ["门", "kerb", "illegal_parking", "4", "2"],
    ]
    assert said("stats", "--kind", "crowding") == "no incidents\n"


def test_check_finds_what_differs_and_mends_it(
    store: Database, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(*more: str) -> tuple[int, dict[str, Any]]:
        code = main(["incidents", "check", "--json", "-c", config, *more])
        return code, json.loads(capsys.readouterr().out)

    assert check() == (0, {"days": 0, "rebuilt": False, "different": [], "missing_places": 0})
    assert check("--rebuild") == (0, {"days": 1, "rebuilt": True, "different": [], "missing_places": 0})
    assert check()[1]["different"] == []
    with store.write() as connection:
        # As if the triggers had been away.
        connection.execute(threads_table.update().values(acknowledged_s=MORNING_S + 99_999))
        connection.execute(delete(stale_days))
        connection.execute(delete(places).where(places.c.camera_name == "北门"))
    assert check() == (1, {"days": 1, "rebuilt": False, "different": ["2026-08-31"], "missing_places": 1})
    assert check("--rebuild")[1]["different"] == []
    assert check()[1]["different"] == []
    figures = ["incidents", "stats", "--json", "-c", config]
    assert main(figures) == 0
    assert json.loads(capsys.readouterr().out)["delays"]["acknowledge"]["all"]["median_s"] > 50_000


def test_a_page_as_parquet_on_standard_output(config: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    from pyarrow import parquet

    assert main(["incidents", "list", "--format", "parquet", "--limit", "2", "-c", config]) == 0
    rows = parquet.read_table(io.BytesIO(capfdbinary.readouterr().out)).to_pylist()
    assert [row["incident_id"] for row in rows] == ["case-4", "case-3"]


def test_an_export_holds_a_page_in_memory_at_a_time() -> None:
    """Rows are written as they come: the first is out before the last was asked for."""
    out = io.BytesIO()
    seen: list[int] = []

    def found() -> Any:
        for number in range(5000):
            if number == 4000:
                seen.append(len(out.getvalue()))
            yield dict.fromkeys(export.FIELDS) | {"incident_id": f"case-{number}"}

    assert export.write(found(), "csv", out) == 5000
    assert seen[0] > 50_000


def test_parquet_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BadInput, match=r"pip install 'gatewatch\[analysis\]'"):
        export.write(iter([]), "parquet", io.BytesIO())
