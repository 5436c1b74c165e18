"""`gatewatch incidents list | show`: ask the record. `verdict` and `raise` are in `incident_actions`,
`export` and `stats` in `incident_history`."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from pipelines.commands import incident_actions, incident_history
from pipelines.commands.incident_filters import add_filters, wanted_by
from pipelines.commands.options import add_config, load_config
from pipelines.commands.site import database_of, shown_time, table

if TYPE_CHECKING:
    from pipelines.config.schema import Config

#: Written as an export is.
_FILES = ("csv", "jsonl", "parquet")


def add(commands: Any) -> None:
    """Declare the arguments of `incidents`."""
    group = commands.add_parser("incidents", help="ask the record of incidents")
    actions = group.add_subparsers(dest="action", metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="incidents, newest first")
    add_filters(listing)
    listing.add_argument("--limit", type=int, default=50, metavar="N", help="rows of a page (default 50, at most 1000)")
    listing.add_argument("--cursor", help="go on where a page ended")
    listing.add_argument("--format", choices=("table", "json", "jsonl", "csv", "parquet"), default="table")
    listing.add_argument("--json", action="store_true", help="as --format json: one JSON array on standard output")
    listing.set_defaults(run=run_list)

    showing = actions.add_parser("show", help="one incident with its alerts and what became of them")
    showing.add_argument("incident_id", metavar="ID", help="the id, or its beginning")
    showing.add_argument("--json", action="store_true", help="one JSON object on standard output")
    showing.set_defaults(run=run_show)
    for parser in (listing, showing):
        add_config(parser)
    incident_history.add(actions)
    incident_actions.add(actions)


def run_list(args: argparse.Namespace) -> int:
    """Raises BadInput: there is no store yet, or a filter cannot be used."""
    from pipelines.clock import SystemClock
    from pipelines.store.history import with_answers
    from pipelines.store.queries import list_incidents

    config = load_config(args).config
    zone, now_s = config.site.timezone, SystemClock().now_s()
    wanted = wanted_by(args, config, now_s)
    with database_of(config).reading() as connection:
        page = list_incidents(connection, wanted, args.limit, args.cursor)
        answered = with_answers(connection, page.rows) if args.format in _FILES else []
    if args.json or args.format == "json":
        print(json.dumps([_as_json(row) for row in page.rows], ensure_ascii=False, indent=1))  # noqa: T201
    elif args.format in _FILES:
        from pipelines.history import export

        export.write(export.flattened(answered, zone), args.format, sys.stdout.buffer)
    else:
        rows = [
            (
                shown_time(row["opened_s"], zone),
                str(row["severity"]),
                row["kind"] + (" (drill)" if row["drill"] else ""),
                row["camera_name"],
                row["zone"],
                "open" if row["closed_s"] is None else f"closed ({row['close_reason'] or '?'})",
                row["verdict"] or "",
                row["incident_id"],
            )
            for row in page.rows
        ]
        print(table(("opened", "level", "kind", "camera", "zone", "state", "verdict", "id"), rows), end="")  # noqa: T201
    if page.cursor is not None:
        sys.stderr.write(f"more: --cursor {page.cursor}\n")
    return 0


def run_show(args: argparse.Namespace) -> int:
    """Raises BadInput: there is no such incident."""
    from pipelines.errors import BadInput
    from pipelines.store.queries import show_incident

    config = load_config(args).config
    with database_of(config).reading() as connection:
        found = show_incident(connection, args.incident_id)
    if found is None:
        raise BadInput(f"no incident has the id {args.incident_id!r}: `gatewatch incidents list` shows them")
    found["clip"] = _clip(config, found["incident_id"])
    if args.json:
        print(json.dumps(_as_json(found), ensure_ascii=False, indent=1))  # noqa: T201
    else:
        print(_for_people(found, config.site.timezone), end="")  # noqa: T201
    return 0


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    """The row, with RFC 3339 beside each of the incident's times."""
    from pipelines.events.envelope import rfc3339

    times = {
        name.removesuffix("_s") + "_at": None if row[name] is None else rfc3339(row[name])
        for name in ("first_seen_s", "opened_s", "updated_s", "closed_s")
    }
    return row | times


def _picture(picture: dict[str, Any]) -> list[str]:
    """The analysed stream's, and the recorded main stream's of the same moment or why there is none."""

    def said(one: dict[str, Any]) -> str:
        size = f"{one['width']}x{one['height']}" if one.get("width") and one.get("height") else "size not known"
        return f"{one.get('role', '?')}: {one.get('path', '?')} ({one.get('source', '?')}, {size}"

    main = picture["main"]
    lines = [said(picture) + ")"]
    if main is not None and main.get("missing") is None:
        lines.append(f"{said(main)}, {main['off_s']:+.2f} s)")
    elif main is not None:
        lines.append(
            f"{picture.get('role', '?')}: none of the recorded main stream: {main['missing']} ({main['detail']})"
        )
    return lines


def _for_people(found: dict[str, Any], zone: str) -> str:
    from pipelines.store.stills import with_stills

    evidence = ", ".join(f"{name} {item['value']} {item['unit']}".rstrip() for name, item in found["evidence"].items())
    closed = f"{shown_time(found['closed_s'], zone)} ({found['close_reason'] or '?'})" if found["closed_s"] else "open"
    lines = [
        f"{found['kind']}  level {found['severity']}  {found['incident_id']}" + ("  DRILL" if found["drill"] else ""),
        f"  where       {found['camera_name']} ({found['camera']}), zone {found['zone']}, rule {found['rule']}",
        f"  first seen  {shown_time(found['first_seen_s'], zone)}",
        f"  opened      {shown_time(found['opened_s'], zone)}",
        f"  closed      {closed}",
        f"  score       {found['score']:.2f}   {evidence}",
        f"  verdict     {found['verdict'] or 'none yet'}",
        f"  config      {found['config_version']}",
    ]
    lines.append(f"  clock       {_clock(found['clock'])}")
    if found["clip"] is not None:
        lines.append(f"  clip        {found['clip']['path']}")
    for picture in with_stills(found):
        lines += [f"  picture     {line}" for line in _picture(picture)]
    lines += [
        f"  event       {shown_time(event['time_s'], zone)}  {event['type']} (revision {event['revision']})"
        for event in found["events"]
    ]
    for alert in found["alerts"]:
        lines.append(f"  alert       {alert['recipient']} ({alert['purpose']}): {alert['state']}  {alert['alert_id']}")
        for sent in alert["deliveries"]:
            reason = f"  {sent['reason']}" if sent["reason"] else ""
            delay = "" if sent["delay_s"] is None else f", {sent['delay_s']:.3f} s after the event"
            lines.append(f"    {sent['channel']:<10}{sent['state']} after {sent['attempts']} tries{delay}{reason}")
            lines += [
                f"      {shown_time(one['started_s'], zone)}  {one['outcome']} in {one['duration_s']:.3f} s: {one['detail']}"
                for one in sent["receipts"]
            ]
    if (thread := found["thread"]) is not None:
        lines.append(f"  answer      {thread['state'].replace('_', ' ')}" + _silenced(thread["silenced"]))
        if thread["deadline_s"] is not None and thread["acknowledged_s"] is None:
            lines.append(f"    by        {shown_time(thread['deadline_s'], zone)}")
    for line in found["log"]:
        note = f": {line['note']}" if line["note"] else ""
        lines.append(f"    {shown_time(line['at_s'], zone)}  {line['who']}  {line['action']}{note}")
    return "\n".join(lines) + "\n"


def _silenced(why: str) -> str:
    return f" (nobody was told: {why})" if why else ""


def _clip(config: Config, incident_id: str) -> dict[str, Any] | None:
    """The clip of an incident, when this machine records and has made it."""
    from pipelines.clock import SystemClock
    from pipelines.errors import Unavailable
    from pipelines.events.envelope import rfc3339
    from pipelines.recording.footage import Footage

    try:
        footage = Footage.open(config, SystemClock())
        clip = footage.clip(incident_id)
    except Unavailable:
        return None
    if clip is None:
        return None
    span = {"from": rfc3339(clip.span.from_ms / 1000), "to": rfc3339(clip.span.to_ms / 1000)}
    return {"path": str(footage.path(clip)), "sha256": clip.sha256, **span}


def _clock(clock: dict[str, Any] | None) -> str:
    """Whether the times are good enough for evidence, and what they rest on."""
    if clock is None:
        return "NOT evidence grade: nobody looked at the clocks"
    grade = "evidence grade" if clock.get("evidence_grade") else "NOT evidence grade"
    offset, error = clock.get("camera_offset_s"), clock.get("camera_error_s") or 0.0
    camera = "" if offset is None else f" (camera {offset:+.1f} s, known to {error:.1f} s by {clock.get('source')})"
    return f"{grade}: {clock.get('why', '?')}{camera}"
