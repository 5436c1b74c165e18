"""`gatewatch worker`: analyses cameras and publishes incidents, until it is told to stop."""

from __future__ import annotations

import argparse
import logging
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final

from pipelines.commands.options import add_config, load_config
from pipelines.errors import BadInput

if TYPE_CHECKING:
    from pipelines.clock import Clock
    from pipelines.config import LoadedConfig
    from pipelines.config.schema import Config
    from pipelines.events.publisher import RedisPublisher
    from pipelines.health import Check
    from pipelines.metrics import Metrics
    from pipelines.tracks.strand import Piece
    from pipelines.workers.analysis import AnalysisWorker
    from pipelines.workers.clockboard import ClockBoard
    from pipelines.workers.surroundings import ReaderFactory
    from vision.aggression import RegionScorer
    from vision.crowd_watch import CrowdReader
    from vision.incident import Incident

#: A camera whose newest analysed frame is older than this is not being watched.
_UNWATCHED_S: Final = 15.0
_WORKERS_PER_MACHINE: Final = 8


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("worker", help="analyse cameras and publish incidents")
    add_config(parser)
    parser.add_argument("--cameras", metavar="A,B", help="only these cameras (default: every one in the configuration)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Work until SIGTERM or SIGINT. Raises BadInput for what cannot be used."""
    from pipelines import logs
    from pipelines.clock import SystemClock
    from pipelines.config.secrets import secrets
    from pipelines.config.watch import Reloader, reload_on_sighup
    from pipelines.detector import load_detector
    from pipelines.events.live import LivePublisher
    from pipelines.events.locate import redis_url
    from pipelines.events.redis_streams import CameraLeases, RedisPublisher, connect, process_name
    from pipelines.health import HealthServer
    from pipelines.lifecycle import stop_on_signals
    from pipelines.metrics import Metrics
    from pipelines.workers.analysis import AnalysisWorker
    from pipelines.workers.camera import CameraAnalysis
    from pipelines.workers.leases import HeldLeases
    from pipelines.workers.live import LiveView
    from pipelines.workers.pictures import PictureStore
    from pipelines.workers.state import saved_cameras
    from pipelines.workers.surroundings import Surroundings

    stop = stop_on_signals()
    loaded = load_config(args)
    config = loaded.config
    only = _chosen(args.cameras, loaded)
    logs.configure(secrets=secrets(config))
    log = logging.getLogger("gatewatch.worker")
    clock, metrics = SystemClock(), Metrics()
    detector = load_detector(config)
    url = redis_url(config)
    client = connect(url)
    owner = process_name()
    # A connection of its own: a slow picture must not make a lease late.
    live = LiveView(LivePublisher(connect(url)), clock)

    with ExitStack() as stack:
        publisher = _first_free(
            [RedisPublisher(url, folder, clock, metrics=metrics) for folder in _spools(config.data)]
        )
        stack.callback(publisher.close)
        board = _clock_board(config, lambda: sorted(worker.analysing), clock, log)
        around = Surroundings(
            clock,
            publisher,
            PictureStore(config.data / "pictures"),
            _reader_factory(metrics, clock, log),
            log,
            scorer=_scorer(config, log),
            crowds=_crowds(config, log),
            live=live,
            laps=metrics.stages.laps(),
            clock_of=board,
            keep_tracks=_track_keeping(config, metrics, log, stack),
        )
        leases = HeldLeases(CameraLeases(client, owner))
        worker = AnalysisWorker(
            loaded,
            cameras=only,
            detector=detector,
            open_camera=lambda camera_id, current: CameraAnalysis(camera_id, current, around),
            leases=leases,
            metrics=metrics,
            clock=clock,
            log=log,
            owner=owner,
            on_overload=lambda incident: _tell_overload(incident, loaded, publisher, log),
        )
        page = config.worker.metrics
        stack.enter_context(
            HealthServer(metrics, _ready(worker, url), host=page.host, port=_free_port(page.host, page.port, log))
        )
        threads = [
            Thread(target=publisher.run, args=(stop,), name="spool"),
            Thread(target=live.run, args=(stop,), name="live"),
            Thread(target=board.run, args=(stop,), name="clocks", daemon=True),
        ]
        if loaded.path is not None:
            reloader = Reloader(loaded.path, clock, worker.reload, lambda faults: _refused(log, faults), loaded)
            reload_on_sighup(reloader)
            threads.append(Thread(target=reloader.run, args=(stop,), name="reload"))
        for camera_id in saved_cameras(config.data / "state"):
            if camera_id not in config.cameras and leases.hold([camera_id])[camera_id]:
                CameraAnalysis(camera_id, loaded, around).close_orphan()
        _tell_bus(url, log)
        log.info("worker is up", extra=logs.fields(detector=detector.name, config_version=loaded.version))
        _run_with(threads, worker, stop)
    return 0


def _tell_overload(incident: Incident, loaded: LoadedConfig, publisher: RedisPublisher, log: logging.Logger) -> None:
    from pipelines.errors import GatewatchError
    from pipelines.events.envelope import incident_event

    try:
        publisher.publish(incident_event(incident, loaded.version, loaded.config.site.name))
    except GatewatchError as error:
        # The metric says it as well; analysis must go on.
        log.error("an overload cannot be told: %s", error)


def _clock_board(config: Config, cameras: Callable[[], list[str]], clock: Clock, log: logging.Logger) -> ClockBoard:
    """What the recorder on this machine knows of the clocks."""
    from pipelines.recording.clockstate import host_clock
    from pipelines.recording.footage import Footage
    from pipelines.workers.clockboard import ClockBoard

    def ask(camera_id: str) -> dict[str, Any]:
        return Footage.open(config, clock).clock_grade(camera_id, clock.now_s()).to_json()

    return ClockBoard(cameras, ask, lambda: host_clock().to_json(), clock, log)


def _run_with(threads: list[Thread], worker: AnalysisWorker, stop: Event) -> None:
    from pipelines.workers import garbage

    garbage.look_seldom()
    for thread in threads:
        thread.start()
    try:
        worker.run(stop)
    finally:
        stop.set()
        for thread in threads:
            thread.join(5.0)


def _tell_bus(url: str, log: logging.Logger) -> None:
    from pipelines.events.server import answers

    reached, why = answers(url)
    if not reached:
        log.warning("no camera is analysed before the bus answers: %s", why)


def _track_keeping(
    config: Config, metrics: Metrics, log: logging.Logger, stack: ExitStack
) -> Callable[[Piece], None] | None:
    """Where tracks go; their writer ends with `stack`."""
    from pipelines.tracks.writer import TrackWriter, writing

    if not config.tracks.enabled:
        return None

    def count(camera: str, outcome: str) -> None:
        metrics.track_chunks.labels(camera=camera, outcome=outcome).inc()

    return stack.enter_context(writing(TrackWriter(config.data / "tracks", count, log))).put


def _scorer(config: Config, log: logging.Logger) -> Callable[[Config], RegionScorer | None]:
    from pipelines.aggression import load_scorer
    from pipelines.workers.surroundings import Kept

    return Kept(lambda config: load_scorer(config, log.warning), config)


def _crowds(config: Config, log: logging.Logger) -> Callable[[Config], CrowdReader | None]:
    from pipelines.crowding.loading import load_crowds
    from pipelines.workers.surroundings import Kept

    return Kept(lambda config: load_crowds(config, log.warning), config)


def _reader_factory(metrics: Metrics, clock: Clock, log: logging.Logger) -> ReaderFactory:
    """Readers whose drops and reconnections are counted."""
    from pipelines.logs import fields
    from pipelines.media.rtsp import RtspReader

    def open_reader(camera_id: str, address: str, fps: float, not_before_s: float) -> RtspReader:
        def on_event(kind: str, reason: str) -> None:
            if kind == "drop":
                metrics.frames_dropped.labels(camera=camera_id, reason=reason).inc()
            else:
                metrics.reconnects.labels(camera=camera_id, reason=reason).inc()
                log.warning("the stream ended; connecting again", extra=fields(camera=camera_id, reason=reason))

        return RtspReader(
            camera_id,
            address,
            fps=fps,
            clock=clock,
            not_before_s=not_before_s,
            on_event=on_event,
            on_cpu=metrics.stages.cpu("decode"),
        )

    return open_reader


def _chosen(text: str | None, loaded: LoadedConfig) -> list[str] | None:
    if text is None:
        return None
    chosen = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in chosen if name not in loaded.config.cameras]
    if unknown or not chosen:
        known = ", ".join(loaded.config.cameras) or "none"
        raise BadInput(
            f"--cameras {text}: {', '.join(unknown) or 'nothing'} is not in the configuration; its cameras: {known}"
        )
    return chosen


def _spools(data: Path) -> list[Path]:
    """Each worker of a machine needs a spool of its own; one that a dead worker left is taken over first."""
    return [data / "spool" / f"worker-{number}" for number in range(_WORKERS_PER_MACHINE)]


def _first_free(publishers: list[RedisPublisher]) -> RedisPublisher:
    for publisher in publishers:
        try:
            publisher.open()
        except BadInput as error:
            taken = error
            continue
        return publisher
    raise taken


def _free_port(host: str, port: int, log: logging.Logger) -> int:
    """The configured port; any free one for the second worker of a machine, which must not fail for that."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            log.warning(
                "worker.metrics: the port is taken; metrics are on another one", extra={"fields": {"taken": port}}
            )
            return 0
    return port


def _refused(log: logging.Logger, faults: list[str]) -> None:
    log.error("the new configuration has faults; the old one stays in force: %s", "; ".join(faults))


def _ready(worker: AnalysisWorker, url: str) -> dict[str, Check]:
    from pipelines.events.server import answers

    def cameras() -> tuple[bool, str]:
        late = worker.unwatched(_UNWATCHED_S)
        return (not late, f"no fresh frame of {', '.join(late)}" if late else "every camera is watched")

    def configuration() -> tuple[bool, str]:
        return True, worker.config_version  # always well: it says which one is in force

    return {"cameras": cameras, "bus": lambda: answers(url), "configuration": configuration}
