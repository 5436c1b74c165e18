"""`gatewatch footage export` finds the incidents and their pictures by itself."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from sqlalchemy import update

from pipelines.cli import main
from pipelines.config.loader import load
from pipelines.events.envelope import incident_event
from pipelines.evidence.stills import MAIN, MainStills
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.recording import package_verify
from pipelines.recording.footage import Footage
from pipelines.store import incidents, schema, stills
from pipelines.store.database import Database, sqlite_url
from pipelines.store.incidents import notice_of
from pipelines.store.queries import IncidentFilter, list_incidents
from pipelines.testing import FakeClock, an_incident
from pipelines.workers.pictures import PictureStore, Place
from vision.frame import Frame
from vision.incident import Phase, PictureRequest

if TYPE_CHECKING:
    from conftest import FilledVolume

MORNING_S = 1_772_438_400.0
MORNING_MS = 1_772_438_400_000


class Site:
    """A minute of footage of the gate, a store, and pictures."""

    def __init__(self, filled: FilledVolume, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        filled.add(count=30)
        self.folder = folder
        self.pictures = PictureStore(folder / "pictures")
        self.database = Database(sqlite_url(folder))
        self._capsys = capsys
        self.config = folder / "gatewatch.yaml"
        self.config.write_text(
            f"data: {folder}\ncameras:\n  gate: {{main: {{url: 'rtsp://127.0.0.1/1'}}}}\n"
            f"recording: {{folder: {filled.volume.root}, reserve_free: 0, pre: 4s, post: 6s}}\n"
        )

    def incident(self, name: str, opened_s: float, closed_s: float | None = None, camera: str = "gate") -> Path:
        """With one picture; returns where it lies."""
        at_s = MORNING_S + opened_s
        frame = Frame(camera, "run-1", at_s, np.full((90, 160, 3), 90, np.uint8))
        request = PictureRequest(name, "illegal_parking", "kerb", "limit", at_s, None)
        record = self.pictures.save(request, frame, Place("School", camera, "North", ZoneInfo("UTC"), "en"))
        times: dict[str, Any] = {"first_seen_s": at_s - 3, "opened_s": at_s, "time_s": at_s}
        phase = Phase.OPENED if closed_s is None else Phase.CLOSED
        times["closed_s"] = None if closed_s is None else MORNING_S + closed_s
        incident = an_incident(name, 1, phase, camera_id=camera, **times)
        clock = {"camera_offset_s": None, "host": {"synchronised": True, "error_s": 0.1}, "evidence_grade": False}
        event = incident_event(incident, "v1", "North", [record], clock={**clock, "why": "unknown"})
        self.database.migrate()
        with self.database.write() as connection:
            incidents.apply(connection, [notice_of(event)], at_s)
        return self.folder / "pictures" / record["path"]

    def run(self, *words: str) -> tuple[int, str, str]:
        code = main(["footage", "export", "-c", str(self.config), "--reason", "case 17", "--evidence", *words])
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def export(self, *words: str) -> tuple[dict[str, Any], list[str]]:
        """(manifest, notes) of a package in `out`, which verifies."""
        code, out, err = self.run("--out", str(self.folder / "out"), "--json", *words)
        assert code == 0, err
        said = json.loads(out)
        assert package_verify.main([str(self.folder / "out"), "--key", said["manifest"]["key_id"]]) == 0
        self._capsys.readouterr()
        return said["manifest"], said["notes"]

    def packed(self) -> dict[str, list[str]]:
        """Files of each incident in the package, by its id."""
        folder = self.folder / "out" / "incidents"
        return {
            json.loads((one / "incident.json").read_text())["incident_id"]: sorted(path.name for path in one.iterdir())
            for one in (folder.iterdir() if folder.is_dir() else ())
        }


@pytest.fixture
def site(filled: FilledVolume, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Site]:
    made = Site(filled, tmp_path, capsys)
    yield made
    made.database.close()


def test_a_clip_is_found_from_its_incident_and_from_the_time_line(
    site: Site, filled: FilledVolume, capsys: pytest.CaptureFixture[str]
) -> None:
    site.incident("case-1", 20, 30)
    footage = Footage(filled.volume, Ffmpeg.find(), FakeClock(MORNING_S + 120), pre_s=4.0, post_s=6.0)
    clip = footage.make_clip("case-1", "gate", MORNING_S + 20, MORNING_S + 30)
    config = ("-c", str(site.config))
    assert main(["incidents", "show", "case-1", "--json", *config]) == 0
    shown = json.loads(capsys.readouterr().out)["clip"]
    assert (shown["path"], shown["sha256"]) == (str(footage.path(clip)), clip.sha256)
    assert main(["incidents", "show", "case-1", *config]) == 0
    assert f"clip        {footage.path(clip)}" in capsys.readouterr().out
    span = ("--from", "2026-03-02T08:00:00Z", "--to", "2026-03-02T08:01:00Z")
    assert main(["footage", "coverage", *span, "--json", *config]) == 0
    (day,) = json.loads(capsys.readouterr().out)
    assert [(one["incident_id"], one["from"]) for one in day["clips"]] == [("case-1", "2026-03-02T08:00:16.000Z")]
    assert main(["footage", "coverage", *span, *config]) == 0
    assert "16:00:16-16:00:36  clip of incident case-1" in capsys.readouterr().out


RANGE = ("--camera", "gate", "--from", "2026-03-02T08:00:10Z", "--to", "2026-03-02T08:00:40Z")


def test_an_incident_gives_its_camera_and_its_time(site: Site) -> None:
    site.incident("case-1", 20, 30)
    site.incident("case-2", 50, 55)
    manifest, notes = site.export("--incident", "case-1")
    # first seen at 17 s, closed at 30 s, with 4 s before and 6 s after
    assert (manifest["camera"], manifest["from"], manifest["to"]) == (
        "gate",
        "2026-03-02T08:00:13.000Z",
        "2026-03-02T08:00:36.000Z",
    )
    assert site.packed() == {"case-1": ["1.jpg", "incident.json"]}
    assert notes == []
    assert manifest["versions"]["rules"] == "v1"
    assert manifest["versions"]["model"] == "yolov8n-int8"
    (body,) = (site.folder / "out" / "incidents").glob("*/incident.json")
    incident = json.loads(body.read_text())
    assert incident["clock"]["why"] == "unknown"
    assert incident["zone"] == "kerb"
    assert not {"alerts", "thread", "log", "verdicts"} & set(incident), "who was told is nobody else's business"


def test_a_range_takes_every_incident_in_it_and_no_other(site: Site) -> None:
    site.incident("before", 2, 5)
    site.incident("reaches-in", 3, 15)
    site.incident("inside", 20, 30)
    site.incident("open-still", 35)
    site.incident("after", 45, 50)
    site.incident("elsewhere", 20, 30, camera="yard")
    site.export(*RANGE)
    assert set(site.packed()) == {"reaches-in", "inside", "open-still"}


def test_a_range_and_an_id_takes_that_one_only(site: Site) -> None:
    site.incident("case-1", 20, 30)
    site.incident("case-2", 21, 25)
    manifest, _ = site.export(*RANGE, "--incident", "case-1")
    assert (manifest["from"], set(site.packed())) == ("2026-03-02T08:00:10.000Z", {"case-1"})


def test_pictures_that_are_gone_or_were_changed_are_left_out_and_named(site: Site) -> None:
    site.incident("case-1", 20, 30).unlink()
    changed = site.incident("case-2", 21, 25)
    changed.write_bytes(changed.read_bytes() + b"!")
    _, notes = site.export(*RANGE)
    assert site.packed() == {"case-1": ["incident.json"], "case-2": ["incident.json"]}
    assert [note.partition(" is left out: ")[2][:12] for note in notes] == ["it cannot be", "it is not th"]


@pytest.mark.parametrize("path", ["a\0b.jpg", "a\ud800.jpg", "../outside.jpg", "/etc/hostname"])
def test_a_path_that_came_over_the_bus_and_is_none_is_left_out_and_named(site: Site, path: str) -> None:
    site.incident("case-1", 20, 30)
    with site.database.write() as connection:
        (row,) = list_incidents(connection, IncidentFilter()).rows
        connection.execute(update(schema.incidents).values(pictures=[row["pictures"][0] | {"path": path}]))
    _, notes = site.export(*RANGE)
    assert site.packed() == {"case-1": ["incident.json"]}
    assert [note.partition(" is left out: ")[2] for note in notes] == ["it does not lie among the pictures"]


def test_without_a_store_footage_goes_out_all_the_same(site: Site) -> None:
    _, notes = site.export(*RANGE)
    assert notes == ["no incident is in it: there is no store of incidents yet"]
    site.folder.joinpath("gatewatch.db").write_bytes(b"no database" * 500)
    code, text, _ = site.run(*RANGE, "--out", str(site.folder / "second.zip"))
    assert code == 0
    assert "no incident is in it" in text
    assert "clock: NOT evidence grade" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--camera", "gate"), "say what: --camera with --from and --to, or --incident"),
        (("--incident", "nothing"), "--incident nothing: no file, and no incident has that id"),
        (("--incident", "case-1", "--incident", "case-2"), "these incidents are of gate, yard"),
        (("--incident", "case"), "several incidents begin with 'case'"),
    ],
)
def test_what_cannot_be_exported_is_said_in_one_sentence(site: Site, words: tuple[str, ...], said: str) -> None:
    site.incident("case-1", 20, 30)
    site.incident("case-2", 20, 30, camera="yard")
    code, out, err = site.run(*words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_the_recorded_main_streams_pictures_go_out_with_the_first_ones(
    site: Site, filled: FilledVolume, capsys: pytest.CaptureFixture[str]
) -> None:
    site.incident("case-1", 20, 30)
    config = load(site.config).config

    def put(incident_id: str, still: Mapping[str, Any]) -> None:
        with site.database.write() as connection:
            stills.put(connection, incident_id, still)

    clock = FakeClock(MORNING_S + 120)
    cutting = MainStills(site.folder / "pictures", config, put, clock, logging.getLogger("test"))
    with site.database.read() as connection:
        rows = list_incidents(connection, IncidentFilter()).rows
    assert cutting.run_once(Footage(filled.volume, Ffmpeg.find(), clock), rows) == 1
    assert main(["incidents", "show", "case-1", "-c", str(site.config)]) == 0
    shown = capsys.readouterr().out
    assert "limit.jpg (analysed stream, 160x90)" in shown
    assert "limit.main.jpg (recorded main stream, 320x240, +0.00 s)" in shown
    manifest, notes = site.export("--incident", "case-1")
    assert notes == []
    assert site.packed() == {"case-1": ["1.jpg", "2.jpg", "incident.json"]}
    (path,) = (site.folder / "pictures").rglob("limit.main.jpg")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest in {one["sha256"] for one in manifest["files"]}
    (about,) = (site.folder / "out").rglob("incident.json")
    (still,) = json.loads(about.read_text())["stills"]
    assert (still["sha256"], still["source"], still["same_shape"]) == (digest, MAIN, False)
