"""The staged clip: its truth is what is drawn, and it is the same every time."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines import paths
from pipelines.errors import BadInput
from pipelines.media.file import FileSource
from pipelines.samples import library
from pipelines.samples.staged import gate as gate_module
from pipelines.samples.staged.cast import Company
from pipelines.samples.staged.making import company_of
from pipelines.samples.staged.moves import Drive, Walk, arriving
from pipelines.samples.staged.scene import Scene
from pipelines.samples.staged.scenes import scenes
from pipelines.samples.staged.stage import Player, Stage
from pipelines.samples.staged.weather import Weather
from vision import coco


@pytest.fixture(scope="module")
def company() -> Company:
    footage = paths.samples_dir() / library.FOOTAGE
    if not footage.is_file():
        pytest.skip(f"no {footage}; run `gatewatch samples pull`")
    return company_of(footage)


@pytest.fixture(scope="module")
def scene(company: Company) -> Scene:
    return gate_module.gate(company)


def test_the_company_is_complete_and_cut_out_cleanly(company: Company) -> None:
    for performer in (*company.walkers, *company.standers):
        for cutout in performer.walk:
            height, width = cutout.alpha.shape
            # A person, not a person with tape, lamp post or neighbour.
            assert 0.2 < width / height < 0.75, performer.name
            assert 0.25 < float((cutout.alpha > 0.5).mean()) < 0.85, performer.name
    widths = {cutout.pixels.shape[:2] for cutout in company.van.walk}
    assert len(widths) == 1


def test_the_truth_has_one_case_and_one_crowd(scene: Scene) -> None:
    parking, crowding = scene.incidents()
    assert (parking.kind, parking.zone, parking.subject) == ("illegal_parking", "no_parking", "van")
    assert 32.0 < parking.opens_s <= 33.0  # it rolls to a stop until 13 s, `after` is 20 s
    assert parking.closes_s is not None
    assert 61.0 < parking.closes_s < 63.5
    assert (crowding.kind, crowding.zone) == ("crowding", "forecourt")
    assert crowding.closes_s is not None
    assert 80 < crowding.opens_s < 95 < crowding.closes_s < 110
    assert max(scene.count("forecourt", time_s / 2) for time_s in range(250)) == 11


def test_the_stage_is_empty_where_the_clip_loops(scene: Scene) -> None:
    stage = Stage(scene.company.plate, scene.players)
    for time_s in (0.0, scene.duration_s - 0.1):
        assert [box for box in stage.draw(time_s)[1] if box.visible > 0.5] == []


def test_walkers_cover_the_van_and_the_van_covers_nobody_in_front(scene: Scene) -> None:
    stage = Stage(scene.company.plate, scene.players)
    seen = {}
    for tenth in range(150, 600, 3):
        boxes = {box.player_id: box for box in stage.draw(tenth / 10)[1]}
        seen[tenth] = boxes[1].visible
        # Who walks in front is not hidden by it.
        for player_id, box in boxes.items():
            if player_id != 1 and box.ground_px[1] > boxes[1].ground_px[1] + 1 and len(boxes) == 2:
                assert box.visible > 0.9 or box.xyxy_px[0] < 460 or box.xyxy_px[2] > 760
    assert min(seen.values()) < 0.75  # somebody passes in front
    assert float(np.median(list(seen.values()))) > 0.95


def test_the_pictures_are_the_same_every_time(scene: Scene) -> None:
    first = [frame.pixels for frame in itertools.islice(scene.frames(), 3)]
    again = [frame.pixels for frame in itertools.islice(scene.frames(), 3)]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_where_a_player_is_drawn_the_picture_has_changed_and_elsewhere_it_has_not(company: Company) -> None:
    player = Player(7, company.van, Drive(((0.0, 560.0, 203.0), (10.0, 560.0, 203.0))))
    picture, boxes = Stage(company.plate, [player]).draw(5.0)
    (box,) = boxes
    assert box.class_id == coco.CAR
    assert box.visible == pytest.approx(1.0, abs=0.03)
    changed = np.abs(picture.astype(int) - company.plate.pixels).max(axis=2) > 30
    ys, xs = np.nonzero(changed)
    x1, y1, x2, y2 = box.xyxy_px
    assert xs.min() >= x1 - 6
    assert xs.max() <= x2 + 6
    assert ys.min() >= y1 - 3
    assert ys.max() <= y2 + 8
    assert float(changed[int(y1) : int(y2), int(x1) : int(x2)].mean()) > 0.5


def test_a_drive_stands_still_between_equal_places_and_never_swings_back() -> None:
    drive = Drive(((0.0, 0.0, 100.0), (5.0, 300.0, 150.0), (20.0, 300.0, 150.0), (25.0, 800.0, 100.0)))
    poses = [drive.at(t / 10) for t in range(251)]
    xs = [pose.x_px for pose in poses if pose is not None]
    assert all(b >= a for a, b in itertools.pairwise(xs))
    assert {pose.x_px for pose in poses[50:200] if pose is not None} == {300.0}
    assert drive.at(-0.1) is None
    assert drive.at(25.1) is None


def test_a_walk_keeps_its_pace_rests_and_looks_where_it_goes(company: Company) -> None:
    performer = company.walker("red")
    walk = Walk(performer, 3.0, [(700, 300), (500, 300), (600, 300)], {1: 5.0})
    reached_s = walk.reaches_s(1)
    pose = walk.at(reached_s + 2.0)
    assert pose is not None
    assert pose.standing
    going, coming = walk.at(4.0), walk.at(walk.ends_s - 0.5)
    assert going is not None
    assert coming is not None
    assert (going.facing, coming.facing) == (-1, 1)
    assert walk.at(2.9) is None
    assert arriving(performer, 50.0, [(700, 300), (500, 300)], 1, {1: 2.0}).reaches_s(1) == pytest.approx(50.0)


def test_what_is_on_the_disk_is_the_clip_and_its_truth(scene: Scene) -> None:
    try:
        truth = library.truth(library.clips()["gate"])
    except BadInput:
        pytest.skip("the staged clip has not been made; run `gatewatch samples pull`")
    assert len(truth["people"]) == 1250
    assert [incident["kind"] for incident in truth["incidents"]] == ["illegal_parking", "crowding"]
    assert max(truth["people_in_zone"]["forecourt"]) == 11
    folder = library.staged_dir(lambda _text: None)
    rows = [line.split(",") for line in Path(folder / "gate.mot.txt").read_text().splitlines()]
    assert {len(row) for row in rows} == {9}
    assert {int(row[0]) for row in rows} == set(range(1, 1251))
    video = FileSource(str(folder / "gate.mkv"), "gate", fps=0.5).probe()
    assert video.duration_s == pytest.approx(125.0, abs=0.2)
    assert json.loads((folder / "gate.truth.json").read_text())["fps"] == 10


def test_the_suite_has_scenes_with_distinct_names_and_a_truth_that_fits(company: Company) -> None:
    suite = scenes(company)
    assert len({scene.name for scene in suite}) == len(suite)
    for one in suite:
        for incident in one.incidents():
            assert 0 <= incident.opens_s < one.duration_s, one.name
            assert incident.closes_s is None or incident.opens_s < incident.closes_s <= one.duration_s, one.name
    raised = {one.name: [incident.subject for incident in one.incidents()] for one in suite}
    assert raised["replacement"] == ["van", "blue van"]
    assert raised["crowd and van"] == ["van", "people"]
    assert raised["lens covered"] == ["van", "covered"]
    assert raised["van beside a queue"] == ["red van"]
    for quiet in (
        "stop and go",
        "half inside",
        "short stop",
        "drive through",
        "jam",
        "walkers only",
        "small group",
        "shadow on an empty road",
    ):
        assert raised[quiet] == []


def test_lost_pictures_and_outages_leave_gaps_in_time(company: Company) -> None:
    suite = {one.name: one for one in scenes(company)}
    lossy = replace(suite["lost pictures"], duration_s=20.0)
    times = [frame.time_s for frame in lossy.frames()]
    assert 45 <= len(times) <= 75  # of 100
    assert all(b > a for a, b in itertools.pairwise(times))
    short = replace(suite["outage"], duration_s=62.0, fps=1.0)
    assert [frame.time_s for frame in short.frames()] == [float(i) for i in range(62) if not 30 <= i < 60]


@pytest.mark.parametrize(
    "weather",
    [
        Weather(noise=5.0, gamma=2.2),
        Weather(headlights=((0.0, 4.0, 600.0, 230.0),)),
        Weather(shadow=80.0),
        Weather(rain=100),
        Weather(shake_px=2.0),
        Weather(turned=(1.0, 4.0)),
        Weather(covered=(1.0, 3.0)),
        Weather(blurred=(1.0, 3.0, 4.0)),
        Weather(infrared=1.0),
    ],
)
def test_weather_changes_the_picture_and_is_the_same_every_time(company: Company, weather: Weather) -> None:
    picture = company.plate.pixels
    once, again = weather.apply(picture, 10, 2.0), weather.apply(picture, 10, 2.0)
    assert np.array_equal(once, again)
    plain = Weather(noise=0.0).apply(picture, 10, 2.0)
    assert np.array_equal(plain, picture)
    assert float(np.abs(once.astype(int) - plain).mean()) > 0.5
