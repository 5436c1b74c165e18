"""Python and its packages. Imports only the standard library: it must work where nothing is installed."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final

from pipelines.doctor.findings import Finding, fail, ok

#: Distribution -> module, where the names differ.
_MODULES: Final = {
    "argon2-cffi": "argon2",
    "opencv-python-headless": "cv2",
    "ffmpeg-python": "ffmpeg",
    "PyYAML": "yaml",
    "prometheus-client": "prometheus_client",
    "imageio-ffmpeg": "imageio_ffmpeg",
}


def check_python(version: tuple[int, int, int] = sys.version_info[:3]) -> Finding:
    said = f"{'.'.join(map(str, version))} ({sys.executable})"
    if version < (3, 11, 0):
        return fail("Python", said, "install Python 3.11 or newer: apt-get install python3 python3-venv")
    return ok("Python", said)


def required_packages() -> list[str]:
    """The distributions that Gatewatch needs at run time, from its own metadata."""
    try:
        lines = requires("gatewatch") or []
    except PackageNotFoundError:
        return []
    return [match[0] for line in lines if "extra ==" not in line and (match := re.match(r"[A-Za-z0-9._-]+", line))]


def check_packages(names: Sequence[str]) -> Finding:
    """Each one is really imported: a package whose shared library is missing is there and does not work."""
    if not names:
        return fail("Packages", "gatewatch itself is not installed", "make venv, or pip install -e .")
    broken: list[str] = []
    for name in names:
        try:
            version(name)
            importlib.import_module(_MODULES.get(name, name.replace("-", "_")))
        except PackageNotFoundError:
            broken.append(f"{name} is missing")
        except (ImportError, OSError) as error:
            broken.append(f"{name} cannot be imported ({error})")
    if broken:
        return fail("Packages", "; ".join(broken), "make venv (it runs pip install -e '.[dev]')")
    return ok("Packages", f"all {len(names)} are there")
