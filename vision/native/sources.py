"""Which sources the compiled modules were made of. Also run by setup.py, before there is any package."""

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


def are_current() -> bool:
    """Whether what is compiled here was made of the sources that are here: another version's loops would be called in
    another version's way.
    """
    here = sums()
    return not here or here == _noted()


def begin() -> None:
    """Before compiling: what was made of other sources goes."""
    here, noted = sums(), _noted()
    for path in _HERE.glob("*.so"):
        name = path.name.partition(".")[0]
        if name not in here or noted.get(name) != here[name]:
            path.unlink()


def end() -> None:
    """After compiling."""
    _COMPILED.write_text(json.dumps(sums(), indent=1) + "\n", "utf-8")


def _noted() -> dict[str, str]:
    try:
        noted = json.loads(_COMPILED.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}
