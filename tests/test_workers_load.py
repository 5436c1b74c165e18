"""The worker under load: a clock and a detector that the tests own, real cameras' engines, nobody starved."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from pathlib import Path
from threading import Event as StopEvent
from typing import Any

import numpy as np
import pytest

from pipelines.config import load
from pipelines.events.envelope import Event
from pipelines.metrics import Metrics
from pipelines.testing import FakeClock
from pipelines.workers import analysis
from pipelines.workers.analysis import AnalysisWorker
from pipelines.workers.camera import CameraAnalysis
from pipelines.workers.fairness import Fairness
from pipelines.workers.pictures import PictureStore
from pipelines.workers.surroundings import Surroundings
from vision.detection import Detections, DetectorError
from vision.engine import Engine, Tracked
from vision.frame import Frame, Pixels
from vision.incident import Incident, Phase

SITE = """
data: {data}
detector: {{input: [96, 128]}}
cameras:
"""
CAMERA = """  {name}:
    main: {{url: "rtsp://127.0.0.1:1/none"}}
    fps: {fps}
    zones: {{all: {{polygon: [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]}}}}
    rules: [{{kind: crowding, zone: all, people: 50, for: 10s}}]
"""
GROUND = np.kron(
    np.random.default_rng(4).integers(60, 140, (12, 16, 3), dtype=np.uint8), np.ones((12, 12, 1), np.uint8)
)


class Here(Executor):
    """Runs the job at once, in the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Slow:
    """Takes its time for each pixel; fails on pictures that hold pure blue, as one camera's may."""

    name = "slow"

    def __init__(self, clock: FakeClock, s_per_picture: float) -> None:
        self.clock = clock
        self.s_per_picture = s_per_picture

    def detect(self, pictures: list[Pixels]) -> list[Detections]:
        for picture in pictures:
            self.clock.advance(self.s_per_picture * picture.shape[0] * picture.shape[1] / (96 * 128))
            if (picture == (255, 0, 0)).all(axis=2).any():
                raise DetectorError("cannot judge this")
        return [Detections.empty() for _ in pictures]


class Stream:
    """A camera at `fps`: `kind` still, walker (something small moves), tree (everything moves) or blue."""

    def __init__(self, clock: FakeClock, name: str, fps: float, kind: str) -> None:
        self.fps = fps
        self.superseded = 0
        self._clock, self._name, self._kind = clock, name, kind
        self._random = np.random.default_rng(len(name))
        self._next_s = clock.now_s()
        self._newest: float | None = None
        self.on_frame: Callable[[], None] = lambda: None

    def come(self) -> None:
        """What a reader does by itself, in a thread of its own."""
        while self._next_s <= self._clock.now_s():
            self.superseded += self._newest is not None
            self._newest = self._next_s
            self._next_s += 1 / self.fps
            self.on_frame()

    @property
    def next_time_s(self) -> float | None:
        self.come()
        return self._newest

    @property
    def last_time_s(self) -> float:
        self.come()
        return self._next_s - 1 / self.fps

    def run(self, stop: StopEvent) -> None:
        stop.wait()

    def take(self, timeout_s: float) -> Frame | None:
        self.come()
        if self._newest is None:
            return None
        time_s, self._newest = self._newest, None
        pixels = GROUND + self._random.integers(0, 3, GROUND.shape, dtype=np.uint8)
        if self._kind == "tree":
            pixels[:, :100] = self._random.integers(0, 200, (144, 100, 3), dtype=np.uint8)
        if self._kind == "walker":
            x = int(time_s * 40) % 160
            pixels[60:100, x : x + 16] = 230
        if self._kind == "blue":
            pixels[20:60, 20:60] = (255, 0, 0)
        return Frame(self._name, "run", time_s, pixels)


class Leases:
    def hold(self, camera_ids: Iterable[str]) -> dict[str, bool]:
        return dict.fromkeys(camera_ids, True)

    def release(self, camera_id: str) -> None:
        pass


class Bus:
    def publish(self, event: Event) -> None:
        pass


class Site:
    """`kinds`: what each camera shows. The machine does one picture in `s_per_picture`."""

    def __init__(
        self, folder: Path, kinds: dict[str, str], s_per_picture: float, *, threads: bool = False, fps: float = 5.0
    ) -> None:
        path = folder / "site.yaml"
        cameras = "".join(CAMERA.format(name=name, fps=fps) for name in kinds)
        path.write_text(SITE.format(data=folder) + cameras)
        self.clock = FakeClock()
        self.metrics = Metrics()
        self.streams: dict[str, Stream] = {}
        self.detector = Slow(self.clock, s_per_picture)
        self.told: list[Incident] = []
        self.ages_s: dict[str, list[float]] = {name: [] for name in kinds}

        def open_reader(name: str, _url: str, fps: float, _not_before_s: float) -> Stream:
            self.streams[name] = Stream(self.clock, name, fps, kinds[name])
            return self.streams[name]

        log = logging.getLogger("test.load")
        around = Surroundings(self.clock, Bus(), PictureStore(folder / "pictures"), open_reader, log)
        self.worker = AnalysisWorker(
            load(path),
            cameras=None,
            detector=self.detector,
            open_camera=lambda name, loaded: CameraAnalysis(name, loaded, around),
            leases=Leases(),
            metrics=self.metrics,
            clock=self.clock,
            log=log,
            pool=None if threads else Here(),
            on_analysed=lambda name, time_s: self.ages_s[name].append(self.clock.now_s() - time_s),
            on_overload=self.told.append,
        )

    def work(self, seconds: float) -> Counter[str]:
        """Analysed frames of each camera in that time."""
        before = {name: len(ages) for name, ages in self.ages_s.items()}
        until_s = self.clock.now_s() + seconds
        while self.clock.now_s() < until_s:
            for stream in self.streams.values():
                stream.come()
            if not self.worker.run_once():
                self.worker._governor.count(0, 0, 0.01)
                self.clock.advance(0.01)
        return Counter({name: len(ages) - before[name] for name, ages in self.ages_s.items()})

    def rate(self) -> float:
        rate = self.metrics.registry.get_sample_value("gatewatch_analysis_rate_ratio")
        assert rate is not None
        return rate


def test_every_camera_gets_its_rate_while_the_machine_can(tmp_path: Path) -> None:
    site = Site(tmp_path, {"a": "walker", "b": "walker", "c": "still"}, 0.02)
    analysed = site.work(10)
    assert all(47 <= count <= 51 for count in analysed.values()), analysed
    assert site.rate() == 1.0
    assert site.told == []


def test_pictures_that_wait_for_company_are_judged_before_their_cameras_next_and_none_is_lost(tmp_path: Path) -> None:
    site = Site(tmp_path, {"a": "still", "b": "still"}, 0.0, fps=12.5)
    site.work(6)
    lost = [stream.superseded for stream in site.streams.values()]
    analysed = site.work(20)
    assert all(248 <= count <= 252 for count in analysed.values()), analysed
    assert [stream.superseded for stream in site.streams.values()] == lost
    late = sorted(site.ages_s["a"][-200:])
    assert late[150] <= 0.07 + 1e-6, "less than the time between two, and a turn of the clock"
    assert late[-1] <= 0.2, "where the whole is looked at, as long as a batch waits"
    assert site.rate() == 1.0


def test_a_windy_tree_starves_nobody(tmp_path: Path) -> None:
    site = Site(tmp_path, {"tree": "tree", **{f"gate-{n}": "walker" for n in range(5)}}, 0.08)
    site.work(10)
    analysed = site.work(60)
    others = [analysed[f"gate-{n}"] for n in range(5)]
    assert min(others) >= analysed["tree"] - 1, "the edge of the time may cut one off, and it never adds up"
    assert max(others) - min(others) <= 0.1 * max(others)
    assert analysed["tree"] >= 5, "nor is the tree's own camera left out"


def test_overload_lowers_every_rate_evenly_grows_no_queue_and_is_told_until_it_is_over(tmp_path: Path) -> None:
    site = Site(tmp_path, {f"gate-{n}": "walker" for n in range(4)}, 0.2)
    site.work(20)
    analysed = site.work(20)
    assert max(analysed.values()) - min(analysed.values()) <= 0.1 * max(analysed.values())
    assert site.rate() < 0.9
    assert {stream.fps for stream in site.streams.values()} == {5.0 * site.rate()}
    late = [age for ages in site.ages_s.values() for age in ages[-20:]]
    assert max(late) < 2.0, "frames are as old as one round takes, however long the overload lasts"
    assert [incident.phase for incident in site.told] == [Phase.OPENED]
    assert site.told[0].severity == 2

    site.detector.s_per_picture = 0.005
    site.work(75)
    assert site.rate() == 1.0
    assert [incident.phase for incident in site.told] == [Phase.OPENED, Phase.CLOSED]
    assert len({incident.incident_id for incident in site.told}) == 1
    assert site.told[1].close_reason == "over"
    assert min(site.work(4).values()) >= 18


def test_while_people_act_every_picture_is_seen_in_order_and_none_counts_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, list[tuple[float, str]]] = {"a": [], "b": []}
    track, glance = Engine.track, Engine.glance

    def tracked(engine: Engine, frame: Frame, found: Detections) -> Tracked:
        seen[frame.camera_id].append((frame.time_s, "analysed"))
        return track(engine, frame, found)

    def glanced(engine: Engine, frame: Frame) -> None:
        seen[frame.camera_id].append((frame.time_s, "glance"))
        glance(engine, frame)

    monkeypatch.setattr(Engine, "track", tracked)
    monkeypatch.setattr(Engine, "glance", glanced)
    monkeypatch.setattr(Engine, "wanted_fps", 25.0)
    # Its parts wait a tenth of a second for a batch to fill: the next picture comes while the last is on its way.
    site = Site(tmp_path, {"a": "walker", "b": "walker"}, 0.005)
    site.work(30)
    for name, pictures in seen.items():
        late = [(time_s, how) for time_s, how in pictures if time_s > pictures[0][0] + 2]
        times = [time_s for time_s, _ in late]
        assert times == sorted(set(times))
        counts = Counter(how for _, how in late)
        assert 136 <= counts["analysed"] <= 142, counts
        assert 550 <= counts["glance"] <= 566, counts
        assert site.streams[name].superseded <= 2, "none but at the start"
    assert site.rate() == 1.0


def test_one_camera_whose_pictures_break_the_detector_costs_the_others_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path, {"bad": "blue", "a": "walker", "b": "walker"}, 0.005)
    analysed = site.work(10)
    assert analysed["bad"] == 0
    assert min(analysed["a"], analysed["b"]) >= 45
    failed = site.metrics.registry.get_sample_value("gatewatch_detector_errors_total", {"camera": "bad"})
    assert failed is not None
    assert failed > 10


def test_a_picture_wakes_a_loop_that_rests_and_one_with_the_detector_does_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever is not woken sleeps longer than the test waits.
    monkeypatch.setattr(analysis, "_REST_S", 600.0)
    site = Site(tmp_path, {"a": "walker", "b": "still"}, 0.0, threads=True)
    # Two pictures may come at once here, which is no overload.
    monkeypatch.setattr(site.worker._governor, "judge", lambda *_: [])
    stop = threading.Event()
    thread = threading.Thread(target=site.worker.run, args=(stop,), daemon=True)
    thread.start()
    analysed = site.ages_s
    limit_s = time.monotonic() + 60.0
    while len(site.streams) < 2:
        assert time.monotonic() < limit_s
        site.worker._wake.set()  # nobody told of a lease's answer
        time.sleep(0.002)
    for turn in range(1, 41):
        while not site.worker._rests:
            assert time.monotonic() < limit_s
            time.sleep(0.001)
        site.clock.advance(0.3)  # longer than a batch waits for more
        for stream in site.streams.values():
            stream.come()
        while min(len(ages) for ages in analysed.values()) < turn:
            assert time.monotonic() < limit_s, f"the loop sleeps, turn {turn}: {analysed}"
            site.clock.advance(0.001)
            time.sleep(0.001)
    stop.set()
    site.worker._wake.set()
    thread.join(30.0)
    assert not thread.is_alive()


def test_who_lags_is_next_an_open_case_pays_half_and_silence_earns_no_claim() -> None:
    fair = Fairness()
    served: Counter[str] = Counter()
    for _ in range(300):
        first = min(["tree", "gate", "case"], key=fair.start)
        served[first] += 1
        fair.charge(first, 1.0 if first == "tree" else 0.25, open_case=first == "case")
    assert served["case"] > 1.8 * served["gate"]
    assert served["gate"] > 2.5 * served["tree"]
    assert served["tree"] > 20
    turns = []
    for _ in range(10):
        first = min(["gate", "late"], key=fair.start)
        turns.append(first)
        fair.charge(first, 0.25, open_case=False)
    assert 3 <= turns.count("late") <= 7, "it does not get all the turns that it did not take"
