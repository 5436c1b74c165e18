"""`gatewatch user`: who may log in to the console."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from typing import TYPE_CHECKING, Any, Final

from pipelines.commands.options import add_config, load_config
from pipelines.commands.site import database_of, shown_time, table, who_am_i
from pipelines.errors import BadInput

if TYPE_CHECKING:
    from pipelines.access.people import People
    from pipelines.config.schema import Config

ROLES: Final = ("viewer", "guard", "analyst", "admin")


def add(commands: Any) -> None:
    """Declare the arguments of `user`."""
    group = commands.add_parser("user", help="who may log in to the console")
    actions = group.add_subparsers(dest="action", metavar="ACTION", required=True)
    adding = actions.add_parser("add", help="make a user; the password is asked for")
    adding.add_argument("name")
    adding.set_defaults(run=run_add)
    password = actions.add_parser("password", help="give a user another password; ends their sessions")
    password.add_argument("name")
    password.set_defaults(run=run_password)
    for parser in (adding, password):
        parser.add_argument("--password-stdin", action="store_true", help="read it from standard input, one line")
    listing = actions.add_parser("list", help="users, also those that were revoked")
    listing.set_defaults(run=run_list)
    listing.add_argument("--json", action="store_true", help="JSON on standard output")
    revoking = actions.add_parser("revoke", help="end a user's access and sessions")
    revoking.add_argument("name")
    revoking.set_defaults(run=run_revoke)
    add_role(adding)
    for parser in (adding, password, listing, revoking):
        add_config(parser)


def add_role(parser: argparse.ArgumentParser) -> None:
    """`--role` and `--cameras`."""
    parser.add_argument("--role", choices=ROLES, required=True)
    parser.add_argument("--cameras", metavar="A,B", help="only these cameras (default: the whole site)")


def scope(args: argparse.Namespace, config: Config) -> list[str] | None:
    """The cameras that --cameras names; None: the whole site. Raises BadInput."""
    if args.cameras is None:
        return None
    named = sorted({name.strip() for name in args.cameras.split(",") if name.strip()})
    unknown = [name for name in named if name not in config.cameras]
    if unknown or not named:
        known = ", ".join(config.cameras) or "none in this configuration"
        raise BadInput(f"--cameras: there is no camera {', '.join(unknown) or '(none named)'}; there are {known}")
    return named


def people_of(config: Config) -> People:
    """The store's people, its tables made if need be."""
    from pipelines.access.passwords import Passwords
    from pipelines.access.people import People
    from pipelines.clock import SystemClock

    database = database_of(config)
    database.migrate()
    return People(database, Passwords(), SystemClock())


def _password(args: argparse.Namespace) -> str:
    if args.password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise BadInput("no terminal to ask for the password on: give it on standard input with --password-stdin")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise BadInput("the two passwords are not the same")
    return password


def run_add(args: argparse.Namespace) -> int:
    """Raises BadInput: the name is taken, or the password does not keep the rule."""
    from pipelines.access.roles import Role

    config = load_config(args).config
    cameras = scope(args, config)
    name = people_of(config).add_user(args.name, Role(args.role), _password(args), by=who_am_i(), cameras=cameras)
    print(f"user {name} may log in")  # noqa: T201
    return 0


def run_password(args: argparse.Namespace) -> int:
    """Raises BadInput."""
    people_of(load_config(args).config).set_password(args.name, _password(args), by=who_am_i())
    print("the password is changed; sessions of before are ended")  # noqa: T201
    return 0


def run_list(args: argparse.Namespace) -> int:
    """Never shows a hash."""
    config = load_config(args).config
    rows = people_of(config).users()
    if args.json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))  # noqa: T201
        return 0
    zone = config.site.timezone
    cells = [
        (
            row["name"],
            row["role"],
            "all" if row["cameras"] is None else ",".join(row["cameras"]),
            shown_time(row["last_used_s"], zone) or "never",
            "revoked" if row["revoked_s"] is not None else "good",
        )
        for row in rows
    ]
    print(table(("name", "role", "cameras", "last used", "state"), cells), end="")  # noqa: T201
    return 0


def run_revoke(args: argparse.Namespace) -> int:
    """Raises BadInput: no such user, or the last administrator."""
    people_of(load_config(args).config).revoke_user(args.name, by=who_am_i())
    print(f"user {args.name} is revoked")  # noqa: T201
    return 0
