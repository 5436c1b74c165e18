"""What every long-lived part has, and how a process is told to stop."""

from __future__ import annotations

import signal
from threading import Event
from typing import Protocol


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
