"""`gatewatch incidents verdict | raise`: what an incident was, and one that no rule saw."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.commands.options import add_config, load_config
from pipelines.commands.site import database_of, moment, who_am_i

if TYPE_CHECKING:
    from pipelines.config.schema import Config


def add(actions: Any) -> None:
    """Declare the arguments."""
    judging = actions.add_parser("verdict", help="say what an incident was; closes it if it is open")
    judging.add_argument("incident_id", metavar="ID", help="the id, its beginning, or an alert's id")
    judging.add_argument("verdict", choices=("true", "false", "drill", "duplicate", "unsure"))
    judging.add_argument("--note", default="", metavar="TEXT", help="needed for `false` on possible bullying")
    judging.set_defaults(run=run_verdict)

    raising = actions.add_parser("raise", help="raise an incident by hand; it goes the way of every other")
    raising.add_argument("--kind", required=True, metavar="KIND", help="a rule's kind (such as crowding), or other")
    raising.add_argument("--camera", required=True, metavar="ID")
    raising.add_argument("--zone", default="", metavar="NAME", help="one of the camera's zones")
    raising.add_argument("--at", metavar="TIME", help="when it was: 2026-09-01T07:30, or 5m for five minutes ago (now)")
    raising.add_argument("--level", type=int, choices=(1, 2, 3, 4), default=2, help="1 is critical (default 2)")
    raising.add_argument("--note", default="", metavar="TEXT", help="what was seen")
    raising.add_argument("--plate", default="", metavar="TEXT", help="a number plate, as you read it")
    raising.add_argument("--picture", type=Path, metavar="FILE", help="a JPEG picture of it; copied into the record")
    raising.set_defaults(run=run_raise)
    for parser in (judging, raising):
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
        add_config(parser)


def run_verdict(args: argparse.Namespace) -> int:
    """Raises BadInput: there is no such incident, or the verdict needs a reason."""
    from dataclasses import asdict

    from pipelines.alerting import actions
    from pipelines.alerting.life import Verdict
    from pipelines.clock import SystemClock

    database = database_of(load_config(args).config)
    with database.reading():
        pass  # says in words what is wrong with the store
    now_s = SystemClock().now_s()
    thread = actions.judge(
        database, args.incident_id, Verdict(args.verdict), who=who_am_i(), now_s=now_s, note=args.note
    )
    if args.json:
        print(json.dumps(asdict(thread) | {"verdict": args.verdict}, ensure_ascii=False))  # noqa: T201
    else:
        print(f"{thread.incident_id}: {args.verdict}")  # noqa: T201
    return 0


def run_raise(args: argparse.Namespace) -> int:
    """Raises BadInput: an unknown camera, zone or kind, or no picture; Unavailable: the bus is away."""
    from pipelines.alerting import by_hand
    from pipelines.clock import SystemClock
    from pipelines.events.locate import redis_url
    from pipelines.events.redis_streams import connect, publish_now

    loaded = load_config(args)
    config, now_s = loaded.config, SystemClock().now_s()
    _check(config, args)
    at_s = now_s if args.at is None else moment(args.at, config.site.timezone, now_s)
    incident_id = by_hand.new_id()
    pictures = [] if args.picture is None else [by_hand.keep_picture(config.data, incident_id, args.picture, at_s)]
    raised = by_hand.Raised(
        kind=args.kind,
        camera=args.camera,
        camera_name=config.cameras[args.camera].name or args.camera,
        at_s=at_s,
        note=args.note,
        plate=args.plate,
        severity=args.level,
        zone=args.zone,
        pictures=pictures,
        incident_id=incident_id,
    )
    event = by_hand.event_of(raised, who=who_am_i(), now_s=now_s, config_version=loaded.version)
    publish_now(connect(redis_url(config), 5.0), event)
    if args.json:
        print(json.dumps({"incident_id": incident_id, "pictures": pictures}, ensure_ascii=False))  # noqa: T201
    else:
        print(f"raised {incident_id}; `gatewatch incidents show {incident_id[:8]}` says what becomes of it")  # noqa: T201
    return 0


def _check(config: Config, args: argparse.Namespace) -> None:
    from pipelines.alerting.by_hand import OTHER
    from pipelines.config.explain import rule_kinds
    from pipelines.config.faults import one_of
    from pipelines.errors import BadInput

    camera = config.cameras.get(args.camera)
    if camera is None:
        raise BadInput(f"there is no camera {args.camera!r}; known: {one_of(config.cameras, args.camera)}")
    if args.zone and args.zone not in camera.zones:
        raise BadInput(f"camera {args.camera} has no zone {args.zone!r}; known: {one_of(camera.zones, args.zone)}")
    kinds = [*rule_kinds(), OTHER]
    if args.kind not in kinds:
        raise BadInput(f"there is no kind {args.kind!r}; known: {one_of(kinds, args.kind)}")
