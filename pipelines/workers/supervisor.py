"""Keeps the processes of one machine alive: starts them, restarts what dies with a growing pause, ends them in order."""

from __future__ import annotations

import logging
import signal
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Final

from pipelines.children import end, spawn
from pipelines.clock import Clock

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_STEADY_S: Final = 60.0  # a child that lived this long starts again with the first pause
_GRACE_S: Final = 10.0
_POLL_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One process. Children are started in the order given and ended in the reverse one."""

    name: str
    argv: tuple[str, ...]
    log: Path | None = None
    """Where its standard error goes; None: to the supervisor's own."""


@dataclass(slots=True)
class _Child:
    spec: ChildSpec
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    not_before_s: float = 0.0
    pause_s: float = _FIRST_PAUSE_S
    restarts: int = field(default=0)


class Supervisor:
    """Runs children until told to stop. `run` must be called in the process's main thread (see `children.spawn`)."""

    def __init__(self, children: Sequence[ChildSpec], clock: Clock, log: logging.Logger) -> None:
        self._children = [_Child(spec) for spec in children]
        self._clock = clock
        self._log = log

    def run(self, stop: Event) -> None:
        try:
            while not stop.is_set():
                self.run_once()
                self._clock.wait(stop, _POLL_S)
        finally:
            self.end()

    def run_once(self) -> None:
        """Start what is due, notice what died."""
        now_s = self._clock.monotonic_s()
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                self._bury(child, now_s)
            if child.process is None and now_s >= child.not_before_s:
                self._start(child, now_s)

    @property
    def restarts(self) -> dict[str, int]:
        """How often each child was started again."""
        return {child.spec.name: child.restarts for child in self._children}

    @property
    def pids(self) -> dict[str, int]:
        """Process id of each child that is running."""
        return {child.spec.name: child.process.pid for child in self._children if child.process is not None}

    def end(self) -> None:
        """SIGTERM in reverse order, each with its grace; SIGKILL for one that does not go."""
        for child in reversed(self._children):
            if child.process is not None and end(child.process, _GRACE_S) == -signal.SIGKILL:
                self._log.warning("%s did not end within %.0f s: killed", child.spec.name, _GRACE_S)
            child.process = None

    def _start(self, child: _Child, now_s: float) -> None:
        # SIGTERM, not SIGKILL: a child whose supervisor died still saves what it has.
        with ExitStack() as stack:
            log = None if child.spec.log is None else stack.enter_context(child.spec.log.open("ab"))
            child.process = spawn(child.spec.argv, stderr=log, death_signal=signal.SIGTERM)
        child.started_s = now_s

    def _bury(self, child: _Child, now_s: float) -> None:
        assert child.process is not None
        code = child.process.returncode
        lived_s = now_s - child.started_s
        if lived_s >= _STEADY_S:
            child.pause_s = _FIRST_PAUSE_S
        cause = f"signal {-code}" if code < 0 else f"exit code {code}"
        self._log.error(
            "%s ended (%s) after %.0f s; starting again in %.0f s", child.spec.name, cause, lived_s, child.pause_s
        )
        child.process = None
        child.restarts += 1
        child.not_before_s = now_s + child.pause_s
        child.pause_s = min(child.pause_s * 2, _LONGEST_PAUSE_S)
