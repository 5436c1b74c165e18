"""Who has chunks made of spools: a short-lived program of its own (`pipelines.tracks.conversion`), one at a time."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from pipelines.children import spawn
from pipelines.logs import fields
from pipelines.tracks.folder import DAMAGED, cameras, spools

#: Sixty cameras take it some five seconds on a machine that does nothing else.
_LONGEST_S: Final = 300.0


def untold(_camera: str, _outcome: str) -> None:
    """Counts nothing."""


class Converting:
    """Starts the program and hears what it says. All calls from one thread, which must outlive the program.

    `count(camera, outcome)` is told of each spool that became a chunk (`written`) or did not (`failed`).
    """

    def __init__(self, root: Path, log: logging.Logger, count: Callable[[str, str], None] = untold) -> None:
        self._root = root
        self._count = count
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._heard = b""
        self._begun_s = 0.0
        self._is_called_off = False
        self.runs = 0
        self.cpu_s = 0.0
        """What all of them took."""
        self.peak_mb = 0.0
        """The most memory that one had."""

    def start(self) -> None:
        """Unless one runs."""
        if self.poll():
            return
        command = [sys.executable, "-m", "pipelines.tracks.conversion", str(self._root)]
        try:
            self._process = spawn(command, stdout=subprocess.PIPE)
        except OSError as error:
            self._log.error("tracks wait to be written: the program that does it cannot be started: %s", error)
            return
        os.set_blocking(_output(self._process).fileno(), False)
        self._heard, self._begun_s, self._is_called_off = b"", time.monotonic(), False
        self.runs += 1

    def poll(self) -> bool:
        """Hear what it says; whether it still runs."""
        process = self._process
        if process is None:
            return False
        ended = process.poll() is not None
        self._heard += _output(process).read() or b""
        *lines, self._heard = self._heard.split(b"\n")
        for line in lines:
            self._take(line)
        if ended:
            self._bury(process)
        elif time.monotonic() - self._begun_s > _LONGEST_S:
            process.kill()
        return not ended

    def finish(self, longest_s: float) -> bool:
        """Wait for it, at most so long; then it is killed, and what it has not done is done the next time."""
        until_s = time.monotonic() + longest_s
        while self.poll():
            if time.monotonic() > until_s and self._process is not None:
                self._is_called_off = True
                self._process.kill()
            time.sleep(0.02)
        return time.monotonic() <= until_s

    def _bury(self, process: subprocess.Popen[bytes]) -> None:
        _output(process).close()
        self._process = None
        if self._is_called_off:
            self._log.info("tracks wait to be written: there was no time for it before the end; it is done next time")
        elif process.returncode:
            self._log.error(
                "tracks wait to be written: the program that does it ended with %d; it is tried again with the next chunk",
                process.returncode,
            )

    def _take(self, line: bytes) -> None:
        try:
            told = dict(json.loads(line))
        except (ValueError, TypeError):
            self._log.warning("the program that writes tracks said: %s", line.decode(errors="replace"))
            return
        if "outcome" not in told:
            self.cpu_s += told["cpu_s"]
            self.peak_mb = max(self.peak_mb, told["peak_mb"])
            return
        camera, outcome, said = told["camera"], told["outcome"], told["said"]
        if outcome in ("failed", "damaged"):
            self._log.error("tracks are not written: %s", said, extra=fields(camera=camera))
        elif said:
            self._log.warning("tracks: %s", said, extra=fields(camera=camera))
        if outcome != "empty":
            self._count(camera, "written" if outcome == "written" else "failed")


def are_left(root: Path, older_than_s: float = float("inf")) -> bool:
    """Whether there are spools that were written to last before `older_than_s` (UTC), and are not put aside."""
    try:
        files = [file for camera in cameras(root) for file in spools(root, camera)]
        return any(not file.path.name.endswith(DAMAGED) and file.path.stat().st_mtime < older_than_s for file in files)
    except OSError:
        return False  # the folder is none, or one went meanwhile: it is asked again


def _output(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout
