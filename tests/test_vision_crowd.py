"""Reading crowds: heads on a map, when a crowd is read, and what the rule makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.alerting.facts import Manner, facts_of
from pipelines.alerting.samples import sample
from pipelines.crowding.loading import Careful
from pipelines.crowding.staging import Camera, scattered
from pipelines.tracks.chunk import Chunk, Origin
from pipelines.tracks.folder import write_chunk
from pipelines.tracks.packed import PackedFrames
from pipelines.tracks.parquet import encode
from pipelines.tracks.reading import ChunkReader
from pipelines.tracks.rounding import rounded
from vision import coco
from vision.behaviours.crowding import Parameters
from vision.behaviours.crowding_hidden import all_people, steepness, with_hidden
from vision.camera import CameraSpec, RuleSpec
from vision.crowd import CrowdModel, CrowdReading, Tile, cut
from vision.crowd_head import CrowdHead
from vision.crowd_watch import READ_EVERY_S, CrowdWatch
from vision.detection import Detections, DetectorError, Float32Array
from vision.engine import Engine
from vision.frame import Frame, Pixels
from vision.geometry import FloatArray
from vision.ground import Ground
from vision.incident import Incident, Phase
from vision.moment import Moment
from vision.zone import Zone

START_S = 1_790_000_000.0
SIZE = (480, 640)
#: Seen from straight above: the picture is 16 x 12 metres, 40 pixels each.
PLAN = Ground.fit([((0, 0), (0, 0)), ((1, 0), (16, 0)), ((1, 1), (16, 12)), ((0, 1), (0, 12))])
YARD = Zone("yard", ((0.05, 0.05), (0.95, 0.05), (0.95, 0.95), (0.05, 0.95)))


class WhiteDots:
    """Says of each 8x8 cell how much of it is white."""

    def read(self, picture: Pixels) -> Float32Array:
        height, width = picture.shape[:2]
        cells = picture[..., 1].reshape(height // 8, 8, width // 8, 8).mean(axis=(1, 3))
        return np.asarray(cells[..., None] / 255, np.float32)


class OneForEachDot:
    """Takes 16 white pixels for a person."""

    def __init__(self, tall_px: float = 40.0) -> None:
        self.tall_px = tall_px

    def heads(self, maps: Float32Array) -> Float32Array:
        # A picture that is shown larger has larger dots; grey beyond its edges is nobody.
        return np.where(maps[..., 0] > 0.4, 0, maps[..., 0] * 4 * (40 / self.tall_px) ** 2).astype(np.float32)


def dotted(points: list[tuple[int, int]]) -> Pixels:
    picture = np.zeros((*SIZE, 3), np.uint8)
    for x, y in points:
        picture[y : y + 4, x : x + 4] = 255
    return picture


def test_a_head_is_what_was_saved(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    head = CrowdHead(
        random.normal(size=6).astype(np.float32),
        random.uniform(0.5, 2, 6).astype(np.float32),
        *(random.normal(size=shape).astype(np.float32) for shape in ((6, 3), (3,), (3,))),
        -1.0,
        96.0,
        ("a", "b"),
    )
    head.save(tmp_path / "head.npz")
    loaded = CrowdHead.load(tmp_path / "head.npz")
    maps = random.normal(size=(4, 5, 6)).astype(np.float32)
    assert np.array_equal(loaded.heads(maps), head.heads(maps))
    assert (loaded.tall_px, loaded.trained_on) == (96.0, ("a", "b"))
    (tmp_path / "head.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"head\.npz: is no head"):
        CrowdHead.load(tmp_path / "head.npz")


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.0])
def test_a_tile_shows_what_is_there(scale: float) -> None:
    picture = np.zeros((*SIZE, 3), np.uint8)
    picture[200:220, 300:320] = 255
    tile = cut(picture, Tile(270.0, 180.0, scale), (128, 160))
    rows, columns = np.nonzero(tile[..., 0] > 127)
    # The middle of the white square, in pixels of the tile.
    assert rows.mean() == pytest.approx((210 - 180) * scale, abs=1.5)
    assert columns.mean() == pytest.approx((310 - 270) * scale, abs=1.5)
    assert tile[-1, -1, 0] == (114 if (640 - 270) * scale < 160 else 0)


def test_heads_are_counted_once_however_many_tiles_it_takes() -> None:
    # At the scale of the head a person is 40 px tall, and so are the boxes: cells of the tiles are cells of the picture.
    boxes = np.array([(x, 100.0, x + 16.0, 140.0) for x in range(80, 560, 40)])
    points = [(x + 4, 100) for x in range(80, 560, 8)]
    model = CrowdModel(WhiteDots(), OneForEachDot(), (256, 320))
    reading = model.read(dotted(points), boxes, None)
    assert len(points) == 60
    assert reading.people.sum() == pytest.approx(60, abs=1)
    # Feet are below the heads by what is left of a person's height.
    assert reading.places[:, 1].mean() * SIZE[0] == pytest.approx(102 + 0.93 * 40, abs=4)
    assert reading.places[:, 0].min() * SIZE[1] >= 80 - 8
    assert reading.places[:, 0].max() * SIZE[1] <= 560 + 8


def test_the_horizon_says_how_tall_people_are() -> None:
    # A level camera: people are half as tall as their feet are below row 40.
    boxes = np.array(
        [(100 + 30.0 * k, y / 2 + 20, 120 + 30.0 * k, y) for k, y in enumerate((120.0, 160.0, 200.0, 240.0))]
    )
    model = CrowdModel(WhiteDots(), OneForEachDot(100.0), (384, 512))
    read = [model.read(dotted([(180, y)]), boxes, np.array([0.0, 1.0, -40.0])) for y in (100, 160)]
    for reading, head_px in zip(read, (102, 162), strict=True):
        at = np.average(reading.places[:, 1], weights=reading.people) * SIZE[0]
        tall = (at - 40) / 2
        assert at == pytest.approx(head_px + 0.93 * tall, abs=6)


def people(points: list[tuple[float, float]], tall: float = 40.0) -> Detections:
    boxes = [(x - 8, y - tall, x + 8, y) for x, y in points]
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), 0.8, np.float32),
        np.full(len(boxes), coco.PERSON, np.int64),
    )


def grid(count: int, apart_px: float) -> list[tuple[float, float]]:
    return [(300 + apart_px * (n % 4), 200 + apart_px * (n // 4)) for n in range(count)]


class TellsOf:
    """Reads a crowd of `people` at one place while six or more are seen, and remembers how often it was asked."""

    def __init__(self, people: float) -> None:
        self.people = people
        self.asked = 0

    def read(self, pixels: Pixels, boxes: FloatArray, horizon: FloatArray | None) -> CrowdReading:
        self.asked += 1
        places = np.array([[0.5, 0.45], [0.52, 0.46]])
        people = self.people if len(boxes) >= 6 else len(boxes)
        return CrowdReading(places, np.full(2, people / 2), (0.4, 0.2, 0.7, 0.6))


def camera(ground: Ground | None = PLAN, masks: tuple[tuple[tuple[float, float], ...], ...] = ()) -> CameraSpec:
    rule = RuleSpec("crowd", "crowding", "yard", Parameters(200, 2.0, for_s=4, repeat_s=5))
    return CameraSpec("gate", {"yard": YARD}, (rule,), masks=masks, ground=ground)


@pytest.mark.parametrize(
    ("name", "ground", "points", "asked"),
    [
        ("close on the ground", PLAN, grid(8, 30), 5),
        ("a metre and a half apart", PLAN, grid(12, 60), 0),
        ("five people beside each other", PLAN, grid(5, 17), 0),
        ("five people who cover each other", PLAN, grid(5, 9), 5),
        ("without ground points, covering each other", None, grid(9, 9), 5),
        ("without ground points, beside each other", None, grid(8, 45), 0),
        ("nobody", PLAN, [], 0),
    ],
)
def test_only_a_crowd_is_read_and_twice_a_second(
    name: str, ground: Ground | None, points: list[tuple[float, float]], asked: int
) -> None:
    reader = TellsOf(30)
    watch = CrowdWatch(reader)
    picture = dotted([])
    for number in range(15):
        watch.step(picture, number / 5, people(points).xyxy_px, camera(ground))
    assert reader.asked == asked, name
    assert READ_EVERY_S == 0.5


def test_people_who_cover_each_other_for_a_moment_are_no_crowd() -> None:
    reader = TellsOf(30)
    watch = CrowdWatch(reader)
    for number in range(100):
        watch.step(dotted([]), number / 5, people(grid(9, 9 if number % 5 < 2 else 60)).xyxy_px, camera(None))
    assert reader.asked == 0


def test_the_crowd_of_before_an_outage_is_none_after_it() -> None:
    """Such as that of the last picture before the night, when the rule comes into force again."""
    reader = TellsOf(30)
    watch = CrowdWatch(reader)
    for fifth in range(10):
        watch.step(dotted([]), fifth / 5, people(grid(8, 30)).xyxy_px, camera())
    asked = reader.asked
    for fifth in range(10):
        watch.step(dotted([]), 3600 + fifth / 5, people([(100.0, 100.0)]).xyxy_px, camera())
    assert 0 < asked == reader.asked


def test_who_stands_in_a_mask_is_not_read() -> None:
    hidden = camera(masks=(((0.51, 0.0), (1.0, 0.0), (1.0, 1.0), (0.51, 1.0)),))
    watch = CrowdWatch(TellsOf(30))
    readings = [watch.step(dotted([]), at / 5, people(grid(8, 30)).xyxy_px, hidden) for at in range(3)]
    reading = readings[-1]
    assert reading is not None
    assert reading.people.tolist() == [15.0]


def play(
    engine: Engine, crowd: Callable[[float], list[tuple[float, float]]], until_s: float, from_s: float = 0.0
) -> tuple[list[Incident], list[Moment]]:
    sheet = np.random.default_rng(3).integers(60, 200, (*SIZE, 3), dtype=np.uint8)
    told: list[Incident] = []
    kept: list[Moment] = []
    for number in range(round(from_s * 5), round(until_s * 5)):
        frame = Frame("gate", "run", START_S + number / 5, sheet ^ np.uint8(number % 2))
        step = engine.step(frame, rounded(people(crowd(number / 5))))
        assert step.moment is not None
        told += step.incidents
        kept.append(step.moment)
    return told, kept


def gathers_and_goes(time_s: float) -> list[tuple[float, float]]:
    return grid(8, 30) if 3 <= time_s < 20 else [(100.0, 100.0)]


# Seen from above hardly anybody hides another: 16 heads are 17 people, 40 are 45.
@pytest.mark.parametrize(("read", "there", "severity"), [(16, 17, 3), (26, 28, 2), (40, 45, 1)])
def test_the_rule_takes_what_was_read_and_says_how_sure_it_is(read: int, there: int, severity: int) -> None:
    told, _ = play(Engine(camera(), crowds=TellsOf(read)), gathers_and_goes, 35)
    assert [message.phase for message in told if message.phase is not Phase.UPDATED] == [Phase.OPENED, Phase.CLOSED]
    opened = told[0]
    evidence = {name: one.value for name, one in opened.evidence.items()}
    assert evidence["people"] == there
    assert evidence["people_seen"] == 8
    assert evidence["count"] == "estimated"
    assert evidence["density"] == pytest.approx(there / (np.pi * 1.5**2), abs=0.1)
    assert 0 < float(evidence["people_error"]) < there / 2
    # 2, 3.5 and 5 people per square metre are three levels.
    assert opened.severity == severity
    within = f"{float(evidence['people_error']):.0f}"
    assert evidence["in_words_en"].startswith(f"Crowding: at least 8 people, estimated {there} ± {within}, ")
    assert evidence["in_words_zh"].startswith(f"人群聚集：至少8人，估计{there}±{within}人，")
    closed = told[-1]
    assert closed.closed_s is not None
    assert closed.closed_s - START_S == pytest.approx(20, abs=1.6)
    assert closed.close_reason == "dispersed"
    message = sample("crowding", Phase.OPENED, dict(opened.evidence))
    assert "estimated" in facts_of(message, Manner("en")).sentence
    assert {one.name: one.text for one in facts_of(message, Manner("zh-CN")).evidence}["people_seen"] == "8人"


def test_a_reading_of_fewer_than_are_seen_takes_nobody_away() -> None:
    told, _ = play(Engine(replace_limit(camera(), 5), crowds=TellsOf(3)), gathers_and_goes, 15)
    assert told[0].evidence["people"].value == 8
    assert "people_seen" not in told[0].evidence


class Fails:
    """A network that cannot be read."""

    def read(self, picture: Pixels) -> Float32Array:
        raise DetectorError("model.onnx: broken")


def test_a_network_that_fails_is_told_of_once_and_boxes_go_on_counting() -> None:
    said: list[str] = []
    reader = Careful(CrowdModel(Fails(), OneForEachDot(), (256, 320)), said.append)
    told, kept = play(Engine(replace_limit(camera(), 5), crowds=reader), gathers_and_goes, 15)
    assert [message.phase for message in told if message.phase is not Phase.UPDATED] == [Phase.OPENED]
    assert told[0].evidence["people"].value == 8
    assert all(moment.crowd is None for moment in kept)
    assert said == ["dense crowds are not read any more, only who is seen is counted: model.onnx: broken"]


def replace_limit(spec: CameraSpec, people_limit: int) -> CameraSpec:
    return replace(spec, rules=(RuleSpec("crowd", "crowding", "yard", Parameters(people_limit, None, for_s=4)),))


def test_the_flatter_the_look_and_the_denser_the_crowd_the_more_are_hidden() -> None:
    assert steepness(PLAN, np.array([0.5, 0.5]), SIZE) == pytest.approx(1.0, abs=0.01)
    road = Camera(7.3, -64.0).ground((290.0, 440.0))
    # 7.3 m high and 16 m away: some 24 degrees.
    spot = Camera(7.3, -64.0).picture(np.array([[0.0, 16.0]]))[0] / (768, 576)
    assert steepness(road, spot, (576, 768)) == pytest.approx(7.3 / np.hypot(7.3, 16), abs=0.06)
    spots = scattered(np.random.default_rng(1), 30, 2.0)
    one = np.ones(30)
    flat, steep = with_hidden(spots, one, 0.25).sum(), with_hidden(spots, one, 0.6).sum()
    assert 30 < steep < flat <= 30 * 1.3
    assert with_hidden(spots, 0.3 * one, 0.25).sum() / 9 < flat / 30
    assert with_hidden(spots, 50 * one, 0.25).sum() == pytest.approx(30 * 50 * 1.3)
    reading = CrowdReading(np.array([[0.5, 0.5]]), np.array([9.0]), (0.0, 0.0, 1.0, 1.0))
    assert all_people(reading, None, SIZE).tolist() == [9.0]
    assert all_people(reading, PLAN, SIZE).tolist() > [9.0]


def test_who_stands_where_the_picture_shows_no_ground_is_counted_as_read() -> None:
    """The ground points say that the horizon is below their feet: who is read there must not end the analysis."""
    road = Ground.fit([((0.2, 0.7), (4, 20)), ((0.8, 0.7), (12, 20)), ((1.0, 1.0), (12, 0)), ((0.0, 1.0), (4, 0))])
    far = np.array([[0.49, 0.2], [0.51, 0.2]])
    assert not np.isfinite(road.to_metres(far)).any()
    reading = CrowdReading(far, np.array([4.0, 5.0]), (0.0, 0.0, 1.0, 1.0))
    assert all_people(reading, road, SIZE).tolist() == [4.0, 5.0]


def test_a_replay_from_stored_tracks_judges_alike(tmp_path: Path) -> None:
    first, kept = play(Engine(camera(), crowds=TellsOf(30)), gathers_and_goes, 35)
    origin = Origin("gate", "v1", Engine(camera()).snapshot(), {})
    frames = PackedFrames()
    for moment in kept:
        frames.add(moment, Detections.empty(), np.empty(0, np.int64), ())
    path = write_chunk(tmp_path, "gate", kept[0].time_s, encode(Chunk(origin, frames)))
    stored = ChunkReader(path).moments
    assert sum(moment.crowd is not None for moment in stored) >= 30
    # The engine that judges again has no network.
    again = Engine(camera())
    assert [message for moment in stored for message in again.recall(moment).incidents] == first


def test_a_restart_goes_on_with_the_same_incident() -> None:
    first, _ = play(Engine(camera(), crowds=TellsOf(30)), gathers_and_goes, 35)
    cut_off = Engine(camera(), crowds=TellsOf(30))
    before, _ = play(cut_off, gathers_and_goes, 9)
    goes_on = Engine(camera(), crowds=TellsOf(30))
    goes_on.restore(json.loads(json.dumps(cut_off.snapshot())))
    after, _ = play(goes_on, gathers_and_goes, 35, from_s=9)
    told = before + after
    assert {m.incident_id for m in told} == {m.incident_id for m in first}
    assert [m.phase for m in told if m.phase is not Phase.UPDATED] == [Phase.OPENED, Phase.CLOSED]


def test_a_snapshot_of_a_release_that_read_no_crowds_is_taken() -> None:
    engine = Engine(camera())
    play(engine, gathers_and_goes, 6)
    state = json.loads(json.dumps(engine.snapshot()))
    saved = state["rules"]["crowd"]["state"]
    saved["history"] = [row[:3] for row in saved["history"]]
    del saved["readings"]
    later = Engine(camera())
    later.restore(state)
    assert play(later, gathers_and_goes, 8, from_s=6)[0] == []
