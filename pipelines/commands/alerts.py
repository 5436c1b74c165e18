"""`gatewatch alerts list | test | dead | resend`: what was told to whom, and what could not be.

Answers and snoozes are in `alert_actions`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import uuid
from typing import TYPE_CHECKING, Any

from pipelines.commands import alert_actions
from pipelines.commands.options import add_config, load_config
from pipelines.commands.site import database_of, moment, shown_time, table, who_am_i

if TYPE_CHECKING:
    from pipelines.config.schema import Config
    from pipelines.events.envelope import Event

#: As in `pipelines.alerting.life`, which a parser need not import.
STATES = ("pending", "sent", "escalated", "acknowledged", "on_site", "closed", "failed", "expired")


def add(commands: Any) -> None:
    """Declare the arguments of `alerts`."""
    group = commands.add_parser("alerts", help="what was told to whom, and what could not be")
    actions = group.add_subparsers(dest="action", metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="alerts, newest first")
    listing.add_argument(
        "--from", dest="since", metavar="TIME", help="made at or after: 2026-09-01, 2026-09-01T07:30, 7d"
    )
    listing.add_argument("--to", dest="until", metavar="TIME", help="made before")
    listing.add_argument("--state", choices=STATES)
    listing.add_argument("--recipient")
    listing.add_argument("--incident", metavar="ID")
    listing.add_argument("--limit", type=int, default=50, metavar="N")
    listing.add_argument("--cursor", help="go on where a page ended")
    listing.set_defaults(run=run_list)

    testing = actions.add_parser("test", help="send a marked test alert through the whole chain and say how it went")
    testing.add_argument("--timeout", type=float, default=15.0, metavar="S", help="how long to wait (default 15 s)")
    testing.set_defaults(run=run_test)

    dead = actions.add_parser("dead", help="what will not be tried again: deliveries, and messages nobody could read")
    dead.set_defaults(run=run_dead)

    again = actions.add_parser("resend", help="try dead deliveries, and messages that were laid aside, again")
    again.add_argument("what", nargs="*", metavar="N", help="numbers from `alerts dead`: 7, or 1790000000000-0")
    again.add_argument("--all", action="store_true", help="everything that is dead")
    again.set_defaults(run=run_resend)
    alert_actions.add(actions)
    for parser in (listing, testing, dead, again):
        parser.add_argument("--json", action="store_true", help="JSON on standard output")
        add_config(parser)


def run_list(args: argparse.Namespace) -> int:
    """Raises BadInput: there is no store yet, or a filter cannot be used."""
    from pipelines.clock import SystemClock
    from pipelines.store.queries import AlertFilter, list_alerts

    config = load_config(args).config
    zone, now_s = config.site.timezone, SystemClock().now_s()
    wanted = AlertFilter(
        since_s=None if args.since is None else moment(args.since, zone, now_s),
        until_s=None if args.until is None else moment(args.until, zone, now_s),
        state=args.state,
        recipient=args.recipient,
        incident_id=args.incident,
    )
    with database_of(config).reading() as connection:
        page = list_alerts(connection, wanted, args.limit, args.cursor)
    if args.json:
        print(json.dumps(page.rows, ensure_ascii=False, indent=1))  # noqa: T201
    else:
        rows = [
            (
                shown_time(row["created_s"], zone),
                row["state"],
                str(row["severity"]),
                row["recipient"],
                row["purpose"],
                row["incident_id"],
            )
            for row in page.rows
        ]
        print(table(("made", "state", "level", "recipient", "purpose", "incident"), rows), end="")  # noqa: T201
    if page.cursor is not None:
        sys.stderr.write(f"more: --cursor {page.cursor}\n")
    return 0


def run_test(args: argparse.Namespace) -> int:
    """0 when every channel has a receipt, else 1. Raises Unavailable: the bus is away."""
    import threading

    from pipelines.clock import SystemClock
    from pipelines.errors import GatewatchError
    from pipelines.events.locate import redis_url
    from pipelines.events.redis_streams import connect, publish_now
    from pipelines.store.queries import deliveries_of

    config = load_config(args).config
    clock = SystemClock()
    event = _test_event(config, clock.now_s())
    publish_now(connect(redis_url(config), 5.0), event)
    database = database_of(config)
    deadline_s = clock.monotonic_s() + args.timeout
    rows: list[dict[str, Any]] = []
    while clock.monotonic_s() < deadline_s:
        if database.exists():
            try:
                with database.reading() as connection:
                    rows = deliveries_of(connection, event.subject)
            except GatewatchError:
                rows = []  # the dispatcher is just making the store
        if rows and all(row["state"] != "ready" for row in rows):
            break
        clock.wait(threading.Event(), 0.1)
    good = bool(rows) and all(row["state"] == "sent" for row in rows)
    report = [
        {
            "channel": row["channel"],
            "recipient": row["recipient"],
            "state": "waiting" if row["state"] == "ready" else row["state"],
            "tries": row["attempts"],
            "delay_s": None if row["finished_s"] is None else round(row["finished_s"] - row["event_s"], 3),
            "reason": row["reason"],
        }
        for row in rows
    ]
    if args.json:
        print(json.dumps({"ok": good, "test": event.subject, "channels": report}, ensure_ascii=False))  # noqa: T201
    elif not rows:
        print(f"nobody took the test from the bus within {args.timeout:g} s: is `gatewatch dispatch` running?")  # noqa: T201
    else:
        cells = [
            (
                str(line["channel"]),
                str(line["recipient"]),
                str(line["state"]),
                str(line["tries"]),
                "" if line["delay_s"] is None else f"{line['delay_s']:.3f} s",
                str(line["reason"]),
            )
            for line in report
        ]
        print(table(("channel", "recipient", "state", "tries", "delay", "reason"), cells), end="")  # noqa: T201
    return 0 if good else 1


def run_dead(args: argparse.Namespace) -> int:
    """Dead deliveries from the store and dead messages from the bus; 1 when there are any."""
    from pipelines.errors import Unavailable
    from pipelines.events.locate import redis_url
    from pipelines.events.redis_streams import connect, dead_letters
    from pipelines.store.queries import dead_deliveries

    config = load_config(args).config
    with database_of(config).reading() as connection:
        undelivered = dead_deliveries(connection)
    try:
        unread = dead_letters(connect(redis_url(config), 5.0))
    except Unavailable as error:
        unread = []
        sys.stderr.write(f"gatewatch: {error}; messages laid aside on the bus are not shown\n")
    if args.json:
        print(json.dumps({"deliveries": undelivered, "messages": unread}, ensure_ascii=False, indent=1))  # noqa: T201
    else:
        zone = config.site.timezone
        rows = [
            (
                str(row["delivery_id"]),
                shown_time(row["finished_s"], zone),
                row["channel"],
                row["recipient"],
                row["incident_id"],
                row["reason"],
            )
            for row in undelivered
        ]
        if rows:
            print(table(("number", "given up", "channel", "recipient", "incident", "reason"), rows), end="")  # noqa: T201
        for letter in unread:
            print(f"message {letter['entry']} could not be handled: {letter['reason']}")  # noqa: T201
        if not rows and not unread:
            print("nothing is dead")  # noqa: T201
    return 1 if undelivered or unread else 0


def run_resend(args: argparse.Namespace) -> int:
    """1 when nothing that was named is dead. Raises BadInput: neither numbers nor --all; Unavailable: messages are named and
    the bus is away."""
    from pipelines.clock import SystemClock
    from pipelines.errors import BadInput, Unavailable
    from pipelines.events.locate import redis_url
    from pipelines.events.redis_streams import connect, replay
    from pipelines.store.queries import resend, write_audit

    if bool(args.what) == args.all:
        raise BadInput("give the numbers that `gatewatch alerts dead` shows, or --all")
    for one in args.what:
        if not re.fullmatch(r"\d{1,18}|\d{1,18}-\d{1,18}", one, re.ASCII):
            raise BadInput(f"{one!r:.60} is no number that `gatewatch alerts dead` shows, such as 7 or 1790000000000-0")
    config = load_config(args).config
    database = database_of(config)
    if not database.exists():
        raise BadInput("there is no store yet: `gatewatch dispatch` makes it")
    numbers, entries = [int(one) for one in args.what if "-" not in one], [one for one in args.what if "-" in one]
    now_s, who = SystemClock().now_s(), who_am_i()
    with database.write() as connection:
        again = resend(connection, None if args.all else numbers, now_s=now_s, who=who)
    messages: list[str] = []
    try:
        if args.all or entries:
            messages = replay(connect(redis_url(config), 5.0), None if args.all else entries)
    except Unavailable as error:
        if entries:
            raise
        sys.stderr.write(f"gatewatch: {error}; messages laid aside on the bus stay there\n")
    with database.write() as connection:
        for entry in messages:
            write_audit(connection, now_s=now_s, who=who, action="resend", subject=f"message {entry}", detail={})
    told = [*map(str, again), *messages]
    if args.json:
        print(json.dumps({"deliveries": again, "messages": messages}))  # noqa: T201
    else:
        print(f"{len(told)} to be tried again" + (f": {', '.join(told)}" if told else ""))  # noqa: T201
    return 0 if told or args.all else 1


def _test_event(config: Config, now_s: float) -> Event:
    """An event that cannot be taken for an incident: another type, another id, no camera."""
    from dataclasses import replace

    from pipelines.events.envelope import incident_event
    from vision.incident import Incident, Phase

    incident = Incident(
        incident_id=f"test-{uuid.uuid4()}",
        camera_id="-",
        kind="test",
        rule_id="test",
        zone_id="-",
        phase=Phase.OPENED,
        revision=1,
        severity=4,
        score=0.0,
        first_seen_s=now_s,
        opened_s=now_s,
        closed_s=None,
        close_reason=None,
        time_s=now_s,
        box_norm=None,
        track_ids=(),
    )
    return replace(
        incident_event(incident, "test", config.site.name, drill=True), type="alert.test", source="/alerts/test"
    )
