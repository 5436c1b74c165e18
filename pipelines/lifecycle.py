"""What every long-lived part has, and how a process is told to stop."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Mapping
from threading import Event
from typing import Final, Protocol


class Service(Protocol):
    """A long-lived part. Its constructor starts nothing."""

    def run(self, stop: Event) -> None:
        """Work until `stop` is set, retrying what can be retried."""
        ...


def stop_on_signals() -> Event:
    """An event that SIGTERM and SIGINT set. Call once, in the main thread of a process."""
    stop = Event()

    def handle(_signum: int, _frame: object) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop


#: Set by the supervisor in its children's environment: they end when this process is gone.
PARENT_VARIABLE: Final = "GATEWATCH_PARENT_PID"
_PR_SET_PDEATHSIG: Final = 1


def die_with_parent(environment: Mapping[str, str]) -> None:
    """Ask the kernel for a SIGTERM when the supervisor dies, if a supervisor started this process.

    The kernel ties this to the thread that forked, so the supervisor starts children from its main thread. A parent
    that was already gone is seen by comparing its id.
    """
    parent = environment.get(PARENT_VARIABLE)
    if parent is None:
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(parent):
        raise SystemExit(1)
