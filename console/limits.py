"""How many requests somebody may make: a bucket of tokens each, filled evenly."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Final

from pipelines.clock import Clock

#: Buckets remembered; the one that was used longest ago is forgotten first, and is full again then.
_KEYS: Final = 10_000


class Buckets:
    """`rate_per_s` requests a second, `burst` at once, for each key."""

    def __init__(self, rate_per_s: float, burst: float, clock: Clock) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._clock = clock
        self._lock = Lock()
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def change(self, rate_per_s: float, burst: float) -> None:
        """From now on; a bucket holds at most the new burst from its next use on."""
        with self._lock:
            self._rate_per_s, self._burst = rate_per_s, burst

    def take(self, key: str) -> float:
        """0.0: go on; else how many seconds to wait."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            level, at_s = self._levels.pop(key, (self._burst, now_s))
            level = min(self._burst, level + (now_s - at_s) * self._rate_per_s)
            wait_s = 0.0 if level >= 1.0 else (1.0 - level) / self._rate_per_s
            self._levels[key] = (level - 1.0 if wait_s == 0.0 else level, now_s)
            while len(self._levels) > _KEYS:
                self._levels.popitem(last=False)
        return wait_s
