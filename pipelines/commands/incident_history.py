"""`gatewatch incidents export | stats`: many incidents at once, for analysts."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pipelines.commands.incident_filters import add_filters, in_words, wanted_by
from pipelines.commands.options import add_config, load_config
from pipelines.commands.output import new_file
from pipelines.commands.site import database_of, table, who_am_i


def add(actions: Any) -> None:
    """Declare the arguments of `export` and `stats`."""
    exporting = actions.add_parser("export", help="incidents as a file: CSV, JSON, JSON lines, Parquet; in the audit")
    add_filters(exporting)
    exporting.add_argument("--format", choices=("csv", "json", "jsonl", "parquet"), default="csv")
    exporting.add_argument("--out", metavar="FILE", required=True, help="a new file; - for standard output")
    exporting.add_argument("--reason", required=True, metavar="TEXT", help="what it is for: stands in the audit")
    exporting.add_argument("--bom", action="store_true", help="CSV that Excel reads as UTF-8")
    exporting.set_defaults(run=run_export)

    figures = actions.add_parser("stats", help="counts, answer times, precision, repeat places, crowd minutes")
    add_filters(figures)
    figures.add_argument("--pictures", type=Path, metavar="FOLDER", help="draw them into this folder")
    figures.add_argument("--picture-format", choices=("svg", "png"), default="svg")
    figures.add_argument("--json", action="store_true", help="one JSON object on standard output")
    figures.set_defaults(run=run_stats)
    checking = actions.add_parser("check", help="hold the columns that figures are read from against the rows")
    checking.add_argument("--rebuild", action="store_true", help="write the columns of every day anew")
    checking.add_argument("--json", action="store_true", help="one JSON object on standard output")
    checking.set_defaults(run=run_check)
    for parser in (exporting, figures, checking):
        add_config(parser)


def run_export(args: argparse.Namespace) -> int:
    """Raises BadInput: no reason, a file that is there already, a filter that cannot be used."""
    from pipelines.clock import SystemClock
    from pipelines.errors import BadInput
    from pipelines.history import export
    from pipelines.store.history import newest_first
    from pipelines.store.queries import write_audit

    config = load_config(args).config
    clock = SystemClock()
    wanted = wanted_by(args, config, clock.now_s())
    reason = args.reason.strip()
    if not reason:
        raise BadInput("--reason is empty: say what the export is for")
    if args.bom and args.format != "csv":
        raise BadInput("--bom is for CSV")
    database = database_of(config)
    with database.reading():
        pass  # is there a store, and of this version?
    if args.format == "parquet":
        export.check_parquet()
    detail = {"reason": reason, "format": args.format, "out": args.out, "filter": in_words(wanted)}
    with new_file(args.out) as out:
        # Before the first byte: what was not finished was seen as well.
        with database.write() as connection:
            write_audit(
                connection, now_s=clock.now_s(), who=who_am_i(), action="export", subject="incidents", detail=detail
            )
        with database.reading() as connection:
            found = export.flattened(newest_first(connection, wanted), config.site.timezone)
            count = export.write(found, args.format, out, bom=args.bom)
    with database.write() as connection:
        done = detail | {"rows": count}
        write_audit(
            connection, now_s=clock.now_s(), who=who_am_i(), action="exported", subject="incidents", detail=done
        )
    sys.stderr.write(f"{count} incidents" + ("" if args.out == "-" else f" in {args.out}") + "\n")
    return 0


def run_stats(args: argparse.Namespace) -> int:
    """Raises BadInput: there is no store yet, a filter cannot be used, or a picture cannot be drawn here."""
    from dataclasses import replace

    from pipelines.clock import SystemClock
    from pipelines.events.envelope import rfc3339
    from pipelines.history.stats import stats
    from pipelines.store import history

    config = load_config(args).config
    now_s = SystemClock().now_s()
    # A drill is no figure of the site, unless it is asked for by name.
    wanted = replace(wanted_by(args, config, now_s), drills=args.verdict == "drill")
    with database_of(config).reading() as connection:
        portions = history.stream(connection, wanted)
        figures = stats(portions, config.site.timezone, lambda cameras: history.camera_names(connection, cameras))
    asked = {
        "from_at": None if wanted.since_s is None else rfc3339(wanted.since_s),
        "to_at": None if wanted.until_s is None else rfc3339(wanted.until_s),
        "filter": in_words(wanted),
    }
    figures = asked | figures
    drawn: list[Path] = []
    if args.pictures is not None:
        from pipelines.history.pictures import draw

        drawn = draw(figures, args.pictures, config.site.language, args.picture_format)
    if args.json:
        print(json.dumps(figures, ensure_ascii=False, indent=1))  # noqa: T201
    else:
        print(_for_people(figures), end="")  # noqa: T201
    for path in drawn:
        sys.stderr.write(f"{path}\n")
    return 0


def run_check(args: argparse.Namespace) -> int:
    """1: some days differ, or a place is missing. Raises BadInput: there is no store yet."""
    from datetime import UTC, datetime

    from pipelines.history.keeping import check
    from pipelines.store.history import unknown_places

    database = database_of(load_config(args).config)
    done = 0

    def told(number: int, of: int) -> None:
        nonlocal done
        done = number
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{number} of {of} days" + ("\n" if number == of else ""))

    wrong = [
        f"{datetime.fromtimestamp(day * 86_400, UTC):%Y-%m-%d}"
        for day in check(database, rebuild=args.rebuild, told=told)
    ]
    with database.reading() as connection:
        missing = unknown_places(connection)
    if args.json:
        print(json.dumps({"days": done, "rebuilt": args.rebuild, "different": wrong, "missing_places": missing}))  # noqa: T201
    elif args.rebuild:
        print(f"{done} days written anew")  # noqa: T201
    else:
        print(f"{done} days looked at, {len(wrong)} differ from their rows")  # noqa: T201
    for day in wrong:
        sys.stderr.write(
            f"{day} (UTC): the columns differ from the rows; mend with `gatewatch incidents check --rebuild`\n"
        )
    if missing:
        sys.stderr.write(f"{missing} places of incidents are not in the table of places: lists by camera miss them\n")
    return 1 if wrong or missing else 0


_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _for_people(figures: dict[str, Any]) -> str:
    if not figures["incidents"]:
        return "no incidents\n"
    parts = [
        f"{figures['incidents']} incidents, {figures['open']} still open, {figures['first_day']} to "
        f"{figures['last_day']} ({figures['timezone']})\n"
    ]
    week = figures["by_hour_and_weekday"]
    hours = [hour for hour in range(24) if any(row[hour] for row in week)]
    rows = [(f"{hour:02d}", *(str(row[hour]) for row in week)) for hour in hours]
    parts.append(table(("hour", *_WEEKDAYS), rows))
    parts.append(table(("kind", "incidents"), [(kind, str(count)) for kind, count in figures["by_kind"].items()]))
    cameras = [(row["name"], row["camera"], str(row["incidents"])) for row in figures["by_camera"][:20]]
    parts.append(table(("camera", "id", "incidents"), cameras))
    delays = [
        (name.replace("_", " "), title, str(found["count"]), f"{found['median_s']:.1f} s", f"{found['p95_s']:.1f} s")
        for name, groups in figures["delays"].items()
        for title, found in (("all", groups["all"]), *((f"level {n}", one) for n, one in groups["by_level"].items()))
        if found is not None
    ]
    if delays:
        parts.append(table(("answer", "of", "count", "median", "p95"), delays))
    judged = [
        (
            row["kind"],
            row["name"] or "all cameras",
            row["rule"] or "",
            f"{100 * row['precision']:.0f} %",
            f"{100 * row['low']:.0f}-{100 * row['high']:.0f} %",
            f"{row['true']} true, {row['false']} false",
        )
        for row in figures["precision"]
        if row["precision"] is not None
    ]
    if judged:
        parts.append(table(("kind", "camera", "rule", "right", "95 % between", "of"), judged))
    again = [
        (row["name"], row["zone"], row["kind"], str(row["incidents"]), str(row["days"]))
        for row in figures["repeat_places"][:10]
    ]
    if again:
        parts.append(table(("again at", "zone", "kind", "incidents", "days"), again))
    plates = [(row["plate"], str(row["incidents"]), ", ".join(row["cameras"])) for row in figures["repeat_plates"][:10]]
    if plates:
        parts.append(table(("plate", "incidents", "cameras"), plates))
    crowd = figures["density_minutes"]
    if crowd["known"]:
        above = ", ".join(f"{minutes} min above {limit}" for limit, minutes in crowd["above"].items())
        parts.append(f"crowds: density known for {crowd['known']} min; {above} people/m2\n{crowd['basis']}\n")
    return "\n".join(parts)
