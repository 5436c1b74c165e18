"""`gatewatch record`: records the main streams of the cameras until told to stop."""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from typing import TYPE_CHECKING, Any

from pipelines.commands import options

if TYPE_CHECKING:
    from pipelines.config import LoadedConfig
    from pipelines.recording.clockwatch import ClockWatch
    from pipelines.recording.layout import Volume
    from pipelines.recording.recorder import Recorder


def add(commands: Any) -> None:
    """Declare the arguments of `record`."""
    parser = commands.add_parser("record", help="record every camera and account for every second")
    options.add_config(parser)
    parser.add_argument("--cameras", metavar="A,B", help="only these")
    parser.add_argument("--seconds", type=float, metavar="N", help="stop after this long (default: when told to)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Record. Exit code 0 when told to stop."""
    from pipelines import logs
    from pipelines.clock import SystemClock
    from pipelines.config.secrets import secrets
    from pipelines.errors import BadInput
    from pipelines.health import HealthServer
    from pipelines.lifecycle import stop_on_signals
    from pipelines.media.ffmpeg import Ffmpeg
    from pipelines.metrics import Metrics
    from pipelines.recording import settings
    from pipelines.recording.cleaner import Cleaner
    from pipelines.recording.clockwatch import ClockWatch
    from pipelines.recording.heads import Heads
    from pipelines.recording.keeper import Keeper
    from pipelines.recording.recorder import Recorder
    from pipelines.recording.segments import Segment

    loaded = options.load_config(args)
    config = loaded.config
    logs.configure(secrets=secrets(config))
    only = frozenset(args.cameras.split(",")) if args.cameras else None
    cameras = settings.cameras(config, only)
    if not cameras:
        raise BadInput("no camera to record; name some under `cameras:` in the configuration")
    cleaning, signer = settings.cleaning(config), settings.signer(config)
    volume, clock, metrics = settings.open_volume(config, create=True), SystemClock(), Metrics()

    def recorded(segment: Segment) -> None:
        metrics.recorded_seconds.labels(camera=segment.camera).inc(segment.duration_s)

    def deleted(camera: str, rule: str, size_bytes: int) -> None:
        metrics.recordings_deleted_bytes.labels(camera=camera, reason=rule).inc(size_bytes)

    recorder = Recorder(
        cameras,
        volume,
        clock,
        Ffmpeg.find(config.ffmpeg),
        alarm_after_s=config.recording.alarm_after,
        on_segment=recorded,
        on_reconnect=lambda camera, reason: metrics.reconnects.labels(camera=camera, reason=reason).inc(),
    )
    keeper = Keeper(
        volume,
        Cleaner(volume, cleaning, clock, on_deleted=deleted),
        Heads(volume, signer, settings.head_channel(config), clock),
        clock,
        metrics,
        tolerance_s=config.recording.continuous,
    )
    watch = ClockWatch(volume, settings.clock_places(config), clock)
    page = config.recorder.metrics
    stop = stop_on_signals()
    if args.seconds is not None:
        timer = threading.Timer(args.seconds, stop.set)
        timer.daemon = True
        timer.start()
    ready = {"volume": lambda: (volume.check() is None, volume.check() or ""), "cameras": recorder.health}
    thread = threading.Thread(target=keeper.run, args=(stop,), name="keeper", daemon=True)
    clocks = threading.Thread(target=watch.run, args=(stop,), name="clocks", daemon=True)
    log = logging.getLogger(__name__)
    _note(loaded, volume)
    _follow(loaded, volume, recorder, watch, only, stop)
    with HealthServer(metrics, ready, host=page.host, port=page.port):
        thread.start()
        clocks.start()
        log.info("recording %d cameras to %s", len(cameras), volume.root)
        recorder.run(stop)
        thread.join(30.0)
    return 0


def _note(loaded: LoadedConfig, volume: Volume) -> None:
    """Into the audit, when the configuration is another one than before. Costs no footage when it cannot be written."""
    from pipelines.clock import SystemClock
    from pipelines.config.shown import without_secrets
    from pipelines.errors import Unavailable
    from pipelines.recording.changes import note_configuration
    from pipelines.recording.index import Index
    from pipelines.recording.journal import Journal

    try:
        owner = "nobody: these are the defaults" if loaded.path is None else loaded.path.owner()
    except (OSError, KeyError):
        owner = "unknown"
    now_ms = round(SystemClock().now_s() * 1000)
    audit = Journal(volume.journal / "audit.jsonl")
    try:
        with Index.open(volume.index, create=True) as index:
            values = without_secrets(loaded.config)
            note_configuration(index, audit, values, version=loaded.version, owner=owner, now_ms=now_ms)
    except Unavailable as error:
        logging.getLogger(__name__).error("the changed configuration is not in the audit: %s", error)


def _follow(
    loaded: LoadedConfig,
    volume: Volume,
    recorder: Recorder,
    watch: ClockWatch,
    only: frozenset[str] | None,
    stop: threading.Event,
) -> None:
    """Cameras follow the configuration's file; the volume, limits and keys change at the next start."""
    from pipelines.clock import SystemClock
    from pipelines.config.watch import Reloader
    from pipelines.recording import settings

    if loaded.path is None:
        return
    log = logging.getLogger(__name__)

    def changed(new: LoadedConfig) -> None:
        wanted = settings.cameras(new.config, None if only is None else only & frozenset(new.config.cameras))
        recorder.reconfigure(wanted)
        watch.reconfigure(settings.clock_places(new.config))
        log.info("new configuration %s: %d cameras", new.version, len(wanted))
        _note(new, volume)

    def refused(faults: list[str]) -> None:
        log.error("the configuration stays as it was: %s", "; ".join(faults))

    reloader = Reloader(loaded.path, SystemClock(), changed, refused, loaded)
    threading.Thread(target=reloader.run, args=(stop,), name="reloader", daemon=True).start()
    signal.signal(signal.SIGHUP, lambda _number, _frame: reloader.wake())
