"""The command `gatewatch`: reads the arguments, finds the command's module, turns errors into exit codes.

Each command group has one module in `pipelines.commands`, named in the explicit tuple below; only those modules (and
this one) wire objects together. A module has `add(commands)` which declares its arguments and sets `run`, a function
`(args) -> int`. Heavy imports happen inside `run`, so that `gatewatch --help` is quick.

Exit codes: 0 done, 1 failed or something was found wrong, 2 bad input or configuration, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final

from pipelines.errors import GatewatchError

#: In the order in which `gatewatch --help` lists them. Explicit on purpose: nothing registers itself.
COMMANDS: Final = (
    "up",
    "demo",
    "analyse",
    "worker",
    "dispatch",
    "record",
    "janitor",
    "console",
    "footage",
    "incidents",
    "report",
    "alerts",
    "replay",
    "user",
    "token",
    "config",
    "samples",
    "models",
    "evaluate",
    "bench",
    "train",
    "doctor",
)


def build_parser() -> argparse.ArgumentParser:
    """The whole command line as an argparse parser."""
    parser = argparse.ArgumentParser(prog="gatewatch", description="Watches school gates.")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(f"pipelines.commands.{name}").add(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    args = build_parser().parse_args(argv)
    try:
        return int(args.run(args))
    except GatewatchError as error:
        print(f"gatewatch: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    except _detector_error() as error:
        mend = "a network that came from `gatewatch models build` is made anew by it where it is damaged"
        print(f"gatewatch: {error}; {mend}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`| head`): not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _detector_error() -> type[Exception] | tuple[()]:
    """`vision.detection.DetectorError`, if what raises it was imported: an error must not cost every command a slow import."""
    module = sys.modules.get("vision.detection")
    return () if module is None else module.DetectorError


if __name__ == "__main__":
    sys.exit(main())
