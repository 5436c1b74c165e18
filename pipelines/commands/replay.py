"""`gatewatch replay`: which incidents other thresholds or zones would have raised and lost, from the tracks that were kept."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.commands.options import add_config, load_config
from pipelines.commands.site import database_of, moment, shown_time, table
from pipelines.errors import BadInput, GatewatchError

if TYPE_CHECKING:
    from pipelines.config.schema import Config
    from pipelines.tracks.comparison import Comparison
    from vision.incident import Incident

#: An incident that opened longer before the range is not looked for in the record.
_LOOK_BACK_S: Final = 7 * 86400.0


def add(commands: Any) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("replay", help="what other rules would have raised and lost, from the tracks kept")
    parser.add_argument(
        "--from", dest="since", metavar="TIME", required=True, help="2026-09-01, 2026-09-01T07:30, or 7d ago"
    )
    parser.add_argument("--to", dest="until", metavar="TIME", help="the end of the range (default: now)")
    parser.add_argument(
        "--rules", type=Path, metavar="OTHER.yaml", help="a configuration with the rules to try (default: today's)"
    )
    parser.add_argument("--camera", action="append", metavar="ID", help="only this camera; may be given more than once")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    add_config(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Raises BadInput: a range, a camera or rules that cannot be used; GatewatchError: nothing was kept of the range."""
    from pipelines.clock import SystemClock
    from pipelines.config import load

    config = load_config(args).config
    other = config if args.rules is None else load(args.rules).config
    now_s = SystemClock().now_s()
    from_s = moment(args.since, config.site.timezone, now_s)
    to_s = now_s if args.until is None else moment(args.until, config.site.timezone, now_s)
    if from_s >= to_s:
        raise BadInput("--from is not before --to: there is nothing between them")
    compared = [_one(config, other, camera, from_s, to_s) for camera in _cameras(config, other, args)]
    if not any(one.replayed.frames for one in compared):
        damaged = [name for one in compared for name in one.replayed.damaged]
        zone = config.site.timezone
        raise GatewatchError(
            f"no tracks are kept in {config.data / 'tracks'} from {shown_time(from_s, zone)} to {shown_time(to_s, zone)}"
            + (f"; {'; '.join(damaged)}" if damaged else "")
        )
    summary = _summary(compared)
    told = {
        "from_s": from_s,
        "to_s": to_s,
        "rules": str(args.rules) if args.rules is not None else "today's",
        "cameras": [_as_json(one) for one in compared],
        "summary": summary,
    }
    if args.json:
        print(json.dumps(told, ensure_ascii=False, indent=1))  # noqa: T201
    else:
        sys.stdout.write(_for_people(compared, summary, config.site.timezone))
    return 0


def _cameras(config: Config, other: Config, args: argparse.Namespace) -> list[str]:
    from pipelines.tracks.folder import cameras

    known = cameras(config.data / "tracks")
    asked = args.camera or [camera for camera in known if camera in other.cameras]
    for camera in asked:
        if camera not in other.cameras:
            there = ", ".join(other.cameras) or "none"
            raise BadInput(f"--camera {camera}: not in {args.rules or 'the configuration'}; its cameras: {there}")
    if not asked:
        of = f"; there are those of {', '.join(known)}" if known else ""
        raise GatewatchError(f"no tracks are kept in {config.data / 'tracks'} of a camera that has rules{of}")
    return list(dict.fromkeys(asked))


def _one(config: Config, other: Config, camera: str, from_s: float, to_s: float) -> Comparison:
    from pipelines.config.build import camera_spec
    from pipelines.tracks.comparison import compare
    from pipelines.tracks.replay import HOLE_S, Replay

    then = config.cameras.get(camera)
    hole_s = HOLE_S if then is None else max(HOLE_S, 3 / then.fps)
    replayed = Replay(config.data / "tracks", camera_spec(other, camera), from_s, to_s, hole_s).run()
    return compare(replayed, _record(config, camera, from_s, to_s))


def _record(config: Config, camera: str, from_s: float, to_s: float) -> list[dict[str, Any]]:
    """The camera's incidents that a rule raised; drills and what people or the recorder raised are not among them."""
    from pipelines.store.queries import IncidentFilter, list_incidents
    from vision.behaviours import BEHAVIOURS

    database = database_of(config)
    if not database.exists():
        return []
    rows: list[dict[str, Any]] = []
    cursor = None
    wanted = IncidentFilter(since_s=from_s - _LOOK_BACK_S, until_s=to_s, camera=camera, drills=False)
    with database.reading() as connection:
        while True:
            page = list_incidents(connection, wanted, 500, cursor)
            rows += page.rows
            cursor = page.cursor
            if cursor is None:
                break
    return [row for row in rows if row["kind"] in BEHAVIOURS and row["rule"]]


def _summary(compared: Sequence[Comparison]) -> dict[str, Any]:
    from pipelines.tracks.comparison import verdicts

    kept = [row for one in compared for row, _ in one.kept]
    lost = [row for one in compared for row in one.lost]
    return {
        "asked_s": round(sum(one.replayed.to_s - one.replayed.from_s for one in compared), 3),
        "replayed_s": round(sum(one.replayed.seen_s for one in compared), 3),
        "kept": len(kept),
        "kept_verdicts": verdicts(kept),
        "lost": len(lost),
        "lost_verdicts": verdicts(lost),
        "raised": sum(len(one.raised) for one in compared),
        "not_replayed": sum(len(one.not_replayed) for one in compared),
    }


def _as_json(one: Comparison) -> dict[str, Any]:
    replayed = one.replayed
    return {
        "camera": replayed.camera_id,
        "asked_s": round(replayed.to_s - replayed.from_s, 3),
        "replayed_s": round(replayed.seen_s, 3),
        "frames": replayed.frames,
        "holes": [
            {"from_s": hole.from_s, "to_s": hole.to_s, "seconds": round(hole.seconds, 3)} for hole in replayed.holes
        ],
        "damaged": replayed.damaged,
        "config_versions": replayed.config_versions,
        "notes": replayed.notes,
        "kept": [{"then": _row(row), "now": _incident(incident)} for row, incident in one.kept],
        "raised": [_incident(incident) for incident in one.raised],
        "lost": [_row(row) for row in one.lost],
        "not_replayed": [_row(row) for row in one.not_replayed],
    }


def _row(row: dict[str, Any] | Any) -> dict[str, Any]:
    names = ("incident_id", "kind", "rule", "zone", "severity", "first_seen_s", "opened_s", "closed_s", "verdict")
    return {name: row[name] for name in names}


def _incident(incident: Incident) -> dict[str, Any]:
    return {
        "incident_id": incident.incident_id,
        "kind": incident.kind,
        "rule": incident.rule_id,
        "zone": incident.zone_id,
        "severity": incident.severity,
        "first_seen_s": incident.first_seen_s,
        "opened_s": incident.opened_s,
        "closed_s": incident.closed_s,
        "score": incident.score,
    }


def _for_people(compared: Sequence[Comparison], summary: dict[str, Any], zone: str) -> str:
    rows = []
    for one in compared:
        camera = one.replayed.camera_id
        rows += [("raised", camera, *_shown(_incident(incident), zone), "") for incident in one.raised]
        rows += [("lost", camera, *_shown(row, zone), row["verdict"] or "") for row in one.lost]
        rows += [("kept", camera, *_shown(row, zone), row["verdict"] or "") for row, _ in one.kept]
        rows += [("no tracks", camera, *_shown(row, zone), row["verdict"] or "") for row in one.not_replayed]
    rows.sort(key=lambda row: (row[1], row[2]))
    text = table(("what", "camera", "opened", "closed", "kind", "zone", "id", "verdict"), rows) if rows else ""
    text += f"\nkept {summary['kept']}{_told(summary['kept_verdicts'])}, raised {summary['raised']} more, "
    text += f"lost {summary['lost']}{_told(summary['lost_verdicts'])}\n"
    if summary["not_replayed"]:
        text += f"{summary['not_replayed']} of the record fall where no tracks were kept: nothing is said of them\n"
    text += f"replayed {summary['replayed_s']:.0f} s of {summary['asked_s']:.0f} s\n"
    for one in compared:
        replayed = one.replayed
        for hole in replayed.holes:
            text += f"{replayed.camera_id}: no tracks from {shown_time(hole.from_s, zone)} to {shown_time(hole.to_s, zone)} "
            text += f"({hole.seconds:.0f} s)\n"
        text += "".join(f"{replayed.camera_id}: skipped: {name}\n" for name in replayed.damaged)
        text += "".join(f"{replayed.camera_id}: {note}\n" for note in replayed.notes)
        if len(replayed.config_versions) > 1:
            text += f"{replayed.camera_id}: was analysed under {len(replayed.config_versions)} configurations\n"
    return text


def _shown(values: dict[str, Any] | Any, zone: str) -> tuple[str, str, str, str, str]:
    closed = "open" if values["closed_s"] is None else shown_time(values["closed_s"], zone)
    return (shown_time(values["opened_s"], zone), closed, values["kind"], values["zone"], values["incident_id"])


def _told(counted: dict[str, int]) -> str:
    words = {"none": "not judged"}
    return f" ({', '.join(f'{count} {words.get(name, name)}' for name, count in counted.items())})" if counted else ""
