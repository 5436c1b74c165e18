"""`gatewatch token`: keys for programs that use the API."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from pipelines.commands.options import add_config, load_config
from pipelines.commands.site import shown_time, table, who_am_i
from pipelines.commands.user import add_role, people_of, scope


def add(commands: Any) -> None:
    """Declare the arguments of `token`."""
    group = commands.add_parser("token", help="keys for programs that use the API")
    actions = group.add_subparsers(dest="action", metavar="ACTION", required=True)
    adding = actions.add_parser("add", help="make a token; it is shown once")
    adding.add_argument("name", help="what it is for")
    adding.add_argument("--expires", default="90d", metavar="DURATION", help="from now (default 90d, at most 366d)")
    add_role(adding)
    adding.set_defaults(run=run_add)
    listing = actions.add_parser("list", help="tokens, also those that are over")
    listing.set_defaults(run=run_list)
    revoking = actions.add_parser("revoke", help="end a token")
    revoking.add_argument("token_id", metavar="ID")
    revoking.set_defaults(run=run_revoke)
    for parser in (adding, listing):
        parser.add_argument("--json", action="store_true", help="JSON on standard output")
    for parser in (adding, listing, revoking):
        add_config(parser)


def run_add(args: argparse.Namespace) -> int:
    """The token on standard output and nothing else there. Raises BadInput."""
    from pipelines.access.roles import Role
    from pipelines.config.quantities import parse_seconds

    config = load_config(args).config
    lasts_s = parse_seconds(args.expires)
    cameras = scope(args, config)
    made = people_of(config).add_token(args.name, Role(args.role), lasts_s, by=who_am_i(), cameras=cameras)
    if args.json:
        print(json.dumps({"token_id": made[0], "token": made[1]}))  # noqa: T201
    else:
        sys.stderr.write(f"token {made[0]}, shown this once:\n")
        print(made[1])  # noqa: T201
    return 0


def run_list(args: argparse.Namespace) -> int:
    """Never shows a secret: none is stored."""
    from pipelines.clock import SystemClock

    config = load_config(args).config
    rows = people_of(config).tokens()
    if args.json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))  # noqa: T201
        return 0
    zone, now_s = config.site.timezone, SystemClock().now_s()
    cells = [
        (
            row["token_id"],
            row["name"],
            row["role"],
            "all" if row["cameras"] is None else ",".join(row["cameras"]),
            shown_time(row["expires_s"], zone),
            shown_time(row["last_used_s"], zone) or "never",
            "revoked" if row["revoked_s"] is not None else "expired" if row["expires_s"] <= now_s else "good",
        )
        for row in rows
    ]
    header = ("id", "name", "role", "cameras", "expires", "last used", "state")
    print(table(header, cells), end="")  # noqa: T201
    return 0


def run_revoke(args: argparse.Namespace) -> int:
    """Raises BadInput: no such token."""
    people_of(load_config(args).config).revoke_token(args.token_id, by=who_am_i())
    print(f"token {args.token_id} is revoked")  # noqa: T201
    return 0
