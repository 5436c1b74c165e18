"""`python -m pipelines.tracks.conversion FOLDER`: makes chunks of the spools that no worker has any more, and ends.

A program of its own, because who writes Parquet carries 60 MB from then on, and a worker runs for months. It may be killed at
any moment and run at once with others: one at a time works, a spool goes only when its chunk is there, and a chunk that is
there already is not written again. It prints a line of JSON for each spool, and a last one of what it took.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from pipelines.tracks.folder import DAMAGED, SPOOL, ChunkFile, cameras, spools, write_chunk
from pipelines.tracks.spool import DamagedSpool, Spooled, lock, read

#: Analysis goes first.
_NICE: Final = 10
#: So often it is begun with one spool. One that ends the program each time must not keep it from the others for ever.
MOST_TRIES: Final = 3
_LOCK: Final = "conversion.lock"
#: What is the disk's fault, not the spool's; the other spools would fare no better.
_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})

#: What was not written to for so long is no worker's, whatever its lock says.
_STILL_S: Final = 1_200.0

Outcome = Literal["written", "empty", "failed", "damaged"]
"""`failed`: it is still there, and is tried again. `damaged`: it is put aside."""


def main(argv: list[str]) -> int:
    os.nice(_NICE)
    root = Path(argv[0])
    try:
        if root.is_dir():
            with _alone(root):
                convert_all(root)
    except (OSError, ImportError) as error:
        sys.stdout.write(f"{root}: no tracks can be written: {error}\n")
        return 1
    used = resource.getrusage(resource.RUSAGE_SELF)
    _tell(cpu_s=round(used.ru_utime + used.ru_stime, 3), peak_mb=_peak_mb())
    return 0


def _peak_mb() -> float:
    """The most memory that this program had. What `resource` says counts the process too from which it was started."""
    status = Path("/proc/self/status").read_text("ascii", "replace")
    [kilobytes] = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return round(int(kilobytes) * 1024 / 1e6, 1)


def convert_all(root: Path) -> None:
    """Tells of each on standard output."""
    for camera in cameras(root):
        for file in spools(root, camera):
            if file.path.name.endswith(DAMAGED):
                continue
            try:
                told = _locked(root, file)
            except OSError as error:
                _tell(camera=camera, outcome="failed", said=f"{file.path}: {error.strerror}")
                if error.errno in _DISK:
                    return
                continue
            if told is not None:
                _tell(camera=camera, outcome=told[0], said=told[1])


def _locked(root: Path, file: ChunkFile) -> tuple[Outcome, str] | None:
    """What became of it and what is to be said of that; None: somebody has it. Raises OSError: it could not be tried."""
    try:
        fd = os.open(file.path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except (PermissionError, IsADirectoryError) as error:
        if time.time() - file.path.stat().st_mtime < _STILL_S:
            return None  # a worker of another user may have it
        name = file.path.name.partition(SPOOL)[0] + SPOOL
        return "damaged", f"{_aside(file.path, name)}: it cannot be read, it is put aside: {error.strerror}"
    try:
        if not lock(fd, file.path):
            return None
        return _convert(root, file.path)
    finally:
        os.close(fd)


def _convert(root: Path, path: Path) -> tuple[Outcome, str]:
    base, _, tries = path.name.partition(SPOOL)
    name = base + SPOOL
    # Not before it is this program's turn: who waits for another one, or finds nothing to do, has no use for 60 MB. And not
    # after the spool was touched: that it cannot be had is no fault of the spool's.
    from pipelines.tracks.parquet import encode

    begun = int(tries[1:] or 0) + 1
    if begun > MOST_TRIES:
        return "damaged", f"{_aside(path, name)}: begun {MOST_TRIES} times, and never finished; it is put aside"
    path = path.rename(path.with_name(f"{name}.{begun}"))
    try:
        spooled = read(path.read_bytes())
        content = None if spooled.chunk is None else encode(spooled.chunk)
    except (OSError, MemoryError) as error:
        # With its number: what cannot be read, or is too large for this machine, is not tried for ever.
        return "failed", f"{path}: {getattr(error, 'strerror', None) or 'there is too little memory'}"
    except DamagedSpool as error:
        return "damaged", f"{_aside(path, name)}: no tracks can be made of it, it is put aside: {error}"
    except Exception as error:  # noqa: BLE001
        # A fault of ours; it is not the other spools'.
        return "damaged", f"{_aside(path, name)}: no tracks can be made of it, it is put aside: {error!r}"
    try:
        return _finish(root, path, spooled, content)
    except OSError:
        path.rename(path.with_name(name))
        raise


def _finish(root: Path, path: Path, spooled: Spooled, content: bytes | None) -> tuple[Outcome, str]:
    said = f"{path}: its last {spooled.cut_bytes} bytes are not whole and are left out" if spooled.cut_bytes else ""
    if spooled.chunk is not None and content is not None:
        made = write_chunk(root, spooled.chunk.origin.camera_id, spooled.chunk.from_s, content)
        for left in made.parent.glob(".*.tmp"):
            left.unlink(missing_ok=True)  # of one that was killed: nobody else is here
    path.unlink()
    return "empty" if content is None else "written", said


def _aside(path: Path, name: str) -> Path:
    return path.rename(path.with_name(name + DAMAGED))


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Once whoever does the same has finished."""
    fd = os.open(root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _tell(**told: object) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
