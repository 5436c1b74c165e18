"""`gatewatch bench bus | cameras | detector | history`: what is claimed about speed, measured on this machine."""

from __future__ import annotations

import argparse
import json
from typing import Any

from pipelines.commands.bench_cameras import add_cameras
from pipelines.commands.bench_detector import add_detector
from pipelines.commands.bench_history import add_history


def add(commands: Any) -> None:
    """Declare the arguments of `bench`."""
    group = commands.add_parser("bench", help="measure speed on this machine")
    actions = group.add_subparsers(dest="action", metavar="WHAT", required=True)
    bus = actions.add_parser("bus", help="from an incident published to a webhook received: delay, highest rate")
    bus.add_argument("--seconds", type=float, default=15.0, metavar="S", help="at each rate (default 15)")
    bus.add_argument(
        "--burst", type=int, default=4000, metavar="N", help="messages for the highest rate (default 4000)"
    )
    bus.add_argument("--dispatchers", type=int, default=1, metavar="N", help="processes (default 1)")
    bus.add_argument("--json", action="store_true", help="one JSON object on standard output")
    bus.set_defaults(run=run_bus)
    add_cameras(actions)
    add_detector(actions)
    add_history(actions)


def run_bus(args: argparse.Namespace) -> int:
    """Raises BadInput: a number that measures nothing."""
    from pipelines.bench import bus
    from pipelines.errors import BadInput

    if args.seconds < 1 or args.burst < 8 or args.dispatchers < 1:
        raise BadInput("give at least 1 second, a burst of 8 and 1 dispatcher")
    figures = bus.run(args.seconds, args.burst, args.dispatchers)
    if args.json:
        print(json.dumps(figures))  # noqa: T201
    else:
        for rate in (10, 200):
            p50, p95 = figures[f"p50_ms_at_{rate}"], figures[f"p95_ms_at_{rate}"]
            print(f"at {rate:>3} a second   p50 {p50:7.1f} ms   p95 {p95:7.1f} ms")  # noqa: T201
        print(f"highest rate    {figures['sustained_per_s']:.0f} a second ({figures['burst']} at once)")  # noqa: T201
    return 0
