"""`gatewatch replay` on a real store, and the whole of it on real pictures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import update

from pipelines.cli import main
from pipelines.config import load
from pipelines.config.build import camera_spec
from pipelines.config.schema import Config
from pipelines.detector import load_detector
from pipelines.errors import GatewatchError
from pipelines.events.envelope import incident_event
from pipelines.media.file import FileSource
from pipelines.paths import samples_dir
from pipelines.samples.library import clips, staged_dir
from pipelines.store import incidents as record
from pipelines.store.database import Database, sqlite_url
from pipelines.store.schema import incidents as incidents_table
from pipelines.testing import gathered
from pipelines.tracks.chunk import Chunk
from pipelines.tracks.comparison import compare
from pipelines.tracks.folder import write_chunk
from pipelines.tracks.keeper import TrackKeeper
from pipelines.tracks.parquet import encode
from pipelines.tracks.replay import Hole, Replay, Replayed
from pipelines.tracks.rounding import rounded
from pipelines.workers.casebook import rules_only
from vision.detection import Detections
from vision.engine import Engine
from vision.evaluation.painted import Actor, Stage
from vision.frame import Frame
from vision.incident import Incident, Phase

KERB = {"polygon": [[0.1, 0.5], [0.9, 0.5], [0.9, 0.9], [0.1, 0.9]]}
BEGAN = "2026-09-21T14:13:20Z"  # 1790000000


def site(folder: Path, name: str, after: str) -> Path:
    path = folder / name
    rules = [{"kind": "illegal_parking", "zone": "kerb", "after": after}]
    camera = {"main": {"url": "rtsp://127.0.0.1:1/none"}, "zones": {"kerb": KERB}, "rules": rules}
    path.write_text(yaml.safe_dump({"data": str(folder / "data"), "cameras": {"gate": camera}}))
    return path


def last_words(config: Config, camera: str, pictures: Any, root: Path) -> list[Incident]:
    """Analyse as a worker does and keep the tracks."""
    kept: list[Chunk] = []
    engine, gatherer = Engine(camera_spec(config, camera)), TrackKeeper(camera, gathered(kept.append))
    last: dict[str, Incident] = {}
    for frame, detections in pictures:
        gatherer.before(frame.time_s, engine, "v1", lambda: rules_only(config.cameras[camera]))
        step = engine.step(frame, rounded(detections))
        gatherer.after(step, frame)
        last |= {incident.incident_id: incident for incident in step.incidents}
    gatherer.end()
    for chunk in kept:
        write_chunk(root, camera, chunk.from_s, encode(chunk))
    return sorted((one for one in last.values() if one.opened_s is not None), key=lambda one: one.opened_s or 0.0)


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three cars one after the other stand 20, 10 and 20 s; the limit is 6 s; people judged true, false and nothing."""
    folder = tmp_path_factory.mktemp("site")
    config = load(site(folder, "site.yaml", "6s")).config
    cars = [
        Actor(
            tuple((at, x, 330.0) for at, x in ((begin, -60.0), (begin + 3, 320.0), (end, 320.0), (end + 3, 700.0))),
            looks=number,
        )
        for number, (begin, end) in enumerate(((0.0, 23.0), (30.0, 43.0), (50.0, 73.0)), start=1)
    ]
    found = last_words(config, "gate", Stage(cars).play(80.0), folder / "data" / "tracks")
    assert len(found) == 3
    database = Database(sqlite_url(folder / "data"))
    database.migrate()
    with database.write() as connection:
        events = [incident_event(one, "v1", "Gate") for one in found]
        record.apply(connection, [record.notice_of(event) for event in events], 5.0)
        for one, verdict in zip(found, ("true", "false", None), strict=True):
            table = incidents_table
            connection.execute(update(table).where(table.c.incident_id == one.incident_id).values(verdict=verdict))
    database.close()
    return folder


def replayed(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    arguments = ["replay", "--from", BEGAN, "--json", "-c", str(folder / "site.yaml"), *more]
    assert main(arguments) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_todays_rules_keep_everything(analysed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = replayed(analysed, capsys, "--to", "2026-09-21T14:14:39Z")["summary"]
    assert (summary["kept"], summary["raised"], summary["lost"], summary["not_replayed"]) == (3, 0, 0, 0)
    assert summary["kept_verdicts"] == {"false": 1, "none": 1, "true": 1}
    assert summary["replayed_s"] == summary["asked_s"] == 79.0


def test_a_longer_limit_loses_the_short_stop_that_people_called_false(
    analysed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = site(analysed, "other.yaml", "15s")
    told = replayed(analysed, capsys, "--to", "2026-09-21T14:14:39Z", "--rules", str(other))
    summary, [camera] = told["summary"], told["cameras"]
    assert (summary["kept"], summary["raised"], summary["lost"]) == (2, 0, 1)
    assert (summary["kept_verdicts"], summary["lost_verdicts"]) == ({"none": 1, "true": 1}, {"false": 1})
    later = [pair["now"]["opened_s"] - pair["then"]["opened_s"] for pair in camera["kept"]]
    assert later == pytest.approx([9.0, 9.0], abs=0.21)
    assert main(["replay", "--from", BEGAN, "--rules", str(other), "-c", str(analysed / "site.yaml")]) == 0
    text = capsys.readouterr().out
    assert "kept 2 (1 not judged, 1 true), raised 0 more, lost 1 (1 false)" in text
    assert "gate: no tracks from 2026-09-21 22:14:40 to" in text


def test_where_no_tracks_are_nothing_is_said_of_the_record(
    analysed: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Incidents stand in the store for a time of which nothing was kept: they are neither kept nor lost."""
    folder = tmp_path / "site"
    shutil.copytree(analysed, folder)
    shutil.rmtree(folder / "data" / "tracks" / "gate" / "2026")
    site(folder, "site.yaml", "6s")
    assert main(["replay", "--from", BEGAN, "-c", str(folder / "site.yaml")]) == 1
    assert "no tracks are kept in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--to", "2026-09-21T14:00:00Z"], "--from is not before --to"),
        (["--camera", "south"], "--camera south: not in the configuration; its cameras: gate"),
        (["--rules", "nothing.yaml"], "nothing.yaml"),
    ],
)
def test_what_cannot_be_asked_is_said(
    analysed: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert main(["replay", "--from", BEGAN, "-c", str(analysed / "site.yaml"), *more]) == 2
    assert said in capsys.readouterr().err


def an_incident(name: str, opened_s: float, closed_s: float | None, box: tuple[float, float, float, float]) -> Incident:
    return Incident(
        name, "gate", "illegal_parking", "r", "kerb", Phase.CLOSED, 1, 2, 0.5,
        opened_s - 5, opened_s, closed_s, "left", opened_s, box, (),
    )  # fmt: skip


def a_row(name: str, opened_s: float, closed_s: float | None, box: tuple[float, float, float, float]) -> dict[str, Any]:
    return {
        "incident_id": name, "kind": "illegal_parking", "rule": "r", "zone": "kerb", "severity": 2,
        "first_seen_s": opened_s - 5, "opened_s": opened_s, "closed_s": closed_s, "box_norm": list(box), "verdict": None,
    }  # fmt: skip


HERE, THERE = (0.1, 0.1, 0.3, 0.3), (0.6, 0.6, 0.8, 0.8)


def test_incidents_are_paired_by_time_and_place_and_holes_decide_nothing() -> None:
    now = Replayed("gate", 0.0, 1000.0, incidents=[an_incident("x", 112, 200, HERE), an_incident("y", 300, 320, THERE)])
    now.holes.append(Hole(500.0, 600.0))
    rows = [
        a_row("a", 100, 205, HERE),
        a_row("b", 100, 205, THERE),
        a_row("c", 550, 560, HERE),
        a_row("before", -50, 20, HERE),
    ]
    out = compare(now, rows)
    assert [(row["incident_id"], one.incident_id) for row, one in out.kept] == [("a", "x")]
    assert [one.incident_id for one in out.raised] == ["y"]
    assert [row["incident_id"] for row in out.lost] == ["b"]
    assert [row["incident_id"] for row in out.not_replayed] == ["c"]


@pytest.mark.model
@pytest.mark.slow
def test_real_pictures_replayed_give_the_same_incidents(tmp_path: Path) -> None:
    """The staged clip to the end of its gathering, with the real detector: parking with its end, and crowding."""
    if not (samples_dir() / "vtest.avi").is_file():
        pytest.skip("vtest.avi is not here: gatewatch samples pull")
    try:
        detector = load_detector(Config.model_validate({"detector": {"input": [256, 448]}}))
    except GatewatchError as error:
        pytest.skip(str(error))
    clip = clips()["gate"]
    values = {"main": {"url": "rtsp://127.0.0.1:1/none"}, "zones": dict(clip.zones), "rules": list(clip.rules)}
    config = Config.model_validate({"cameras": {"gate": values}})
    source = FileSource(str(staged_dir(lambda _: None) / "gate.mkv"), "gate", 5.0, 1_790_000_000.0)

    def seen() -> Any:
        for frame in source:
            if frame.time_s > 1_790_000_108.0:
                return
            if frame.time_s < 1_790_000_014.0:
                continue  # nobody is there yet
            found: tuple[Frame, Detections] = (frame, detector.detect([frame.pixels])[0])
            yield found

    then = last_words(config, "gate", seen(), tmp_path)
    again = Replay(tmp_path, camera_spec(config, "gate"), 1_790_000_000.0, 1_790_000_108.0).run().incidents
    assert {one.kind for one in then} == {"illegal_parking", "crowding"}
    assert [one.incident_id for one in again] == [one.incident_id for one in then]
    for one, other in zip(again, then, strict=True):
        assert one.opened_s == pytest.approx(other.opened_s, abs=0.21)
        assert one.closed_s == pytest.approx(other.closed_s, abs=0.21)
