"""Which incidents are meant: the same arguments for every question about them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.config.schema import Config
    from pipelines.store.queries import IncidentFilter


_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def add_filters(parser: argparse.ArgumentParser) -> None:
    """`--from`, `--to`, `--camera`, ..."""
    parser.add_argument(
        "--from", dest="since", metavar="TIME", help="opened at or after: 2026-09-01, 2026-09-01T07:30, 7d"
    )
    parser.add_argument("--to", dest="until", metavar="TIME", help="opened before")
    for name in ("camera", "zone", "kind", "rule", "text"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--level", type=int, choices=(1, 2, 3, 4), help="this level or more severe (1 is critical)")
    parser.add_argument("--only-level", type=int, choices=(1, 2, 3, 4), help="exactly this level")
    parser.add_argument("--weekday", choices=_WEEKDAYS, help="opened on this day, on the site's clock")
    parser.add_argument("--hour", type=int, choices=range(24), metavar="0..23", help="opened in this hour")
    parser.add_argument("--state", choices=("open", "closed"))
    parser.add_argument("--verdict", choices=("true", "false", "drill", "duplicate", "unsure", "none"))
    parser.add_argument("--no-drills", action="store_true", help="leave out drills")


def wanted_by(args: argparse.Namespace, config: Config, now_s: float) -> IncidentFilter:
    """Raises BadInput: a time that is none, or a time that ends before it begins."""
    from pipelines.commands.site import moment
    from pipelines.errors import BadInput
    from pipelines.store.queries import IncidentFilter

    zone = config.site.timezone
    since_s = None if args.since is None else moment(args.since, zone, now_s)
    until_s = None if args.until is None else moment(args.until, zone, now_s)
    if since_s is not None and until_s is not None and until_s <= since_s:
        raise BadInput(f"--to {args.until} is not after --from {args.since}")
    return IncidentFilter(
        since_s=since_s,
        until_s=until_s,
        camera=args.camera,
        zone=args.zone,
        kind=args.kind,
        rule=args.rule,
        severity=args.level,
        level=args.only_level,
        state=args.state,
        verdict=args.verdict,
        text=args.text,
        weekday=None if args.weekday is None else _WEEKDAYS.index(args.weekday) + 1,
        hour=args.hour,
        timezone=zone,
        drills=not args.no_drills,
    )


def in_words(wanted: IncidentFilter) -> dict[str, Any]:
    """What was asked for, for the audit and beside figures: only what was given."""
    from dataclasses import asdict

    given = {name: value for name, value in asdict(wanted).items() if value is not None and value is not True}
    if not wanted.by_clock:
        del given["timezone"]
    return given
