"""`gatewatch bench history`: pages and figures over millions of incidents."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def add_history(actions: Any) -> None:
    """Declare the arguments of `bench history`."""
    history = actions.add_parser("history", help="a list's page and a term's figures over millions of incidents")
    history.add_argument("--rows", type=int, default=10_000_000, metavar="N", help="incidents (default ten million)")
    history.add_argument("--database", choices=("sqlite", "postgresql", "both"))
    history.add_argument(
        "--url", help="a PostgreSQL server whose user may make databases; without it one is started for the measurement"
    )
    history.add_argument(
        "--folder", type=Path, help="where the data is made, and deleted again (default: for temporary files)"
    )
    history.add_argument("--json", action="store_true", help="one JSON object on standard output")
    history.set_defaults(run=run_history)


def run_history(args: argparse.Namespace) -> int:
    """Raises BadInput: too few rows, or too little disk. Unavailable: PostgreSQL is missing."""
    from pipelines.bench import history
    from pipelines.commands.site import table
    from pipelines.errors import BadInput

    if args.url is not None and args.database == "sqlite":
        raise BadInput("--url names a PostgreSQL server: leave out --database sqlite")
    chosen = "postgresql" if args.url is not None and args.database is None else args.database or "both"
    databases = ("sqlite", "postgresql") if chosen == "both" else (chosen,)
    figures = history.run(args.rows, databases, args.folder, lambda text: print(text, file=sys.stderr), args.url)  # noqa: T201
    if args.json:
        print(json.dumps(figures, indent=1))  # noqa: T201
        return 0
    for name in databases:
        found = figures[name]
        pages = [
            (
                asked,
                f"{page['median_ms']:.1f}",
                f"{page['worst_ms']:.1f}",
                f"{page['worst_first_try_ms']:.1f}",
                f"{page['worst_cpu_ms']:.1f}",
            )
            for asked, page in found["pages"].items()
        ]
        print(f"{name}: {args.rows:,} incidents, {found['bytes'] / 2**30:.1f} GiB")  # noqa: T201
        print(table(("a page, ms", "median", "worst", "worst first try", "worst of CPU"), pages))  # noqa: T201
        for asked in ("stats_term", "stats_term_level_2", "stats_term_camera", "stats_everything"):
            one = found[asked]
            print(f"{asked:<20}{one['seconds']:8.2f} s   {one['incidents']:,} incidents")  # noqa: T201
        writing = found["writing"]
        print(  # noqa: T201
            f"writing             {writing['per_s']} a second, without the history {writing['without_history_per_s']} "
            f"({writing['slower_percent']:+.1f} %)\n"
        )
    return 0
