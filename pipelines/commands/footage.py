"""`gatewatch footage coverage | verify | plan | hold | release | export | rebuild`: what an administrator does with footage."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Declare the arguments of `footage`."""
    group = commands.add_parser(
        "footage", help="coverage, integrity, retention, holds and exports of what was recorded"
    )
    actions = group.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, text: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = actions.add_parser(name, help=text)
        parser.add_argument(
            "-c", "--config", type=Path, metavar="CONFIG", help="default: ./gatewatch.yaml if it is there"
        )
        parser.add_argument("--json", action="store_true", help="one JSON value on standard output")
        parser.set_defaults(run=run)
        return parser

    def span(parser: argparse.ArgumentParser, *, required: bool) -> None:
        text = "2026-11-23 or 2026-11-23T08:00:00, the site's time unless it says Z or +08:00"
        parser.add_argument("--from", dest="from_", metavar="TIME", required=required, help=text)
        parser.add_argument("--to", metavar="TIME", required=required, help="the end, not included")

    def who(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--who", metavar="NAME", help="who does it, for the audit (default: the system's user)")
        parser.add_argument("--reason", metavar="TEXT", help="why, for the audit")

    coverage = action("coverage", "what was recorded, and why the rest was not")
    coverage.add_argument("--camera", metavar="A,B", help="only these")
    span(coverage, required=False)

    verify = action("verify", "find changed, missing, swapped or re-ordered footage; exit code 1 when there is any")
    verify.add_argument("--camera", metavar="A,B", help="only these")
    span(verify, required=False)
    verify.add_argument("--audit", action="store_true", help="check the audit and the ledger's journal instead")
    verify.add_argument("--quick", action="store_true", help="only look whether files are there; do not read them")
    verify.add_argument(
        "--heads", type=Path, metavar="FOLDER", help="compare with daily heads that were kept elsewhere"
    )

    plan = action("plan", "what the next clean-up would delete (nothing is deleted)")
    plan.add_argument(
        "--accept-clock", action="store_true", help="the clock is right now: delete again (needs --reason)"
    )
    who(plan)

    hold = action("hold", "keep footage from being deleted, or list what is held")
    hold.add_argument("--list", action="store_true", help="list all holds")
    hold.add_argument("--camera", metavar="A,B", help="which cameras")
    span(hold, required=False)
    hold.add_argument("--owner", metavar="NAME", help="on whose behalf, e.g. the police station")
    hold.add_argument("--expires", metavar="TIME", help="when it ends by itself (default: never)")
    who(hold)

    release = action("release", "end a hold")
    release.add_argument("hold_id", metavar="HOLD")
    who(release)

    export = action("export", "a package to hand out: a blurred copy, or with --evidence the untouched footage")
    export.add_argument("--camera", metavar="ID", help="whose footage (with --incident: its own)")
    span(export, required=False)
    who(export)
    export.add_argument("--evidence", action="store_true", help="whole, untouched, not blurred; stands in the audit")
    export.add_argument(
        "--incident",
        action="append",
        default=[],
        metavar="ID",
        help="this incident and its time (left out: every incident of the range); or a file with its JSON",
    )
    export.add_argument(
        "--picture",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a picture of the incident in that file",
    )
    export.add_argument("--out", type=Path, metavar="PATH", help="a new folder, or a file ending in .zip")

    action("rebuild", "make a lost index anew from what lies on the disk (stop the recorder first)")


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    from pipelines.commands import footage_actions

    return footage_actions.run(args)
