"""One camera of a worker without its process: drawn pictures, detections given, a publisher that can refuse."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from pipelines.config import load
from pipelines.config.schema import Config
from pipelines.errors import GatewatchError
from pipelines.events.envelope import Event
from pipelines.testing import FakeClock
from pipelines.workers import together
from pipelines.workers.camera import CameraAnalysis
from pipelines.workers.looking import Task
from pipelines.workers.pictures import PictureStore
from pipelines.workers.surroundings import Kept, Surroundings
from vision import coco
from vision.attention import Look
from vision.crowd import CrowdReading
from vision.crowd_watch import CrowdReader
from vision.detection import Detections, DetectorError
from vision.frame import Frame, Pixels
from vision.geometry import FloatArray

START_S = 1_790_000_000.0
LOT = """
data: {data}
cameras:
  gate:
    main: {{url: "rtsp://127.0.0.1:1/none"}}
    zones: {{kerb: {{polygon: [[0.0, 0.5], [1.0, 0.5], [1.0, 1.0], [0.0, 1.0]]}}}}
    rules: [{{kind: illegal_parking, zone: kerb, after: 20s}}]
"""


class Silent:
    """A camera that gives nothing by itself: the tests hand frames to the analysis."""

    fps = 5.0
    on_frame: Callable[[], None]
    superseded = 0
    last_time_s = 0.0

    def run(self, stop: threading.Event) -> None:
        stop.wait()

    def take(self, timeout_s: float) -> Frame | None:
        return None


class Refusing:
    """A bus and a spool that take nothing until told otherwise."""

    def __init__(self) -> None:
        self.refuses = False
        self.events: list[Event] = []

    def publish(self, event: Event) -> None:
        if self.refuses:
            raise GatewatchError("the spool is full")
        self.events.append(event)


def analyse(benches: Sequence[Bench], frame: Frame, found: Detections) -> None:
    """The same picture for the camera of each, together."""
    look = Look(((0, 0, frame.width_px, frame.height_px),), whole=True)
    cameras = [bench.camera for bench in benches]
    together.judge([(Task(camera, frame, look, (), 1.0), [found]) for camera in cameras], cameras[0].laps)


class Bench:
    def __init__(
        self, folder: Path, crowds: Callable[[Config], CrowdReader | None] = lambda _: None, *, started: bool = True
    ) -> None:
        self.folder = folder
        self.publisher = Refusing()
        path = folder / "site.yaml"
        path.write_text(LOT.format(data=folder))
        self.loaded = load(path)
        around = Surroundings(
            FakeClock(),
            self.publisher,
            PictureStore(folder / "pictures"),
            lambda *_: Silent(),
            logging.getLogger("test.camera"),
            crowds=crowds,
            clock_of=lambda camera_id: {"why": f"asked for {camera_id}"},
        )
        self.camera = CameraAnalysis("gate", self.loaded, around)
        if started:
            self.camera.start()
        # Ground with some structure, and a sensor with noise: an even or repeated picture would not be believed.
        self._random = np.random.default_rng(5)
        rough = self._random.integers(60, 140, (12, 16, 3), dtype=np.uint8)
        self._lot = np.kron(rough, np.ones((20, 20, 1), np.uint8))

    def show(self, from_s: float, to_s: float, *, car: bool, beside: Sequence[Bench] = ()) -> None:
        """`beside`: whose cameras are shown the same, together with ours."""
        for tenth in range(round(from_s * 5), round(to_s * 5)):
            frame, found = self.frame(tenth / 5), Detections.empty()
            pixels = frame.pixels
            if car:
                pixels[120:200, 100:220] = (235, 235, 240)
                pixels[130:150, 110:210:9] = 20
                box = np.array([[100, 120, 220, 200]], np.float32)
                found = Detections(box, np.array([0.8], np.float32), np.array([coco.CAR]))
            analyse([self, *beside], frame, found)

    def frame(self, time_s: float) -> Frame:
        """The empty lot."""
        noise = self._random.integers(0, 4, self._lot.shape, dtype=np.uint8)
        return Frame("gate", "run-1", START_S + time_s, self._lot + noise)

    def pictures(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "pictures").rglob("*.jpg"))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_stop_shorter_than_the_limit_leaves_no_message_and_no_picture(bench: Bench) -> None:
    bench.show(0, 3, car=False)
    bench.show(3, 10, car=True)
    assert bench.pictures() != [], "kept in case it becomes an incident"
    bench.show(10, 60, car=False)
    assert bench.publisher.events == []
    assert bench.pictures() == []


def test_an_incident_keeps_its_pictures_after_it_closed(bench: Bench) -> None:
    bench.show(0, 3, car=False)
    bench.show(3, 40, car=True)
    bench.show(40, 80, car=False)
    phases = [event.data["phase"] for event in bench.publisher.events]
    assert (phases[0], phases[-1]) == ("opened", "closed")
    assert {event.data["clock"]["why"] for event in bench.publisher.events} == {"asked for gate"}
    assert set(bench.pictures()) >= {"first_seen.jpg", "limit.jpg", "cleared.jpg"}


def test_cameras_that_are_judged_together_are_told_of_as_each_alone(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("alone", "first", "second")]
    for folder in folders:
        folder.mkdir()
    alone, first, second = map(Bench, folders)
    for from_s, to_s, car in ((0, 3, False), (3, 40, True), (40, 60, False)):
        alone.show(from_s, to_s, car=car)
        first.show(from_s, to_s, car=car, beside=[second])
    told = [event.data for event in alone.publisher.events]
    assert [one["phase"] for one in told] == ["opened", "closed"]
    for bench in (first, second):
        assert [event.data for event in bench.publisher.events] == told
        assert bench.pictures() == alone.pictures()
        assert bench.camera._engine.snapshot() == alone.camera._engine.snapshot()
    spent = first.camera.laps.spent
    assert {stage: sum(of.counts) for stage, of in spent.items()} == dict.fromkeys(
        ("gate", "track", "rules", "publish"), 600
    ), "a pass of each for each picture, and none of what is not done"


@pytest.mark.parametrize("stage", ["judge", "tell"])
def test_a_camera_that_fails_leaves_the_cases_of_those_that_are_judged_with_it_told(
    tmp_path: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker ends with it and saves what each engine holds: a case in there that was not told never is."""
    folders = [tmp_path / name for name in ("before", "failing", "behind")]
    for folder in folders:
        folder.mkdir()
    before, failing, behind = map(Bench, folders)

    def fail(*_: object) -> None:
        raise DetectorError("the network of crowds failed")

    monkeypatch.setattr(failing.camera, stage, fail)
    for fifth in range(200):
        with pytest.raises(DetectorError):
            before.show(fifth / 5, (fifth + 1) / 5, car=fifth > 15, beside=[failing, behind])
    assert [event.data["phase"] for event in before.publisher.events] == ["opened"]
    assert before.pictures() != []
    # Where it fails before the others are judged, they know of nothing.
    assert len(behind.publisher.events) == (stage == "tell") == len(behind.camera._engine.cases())


def test_a_picture_that_waits_is_not_judged_once_another_configuration_has_it_looked_at_otherwise(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    camera, frame = bench.camera, bench.frame(0.0)
    first = camera.plan(frame)
    camera.merge(frame, first, [Detections.empty()])
    calm = camera.plan(bench.frame(0.2))
    assert first.whole
    assert calm.parts == ()
    assert camera.awaits(calm)
    path = tmp_path / "site.yaml"
    path.write_text(path.read_text().replace("cameras:", "detector: {look: whole}\ncameras:"))
    camera.reconfigure(load(path))
    assert camera.awaits(calm), "nothing was looked at, and what was found before holds"
    assert camera.awaits(camera.plan(bench.frame(0.4)))
    path.write_text(path.read_text().replace("    main:", "    fps: 4\n    main:"))
    camera.reconfigure(load(path))
    assert not camera.awaits(calm), "read anew: it is known of no part what there is"
    camera.stop()


def test_a_camera_with_a_case_goes_first_also_after_a_restart_and_no_longer_when_it_is_over(bench: Bench) -> None:
    bench.show(0, 3, car=False)
    assert not bench.camera.has_open_case
    bench.show(3, 30, car=True)
    assert bench.camera.has_open_case
    again = Bench(bench.folder)
    assert again.camera.has_open_case, "before its first picture: that one is to be served first"
    again.show(31, 80, car=False)
    assert not again.camera.has_open_case


def test_what_neither_bus_nor_spool_takes_is_kept_and_told_in_order_later(bench: Bench) -> None:
    bench.publisher.refuses = True
    bench.show(0, 3, car=False)
    bench.show(3, 40, car=True)
    bench.show(40, 80, car=False)
    assert bench.publisher.events == []
    again = Bench(bench.folder)  # the process died meanwhile
    again.show(81, 83, car=False)
    told = [(event.data["phase"], event.data["revision"]) for event in again.publisher.events]
    assert [phase for phase, _ in told] == ["opened", "closed"]
    assert told == sorted(told, key=lambda one: one[1])
    assert len({event.id for event in again.publisher.events}) == 2
    assert len({event.subject for event in again.publisher.events}) == 1
    again.show(83, 85, car=False)
    assert len(again.publisher.events) == 2, "told once"


CROWD = """
data: {data}
cameras:
  gate:
    main: {{url: "rtsp://127.0.0.1:1/none"}}
    zones: {{kerb: {{polygon: [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]}}}}
    rules: [{{kind: crowding, zone: kerb, people: 20, for: 2s}}]
"""


class Forty:
    """Reads forty people in every crowd."""

    def read(self, pixels: Pixels, boxes: FloatArray, horizon: FloatArray | None) -> CrowdReading:
        return CrowdReading(np.array([[0.5, 0.5]]), np.array([40.0]), (0.0, 0.0, 1.0, 1.0))


def test_the_first_rule_that_reads_crowds_may_come_with_a_new_configuration(tmp_path: Path) -> None:
    """Drawn in the control room, say: nobody starts the worker again."""
    asked: list[list[str]] = []

    def load_crowds(config: Config) -> Forty | None:
        kinds = [rule.kind for camera in config.cameras.values() for rule in camera.rules]
        asked.append(kinds)
        return Forty() if "crowding" in kinds else None

    path = tmp_path / "site.yaml"
    path.write_text(LOT.format(data=tmp_path))
    bench = Bench(tmp_path, Kept(load_crowds, load(path).config))
    path.write_text(CROWD.format(data=tmp_path))
    bench.camera.reconfigure(load(path))
    bench.camera.reconfigure(load(path))
    for fifth in range(30):
        boxes = np.array([(100 + 9 * n, 60 + 9 * (n // 3), 116 + 9 * n, 100 + 9 * (n // 3)) for n in range(9)])
        found = Detections(boxes.astype(np.float32), np.full(9, 0.8, np.float32), np.full(9, coco.PERSON))
        analyse([bench], bench.frame(fifth / 5), found)
    assert [event.data["phase"] for event in bench.publisher.events] == ["opened"]
    assert bench.publisher.events[0].data["evidence"]["people"]["value"] == 40
    assert asked[0] == ["illegal_parking"]
    assert asked.count(["crowding"]) == 1, "it is kept"


@pytest.mark.parametrize(
    "damage", ["another release's engine", "another release's rules", "a number of 70 bits", "nothing but a time"]
)
def test_a_state_that_no_engine_can_go_on_from_is_set_aside_and_the_camera_is_analysed(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = Bench(tmp_path)
    first.show(0, 3, car=True)
    first.camera.stop()
    state = tmp_path / "state" / "gate.json"
    saved = json.loads(state.read_text())
    match damage:
        case "another release's engine":
            saved["snapshot"]["engine"]["version"] += 1
        case "another release's rules":
            saved["snapshot"]["camera"]["rules"][0]["until_noon"] = True
        case "a number of 70 bits":
            saved["snapshot"]["engine"]["tracker"]["tracks"][0]["id"] = 2**70
        case _:
            saved["snapshot"] = {}
    state.write_text(json.dumps(saved))
    second = Bench(tmp_path)
    assert state.with_suffix(".json.damaged").is_file()
    assert "the saved cases are lost" in caplog.text
    second.show(10, 40, car=True)
    assert [event.data["phase"] for event in second.publisher.events] == ["opened"]
    state.write_text(json.dumps(saved))
    Bench(tmp_path, started=False).camera.close_orphan()
    assert not state.exists()
