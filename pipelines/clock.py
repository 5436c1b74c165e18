"""Time as an argument: everything long-lived takes a `Clock`, tests give a fake one (`pipelines.testing.FakeClock`)."""

from __future__ import annotations

import time
from threading import Event
from typing import Protocol


class Clock(Protocol):
    """`now_s` is UTC seconds since the Unix epoch and may step; `monotonic_s` never goes back and says nothing of the date."""

    def now_s(self) -> float: ...

    def monotonic_s(self) -> float: ...

    def wait(self, stop: Event, timeout_s: float) -> bool:
        """Sleep until `stop` is set or `timeout_s` has passed; True when stopped."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_s(self) -> float:
        return time.time()

    def monotonic_s(self) -> float:
        return time.monotonic()

    def wait(self, stop: Event, timeout_s: float) -> bool:
        return stop.wait(max(0.0, timeout_s))
