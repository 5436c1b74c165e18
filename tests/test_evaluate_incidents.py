"""`gatewatch evaluate parking | crowding` on video with truth files: figures that can be counted by hand, and one clear
message for each thing that is wrong with a truth.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import main
from pipelines.config.schema import Config
from pipelines.config.truth import TruthFile
from pipelines.errors import BadInput
from pipelines.evaluating_incidents import footage_of, incidents
from pipelines.media.writing import write_video
from pipelines.samples.staged.scene import START_S
from vision import coco
from vision.detection import Detections
from vision.evaluation.painted import Actor, Stage
from vision.frame import Pixels

FPS = 5
ZONES = {"kerb": {"polygon": [[0.1, 0.5], [0.9, 0.5], [0.9, 0.9], [0.1, 0.9]]}}
PARKING = {"kind": "illegal_parking", "zone": "kerb", "after": "10s"}
CROWDING = {"kind": "crowding", "zone": "kerb", "people": 3, "for": "5s"}


class Script:
    """A detector that finds what was painted, in the order of the pictures."""

    name = "script"

    def __init__(self) -> None:
        self.found: list[Detections] = []

    def detect(self, pictures: list[Pixels]) -> list[Detections]:
        return [self.found.pop(0) for _ in pictures]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    one = Script()
    monkeypatch.setattr("pipelines.detector.load_detector", lambda _config: one)
    return one


def film(folder: Path, name: str, actors: list[Actor], seconds: float, script: Script, truth: dict[str, Any]) -> Path:
    """A video with its truth file; `script` will find what is in it."""

    def pictures() -> Iterator[Pixels]:
        for frame, detections in Stage(actors, fps=FPS).play(seconds):
            script.found.append(detections)
            yield frame.pixels

    write_video(pictures(), folder / f"{name}.mkv", FPS)
    path = folder / f"{name}.truth.json"
    path.write_text(json.dumps(truth))
    return path


def car(since: float, until: float, looks: int = 1) -> Actor:
    path = ((since - 3, -200.0, 330.0), (since, 320.0, 330.0), (until, 320.0, 330.0), (until + 3, 900.0, 330.0))
    return Actor(path, looks=looks)


def truth(*spans: tuple[float, float | None], kind: str = "illegal_parking", **more: object) -> dict[str, Any]:
    told = [{"kind": kind, "zone": "kerb", "opens_s": opens, "closes_s": closes} for opens, closes in spans]
    return {"zones": ZONES, "rules": [PARKING if kind == "illegal_parking" else CROWDING], "incidents": told, **more}


def test_the_figures_are_those_that_one_counts(
    tmp_path: Path, script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    # a: one case in time, of two that are true (the second car stands outside the zone: it is missed).
    film(tmp_path, "a", [car(5, 25)], 36, script, truth((15.0, 25.0), (33.0, None), camera="north"))
    # b: the same camera, nothing true; the car is a false alarm. c: another camera, quiet.
    film(tmp_path, "b", [car(5, 25)], 36, script, truth(camera="north"))
    film(tmp_path, "c", [], 12, script, truth())
    assert main(["evaluate", "parking", "--data", str(tmp_path), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    found = result["incidents"]
    assert (result["precision"], result["recall"]) == (0.5, 0.5) == (found["precision"], found["recall"])
    assert [found[name] for name in ("true", "reported", "matched", "duplicates", "false_alarms")] == [2, 2, 1, 0, 1]
    assert abs(found["opening_delay_s"]["median"]) <= 1
    assert abs(found["closing_delay_s"]["latest"]) <= 2
    cameras = {row["camera"]: row for row in found["cameras"]}
    assert cameras.keys() == {"north", "c"}
    days = 2 * (36 + 2 / FPS) / 86400
    assert cameras["north"]["false_alarms_per_day"] == pytest.approx(1 / days, rel=0.01)
    assert cameras["north"]["false_alarms_per_day_bound_95"] == pytest.approx(
        4.744 / days, rel=0.01
    )  # Garwood, one event
    assert cameras["c"]["false_alarms"] == 0
    assert [row["video"] for row in found["videos"]] == ["a.mkv", "b.mkv", "c.mkv"]


def test_for_people_and_for_crowds(tmp_path: Path, script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    crowd = [
        Actor(
            ((4.0, 100.0 + 90 * n, 330.0), (20.0, 100.0 + 90 * n, 330.0)),
            size_px=(30, 80),
            class_id=coco.PERSON,
            looks=n,
        )
        for n in range(5)
    ]
    film(tmp_path, "crowd", crowd, 30, script, truth((9.0, 20.0), kind="crowding"))
    assert main(["evaluate", "crowding", "--data", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "recall                           1.0" in told
    assert "crowd.mkv" in told
    assert main(["evaluate", "parking", "--data", str(tmp_path)]) == 2
    assert "none of its 1 truth files has a rule of illegal_parking" in capsys.readouterr().err


def test_what_stays_open_or_closes_too_soon_is_counted(tmp_path: Path, script: Script) -> None:
    film(tmp_path, "a", [car(3, 16)], 24, script, truth((13.0, None)))
    film(tmp_path, "b", [Actor(((0.0, 320.0, 330.0), (99.0, 320.0, 330.0)))], 16, script, truth((10.0, 15.0)))
    footage = footage_of(tmp_path, "illegal_parking", Config())
    found = incidents(footage, "illegal_parking", Config(), script, FPS, lambda *_: None, print)
    assert (found["matched"], found["left_open"], found["closed_early"]) == (2, 1, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"incidents": [],\n "rulez": []}', ":2: rulez: unknown key; allowed: "),
        ('{"incidents": [,]}', ":1: YAML: "),
        ("[]", ":1: expected keys with values"),
        ('{"what": "x"}', ":1: incidents: this key is needed"),
        (
            '{"incidents": [\n {"kind": "illegal_parking", "opens_s": 9,\n "closes_s": 4}]}',
            ":3: incidents[0].closes_s: it closes before it opens; got '4'; allowed: more than 9, or null",
        ),
        (
            '{"incidents": [{"kind": "parking", "opens_s": 9, "closes_s": null}]}',
            ":1: incidents[0].kind: not one of the choices; got 'parking'; allowed: ",
        ),
        (
            '{"incidents": [{"kind": "crowding", "closes_s": null,\n "opens_s": "9"}]}',
            ":2: incidents[0].opens_s: expected a number",
        ),
        (
            '{"duration_s": 5, "incidents": [{"kind": "crowding", "opens_s": 9, "closes_s": null}]}',
            "after the end of the footage",
        ),
        ('{"starts": "yesterday",\n "incidents": []}', ":1: starts: "),
        (
            '{"incidents": [],\n "zones": {"a": {"polygon": [[0,0],[1,0],[1,1]]}}}',
            ":2: zones: zones mean nothing without rules",
        ),
        (
            '{"incidents": [], "zones": {"a": {"polygon": [[0,0],[1,0],[1,1]]}},\n'
            ' "rules": [{"kind": "crowding", "zone": "b", "people": 3}]}',
            ":2: rules[0].zone: unknown zone; got 'b'; allowed: a",
        ),
        (
            json.dumps(
                {**truth(), "incidents": [{"kind": "illegal_parking", "zone": "curb", "opens_s": 1, "closes_s": None}]}
            ),
            ":1: incidents[0].zone: no rule watches this zone; got 'curb'; allowed: kerb",
        ),
        (json.dumps(truth() | {"rules": [PARKING, {**PARKING, "id": "two"}]}), "cannot be told"),
    ],
)
def test_a_truth_that_cannot_be(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.truth.json"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        TruthFile(path)
    first, *others = str(caught.value).splitlines()
    assert message in first
    assert first.startswith(f"{path}:")
    assert others == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (truth(video="gone.mp4"), ":1: video: "),
        (truth(), ":1: video: names no video, and there is no bad.mp4"),
        ({"incidents": [], "camera": "north"}, ":1: camera: no such camera in the configuration"),
        ({"incidents": [], "clip": "nothing"}, ":1: clip: needs rules"),
    ],
)
def test_a_truth_that_leads_nowhere(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    (tmp_path / "bad.truth.json").write_text(json.dumps(values))
    with pytest.raises(BadInput) as caught:
        footage_of(tmp_path, "illegal_parking", Config())
    assert message in str(caught.value)


def test_footage_counts_once(tmp_path: Path, script: Script) -> None:
    film(tmp_path, "a", [], 2, script, truth(camera="north"))
    (tmp_path / "b.truth.json").write_text(json.dumps(truth(camera="north", video="a.mkv")))
    with pytest.raises(BadInput, match=r"b\.truth\.json:1: video: a\.mkv is the footage of .*a\.truth\.json already"):
        footage_of(tmp_path, "illegal_parking", Config())


def test_a_truth_longer_than_its_video(tmp_path: Path, script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    film(tmp_path, "a", [], 4, script, truth((60.0, None)))
    assert main(["evaluate", "parking", "--data", str(tmp_path)]) == 2
    assert "a.truth.json:1: incidents[0].opens_s: a.mkv ends at 4.2 s, before that" in capsys.readouterr().err


def test_nothing_to_measure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "parking", "--data", str(tmp_path)]) == 2
    assert "holds no truth file of a video (*.truth.json), and no */frames" in capsys.readouterr().err


def test_the_documentation_says_when_footage_without_a_date_begins() -> None:
    text = (Path(__file__).parents[1] / "docs" / "samples.md").read_text(encoding="utf-8")
    told = re.search(r"^\| `starts` \| (\S+) \|", text, re.MULTILINE)
    assert told is not None
    assert datetime.fromisoformat(told[1]).timestamp() == START_S
