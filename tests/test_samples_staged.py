"""The staged clip: its truth is what is drawn, and it is the same every time."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines import paths
from pipelines.errors import BadInput, Unavailable
from pipelines.evaluating_staged import camera_of
from pipelines.media.file import FileSource
from pipelines.samples import library
from pipelines.samples.catalogue import SampleFile
from pipelines.samples.staged import gate as gate_module
from pipelines.samples.staged.cast import Company
from pipelines.samples.staged.making import company_of
from pipelines.samples.staged.moves import Drive, Walk, arriving
from pipelines.samples.staged.scene import START_S, Scene
from pipelines.samples.staged.scenes import suite
from pipelines.samples.staged.scenes_bus import BUS
from pipelines.samples.staged.scenes_motorcycle import MOTORCYCLE
from pipelines.samples.staged.stage import Player, Stage
from pipelines.samples.staged.vehicles import Vehicles, cut_bus, cut_motorcycle
from pipelines.samples.staged.weather import Weather
from vision import coco


@pytest.fixture(scope="module")
def company() -> Company:
    footage = paths.samples_dir() / library.FOOTAGE
    if not footage.is_file():
        pytest.skip(f"no {footage}; run `gatewatch samples pull`")
    return company_of(footage)


@pytest.fixture(scope="module")
def vehicles() -> Vehicles:
    bus, motorcycle = (
        library.picture(name, lambda _text: None, fetch=False)
        for name in (library.BUS_PICTURE, library.MOTORCYCLE_PICTURE)
    )
    if bus is None or motorcycle is None:
        pytest.skip("no pictures of vehicles; run `gatewatch samples pull`")
    return Vehicles(cut_bus(bus), cut_motorcycle(motorcycle))


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


def test_the_suite_has_scenes_with_distinct_names_and_a_truth_that_fits(company: Company, vehicles: Vehicles) -> None:
    everything = suite(company, vehicles)
    assert everything.skipped == {}
    scenes = {scene.name: scene for scene in everything.scenes}
    assert len(scenes) == len(everything.scenes)
    raised = {name: scene.incidents() for name, scene in scenes.items()}
    for name, incidents in raised.items():
        for incident in incidents:
            assert 0 <= incident.opens_s < scenes[name].duration_s, name
            assert incident.closes_s is None or incident.opens_s < incident.closes_s <= scenes[name].duration_s, name
    subjects = {name: [incident.subject for incident in incidents] for name, incidents in raised.items()}
    assert subjects["replacement"] == ["van", "blue van"]
    assert subjects["crowd and van"] == ["van", "people"]
    assert subjects["lens covered"] == ["van", "covered"]
    assert subjects["van beside a queue"] == ["red van"]
    assert subjects["bus stays"] == ["bus"]
    assert subjects["motorcycle stands"] == ["motorcycle"]
    assert subjects["levels"] == ["people"] * 3
    for quiet in (
        "stop and go",
        "half inside",
        "short stop",
        "drive through",
        "jam",
        "walkers only",
        "small group",
        "short crowd",
        "shadow on an empty road",
        "bay: two minutes",
        "bay: the next one",
        "bay: there and back",
        "bus drops off",
        "bus is exempt",
        "motorcycle passes",
    ):
        assert subjects[quiet] == []


def test_a_rule_counts_from_when_it_comes_into_force_and_ends_with_it(company: Company) -> None:
    [staged] = [scene for scene in suite(company, Vehicles()).scenes if scene.name == "schedule"]
    [incident] = staged.incidents()
    assert (incident.opens_s, incident.closes_s) == (55.0, 100.0)
    # The engine reads the same minutes out of the rule's schedule.
    [rule] = camera_of(staged).rules
    active = [second for second in range(round(staged.duration_s)) if rule.active(START_S + second)]
    assert active == list(range(40, 100))


def test_a_place_that_a_bus_hides_is_seen_to_be_empty_when_the_bus_is_gone(
    company: Company, vehicles: Vehicles
) -> None:
    scenes = {scene.name: scene for scene in suite(company, vehicles).scenes}
    [hidden] = scenes["leaves behind a bus"].incidents()
    [open_road] = replace(scenes["leaves behind a bus"], players=scenes["leaves behind a bus"].players[:1]).incidents()
    assert open_road.closes_s == pytest.approx(43.4, abs=0.1)
    assert hidden.closes_s == pytest.approx(64.0, abs=0.5)
    assert hidden.opens_s == open_road.opens_s


def test_without_their_pictures_scenes_are_skipped_by_name(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    real = library.pull

    def no_pictures(file: SampleFile, *rest: object) -> Path:
        if file.name != library.FOOTAGE:
            raise Unavailable(f"{file.name} could not be had")
        return real(file, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(library, "pull", no_pictures)
    there = library.staged_suite(said.append)
    assert set(there.skipped) == {*BUS, *MOTORCYCLE}
    assert "there is no picture of a bus" in there.skipped["bus stays"]
    assert not {scene.name for scene in there.scenes} & set(there.skipped)
    assert sum("could not be had" in line for line in said) == 2


def test_the_bus_and_the_motorcycle_are_drawn_in_the_size_of_the_place(company: Company, vehicles: Vehicles) -> None:
    for performer, wide_px, tall_px in ((vehicles.bus, 159, 103), (vehicles.motorcycle, 81, 51)):
        assert performer is not None
        player = Player(1, performer, Drive(((0.0, 560.0, 203.0), (9.0, 560.0, 203.0)), performer.facing))
        picture, (box,) = Stage(company.plate, [player]).draw(1.0)
        x1, y1, x2, y2 = box.xyxy_px
        # A person is 62 px tall at this row: a small bus of 7 m, a motorcycle of 2.1 m.
        assert (x2 - x1, y2 - y1) == (pytest.approx(wide_px, abs=3), pytest.approx(tall_px, abs=3))
        assert box.ground_px == pytest.approx((560.0, 203.0), abs=2.0)
        assert box.visible > 0.95
        changed = np.abs(picture.astype(int) - company.plate.pixels).max(axis=2) > 30
        assert float(changed[int(y1) : int(y2), int(x1) : int(x2)].mean()) > 0.4


def test_lost_pictures_and_outages_leave_gaps_in_time(company: Company) -> None:
    scenes = {one.name: one for one in suite(company, Vehicles()).scenes}
    lossy = replace(scenes["lost pictures"], duration_s=20.0)
    times = [frame.time_s for frame in lossy.frames()]
    assert 45 <= len(times) <= 75  # of 100
    assert all(b > a for a, b in itertools.pairwise(times))
    short = replace(scenes["outage"], duration_s=62.0, fps=1.0)
    assert [frame.time_s for frame in short.frames()] == [float(i) for i in range(62) if not 30 <= i < 60]


@pytest.mark.parametrize(
    "weather",
    [
        Weather(noise=5.0, gamma=2.2),
        Weather(headlights=((0.0, 4.0, 600.0, 230.0),)),
        Weather(shadow=80.0),
        Weather(rain=100),
        Weather(snow=100),
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
