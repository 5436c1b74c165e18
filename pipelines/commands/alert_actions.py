"""`gatewatch alerts acknowledge | onsite | close | note | snooze | snoozes | unsnooze`: a person answers."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from pipelines.commands.options import add_config, load_config
from pipelines.commands.site import database_of, moment, shown_time, table, who_am_i

if TYPE_CHECKING:
    from pipelines.config.schema import Config
    from pipelines.store.database import Database


def add(actions: Any) -> None:
    """Declare the arguments."""
    what = "an incident's id, its beginning, or an alert's id"
    acknowledging = actions.add_parser("acknowledge", help="I have seen it and see to it; ends the escalation")
    arriving = actions.add_parser("onsite", help="I am there")
    closing = actions.add_parser("close", help="it is over, and this is what it was")
    noting = actions.add_parser("note", help="words for whoever looks at it later")
    for parser, run in (
        (acknowledging, run_acknowledge),
        (arriving, run_on_site),
        (closing, run_close),
        (noting, run_note),
    ):
        parser.add_argument("reference", metavar="ID", help=what)
        parser.set_defaults(run=run)
    closing.add_argument("--verdict", required=True, choices=("true", "false", "drill", "duplicate", "unsure"))
    for parser in (acknowledging, arriving, closing):
        parser.add_argument("--note", default="", metavar="TEXT")
    noting.add_argument("text", metavar="TEXT")

    snoozing = actions.add_parser("snooze", help="tell nobody of what a rule finds, for a while (never level 1)")
    snoozing.add_argument("camera", metavar="CAMERA")
    snoozing.add_argument("rule", metavar="RULE", help="its id, such as illegal_parking:kerb")
    snoozing.add_argument("--until", required=True, metavar="TIME", help="2h from now, or 2026-09-01T18:00")
    snoozing.add_argument("--reason", required=True, metavar="TEXT")
    snoozing.set_defaults(run=run_snooze)
    listing = actions.add_parser("snoozes", help="which rules are silent, why and until when")
    listing.add_argument("--all", action="store_true", help="past ones too")
    listing.set_defaults(run=run_snoozes)
    ending = actions.add_parser("unsnooze", help="end a snooze before its time")
    ending.add_argument("snooze", type=int, metavar="N", help="number from `alerts snoozes`")
    ending.set_defaults(run=run_unsnooze)
    for parser in (acknowledging, arriving, closing, noting, snoozing, listing, ending):
        parser.add_argument("--json", action="store_true", help="JSON on standard output")
        add_config(parser)


def run_acknowledge(args: argparse.Namespace) -> int:
    """Raises Conflict: somebody was first."""
    from pipelines.alerting import actions

    return _answered(args, actions.acknowledge)


def run_on_site(args: argparse.Namespace) -> int:
    """Raises Conflict: somebody was first."""
    from pipelines.alerting import actions

    return _answered(args, actions.on_site)


def run_close(args: argparse.Namespace) -> int:
    """Raises Conflict: it is closed; BadInput: the verdict needs a reason."""
    from pipelines.alerting import actions
    from pipelines.alerting.life import Verdict

    return _answered(args, actions.close, verdict=Verdict(args.verdict))


def run_note(args: argparse.Namespace) -> int:
    """Raises BadInput: there is no such incident."""
    from pipelines.alerting import actions

    database, now_s = _store(load_config(args).config), _now_s()
    actions.add_note(database, args.reference, args.text, who=who_am_i(), now_s=now_s)
    print(json.dumps({"noted": args.reference}) if args.json else "noted")  # noqa: T201
    return 0


def run_snooze(args: argparse.Namespace) -> int:
    """Raises BadInput: no such camera or rule, no reason, level 1, or an end that is none."""
    from pipelines.alerting import actions

    config, now_s = load_config(args).config, _now_s()
    severity = _severity_of_rule(config, args.camera, args.rule)
    until_s = _until(args.until, config.site.timezone, now_s)
    number = actions.snooze(
        _store(config),
        args.camera,
        args.rule,
        severity=severity,
        until_s=until_s,
        reason=args.reason,
        who=who_am_i(),
        now_s=now_s,
    )
    if args.json:
        print(json.dumps({"snooze": number, "until_s": until_s}))  # noqa: T201
    else:
        print(f"snooze {number}, until {shown_time(until_s, config.site.timezone)}; level 1 is told all the same")  # noqa: T201
    return 0


def run_snoozes(args: argparse.Namespace) -> int:
    """Raises BadInput: there is no store yet."""
    from pipelines.store import snoozes

    config, now_s = load_config(args).config, _now_s()
    zone = config.site.timezone
    with database_of(config).reading() as connection:
        rows = snoozes.newest(connection) if args.all else snoozes.in_force(connection, now_s)
    if args.json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))  # noqa: T201
        return 0
    cells = [
        (
            str(row["snooze_id"]),
            row["camera"],
            row["rule"],
            shown_time(row["until_s"], zone) + ("" if row["ended_s"] is None else f" (ended by {row['ended_by']})"),
            row["who"],
            row["reason"],
        )
        for row in rows
    ]
    shown = table(("number", "camera", "rule", "until", "who", "reason"), cells) if cells else "no rule is silent\n"
    print(shown, end="")  # noqa: T201
    return 0


def run_unsnooze(args: argparse.Namespace) -> int:
    """Raises BadInput: no such snooze is in force."""
    from pipelines.alerting import actions

    actions.unsnooze(_store(load_config(args).config), args.snooze, who=who_am_i(), now_s=_now_s())
    print(json.dumps({"ended": args.snooze}) if args.json else f"snooze {args.snooze} is over")  # noqa: T201
    return 0


def _answered(args: argparse.Namespace, action: Any, **more: Any) -> int:
    from dataclasses import asdict

    database = _store(load_config(args).config)
    thread = action(database, args.reference, who=who_am_i(), now_s=_now_s(), note=args.note, **more)
    if args.json:
        print(json.dumps(asdict(thread), ensure_ascii=False))  # noqa: T201
    else:
        print(f"{thread.incident_id}: {thread.state.replace('_', ' ')}")  # noqa: T201
    return 0


def _store(config: Config) -> Database:
    """The store, checked: a command does not make one. Raises BadInput in words."""
    database = database_of(config)
    with database.reading():
        pass
    return database


def _now_s() -> float:
    from pipelines.clock import SystemClock

    return SystemClock().now_s()


def _until(text: str, timezone: str, now_s: float) -> float:
    """`2h` is from now on here, unlike in a listing."""
    from pipelines.config.quantities import parse_seconds

    try:
        return now_s + parse_seconds(text)
    except ValueError:
        return moment(text, timezone, now_s)


def _severity_of_rule(config: Config, camera_id: str, rule_id: str) -> int | None:
    from pipelines.config.faults import one_of
    from pipelines.errors import BadInput

    camera = config.cameras.get(camera_id)
    if camera is None:
        raise BadInput(f"there is no camera {camera_id!r}; known: {one_of(config.cameras, camera_id)}")
    rules = {rule.rule_id(rule.kind): rule for rule in camera.rules}
    if rule_id not in rules:
        raise BadInput(f"camera {camera_id} has no rule {rule_id!r}; known: {one_of(rules, rule_id)}")
    return rules[rule_id].severity
