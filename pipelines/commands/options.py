"""Arguments that commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pipelines.config import LoadedConfig

#: Read when -c is left out and it is there.
DEFAULT_CONFIG: Final = Path("gatewatch.yaml")


def add_config(parser: argparse.ArgumentParser) -> None:
    """`-c CONFIG`."""
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="CONFIG",
        help=f"the site's configuration (default: ./{DEFAULT_CONFIG} if it is there, else the defaults)",
    )


def config_path(args: argparse.Namespace) -> Path | None:
    """The file that -c names, else ./gatewatch.yaml if it is there, else None."""
    named: Path | None = args.config
    return named if named is not None else DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None


def load_config(args: argparse.Namespace) -> LoadedConfig:
    """The configuration that the command works with. Raises ConfigError with every fault."""
    from pipelines.config import load

    return load(config_path(args))
