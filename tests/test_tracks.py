"""Tracks that are kept and judged again: the same rules give the same incidents, other rules what one works out by hand."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.config.build import camera_spec
from pipelines.config.cameras import Camera
from pipelines.config.schema import Config
from pipelines.testing import FakeClock, gathered
from pipelines.tracks import keeper
from pipelines.tracks.chunk import Chunk
from pipelines.tracks.folder import chunks, delete_old, write_chunk
from pipelines.tracks.keeper import TrackKeeper
from pipelines.tracks.parquet import DamagedChunk, encode, to_ns, to_s
from pipelines.tracks.reading import ChunkReader
from pipelines.tracks.replay import Replay, Replayed
from pipelines.tracks.rounding import rounded
from pipelines.tracks.upkeep import TrackUpkeep
from vision import coco
from vision.camera import CameraSpec
from vision.detection import Detections
from vision.engine import Engine
from vision.evaluation.painted import Actor, Stage
from vision.frame import Frame
from vision.incident import Incident

KERB = [[0.1, 0.5], [0.9, 0.5], [0.9, 0.9], [0.1, 0.9]]
YARD = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
FAR = [[0.0, 0.0], [0.3, 0.0], [0.3, 0.2], [0.0, 0.2]]
DURATION_S = 60.0


def camera(after: str = "12s", people: int = 2, kerb: Any = None, parking: str = "kerb") -> Camera:
    return Camera.model_validate(
        {
            "main": {"url": ""},
            "zones": {
                "kerb": {"polygon": kerb or KERB},
                "yard": {"polygon": YARD},
                "far": {"polygon": FAR},
            },
            "rules": [
                {"kind": "illegal_parking", "zone": parking, "after": after},
                {"kind": "crowding", "zone": "yard", "people": people, "for": "4s"},
            ],
        }
    )


def spec(described: Camera) -> CameraSpec:
    return camera_spec(Config(cameras={"gate": described}), "gate")


@cache
def pictures() -> Sequence[tuple[Frame, Detections]]:
    """A car stands from 3 s to 26 s, hidden by walkers at times; three or four people meet; there is an outage."""
    walkers = [
        Actor(
            ((4.0 + n, -20.0, 345.0), (12.0 + n, 300.0 + 40 * n, 345.0), (30.0 + n, 680.0, 345.0)),
            (30, 80),
            coco.PERSON,
            50 + n,
        )
        for n in range(4)
    ]
    first = Actor(
        ((0.0, -60.0, 330.0), (3.0, 320.0, 330.0), (26.0, 320.0, 330.0), (29.0, 700.0, 330.0)), looks=1, seen_at=0.8
    )
    second = Actor(((36.0, -60.0, 330.0), (39.0, 320.0, 330.0), (80.0, 320.0, 330.0)), looks=2, seen_at=0.8)
    return list(Stage([first, second, *walkers], outages=((40.0, 43.0),)).play(DURATION_S))


def start_s() -> float:
    return pictures()[0][0].time_s


def analyse(described: Camera, root: Path | None = None) -> list[Incident]:
    """As a worker does: the last word about each incident, in the order in which they opened."""
    kept: list[Chunk] = []
    engine = Engine(spec(described))
    gatherer = TrackKeeper("gate", gathered(kept.append))
    rules = described.model_dump(mode="json", by_alias=True)
    last: dict[str, Incident] = {}
    for frame, detections in pictures():
        gatherer.before(frame.time_s, engine, "v1", lambda: rules)
        step = engine.step(frame, rounded(detections))
        gatherer.after(step, frame)
        last |= {incident.incident_id: incident for incident in step.incidents}
    gatherer.end()
    for chunk in kept if root is not None else ():
        write_chunk(root, "gate", chunk.from_s, encode(chunk))
    return sorted((one for one in last.values() if one.opened_s is not None), key=lambda one: one.opened_s or 0.0)


def replay(root: Path, described: Camera, from_s: float = 0.0, to_s: float = DURATION_S) -> Replayed:
    return Replay(root, spec(described), start_s() + from_s, start_s() + to_s).run()


def times(incidents: Sequence[Incident]) -> list[tuple[str, str, float, float | None]]:
    def since(at_s: float | None) -> float | None:
        return None if at_s is None else round(at_s - start_s(), 3)

    return [(one.incident_id, one.kind, since(one.opened_s) or 0.0, since(one.closed_s)) for one in incidents]


@pytest.fixture
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of eight seconds, so that a case lives through several."""
    monkeypatch.setattr(keeper, "MOST_FRAMES", 40)


def test_boxes_and_times_come_back_as_they_were_judged(tmp_path: Path) -> None:
    kept: list[Chunk] = []
    engine, gatherer = Engine(spec(camera())), TrackKeeper("gate", gathered(kept.append))
    judged = []
    for frame, detections in pictures()[:50]:
        gatherer.before(frame.time_s, engine, "v1", camera().model_dump)
        step = engine.step(frame, rounded(detections))
        gatherer.after(step, frame)
        assert step.moment is not None
        judged.append(step.moment)
    gatherer.end()
    assert any(one.looks for one in judged), "places are watched ..."
    assert len(kept[0].frames.looks) < sum(len(one.looks) for one in judged), "... but only changes wait for the disk"
    path = write_chunk(tmp_path, "gate", kept[0].from_s, encode(kept[0]))
    read = ChunkReader(path).moments
    assert [one.time_s for one in read] == [one.time_s for one in judged]
    for one, other in zip(read, judged, strict=True):
        np.testing.assert_array_equal(one.detections.xyxy_px, other.detections.xyxy_px)
        np.testing.assert_array_equal(one.detections.confidence, other.detections.confidence)
        np.testing.assert_array_equal(one.detections.class_id, other.detections.class_id)
        assert one.view.state is other.view.state
        assert set(one.looks) >= set(other.looks)
    assert any(one.looks for one in judged)


@pytest.mark.parametrize("time_s", [1_790_000_000.2, 1_790_000_125.8000002, 1.8e9 + 1 / 3, 2_147_483_648.4000001])
def test_a_time_is_kept_to_its_last_bit(time_s: float) -> None:
    assert to_s(to_ns(time_s)) == time_s


def test_rounding_moves_a_box_by_an_eighth_of_a_pixel_at_most_and_what_reaches_a_limit_of_confidence_still_does() -> (
    None
):
    random = np.random.default_rng(3)
    boxes = random.uniform(0, 1900, (500, 4)).astype(np.float32)
    confidence = np.concatenate([np.array([0.1, 0.25, 0.4, 0.5, 0.6]), random.uniform(0.1, 1, 495)]).astype(np.float32)
    before = Detections(boxes, confidence, np.zeros(500, np.int64))
    after = rounded(before)
    nearest = np.abs(after.xyxy_px[:, None, :] - before.xyxy_px[None, :, :]).max(axis=2).min(axis=1)
    assert nearest.max() <= 0.125 + 1e-4
    # Rounding keeps the order of confidences, so the sorted ones are pairs. What is below a limit by less than half a step
    # of 0.005 may come to reach it; nothing that reached it falls short.
    was, now = np.sort(before.confidence), np.sort(after.confidence)
    assert np.abs(now - was).max() <= 0.0025 + 1e-6
    for limit in (0.1, 0.25, 0.4, 0.5, 0.6):
        assert (now[was >= limit] >= limit).all()
        assert (now[was < limit - 0.003] < limit).all()
    assert rounded(after).xyxy_px.tolist() == after.xyxy_px.tolist()


@pytest.mark.usefixtures("short_chunks")
def test_the_same_rules_raise_the_same_incidents(tmp_path: Path) -> None:
    then = analyse(camera(), tmp_path)
    assert {one.kind for one in then} == {"illegal_parking", "crowding"}
    assert len(chunks(tmp_path, "gate")) > 5
    again = replay(tmp_path, camera())
    assert _within_a_frame(again.incidents, then)
    assert [one.evidence.get("peak_people") for one in again.incidents] == [
        one.evidence.get("peak_people") for one in then
    ]
    assert (again.damaged, again.notes, again.config_versions) == ([], [], ["v1"])


def _within_a_frame(again: Sequence[Incident], then: Sequence[Incident]) -> bool:
    pairs = list(zip(times(again), times(then), strict=True))
    return len(again) == len(then) > 0 and all(
        a[:2] == b[:2] and abs(a[2] - b[2]) < 0.21 and (a[3] is b[3] or abs((a[3] or 0) - (b[3] or 0)) < 0.21)
        for a, b in pairs
    )


@pytest.mark.usefixtures("short_chunks")
def test_a_replay_is_the_same_each_time_and_may_begin_in_the_middle_of_a_case(tmp_path: Path) -> None:
    then = analyse(camera(), tmp_path)
    first, second = (replay(tmp_path, camera(), from_s=9.0) for _ in range(2))
    assert times(first.incidents) == times(second.incidents)
    # The car came at 3 s, so its twelve seconds end at 15 s although the replay saw it only from about 8 s on.
    assert _within_a_frame(first.incidents, then)


@pytest.mark.usefixtures("short_chunks")
def test_another_limit_opens_so_much_earlier(tmp_path: Path) -> None:
    then, now = analyse(camera("12s"), tmp_path), replay(tmp_path, camera("8s", people=4)).incidents
    # The second car stands from 39 s on and nobody hides it: 39 + 12, and 39 + 8. Never more than four people are there.
    assert times(then)[-1][2] == pytest.approx(51.0, abs=0.21)
    assert times(now)[-1][2] == pytest.approx(47.0, abs=0.21)
    assert ({one.kind for one in then}, {one.kind for one in now}) == (
        {"illegal_parking", "crowding"},
        {"illegal_parking"},
    )
    # While people hide the car nothing is told: what a limit in that time does, only the rule itself can say.
    assert _within_a_frame(replay(tmp_path, camera("17s", people=3)).incidents, analyse(camera("17s", people=3)))
    # The first car stands 23 s, the second to the end of what was seen: a limit of 30 s is missed by both.
    none = replay(tmp_path, camera("30s", people=50)).incidents
    assert none == []


@pytest.mark.usefixtures("short_chunks")
def test_a_zone_elsewhere_is_judged_too(tmp_path: Path) -> None:
    """No rule watched the kerb when it was seen: the vehicle's looks were kept all the same, so its end is seen."""
    nobody = analyse(camera(parking="far"), tmp_path)
    assert {one.kind for one in nobody} == {"crowding"}
    raised = [one for one in replay(tmp_path, camera("12s")).incidents if one.kind == "illegal_parking"]
    expected = [one for one in analyse(camera("12s")) if one.kind == "illegal_parking"]
    assert [one.opened_s for one in raised] == pytest.approx([one.opened_s for one in expected], abs=0.21)
    assert raised[0].closed_s == pytest.approx(expected[0].closed_s, abs=2.0), "elsewhere is looked at once a second"


@pytest.mark.usefixtures("short_chunks")
def test_what_is_not_there_or_damaged_is_named_with_its_seconds(tmp_path: Path) -> None:
    analyse(camera(), tmp_path)
    files = chunks(tmp_path, "gate")
    begun_s = ChunkReader(files[2].path).from_s - start_s()
    for broken, content in ((files[2], files[2].path.read_bytes()[:-200]), (files[3], b"not parquet")):
        broken.path.write_bytes(content)
    half = bytearray(files[4].path.read_bytes())
    half[len(half) // 3] ^= 0x55
    files[4].path.write_bytes(half)
    out = replay(tmp_path, camera(), to_s=DURATION_S + 30)
    assert len(out.damaged) >= 2
    assert str(files[2].path) in out.damaged[0]
    [first, *_, last] = out.holes
    assert first.from_s - start_s() == pytest.approx(begun_s - 0.2, abs=0.01)
    assert last.to_s - start_s() == DURATION_S + 30
    assert out.seen_s < DURATION_S
    with pytest.raises(DamagedChunk, match="cannot be read as tracks"):
        ChunkReader(files[3].path)


def test_an_outage_of_the_camera_is_a_hole(tmp_path: Path) -> None:
    analyse(camera(), tmp_path)
    [hole] = replay(tmp_path, camera(), to_s=59.0).holes
    assert (hole.from_s - start_s(), hole.seconds) == (pytest.approx(40, abs=0.21), pytest.approx(3, abs=0.41))


def a_chunk() -> Chunk:
    kept: list[Chunk] = []
    engine, gatherer = Engine(spec(camera())), TrackKeeper("gate", gathered(kept.append))
    for frame, detections in pictures()[:5]:
        gatherer.before(frame.time_s, engine, "v1", dict)
        gatherer.after(engine.step(frame, rounded(detections)), frame)
    gatherer.end()
    return kept[0]


def test_old_tracks_are_deleted_and_each_is_written_down(tmp_path: Path) -> None:
    content = encode(a_chunk())
    now_s = start_s() + 10 * 86400
    for days in (0.0, 5.0, 8.0, 9.9):
        write_chunk(tmp_path, "gate", start_s() + days * 86400, content)
    write_chunk(tmp_path, "other", start_s(), content)
    clock = FakeClock(now_s)
    assert TrackUpkeep(tmp_path, 3 * 86400.0, clock, logging.getLogger("test")).run_once() == 3
    left = [file.from_s for file in chunks(tmp_path, "gate")]
    assert left == [pytest.approx(start_s() + days * 86400, abs=1) for days in (8.0, 9.9)]
    records = [json.loads(line) for line in (tmp_path / "deletions.jsonl").read_text().splitlines()]
    assert [(one["camera"], one["reason"], one["size_bytes"]) for one in records] == [
        ("gate", "keep", len(content)),
        ("gate", "keep", len(content)),
        ("other", "keep", len(content)),
    ]
    assert not list((tmp_path / "other").iterdir()), "days in which nothing is left go too"
    assert delete_old(tmp_path, now_s, 3 * 86400.0) == []


def test_a_chunk_ends_at_whole_ten_minutes(tmp_path: Path) -> None:
    kept: list[Chunk] = []
    engine, gatherer = Engine(spec(camera())), TrackKeeper("gate", gathered(kept.append))
    border_s = (start_s() // 600 + 2) * 600
    for number, (frame, detections) in enumerate(pictures()[:20]):
        moved = replace(frame, time_s=border_s - 2.0 + number * 0.2)
        gatherer.before(moved.time_s, engine, "v1", dict)
        gatherer.after(engine.step(moved, rounded(detections)), moved)
    assert [len(chunk.frames) for chunk in kept] == [10]
    gatherer.end()
    assert kept[1].from_s == pytest.approx(border_s)
