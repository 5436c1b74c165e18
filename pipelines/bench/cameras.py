"""`gatewatch bench cameras`: the real worker on many streams in real time, and what each costs.

The worker, its readers, engines, rules, saved state, pictures and the bus are those of production; only the streams come
from a file that is sent again and again, each camera at another place of it. A frame counts as analysed when tracks and
rules reached its time and its incidents are published.
"""

from __future__ import annotations

import logging
import os
import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipelines.aggression import load_scorer
from pipelines.bench.processor import library_threads_cpu_s, process_cpu_s, resident_mb
from pipelines.bench.stepped import STEP_S, SteppedClock, canvas_cpu_ms
from pipelines.clock import SystemClock
from pipelines.config import LoadedConfig, load
from pipelines.config.plain import to_yaml
from pipelines.config.schema import Config
from pipelines.detector import load_detector
from pipelines.errors import GatewatchError
from pipelines.events.embedded import EmbeddedValkey
from pipelines.events.locate import embedded_folder
from pipelines.events.redis_streams import STREAM, CameraLeases, RedisPublisher, connect
from pipelines.media.replay import Replay, SteppedReader, StoredStream
from pipelines.media.rtsp import RtspReader
from pipelines.metrics import Metrics, package_version
from pipelines.samples.cameras import RtspServer
from pipelines.workers.analysis import AnalysisWorker
from pipelines.workers.camera import CameraAnalysis
from pipelines.workers.leases import HeldLeases
from pipelines.workers.pictures import PictureStore
from pipelines.workers.surroundings import Surroundings
from vision.detection import Preparable

STAGES: Final = ("decode", "gate", "detect", "track", "rules", "publish")
#: What a camera must get: analysed frames a second, and how old a frame may be when its incidents are published.
WANTED_FPS: Final = 5.0
OLDEST_P95_S: Final = 1.0
#: Five a second of twelve and a half is met on average; a window cuts one off at its edges.
_LEAST_SHARE: Final = 0.95
_WARM_UP_S: Final = 3.0
_PATIENCE_S: Final = 90.0
_CAMERAS_PER_SERVER: Final = 4

_WHOLE: Final = {"polygon": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]}
RULES: Final = (
    {"kind": "illegal_parking", "zone": "view", "warn_after": "5s", "after": "20s"},
    {"kind": "crowding", "zone": "view", "people": 5, "for": "2s", "repeat": "10s"},
    {"kind": "possible_bullying", "zone": "view"},
)


@dataclass(frozen=True, slots=True)
class Trial:
    """How many cameras play `stream`, for how long, through which door, under which `kinds` of rule. With `own_clock` time
    stands still while the worker works: only processor time means anything then, on however busy a machine.
    """

    cameras: int
    seconds: float
    stream: Path
    activity: float
    rtsp: bool = False
    own_clock: bool = False
    kinds: tuple[str, ...] = ("illegal_parking", "crowding", "possible_bullying")


def run(trial: Trial, config: Config) -> dict[str, Any]:
    """One trial with the detector of `config`, in this process. The fields are in docs/performance.md.

    Raises:
        BadInput: the stream or the model cannot be used.
        GatewatchError: a camera never got going.
    """
    with tempfile.TemporaryDirectory(prefix="gatewatch-bench-") as name, ExitStack() as stack:
        bench = stack.enter_context(_Bench(Path(name), trial, config).running())
        bench.warm_up()
        before = bench.count()
        bench.pass_time(trial.seconds)
        return bench.figures(before, bench.count())


@dataclass(frozen=True, slots=True)
class _Count:
    """Everything that is counted, at one moment."""

    at_s: float
    frames: int
    stages: dict[str, float]
    native_s: float
    process_s: float
    bus_s: float
    sending_s: float
    published: int
    drops: Counter[str]
    resident_mb: float


class _Bench:
    def __init__(self, folder: Path, trial: Trial, config: Config) -> None:
        self._trial = trial
        self._config = config
        self._folder = folder
        self._clock = SteppedClock(time.time()) if trial.own_clock else SystemClock()
        self._metrics = Metrics()
        self._log = logging.getLogger("gatewatch.bench")
        self._stop = threading.Event()
        self._drops: Counter[str] = Counter()
        self._sending_s = [0.0]
        self._analysed: list[tuple[str, float]] = []  # camera, age of the frame; appended by the worker's thread alone
        self._bus = EmbeddedValkey(embedded_folder(folder))
        self._servers: list[RtspServer] = []

    @contextmanager
    def running(self) -> Iterator[_Bench]:
        with ExitStack() as stack:
            stack.enter_context(self._bus)
            stored = None if self._trial.rtsp else StoredStream(self._trial.stream)
            if self._trial.rtsp:
                self._serve(stack)
            loaded = self._site()
            publisher = RedisPublisher(self._bus.url, self._folder / "spool", self._clock, metrics=self._metrics)
            publisher.open()
            stack.callback(publisher.close)
            client = connect(self._bus.url)
            stack.callback(client.close)
            self._client = client

            def open_reader(camera_id: str, address: str, fps: float, not_before_s: float) -> RtspReader:
                return self._reader(stored, camera_id, address, fps, not_before_s)

            around = Surroundings(
                self._clock,
                publisher,
                PictureStore(self._folder / "pictures"),
                open_reader,
                self._log,
                scorer=load_scorer(self._rules_of(loaded), self._log.warning),
                stage=self._metrics.stage,
            )
            detector = load_detector(self._config)
            if isinstance(detector, Preparable):
                detector.prepare()
            self._canvas_ms = canvas_cpu_ms(detector, self._config.detector.input)
            worker = AnalysisWorker(
                loaded,
                cameras=None,
                detector=detector,
                open_camera=lambda camera_id, current: CameraAnalysis(camera_id, current, around),
                leases=HeldLeases(CameraLeases(client, "bench")),
                metrics=self._metrics,
                clock=self._clock,
                log=self._log,
                on_analysed=self._note,
            )
            work = worker.run
            if isinstance(self._clock, SteppedClock):
                clock = self._clock

                def work(stop: threading.Event) -> None:
                    while not stop.is_set():
                        if not worker.run_once() and not worker.settle():
                            clock.advance(STEP_S)

            self._worker = threading.Thread(target=work, args=(self._stop,), name="worker")
            self._worker.start()
            try:
                yield self
            finally:
                self._stop.set()
                self._worker.join(60.0)

    def warm_up(self) -> None:
        """Until every camera has been analysed, and a little longer. Raises GatewatchError when one is not."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while len({camera for camera, _ in self._analysed}) < self._trial.cameras:
            if time.monotonic() > deadline_s or not self._worker.is_alive():
                missing = self._trial.cameras - len({camera for camera, _ in self._analysed})
                raise GatewatchError(f"{missing} of {self._trial.cameras} cameras were not analysed at all")
            time.sleep(0.1)
        self.pass_time(_WARM_UP_S)

    def pass_time(self, seconds: float) -> None:
        """On the clock of the worker."""
        until_s = self._clock.monotonic_s() + seconds
        while self._clock.monotonic_s() < until_s and self._worker.is_alive():
            time.sleep(min(0.05, seconds))

    def count(self) -> _Count:
        times = os.times()
        return _Count(
            at_s=self._clock.monotonic_s(),
            frames=len(self._analysed),
            stages={stage: self._stage_s(stage) for stage in STAGES},
            native_s=library_threads_cpu_s(),
            process_s=times.user + times.system,
            bus_s=process_cpu_s(self._bus.pid or 0),
            sending_s=self._sending_s[0] + sum(process_cpu_s(server.pid or 0) for server in self._servers),
            published=int(self._client.xlen(STREAM)),
            drops=self._drops.copy(),
            resident_mb=resident_mb(),
        )

    def figures(self, before: _Count, after: _Count) -> dict[str, Any]:
        trial, passed_s = self._trial, after.at_s - before.at_s
        analysed = self._analysed[before.frames : after.frames]
        per_camera = Counter(camera for camera, _ in analysed)
        rates = [per_camera[name] / passed_s for name in self._names()]
        ages_s = sorted(age_s for _, age_s in analysed) or [float("inf")]
        each = 1.0 / (trial.cameras * passed_s)
        stages = {stage: (after.stages[stage] - before.stages[stage]) * each for stage in STAGES}
        sending = (after.sending_s - before.sending_s) * each
        inference = (after.native_s - before.native_s) * each
        total = (after.process_s - before.process_s) * each
        if not trial.rtsp:  # the pacing is done in the readers' threads, and is no work of a worker
            stages["decode"] -= sending
            total -= sending
        other = total - sum(stages.values()) - inference
        p95_s = _percentile(ages_s, 0.95)
        meets = min(rates) >= _LEAST_SHARE * WANTED_FPS and p95_s <= OLDEST_P95_S
        return {
            "version": package_version(),
            "cameras": trial.cameras,
            "seconds": round(passed_s, 1),
            "activity": trial.activity,
            "rtsp": trial.rtsp,
            "own_clock": trial.own_clock,
            "rules": list(trial.kinds),
            "detector": describe(self._config),
            "meets": meets,
            "analysed_fps": round(sum(rates) / len(rates), 3),
            "analysed_fps_min": round(min(rates), 3),
            "p50_age_s": round(_percentile(ages_s, 0.50), 3),
            "p95_age_s": round(p95_s, 3),
            "max_age_s": round(ages_s[-1], 3),
            "dropped": {
                reason: n - before.drops[reason] for reason, n in after.drops.items() if n > before.drops[reason]
            },
            "published": after.published - before.published,
            "per_camera_cpu_s": round(total, 5),
            "stages_cpu_s": {name: round(value, 5) for name, value in stages.items()}
            | {"inference": round(inference, 5), "other": round(other, 5)},
            "own_share": round(1 - (stages["decode"] + inference) / total, 4),
            "bus_cpu_s": round((after.bus_s - before.bus_s) * each, 5),
            "sending_cpu_s": round(sending, 5),
            "resident_mb": round(after.resident_mb, 1),
            "resident_growth_mb": round(after.resident_mb - before.resident_mb, 1),
            "canvas_cpu_ms": round(self._canvas_ms, 2),
            "cores": len(os.sched_getaffinity(0)),
            "load_average": round(os.getloadavg()[0], 2),
        }

    # --- the site ------------------------------------------------------------------------------------------------------

    def _names(self) -> list[str]:
        return [f"camera-{number}" for number in range(self._trial.cameras)]

    def _site(self) -> LoadedConfig:
        urls = [self._url(number) for number in range(self._trial.cameras)]
        rules = [dict(rule) for rule in RULES if rule["kind"] in self._trial.kinds]
        values = {
            "data": str(self._folder),
            "detector": self._config.detector.model_dump(mode="json"),
            "cameras": {
                name: {"main": {"url": url}, "zones": {"view": _WHOLE}, "rules": rules}
                for name, url in zip(self._names(), urls, strict=True)
            },
        }
        path = self._folder / "gatewatch.yaml"
        path.write_text(to_yaml(values), "utf-8")
        return load(path)

    def _rules_of(self, loaded: LoadedConfig) -> Config:
        """The bench's cameras with the user's data folder, where the models are."""
        return loaded.config.model_copy(update={"data": self._config.data})

    def _url(self, number: int) -> str:
        if not self._servers:
            return "rtsp://127.0.0.1/replay"
        return self._servers[number // _CAMERAS_PER_SERVER].url("bench.mp4")

    def _serve(self, stack: ExitStack) -> None:
        folder = self._folder / "streams"
        folder.mkdir()
        shutil.copyfile(self._trial.stream, folder / "bench.mp4")
        for _ in range(-(-self._trial.cameras // _CAMERAS_PER_SERVER)):
            server = RtspServer(folder)
            server.start()
            stack.callback(server.stop)
            self._servers.append(server)

    def _reader(
        self, stored: StoredStream | None, camera_id: str, address: str, fps: float, not_before_s: float
    ) -> RtspReader:
        def on_event(kind: str, reason: str) -> None:
            self._drops[reason if kind == "drop" else f"reconnect {reason}"] += 1

        more: dict[str, Any] = {"not_before_s": not_before_s, "on_event": on_event}
        more |= {"fps": fps, "on_cpu": self._metrics.stage_cpu.labels(stage="decode").inc}
        number = int(camera_id.rpartition("-")[2])
        if stored is not None and isinstance(self._clock, SteppedClock):
            session = Replay(stored, number * 7, self._stop, self._sent)
            begin_s = self._clock.monotonic_s() + 0.2 * number / self._trial.cameras
            return SteppedReader(session, begin_s, self._clock, camera_id, **more)
        if stored is not None:

            def again(*_: object) -> tuple[Replay, Replay]:
                # Each camera is at another place of the stream, and its pictures, and key pictures, come at other moments.
                later_s = random.Random(number).uniform(0.0, stored.keys_apart_s)
                session = Replay(stored, number * 7, self._stop, self._sent, later_s)
                return session, session

            more["open_stream"] = again
        return RtspReader(camera_id, address, clock=self._clock, **more)

    def _sent(self, cpu_s: float) -> None:
        self._sending_s[0] += cpu_s

    def _note(self, camera_id: str, time_s: float) -> None:
        self._analysed.append((camera_id, self._clock.now_s() - time_s))

    def _stage_s(self, stage: str) -> float:
        return self._metrics.registry.get_sample_value("gatewatch_stage_cpu_seconds_total", {"stage": stage}) or 0.0


def describe(config: Config) -> str:
    """The detector in few words."""
    wanted = config.detector
    return f"{wanted.model} {wanted.input[0]}x{wanted.input[1]} {wanted.backend}"


def _percentile(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, round(part * (len(ordered) - 1)))]
