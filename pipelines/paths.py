"""Where Gatewatch keeps things when the configuration names no folder."""

from __future__ import annotations

import os
from pathlib import Path


def default_data_dir() -> Path:
    """A folder of the user's own: $GATEWATCH_HOME, else $XDG_DATA_HOME/gatewatch, else ~/.local/share/gatewatch."""
    named = os.environ.get("GATEWATCH_HOME")
    if named:
        return Path(named)
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "gatewatch"


def model_dirs(data: Path) -> tuple[Path, ...]:
    """Where a model is looked for, in order: the site's data folder, then the user's own (where `make setup` builds)."""
    own = default_data_dir() / "models"
    site = data / "models"
    return (site,) if site == own else (site, own)


def samples_dir() -> Path:
    """Where sample footage is kept: beside the user's models, outside any repository."""
    return default_data_dir() / "samples"
