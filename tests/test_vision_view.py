"""The judgement of the view, and the camera's faults as incidents. Real pictures where there are some."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.paths import samples_dir
from vision import pose
from vision.behaviours.illegal_parking import Parameters as ParkingParameters
from vision.camera import CameraSpec, RuleSpec
from vision.detection import Detections
from vision.engine import Engine
from vision.evaluation.painted import Actor, Stage
from vision.frame import Frame, Pixels
from vision.health import Parameters
from vision.incident import Incident, Phase
from vision.sharpness import sharpness
from vision.view import ViewJudge, ViewState
from vision.zone import Zone

DATA = Path(os.environ.get("GATEWATCH_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
START_S = 1_790_000_000.0
NOISE = np.random.default_rng(7).standard_normal((288, 384, 3), dtype=np.float32)
Change = Callable[[Pixels, float], Pixels]


def street(seed: int = 1) -> Pixels:
    """A picture with edges everywhere, as a street has."""
    random = np.random.default_rng(seed)
    picture = np.full((288, 384, 3), 110, np.uint8)
    for _ in range(90):
        x, y = int(random.integers(-20, 380)), int(random.integers(-20, 280))
        size = (int(random.integers(8, 70)), int(random.integers(8, 70)))
        colour = [int(value) for value in random.integers(30, 220, 3)]
        cv2.rectangle(picture, (x, y), (x + size[0], y + size[1]), colour, -1)
    return np.asarray(cv2.GaussianBlur(picture, (3, 3), 0), np.uint8)


def noisy(picture: Pixels, time_s: float, spread: float = 2.0) -> Pixels:
    shifts = np.random.default_rng(int(time_s * 10)).integers(0, 64, 2)
    sheet = np.roll(NOISE[: picture.shape[0], : picture.shape[1]], tuple(shifts.tolist()), (0, 1))
    return np.asarray(np.clip(picture + spread * sheet, 0, 255), np.uint8)


def turned(picture: Pixels, degrees: float = 0.0, dx: float = 0.0, zoom: float = 1.0) -> Pixels:
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, zoom)
    matrix[0, 2] += dx * width
    return np.asarray(cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8)


def blurred(picture: Pixels, px_of_640: float) -> Pixels:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), px_of_640 * picture.shape[1] / 640), np.uint8)


def bus(picture: Pixels) -> Pixels:
    """A wall of blank metal before the camera."""
    out = picture.copy()
    out[:, :350] = 150
    out[100:104, :350] = 90
    return out


CHANGES: dict[str, tuple[Change, ViewState]] = {
    "nothing": (lambda p, t: p, ViewState.USABLE),
    "clouds": (lambda p, t: np.asarray(p * (0.75 + 0.25 * np.cos(t)), np.uint8), ViewState.USABLE),
    "dusk": (lambda p, t: np.asarray(255 * (p / 255) ** 1.6, np.uint8), ViewState.USABLE),
    "wind": (lambda p, t: turned(p, dx=0.004 * np.sin(8 * t)), ViewState.USABLE),
    "turned by 2.5 % of the width": (lambda p, t: turned(p, dx=0.025), ViewState.MOVED),
    "turned by 12 %": (lambda p, t: turned(p, dx=0.12), ViewState.MOVED),
    "rolled by 4 degrees": (lambda p, t: turned(p, 4.0), ViewState.MOVED),
    "zoomed": (lambda p, t: turned(p, zoom=1.15), ViewState.MOVED),
    "turned away": (lambda p, t: street(2), ViewState.MOVED),
    "out of focus": (lambda p, t: blurred(p, 4.0), ViewState.BLURRED),
    "covered": (lambda p, t: np.full_like(p, 70), ViewState.BLOCKED),
    "covered by something near": (lambda p, t: bus(p), ViewState.BLOCKED),
    "covered in the dark of a hand": (lambda p, t: np.full_like(p, 4), ViewState.BLOCKED),
    "blown out": (lambda p, t: np.full_like(p, 245), ViewState.BLOCKED),
    "night": (lambda p, t: np.asarray(p * 0.1, np.uint8), ViewState.DARK),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_view_after_something_happened(name: str) -> None:
    change, expected = CHANGES[name]
    judge, picture = ViewJudge(), street()
    before = [judge.judge(noisy(picture, t / 2), t / 2).state for t in range(40)]
    assert set(before) == {ViewState.USABLE}
    after = [judge.judge(noisy(change(picture, t / 2), t / 2), t / 2).state for t in range(40, 80)]
    assert set(after[12:]) == {expected}
    again = [judge.judge(noisy(picture, t / 2), t / 2).state for t in range(80, 110)]
    assert set(again[15:]) == {ViewState.USABLE}


def test_a_camera_that_creeps_is_moved_all_the_same() -> None:
    judge, picture = ViewJudge(), street()
    # Told apart by the anchor: from one picture to the next nothing happens.
    states = [judge.judge(noisy(turned(picture, dx=0.0001 * t), t), 4.0 * t).state for t in range(400)]
    assert states[0] is ViewState.USABLE
    assert states[-1] is ViewState.MOVED
    assert states.index(ViewState.MOVED) > 120  # 1.2 % of the width is not yet too much


def test_pictures_that_agree_on_nothing_are_no_view_to_have_moved_from() -> None:
    judge = ViewJudge()
    random = np.random.default_rng(5)
    states = {judge.judge(random.integers(40, 220, (120, 160, 3), dtype=np.uint8), t / 2).state for t in range(80)}
    assert states == {ViewState.USABLE}


def test_what_the_view_was_is_remembered_over_a_restart() -> None:
    first, picture = ViewJudge(), street()
    for t in range(40):
        first.judge(noisy(picture, t), float(t))
    second = ViewJudge()
    second.restore(json.loads(json.dumps(first.snapshot())))
    assert second.judge(noisy(turned(picture, dx=0.05), 50), 50.0).state is ViewState.MOVED
    second.place_anew()
    assert second.judge(noisy(turned(picture, dx=0.05), 52), 52.0).state is ViewState.USABLE


def test_sharpness_of_a_step_a_ramp_and_a_wall() -> None:
    step = np.zeros((200, 300, 3), np.uint8)
    step[:, np.arange(300) % 40 >= 20] = 200
    assert sharpness(step) == pytest.approx(1.0)
    assert sharpness(blurred(step, 12.0)) == pytest.approx(0.16, abs=0.03)
    assert sharpness(np.full((200, 300, 3), 90, np.uint8)) is None


@pytest.mark.data
def test_one_car_park_on_five_days_is_one_view_and_always_sharp() -> None:
    pictures = [cv2.imread(str(path)) for path in sorted((DATA / "pklot" / "empty").rglob("*.jpg"))]
    if not pictures:
        pytest.skip(f"{DATA}: no data")
    found = [np.asarray(picture, np.uint8) for picture in pictures if picture is not None]
    layouts = [pose.layout(picture) for picture in found]
    for number, one in enumerate(layouts):
        for other in layouts[number + 1 :: 5]:
            fit = pose.compare(one, other)
            assert not fit.moved
            assert not fit.lost
    values = [sharpness(picture) for picture in found]
    assert min(value for value in values if value is not None) > 0.4
    for picture in found[::6]:
        assert (sharpness(blurred(picture, 3.0)) or 0.0) < 0.235
        assert pose.compare(pose.layout(picture), pose.layout(turned(picture, dx=0.03))).moved
        assert pose.compare(pose.layout(picture), pose.layout(turned(picture, 4.0))).moved


# --- the faults as incidents -------------------------------------------------------------------------------------------

ROAD = Zone("road", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
VAN = Actor(((0.0, 300.0, 287.0), (400.0, 300.0, 287.0)), (130.0, 90.0))


def watch(health: Parameters | None = Parameters()) -> Engine:  # noqa: B008
    rule = RuleSpec("parking", "illegal_parking", "road", ParkingParameters(after_s=20))
    return Engine(CameraSpec("gate", {"road": ROAD}, (rule,), health=health))


def play(one: Engine, change: Change, from_s: float, to_s: float, until_s: float = 120.0) -> list[Incident]:
    """A van stands on a street from the first picture on; from `from_s` to `to_s` the picture is changed."""
    messages: list[Incident] = []
    background = street()
    stage = Stage([VAN], size_px=(384, 288), scale=1.0)
    texture = cv2.resize(street(9), (130, 90))
    for frame, detections in stage.play(until_s):
        time_s = frame.time_s - stage.epoch_s
        picture = background.copy()
        picture[197:287, 235:365] = texture
        found = detections
        if from_s <= time_s < to_s:
            picture, found = change(picture, time_s), Detections.empty()
        messages += one.step(Frame("gate", "run", frame.time_s, noisy(picture, time_s)), found).incidents
    return messages


def told(messages: list[Incident], kind: str) -> list[tuple[Phase, float]]:
    return [(m.phase, round(m.time_s - 1_790_000_000.0, 1)) for m in messages if m.kind == kind]


def test_a_covered_lens_is_one_incident_and_the_case_behind_it_is_unknown_until_it_is_seen_again() -> None:
    one = watch()
    messages = play(one, CHANGES["covered"][0], 22.0, 42.0, until_s=60.0)
    assert [phase for phase, _ in told(messages, "covered")] == [Phase.OPENED, Phase.CLOSED]
    (_, opened_s), (_, closed_s) = told(messages, "covered")
    assert 32.0 <= opened_s <= 34.0
    assert 46.9 <= closed_s <= 50.0
    last = [m for m in messages if m.kind == "covered"][-1]
    assert last.closed_s is not None
    assert last.closed_s - 1_790_000_000.0 == pytest.approx(42.0, abs=0.5)
    parking = [m for m in messages if m.kind == "illegal_parking"]
    assert [m.phase for m in parking] == [Phase.OPENED, Phase.UPDATED, Phase.UPDATED]
    assert [m.evidence["state"].value for m in parking] == ["violation", "unknown", "violation"]
    assert parking[1].evidence["view"].value == "blocked"
    assert len({m.incident_id for m in parking}) == 1


def test_a_fault_of_a_moment_is_none_but_the_rules_believe_nothing_meanwhile() -> None:
    one = watch()
    messages = play(one, CHANGES["covered"][0], 22.0, 26.0, until_s=35.0)
    assert told(messages, "covered") == []
    assert [m.phase for m in messages if m.kind == "illegal_parking"] == [Phase.OPENED, Phase.UPDATED, Phase.UPDATED]


def test_faults_outlive_a_restart_and_can_be_switched_off() -> None:
    first = watch()
    opened = play(first, CHANGES["covered"][0], 15.0, 200.0, until_s=30.0)
    assert [phase for phase, _ in told(opened, "covered")] == [Phase.OPENED]
    second = watch()
    second.restore(json.loads(json.dumps(first.snapshot())))
    assert second.cases() == first.cases()
    assert {status.state for status in second.status()} <= {"unknown"}
    gone = second.reconfigure(replace(second.camera, health=None), START_S + 31)
    assert [(m.kind, m.phase, m.close_reason) for m in gone.incidents] == [("covered", Phase.CLOSED, "configuration")]
    quiet = play(watch(Parameters(kinds=frozenset({"dark"}))), CHANGES["covered"][0], 25.0, 40.0, 45.0)
    assert {m.kind for m in quiet} == {"illegal_parking"}


def test_silence_is_told_once_and_ends_with_the_next_picture() -> None:
    one = watch()
    play(one, CHANGES["nothing"][0], 0.0, 0.0, until_s=10.0)
    assert one.silent(START_S + 10, START_S + 24).incidents == ()
    (opened,) = one.silent(START_S + 10, START_S + 26).incidents
    assert (opened.kind, opened.phase, opened.zone_id) == ("signal_lost", Phase.OPENED, "")
    assert opened.first_seen_s == START_S + 10
    assert one.silent(START_S + 10, START_S + 40).incidents == ()
    restarted = watch()
    restarted.restore(json.loads(json.dumps(one.snapshot())))
    assert restarted.silent(START_S + 10, START_S + 50).incidents == ()
    step = restarted.step(Frame("gate", "run", START_S + 60, noisy(street(), 1)), Detections.empty())
    (closed,) = [m for m in step.incidents if m.kind == "signal_lost"]
    assert (closed.phase, closed.incident_id, closed.closed_s) == (Phase.CLOSED, opened.incident_id, START_S + 60)


@pytest.mark.data
def test_the_sample_footage_has_no_fault() -> None:
    path = samples_dir() / "vtest.avi"
    if not path.is_file():
        pytest.skip("vtest.avi is not here: gatewatch samples pull")
    capture, judge, number = cv2.VideoCapture(str(path)), ViewJudge(), 0
    states = set()
    while True:
        found, picture = capture.read()
        if not found:
            break
        if number % 5 == 0:
            states.add(judge.judge(np.asarray(picture, np.uint8), number / 10).state)
        number += 1
    assert number > 700
    assert states == {ViewState.USABLE}
