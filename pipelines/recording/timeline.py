"""When a picture was taken: the stream's own time, anchored to UTC at the connection, kept by the monotonic clock.

A picture can arrive late but never early, so the smallest difference "arrival minus stream time" seen is the best
estimate of where the stream's zero lies (a one-way minimum-delay filter, as in NTP's clock filter, RFC 5905, 10). The
estimate may creep (cameras' clocks run fast or slow by some 50 ppm); it is followed by small steps at segment
boundaries. A camera that stood still shows as a delay that does not go away: a hole, dated by both clocks.
"""

from __future__ import annotations

from collections import deque
from typing import Final

#: How far back the smallest delay is looked for. Longer than a stall that liveness (15 s) would let pass.
WINDOW_S: Final = 30.0
#: The most that the anchor moves at one segment boundary.
CREEP_S: Final = 0.05
#: A delay that stays beyond this is a hole, not a clock that creeps.
STOOD_STILL_S: Final = 1.0


class StreamTime:
    """Maps one connection's stream time to UTC. `wall_minus_monotonic_s` is fixed when the connection begins."""

    def __init__(self, wall_minus_monotonic_s: float) -> None:
        self._wall_s = wall_minus_monotonic_s
        self._recent: deque[tuple[float, float]] = deque()
        self._anchor_s: float | None = None
        self._settled = False

    def add(self, stream_end_s: float, arrived_s: float) -> None:
        """A fragment that ends at `stream_end_s` was complete at monotonic time `arrived_s`."""
        delay = arrived_s - stream_end_s
        while self._recent and self._recent[-1][1] >= delay:
            self._recent.pop()
        self._recent.append((arrived_s, delay))
        while self._recent[0][0] < arrived_s - WINDOW_S:
            self._recent.popleft()
        if self._anchor_s is None or (not self._settled and delay < self._anchor_s):
            self._anchor_s = delay

    def utc_ms(self, stream_s: float) -> int:
        """Needs one `add` before."""
        if self._anchor_s is None:
            raise ValueError("no picture has arrived yet")
        return round((stream_s + self._anchor_s + self._wall_s) * 1000)

    def redate(self, wall_minus_monotonic_s: float) -> None:
        """The host's clock was set: the same moments now have another date."""
        self._wall_s = wall_minus_monotonic_s

    def settle(self) -> float:
        """At a segment boundary: follow the stream's clock by at most `CREEP_S`; returns seconds for which the stream
        stood still (0.0 normally), by which the anchor has then been moved."""
        if self._anchor_s is None or not self._recent:
            return 0.0
        self._settled = True
        off = self._recent[0][1] - self._anchor_s
        if off > STOOD_STILL_S:
            self._anchor_s += off
            return off
        self._anchor_s += max(-CREEP_S, min(CREEP_S, off))
        return 0.0


class WallClock:
    """Notices when somebody sets the host's clock: UTC must advance as the monotonic clock does."""

    def __init__(self, tolerance_s: float = 0.5) -> None:
        self._tolerance_s = tolerance_s
        self._offset_s: float | None = None

    def look(self, now_s: float, monotonic_s: float) -> float:
        """Seconds by which UTC was stepped since the last look; 0.0 when it was not (slewing is followed silently)."""
        offset = now_s - monotonic_s
        step = 0.0 if self._offset_s is None else offset - self._offset_s
        self._offset_s = offset
        return step if abs(step) > self._tolerance_s else 0.0
