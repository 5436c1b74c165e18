"""`gatewatch analyse`: one file or URL through detector and engine, as fast as it goes; one JSON object per incident."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pipelines.commands.options import add_config, load_config
from pipelines.errors import BadInput

if TYPE_CHECKING:
    from vision.incident import Incident


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("analyse", help="incidents of one video file or URL, as JSON lines")
    parser.add_argument("video", help="a video file, or an rtsp:// or http:// URL")
    parser.add_argument("--camera", required=True, metavar="ID", help="whose zones and rules apply")
    add_config(parser)
    parser.add_argument("--fps", type=_positive, default=5.0, help="analysed frames a second (default: 5)")
    parser.add_argument(
        "--out", type=Path, metavar="FILE.jsonl", help="write incidents there instead of standard output"
    )
    parser.add_argument("--annotate", type=Path, metavar="OUT.mp4", help="also write the video with boxes and zones")
    parser.add_argument(
        "--pictures", type=Path, metavar="FOLDER", help="also keep the incidents' evidence pictures there"
    )
    parser.add_argument(
        "--start",
        metavar="TIME",
        help="when the first frame was taken, ISO 8601 (default: what the file says, else when it was last changed)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Analyse and print. Returns 0; faults are raised as BadInput."""
    from pipelines.aggression import load_scorer
    from pipelines.analysis_of_file import FileAnalysis
    from pipelines.clock import SystemClock
    from pipelines.crowding.loading import load_crowds
    from pipelines.detector import load_detector

    loaded = load_config(args)
    cameras = loaded.config.cameras
    if args.camera not in cameras:
        known = ", ".join(cameras) or "none"
        raise BadInput(f"--camera {args.camera}: not in {loaded.path or 'the configuration'}; its cameras: {known}")
    analysis = FileAnalysis(
        loaded.config,
        args.camera,
        args.video,
        fps=args.fps,
        start_s=_start(args.start),
        now_s=SystemClock().now_s(),
        detector=load_detector(loaded.config),
        scorer=load_scorer(loaded.config, _warn),
        crowds=load_crowds(loaded.config, _warn),
        annotate=args.annotate,
        pictures=args.pictures,
    )
    with ExitStack() as stack:
        output = stack.enter_context(_output(args.out))
        progress = stack.enter_context(_progress(analysis.duration_s))
        for incident in analysis.run(progress):
            output.write(json.dumps(as_json(incident, analysis.start_s), ensure_ascii=False) + "\n")
            output.flush()
    return 0


def _warn(why: str) -> None:
    sys.stderr.write(f"gatewatch: {why}\n")


def as_json(incident: Incident, start_s: float) -> dict[str, Any]:
    """The object that `analyse` prints; `_s` counts from the first frame, `_at` is UTC."""
    opened_s = incident.opened_s
    closed_s = incident.closed_s
    return {
        "incident_id": incident.incident_id,
        "camera": incident.camera_id,
        "kind": incident.kind,
        "zone": incident.zone_id,
        "rule": incident.rule_id,
        "severity": incident.severity,
        "first_seen_s": round(incident.first_seen_s - start_s, 3),
        "opened_s": None if opened_s is None else round(opened_s - start_s, 3),
        "closed_s": None if closed_s is None else round(closed_s - start_s, 3),
        "opened_at": _utc(opened_s),
        "closed_at": _utc(closed_s),
        "close_reason": incident.close_reason,
        "score": round(incident.score, 3),
        "box": None if incident.box_norm is None else [round(value, 4) for value in incident.box_norm],
        "evidence": {
            name: {"value": quantity.value, "unit": quantity.unit} for name, quantity in incident.evidence.items()
        },
    }


def _utc(time_s: float | None) -> str | None:
    if time_s is None:
        return None
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= 60:
        raise argparse.ArgumentTypeError("expected a number above 0 and up to 60")
    return value


def _start(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"--start {text}: not ISO 8601; give for example 2026-09-01T07:30:00+08:00") from error
    if moment.tzinfo is None:
        raise BadInput(f"--start {text}: says no time zone; give for example {text}+08:00")
    return moment.timestamp()


@contextmanager
def _output(path: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file that gets its name when the analysis is complete."""
    if path is None:
        yield sys.stdout
        return
    part = path.with_name(path.name + ".part")
    try:
        file = part.open("w", encoding="utf-8")
    except OSError as error:
        raise BadInput(f"--out {path}: cannot be written: {error.strerror}") from error
    try:
        with file:
            yield file
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    part.replace(path)


@contextmanager
def _progress(duration_s: float | None) -> Iterator[Any]:
    """A callback for the seconds analysed so far: a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _seconds: None
        return
    from tqdm import tqdm

    with tqdm(total=duration_s and round(duration_s, 1), unit="s", desc="analysed", file=sys.stderr) as bar:

        def show(seconds: float) -> None:
            bar.update(round(seconds - bar.n, 1))

        yield show
