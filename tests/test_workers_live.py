"""Live pictures from a camera's analysis to a viewer, over a real server."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from pipelines.clock import SystemClock
from pipelines.events.embedded import EmbeddedValkey
from pipelines.events.live import LivePicture, LivePublisher, LiveReader
from pipelines.events.redis_streams import connect
from pipelines.testing import FakeClock, until
from pipelines.workers.live import LiveView, overlay
from vision.behaviours import crowding, illegal_parking
from vision.camera import CameraSpec, RuleSpec
from vision.detection import Detections
from vision.engine import Engine
from vision.evaluation.painted import Actor, Stage
from vision.frame import Frame
from vision.scene import Scene
from vision.status import RuleStatus
from vision.zone import Zone

KERB = Zone("kerb", ((0.1, 0.5), (0.9, 0.5), (0.9, 0.9), (0.1, 0.9)))
RULES = (
    RuleSpec("park", "illegal_parking", "kerb", illegal_parking.Parameters(20.0)),
    RuleSpec("crowd", "crowding", "kerb", crowding.Parameters(8, None)),
    RuleSpec("night", "illegal_parking", "kerb", illegal_parking.Parameters(20.0), lambda _: False),
)


def seen(until_s: float) -> tuple[Frame, Scene, tuple[RuleStatus, ...]]:
    """A car that came to rest after 3 s, as the engine saw it at `until_s`."""
    engine = Engine(CameraSpec("gate", {"kerb": KERB}, RULES))
    stage = Stage([Actor(((0.0, -60, 400), (3.0, 320, 400), (600.0, 320, 400)))])
    last: tuple[Frame, Scene] | None = None
    for frame, detections in stage.play(until_s):
        scene = engine.step(frame, detections).scene
        assert scene is not None
        last = (frame, scene)
    assert last is not None
    return (*last, engine.status())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path_factory.mktemp("bus")) as running:
        yield running


def test_a_running_case_shows_its_clock_and_its_place() -> None:
    _, scene, status = seen(13.0)
    rules = {one["rule"]: one for one in overlay(scene, status)["rules"]}
    assert rules["park"]["state"] == "standing"
    assert rules["park"]["evidence"]["standing"]["value"] == pytest.approx(10.0, abs=1.0)
    assert rules["park"]["evidence"]["standing_limit"] == {"value": 20.0, "unit": "s"}
    assert rules["park"]["incident"] is None
    x1, _, x2, y2 = rules["park"]["box"]
    assert (x1 + x2) / 2 == pytest.approx(0.5, abs=0.02)
    assert y2 == pytest.approx(400 / 480, abs=0.02)
    assert rules["crowd"]["evidence"]["people"]["value"] == 0
    assert rules["night"]["state"] == "off"


def test_what_is_followed_is_hidden_also_where_nothing_was_found_in_this_picture() -> None:
    _, scene, status = seen(13.0)
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    blind = dataclasses.replace(scene, detections=nothing, detection_track_id=np.zeros(0, np.int64))
    (box,) = [one["box"] for one in overlay(scene, status)["boxes"]]
    assert overlay(blind, status)["hide"] == [["vehicle", *box]]


def test_an_open_case_names_its_incident() -> None:
    _, _, status = seen(26.0)
    (park,) = [one for one in status if one.rule_id == "park"]
    assert park.state == "violation"
    assert park.incident_id is not None


def test_a_picture_survives_the_way_over_the_bus() -> None:
    sent = LivePicture("gate", 1_790_000_000.25, b"\xff\xd8jpeg", {"boxes": [], "view": "usable", "name": "校门"})
    assert LivePicture.from_bytes("gate", sent.to_bytes()) == sent
    for broken in (b"", b"\x00", b"\x00\x00\x00\x04null", b"\xff\xff\xff\xffx"):
        with pytest.raises(ValueError):
            LivePicture.from_bytes("gate", broken)


def test_nothing_is_encoded_or_sent_while_nobody_looks(server: EmbeddedValkey) -> None:
    clock = FakeClock()
    view = LiveView(LivePublisher(connect(server.url)), clock)
    assert not view.wants("gate")
    view.run_once()
    assert not view.wants("gate")
    frame, scene, status = seen(1.0)
    view.offer(frame, scene, status)
    clock.advance(5.0)
    assert view.run_once() == 0


def test_a_viewer_gets_the_newest_picture_once_a_second_and_only_while_it_looks(server: EmbeddedValkey) -> None:
    clock = FakeClock()
    view = LiveView(LivePublisher(connect(server.url)), clock)
    frame, scene, status = seen(13.0)
    reader, stop = LiveReader(connect(server.url), SystemClock(), keep_s=5.0), threading.Event()
    thread = threading.Thread(target=reader.run, args=(stop,))
    thread.start()
    try:
        reader.want("gate")
        view.wants("gate")

        def noticed() -> bool:
            reader.want("gate")
            clock.advance(3.0)
            view.run_once()
            return view.wants("gate")

        until(noticed)
        view.offer(frame, scene, status)
        assert view.run_once() == 1
        view.offer(frame, scene, status)
        assert view.run_once() == 0, "a second has not passed"
        until(lambda: reader.latest("gate") is not None)
        picture = reader.latest("gate")
        assert picture is not None
        assert picture.time_s == frame.time_s
        shown = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert shown is not None
        assert shown.shape == frame.pixels.shape
        assert picture.overlay["rules"][0]["state"] == "standing"

        def forgotten() -> bool:
            clock.advance(3.0)
            view.run_once()
            return not view.wants("gate")

        until(forgotten)
    finally:
        stop.set()
        thread.join()
