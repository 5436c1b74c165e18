"""`gatewatch bench cameras`: the worker on many cameras in real time."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from pipelines.commands.options import add_config, load_config

_KINDS: Final = ("illegal_parking", "crowding", "possible_bullying")
#: As the sample cameras have them.
_USUAL: Final = "illegal_parking,crowding"


def add_cameras(subjects: Any) -> None:
    """Declare `cameras` among the subjects of `gatewatch bench`."""
    about = "the worker on many cameras in real time: what each costs, and how many this machine carries"
    cameras = subjects.add_parser("cameras", help=about, description=about)
    cameras.add_argument("--cameras", type=int, default=8, metavar="N", help="streams (default %(default)s)")
    cameras.add_argument("--seconds", type=float, default=20.0, metavar="S", help="measured (default %(default)s)")
    cameras.add_argument("--video", type=Path, help="what they play (default: the sample vtest.avi)")
    cameras.add_argument(
        "--activity", type=float, default=1.0, metavar="SHARE", help="of the time in which anything moves (default 1.0)"
    )
    cameras.add_argument(
        "--rules", default=_USUAL, metavar="A,B", help=f"kinds of rule, of {', '.join(_KINDS)} (default: %(default)s)"
    )
    cameras.add_argument("--rtsp", action="store_true", help="through RTSP servers, processes of their own")
    cameras.add_argument(
        "--own-clock",
        action="store_true",
        help="time stands still while the worker works: what it costs, also on a machine that is busy with other work",
    )
    cameras.add_argument(
        "--find-limit", action="store_true", help="the most cameras that get 5 analysed frames/s, p95 age <= 1 s"
    )
    cameras.add_argument("--json", action="store_true", help="one JSON object on standard output")
    add_config(cameras)
    cameras.set_defaults(run=_cameras)


def _cameras(args: argparse.Namespace) -> int:
    from pipelines.bench import cameras, limit
    from pipelines.bench.footage import sub_stream
    from pipelines.bench.trial import Trial
    from pipelines.errors import BadInput
    from pipelines.paths import samples_dir

    kinds = tuple(kind.strip() for kind in args.rules.split(","))
    _check(args, kinds)
    config = load_config(args).config
    video = args.video or samples_dir() / "vtest.avi"
    if not video.is_file():
        raise BadInput(f"{video} is not there: run `gatewatch samples pull`, or name a --video")
    stream = sub_stream(video, args.activity, samples_dir() / "bench")
    if args.find_limit:
        passed_on = ["--seconds", str(args.seconds), "--activity", str(args.activity), "--video", str(video)]
        passed_on += ["--rules", args.rules, *(["--rtsp"] if args.rtsp else [])]
        passed_on += ["--config", str(args.config)] if args.config else []
        figures = limit.find(
            lambda count: limit.in_a_process(count, passed_on), args.cameras, lambda one: _progress(one, args.json)
        )
    else:
        trial = Trial(args.cameras, args.seconds, stream, args.activity, args.rtsp, args.own_clock, kinds)
        figures = cameras.run(trial, config)
    if args.json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    else:
        _table(figures)
    return 0


def _check(args: argparse.Namespace, kinds: tuple[str, ...]) -> None:
    from pipelines.errors import BadInput

    if args.cameras < 1 or args.seconds < 1:
        raise BadInput("give at least 1 camera and 1 second")
    if not 0 <= args.activity <= 1:
        raise BadInput(f"--activity {args.activity} is not between 0 and 1")
    if args.own_clock and (args.rtsp or args.find_limit):
        raise BadInput("--own-clock cannot go with --rtsp or --find-limit: both need real time")
    unknown = [kind for kind in kinds if kind not in _KINDS]
    if unknown:
        raise BadInput(f"--rules: {', '.join(unknown) or 'nothing'} is unknown; known: {', '.join(_KINDS)}")


def _progress(figures: dict[str, Any], as_json: bool) -> None:
    out = sys.stderr if as_json else sys.stdout
    verdict = "carried" if figures["meets"] else "too many"
    out.write(
        f"{figures['cameras']:>4} cameras: {verdict}, {figures['analysed_fps_min']:.2f} frames/s at least, "
        f"p95 age {figures['p95_age_s']:.2f} s, {1000 * figures['per_camera_cpu_s']:.1f} CPU ms per camera and second\n"
    )
    out.flush()


def _chunks(figures: dict[str, Any]) -> list[str]:
    made = figures["chunks"]
    if not made:
        return []
    return [
        f"chunks          {made.get('written', 0)} written by a program of its own, run {made['runs']} times in the whole "
        f"trial: {made['cpu_s']:.2f} CPU s, at most {made['peak_mb']:.0f} MB while it ran"
    ]


def _table(figures: dict[str, Any]) -> None:
    stages = figures["stages_cpu_s"]
    total = figures["per_camera_cpu_s"]
    lines = [
        f"{figures['cameras']} cameras, {figures['seconds']:.0f} s, moving {figures['activity']:.0%} of the time, "
        f"{figures['detector']}, {'over RTSP' if figures['rtsp'] else 'packets from memory'}",
        f"analysed        {figures['analysed_fps']:.2f} frames a second and camera (least {figures['analysed_fps_min']:.2f})",
        f"age             p50 {figures['p50_age_s']:.2f} s   p95 {figures['p95_age_s']:.2f} s   max {figures['max_age_s']:.2f} s",
        f"dropped         {', '.join(f'{n} {why}' for why, n in figures['dropped'].items()) or 'none'}",
        f"published       {figures['published']} messages",
        f"resident        {figures['resident_mb']:.0f} MB ({figures['resident_growth_mb']:+.1f} while measured)",
        f"processor       {1000 * total:.2f} ms per camera and second, {figures['own_share']:.0%} of it neither decoding "
        "nor inference",
        *(f"  {name:<14}{1000 * cpu_s:>8.2f} ms" for name, cpu_s in stages.items()),
        f"apart           bus {1000 * figures['bus_cpu_s']:.2f} ms, sending the streams "
        f"{1000 * figures['sending_cpu_s']:.2f} ms, measuring {1000 * figures['bench_cpu_s']:.2f} ms",
        *_chunks(figures),
        f"machine         {figures['cores']} cores, load {figures['load_average']:.1f}; a full canvas costs it "
        f"{figures['canvas_cpu_ms']:.1f} ms now; {figures['cores']} cores / {1000 * total:.1f} ms = "
        f"{figures['cores'] / total:.0f} cameras",
    ]
    if "limit" in figures:
        lines.append(f"limit           {figures['limit']} cameras")
    sys.stdout.write("\n".join(lines) + "\n")
