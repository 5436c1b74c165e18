"""Doubles for tests: fakes for time and for faults only. Everything else in the tests is the real thing."""

from __future__ import annotations

from threading import Event


class FakeClock:
    """A clock that a test moves by hand; waiting moves it at once."""

    def __init__(self, now_s: float = 1_790_000_000.0) -> None:
        self._now_s = now_s
        self._monotonic_s = 1_000.0

    def now_s(self) -> float:
        return self._now_s

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def wait(self, stop: Event, timeout_s: float) -> bool:
        self.advance(max(0.0, timeout_s))
        return stop.is_set()

    def advance(self, seconds: float) -> None:
        """Both clocks go on by `seconds`."""
        self._now_s += seconds
        self._monotonic_s += seconds

    def step(self, seconds: float) -> None:
        """Only the wall clock jumps, as when somebody sets it."""
        self._now_s += seconds
