"""When a viewing begins: who looks at one thing again within a few minutes is still looking."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Final

from pipelines.clock import Clock

_KEYS: Final = 5000


class Viewings:
    """A key that was not seen for `gap_s` begins anew."""

    def __init__(self, clock: Clock, gap_s: float = 300.0) -> None:
        self._clock = clock
        self._gap_s = gap_s
        self._lock = Lock()
        self._seen_s: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def begins(self, key: tuple[str, ...]) -> bool:
        """True: this is to be written down."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            before_s = self._seen_s.pop(key, None)
            self._seen_s[key] = now_s
            while len(self._seen_s) > _KEYS:
                self._seen_s.popitem(last=False)
        return before_s is None or now_s - before_s > self._gap_s
