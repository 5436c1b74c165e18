"""`gatewatch config check | show | schema`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.commands.options import add_config, config_path, load_config
from pipelines.errors import BadInput, ConfigError

if TYPE_CHECKING:
    from pipelines.config import LoadedConfig


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("config", help="check or show the configuration, or print its JSON Schema")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    check = actions.add_parser("check", help="find every fault, each with file and line; exit code 2 when there is one")
    add_config(check)
    check.add_argument("--json", action="store_true", help="one JSON object on standard output")
    check.set_defaults(run=run_check)

    show = actions.add_parser("show", help="the configuration with all defaults, variables replaced, secrets masked")
    add_config(show)
    show.add_argument("--json", action="store_true", help="as JSON instead of YAML")
    show.set_defaults(run=run_show)

    schema = actions.add_parser("schema", help="JSON Schema, for completion in an editor")
    add_config(schema)
    schema.add_argument("--as", dest="form", choices=("json", "markdown"), default="json", help="default: json")
    schema.set_defaults(run=run_schema)


def run_check(args: argparse.Namespace) -> int:
    """Every fault on standard error (2), or one line about the site (0)."""
    from pipelines.clock import SystemClock
    from pipelines.commands.site import channels_of
    from pipelines.config.build import unwatched

    path = config_path(args)
    try:
        loaded = load_config(args)
        _check_retention(loaded, path)
        channels_of(loaded, SystemClock()).close()
    except ConfigError as error:
        if args.json:
            _print_json({"path": str(path), "ok": False, "faults": error.faults})
        else:
            count = len(error.faults)
            sys.stderr.write("\n".join(error.faults) + f"\n{count} {'fault' if count == 1 else 'faults'}\n")
        return error.exit_code
    cameras = loaded.config.cameras.values()
    counts = {
        "cameras": len(cameras),
        "zones": sum(len(camera.zones) for camera in cameras),
        "rules": sum(len(camera.rules) for camera in cameras),
    }
    notes = unwatched(loaded.config)
    if args.json:
        name = str(path) if path else None
        _print_json({"path": name, "ok": True, "faults": [], "version": loaded.version, **counts, "notes": notes})
        return 0
    for note in notes:
        sys.stderr.write(f"note: {note}\n")
    said = ", ".join(f"{count} {name if count != 1 else name[:-1]}" for name, count in counts.items())
    sys.stdout.write(f"{path or 'no file, the defaults'}: good ({said}; version {loaded.version})\n")
    return 0


def _check_retention(loaded: LoadedConfig, path: Path | None) -> None:
    """What a camera's limits become of camera, owner, profile and site together must not contradict itself."""
    from pipelines.recording.settings import cleaning

    try:
        cleaning(loaded.config)
    except BadInput as error:
        raise ConfigError([f"{path}: recording: {error}"]) from error


def run_show(args: argparse.Namespace) -> int:
    """The resolved configuration without secrets."""
    from pipelines.config.shown import as_yaml, without_secrets

    loaded = load_config(args)
    if args.json:
        _print_json(without_secrets(loaded.config))
    else:
        sys.stdout.write(f"# {loaded.path or 'the defaults'}, version {loaded.version}\n{as_yaml(loaded.config)}")
    return 0


def run_schema(args: argparse.Namespace) -> int:
    """JSON Schema on standard output, or the page docs/configuration.md."""
    if args.form == "markdown":
        from pipelines.config.reference import markdown

        sys.stdout.write(markdown())
    else:
        from pipelines.config.editor import editor_schema

        _print_json(editor_schema())
    return 0


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
