"""`gatewatch console`: the control room's web pages and HTTP API."""

from __future__ import annotations

import argparse
from typing import Any

from pipelines.commands.options import add_config, load_config


def add(commands: Any) -> None:
    """Declare the arguments of `console`."""
    parser = commands.add_parser("console", help="the control room: web pages and HTTP API")
    parser.add_argument("--port", type=int, metavar="PORT", help="instead of console.port; 0: any free one")
    parser.add_argument(
        "--health-port", type=int, metavar="PORT", help="instead of console.metrics.port; 0: any free one"
    )
    add_config(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Until SIGTERM or Ctrl-C. Raises BadInput."""
    # Nothing else may import the console: this command starts it.
    from console.serve import serve
    from pipelines.clock import SystemClock
    from pipelines.commands.site import database_of, set_up_logs
    from pipelines.lifecycle import stop_on_signals

    loaded = load_config(args)
    config = loaded.config
    stop = stop_on_signals()
    set_up_logs(config)
    database = database_of(config)
    try:
        serve(loaded, database, SystemClock(), stop, port=args.port, health_port=args.health_port)
    finally:
        database.close()
    return 0
