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
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from pipelines.aggression import load_scorer
from pipelines.bench.processor import library_threads_cpu_s, process_cpu_s, resident_mb
from pipelines.bench.stepped import STEP_S, SteppedClock, canvas_cpu_ms
from pipelines.bench.trial import NOTING, Analysed, Count, Trial, figures, stages_of
from pipelines.clock import SystemClock
from pipelines.config import LoadedConfig, load
from pipelines.config.plain import to_yaml
from pipelines.config.schema import Config
from pipelines.crowding.loading import load_crowds
from pipelines.detector import load_detector
from pipelines.errors import GatewatchError
from pipelines.events.embedded import EmbeddedValkey
from pipelines.events.locate import embedded_folder
from pipelines.events.redis_streams import STREAM, CameraLeases, RedisPublisher, connect
from pipelines.media.replay import Replay, SteppedReader, StoredStream
from pipelines.media.rtsp import RtspReader
from pipelines.metrics import Metrics
from pipelines.samples.cameras import RtspServer
from pipelines.tracks.strand import Piece
from pipelines.tracks.writer import TrackWriter, writing
from pipelines.workers import garbage
from pipelines.workers.analysis import AnalysisWorker
from pipelines.workers.camera import CameraAnalysis
from pipelines.workers.leases import HeldLeases
from pipelines.workers.pictures import PictureStore
from pipelines.workers.surroundings import Surroundings
from vision.detection import Preparable

_WARM_UP_S: Final = 3.0
_PATIENCE_S: Final = 90.0
_CAMERAS_PER_SERVER: Final = 4

_WHOLE: Final = {"polygon": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]}
RULES: Final = (
    {"kind": "illegal_parking", "zone": "view", "warn_after": "5s", "after": "20s"},
    {"kind": "crowding", "zone": "view", "people": 5, "for": "2s", "repeat": "10s"},
    {"kind": "possible_bullying", "zone": "view"},
)


def run(trial: Trial, config: Config, watch: Callable[[float], None] | None = None) -> dict[str, Any]:
    """One trial with the detector of `config`, in this process; tracks are kept if it says so. The fields are in
    docs/performance.md. `watch` is called all the while with the seconds that have passed on the worker's clock.

    Raises:
        BadInput: the stream or the model cannot be used.
        GatewatchError: a camera never got going, or the worker ended.
    """
    with tempfile.TemporaryDirectory(prefix="gatewatch-bench-") as name:
        bench = _Bench(Path(name), trial, config)
        with bench.running():
            bench.warm_up()
            before = bench.count()
            bench.pass_time(trial.seconds, watch)
            after = bench.count()
            between = bench.analysed.between(before.frames, after.frames)
            found = figures(trial, config, before, after, between, bench.canvas_ms)
        # With what was left for the end: in most trials no chunk ends before.
        return found | {"chunks": bench.chunks()}


class _Bench:
    def __init__(self, folder: Path, trial: Trial, config: Config) -> None:
        self._trial = trial
        self._config = config
        self._folder = folder
        self._clock = SteppedClock(time.time()) if trial.own_clock else SystemClock()
        self._metrics = Metrics()
        self._laps = self._metrics.stages.laps()
        self._log = logging.getLogger("gatewatch.bench")
        self._stop = threading.Event()
        self._drops: Counter[str] = Counter()
        self._chunks: Counter[str] = Counter()
        self._writer: TrackWriter | None = None
        self._sending_s = [0.0]
        self.analysed = Analysed()
        """Added to by the worker's thread alone."""
        self.canvas_ms = 0.0
        self._bus = EmbeddedValkey(embedded_folder(folder))
        self._servers: list[RtspServer] = []
        self._stepped: list[SteppedReader] = []

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

            scorer = load_scorer(self._rules_of(loaded), self._log.warning)
            crowds = load_crowds(self._rules_of(loaded), self._log.warning)
            around = Surroundings(
                self._clock,
                publisher,
                PictureStore(self._folder / "pictures"),
                open_reader,
                self._log,
                scorer=lambda _: scorer,
                crowds=lambda _: crowds,
                laps=self._laps,
                keep_tracks=self._tracks(stack),
            )
            detector = load_detector(self._config)
            if isinstance(detector, Preparable):
                detector.prepare()
            self.canvas_ms = canvas_cpu_ms(detector, self._config.detector.input)
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
                        # Nothing comes while its clock stands still: looking again and again would only be counted.
                        if not worker.run_once() and not worker.settle(1.0):
                            clock.advance(STEP_S)
                            for reader in self._stepped:
                                reader.read_on()

            garbage.look_seldom()
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
        while (missing := self._trial.cameras - len(self.analysed.cameras)) > 0:
            if time.monotonic() > deadline_s or not self._worker.is_alive():
                raise GatewatchError(f"{missing} of {self._trial.cameras} cameras were not analysed at all")
            time.sleep(0.1)
        self.pass_time(_WARM_UP_S)

    def pass_time(self, seconds: float, watch: Callable[[float], None] | None = None) -> None:
        """On the clock of the worker; `watch` is called all the while with the seconds that have passed. Raises GatewatchError
        when the worker ends meanwhile.
        """
        begin_s = self._clock.monotonic_s()
        while (passed_s := self._clock.monotonic_s() - begin_s) < seconds and self._worker.is_alive():
            if watch is not None:
                watch(passed_s)
            time.sleep(min(0.05, seconds))
        if not self._worker.is_alive():
            raise GatewatchError("the worker ended while it was measured: there are no figures")

    def count(self) -> Count:
        times = os.times()
        spent = self._metrics.stages.total()
        return Count(
            at_s=self._clock.monotonic_s(),
            frames=len(self.analysed),
            stages={stage: spent[stage].cpu_s if stage in spent else 0.0 for stage in stages_of(self._config)},
            native_s=library_threads_cpu_s(),
            process_s=times.user + times.system,
            bus_s=process_cpu_s(self._bus.pid or 0),
            # This is the main thread, which only waits and counts.
            bench_s=time.thread_time() + (spent[NOTING].cpu_s if NOTING in spent else 0.0),
            sending_s=self._sending_s[0] + sum(process_cpu_s(server.pid or 0) for server in self._servers),
            published=int(self._client.xlen(STREAM)),
            drops=self._drops.copy(),
            resident_mb=resident_mb(),
        )

    def _tracks(self, stack: ExitStack) -> Callable[[Piece], None] | None:
        if not self._config.tracks.enabled:
            return None
        self._writer = TrackWriter(self._folder / "tracks", self._count_chunk, self._log)
        return stack.enter_context(writing(self._writer)).put

    def _count_chunk(self, _camera: str, outcome: str) -> None:
        self._chunks[outcome] += 1

    def chunks(self) -> dict[str, Any]:
        """What became of chunks of tracks in the whole run, and what the program that makes them took: its processor time is in
        no other figure, and its memory was the machine's for as long as it ran.
        """
        if self._writer is None:
            return {}
        made = self._writer.converting
        return {**self._chunks, "runs": made.runs, "cpu_s": round(made.cpu_s, 3), "peak_mb": made.peak_mb}

    # --- the site ------------------------------------------------------------------------------------------------------

    def _site(self) -> LoadedConfig:
        urls = [self._url(number) for number in range(self._trial.cameras)]
        rules = [dict(rule) for rule in RULES if rule["kind"] in self._trial.kinds]
        values = {
            "data": str(self._folder),
            "detector": self._config.detector.model_dump(mode="json"),
            "cameras": {
                name: {"main": {"url": url}, "zones": {"view": _WHOLE}, "rules": rules}
                for name, url in zip(self._trial.names, urls, strict=True)
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
        more |= {"fps": fps, "on_cpu": self._metrics.stages.cpu("decode")}
        number = int(camera_id.rpartition("-")[2])
        if stored is not None and isinstance(self._clock, SteppedClock):
            session = Replay(stored, number * 7, self._stop, self._sent)
            begin_s = self._clock.monotonic_s() + 0.2 * number / self._trial.cameras
            reader = SteppedReader(session, begin_s, self._clock, camera_id, **more)
            self._stepped.append(reader)
            return reader
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
        self._laps.begin()
        self.analysed.add(camera_id, self._clock.now_s() - time_s)
        self._laps.end(NOTING)
