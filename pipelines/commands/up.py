"""`gatewatch up`: the whole site on this machine under one supervisor, until Ctrl-C."""

from __future__ import annotations

import argparse
import logging
import sys
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from pipelines.commands.options import add_config, load_config
from pipelines.errors import BadInput

if TYPE_CHECKING:
    from pipelines.workers.supervisor import ChildSpec

#: Started in this order, ended in the reverse one: what consumes is there before what produces.
PROCESSES: Final = ("record", "dispatch", "console", "janitor", "worker")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("up", help="the whole site on this machine, until Ctrl-C")
    add_config(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run until SIGINT or SIGTERM. Raises BadInput for a configuration that cannot be used."""
    from pipelines import logs
    from pipelines.clock import SystemClock
    from pipelines.config.secrets import secrets
    from pipelines.events.embedded import EmbeddedValkey
    from pipelines.events.locate import embedded_folder
    from pipelines.lifecycle import stop_on_signals
    from pipelines.workers.supervisor import Supervisor

    loaded = load_config(args)
    if loaded.path is None or not loaded.config.cameras:
        where = loaded.path or "no configuration was given (-c CONFIG) and there is no gatewatch.yaml here"
        raise BadInput(f"{where}: names no camera; describe at least one under `cameras:`")
    stop = stop_on_signals()
    logs.configure(secrets=secrets(loaded.config))
    clock, log = SystemClock(), logging.getLogger("gatewatch.up")
    with ExitStack() as stack:
        if loaded.config.redis.url is None:
            bus = EmbeddedValkey(embedded_folder(loaded.config.data), clock=clock)
            bus.start()
            # Its own event: the bus ends after those who use it.
            bus_stop = Event()
            keeper = Thread(target=bus.run, args=(bus_stop,), name="bus")
            stack.callback(keeper.join, 15.0)
            stack.callback(bus_stop.set)
            keeper.start()
        Supervisor(children(loaded.path), clock, log).run(stop)
    return 0


def children(path: Path) -> list[ChildSpec]:
    """The processes of a site described by the file `path`."""
    from pipelines.workers.supervisor import ChildSpec

    gatewatch = (sys.executable, "-m", "pipelines.cli")
    return [ChildSpec(name, (*gatewatch, name, "-c", str(path))) for name in PROCESSES]
