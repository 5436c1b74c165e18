"""`gatewatch report`: the inspection sheet (督导考评) of a week, a month or a term."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from typing import Any

from pipelines.commands.options import add_config, load_config
from pipelines.commands.output import new_file
from pipelines.commands.site import database_of, who_am_i


def add(commands: Any) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser(
        "report", help="the inspection sheet of a week, a month or a term, with what is behind it"
    )
    parser.add_argument(
        "--period", choices=("week", "month", "term"), default="week", help="default: week (Monday first)"
    )
    parser.add_argument("--format", choices=("html", "xlsx", "pdf", "json"), default="html")
    parser.add_argument(
        "--out", metavar="FILE", help="a new file; - for standard output (default: named after the period)"
    )
    which = parser.add_argument_group("which time (default: the last one that is over, on the site's clock)")
    which.add_argument("--current", action="store_true", help="the one that runs now, as far as it has come")
    which.add_argument("--date", type=_day, metavar="DAY", help="the one that holds this day, such as 2026-11-16")
    which.add_argument("--from", dest="since", type=_day, metavar="DAY", help="begins on this day, as long as --period")
    which.add_argument("--to", dest="until", type=_day, metavar="DAY", help="with --from: the first day not in it")
    parser.add_argument("--language", choices=("zh-CN", "en"), help="default: the site's")
    parser.add_argument("--console", metavar="URL", help="the console that figures link to (default: as configured)")
    add_config(parser)
    parser.set_defaults(run=run)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day: write 2026-11-16") from error


def run(args: argparse.Namespace) -> int:
    """Raises BadInput: there is no store yet, a time that cannot be had, or a file that is there already."""
    from pipelines.clock import SystemClock
    from pipelines.report.making import Order, console_of, make
    from pipelines.report.period import Wanted
    from pipelines.store.queries import write_audit

    config = load_config(args).config
    clock = SystemClock()
    now_s = clock.now_s()
    order = Order(
        Wanted(args.period, args.date, args.current, args.since, args.until),
        args.format,
        args.language or config.site.language,
        args.console or console_of(config),
    )
    database = database_of(config)
    made = make(config, database, order, now_s)
    out = args.out or made.name
    with new_file(out) as file:
        with database.write() as connection:
            detail = {"period": made.period, "format": args.format, "out": out}
            write_audit(
                connection, now_s=now_s, who=who_am_i(), action="report.made", subject="inspection", detail=detail
            )
        file.write(made.content)
    if out != "-":
        sys.stderr.write(f"{made.period}: {out}\n")
    return 0
