"""Which sources the compiled modules were made of, and that they are whole. Also run by setup.py, before there is any package."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
#: Written by setup.py when it has compiled.
_COMPILED: Final = _HERE / "compiled.json"


def sums() -> dict[str, str]:
    """SHA-256 of each module's source with all that it may include, by name; empty where only what is compiled was installed."""
    shared = b"".join(path.read_bytes() for path in sorted(_HERE.glob("*.pxd")))
    return {path.stem: hashlib.sha256(path.read_bytes() + shared).hexdigest() for path in sorted(_HERE.glob("*.pyx"))}


def made() -> dict[str, str]:
    """SHA-256 of what is compiled, by name of the file."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(_HERE.glob("*.so"))}


def are_current() -> bool:
    """Whether what is compiled here was made of the sources that are here, and is as it was made: another version's loops would
    be called in another version's way, and a file that a full disk cut short ends the process that loads it.
    """
    here = sums()
    return not here or here | made() == _noted()


def begin() -> None:
    """Before compiling: what was made of other sources, or is no longer as it was made, goes."""
    here, noted = sums(), _noted()
    for name, now in made().items():
        source = name.partition(".")[0]
        if source not in here or noted.get(source) != here[source] or noted.get(name) != now:
            (_HERE / name).unlink()


def end() -> None:
    """After compiling."""
    _COMPILED.write_text(json.dumps(sums() | made(), indent=1) + "\n", "utf-8")


def _noted() -> dict[str, str]:
    try:
        noted = json.loads(_COMPILED.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}
