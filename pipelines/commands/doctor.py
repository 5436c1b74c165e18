"""`gatewatch doctor`: what on this machine would stop it from working, and how to mend it."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pipelines.commands.options import add_config, config_path, load_config
from pipelines.errors import ConfigError

if TYPE_CHECKING:
    from pipelines.doctor.findings import Finding

_COLOURS: Final = {"ok": "32", "warn": "33", "fail": "31"}
_MARGIN: Final = 22


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("doctor", help="what on this machine would stop it from working, and how to mend it")
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print every finding; 1 when one of them stops Gatewatch from working."""
    findings = []
    for finding in _findings(args):
        findings.append(finding)
        if not args.json:
            sys.stdout.write(_text(finding))
            sys.stdout.flush()
    count = {level: sum(finding.level == level for finding in findings) for level in _COLOURS}
    if args.json:
        body = {"ok": count["fail"] == 0, "counts": count, "findings": [finding.as_json() for finding in findings]}
        sys.stdout.write(json.dumps(body, indent=2, ensure_ascii=False) + "\n")
    else:
        verdict = "Something would stop Gatewatch." if count["fail"] else "Nothing stops Gatewatch."
        sys.stdout.write(f"\n{verdict} {count['ok']} ok, {count['warn']} to know, {count['fail']} to mend.\n")
    return 1 if count["fail"] else 0


def _findings(args: argparse.Namespace) -> Iterator[Finding]:
    """Without the packages nothing else can be looked at. With a faulty configuration the defaults are."""
    from pipelines.doctor.findings import Level, fail, ok
    from pipelines.doctor.packages import check_packages, check_python, required_packages

    yield check_python()
    packages = check_packages(required_packages())
    yield packages
    if packages.level is Level.FAIL:
        return

    from pipelines.config import load
    from pipelines.doctor.examination import examine

    path = config_path(args)
    try:
        config = load_config(args).config
    except ConfigError as error:
        config = load(None).config
        yield fail("Configuration", "; ".join(error.faults), f"mend it: gatewatch config check -c {path}")
    else:
        yield ok("Configuration", str(path) if path else "none, the defaults")
    yield from examine(config)


def _text(finding: Finding) -> str:
    width = max(60, min(shutil.get_terminal_size((110, 24)).columns, 140))
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    word = f"{finding.level:<4}"
    if colour:
        word = f"\x1b[{_COLOURS[finding.level]}m{word}\x1b[0m"
    wrap = textwrap.TextWrapper(
        width - _MARGIN, break_long_words=False, break_on_hyphens=False, subsequent_indent=" " * _MARGIN
    )
    lines = f"{word}  {finding.name:<{_MARGIN - 7}} {wrap.fill(finding.said)}\n"
    if finding.mend:
        lines += f"{'':<{_MARGIN}}" + wrap.fill(f"-> {finding.mend}") + "\n"
    return lines
