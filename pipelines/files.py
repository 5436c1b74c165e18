"""Writing a file so that a crash leaves the old one or the new one, never half of either; and reading what may be damaged or
may have been named by somebody else."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any


def write_atomically(
    path: Path, content: bytes, *, durable: bool = True, mode: int = 0o640, like: Path | None = None
) -> None:
    """Replace `path` by `content`. With `durable` it survives a power cut when this returns (file and folder are synced).

    `mode`: who may read it (less the umask); `like`: a file whose mode it gets, and whose owner where we may give it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        try:
            # No file object: making one takes as long as writing a small file, which a worker does several times a second.
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            if like is not None:
                about = like.stat()
                os.fchmod(descriptor, about.st_mode & 0o7777)
                with suppress(PermissionError):
                    os.fchown(descriptor, about.st_uid, about.st_gid)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def inside(folder: Path, name: object) -> Path | None:
    """The file that `name`, which came from outside, names in a folder or below it; None: none can be there."""
    try:
        path = (folder / str(name)).resolve()
        return path if folder.resolve() in path.parents else None
    except (OSError, ValueError, RuntimeError):
        return None  # it holds what no path may, or leads round in a circle


def json_object(path: Path) -> dict[str, Any]:
    """What is written in a file; nothing, where there is none or it is damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
