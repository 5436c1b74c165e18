"""From a live stream's pts to UTC that never goes back.

A pts says how far apart two pictures were taken; it does not say when. So the time of a picture is `pts + offset`, and
the offset comes from the *live edge*: a packet cannot arrive before it was captured, so the smallest `arrival - pts` seen
lately is the best estimate of "captured now". What follows from that:

- Packets that queue up (a stall, then a burst) arrive late but keep their distances: the smallest difference does not move.
- A server that starts with a buffered group of pictures, or a probe that has read ahead, is seen as a burst at the start
  of a run; the offset is fixed only when the burst is over, so nothing is dated into the future.
- Cameras' clocks drift (50 ppm are 4 s a day), and evidence may be wrong by 1.0 s at most (GA/T 832-2014): the offset
  follows the live edge by at most 1 ms per second, and by 5 % while it is wrong by more than a second (somebody has set
  the machine's clock). The distance between two pictures stays true to that.
- A pts that goes back, or that runs ahead of the live edge by more than a second (a wrap, a looped file, a camera that
  sets its clock, the first RTCP sender report), is a break: time goes on by what has passed on this machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: A picture may come this much before the live edge without being taken for a break in the pts.
AHEAD_S: Final = 1.0
#: The live edge is the least `arrival - pts` of the last one to two of these.
WINDOW_S: Final = 30.0
#: A burst at the start of a run ends at the latest after this long.
SETTLE_S: Final = 3.0
_SLEW: Final = 0.001
_FAST_SLEW: Final = 0.05
_FAR_S: Final = 1.0
#: Two pictures of one camera are never at the same time.
_TICK_S: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Stamp:
    """`time_s` UTC of capture; `edge_s` = monotonic time at which this picture would have arrived without any delay."""

    time_s: float
    edge_s: float


class CaptureTime:
    """One camera's time, across its runs. Not safe for threads: the reader's thread owns it."""

    def __init__(self, not_before_s: float = 0.0) -> None:
        self._last_time_s = not_before_s
        self.breaks = 0
        self.start_run()

    def start_run(self) -> None:
        """A new session begins; its pts have nothing to do with the last one's."""
        self._settled = False
        self._first_arrival_s: float | None = None
        self._last_arrival_s = 0.0
        self._last_pts_s: float | None = None
        self._offset_s = 0.0
        self._forget_edge()

    @property
    def last_time_s(self) -> float:
        """The newest time given so far (or `not_before_s`)."""
        return self._last_time_s

    def stamp(self, pts_s: float, arrival_s: float, utc_s: float) -> Stamp | None:
        """The time of a picture that arrived at `arrival_s` (monotonic), which was `utc_s` on this machine's clock.

        None for a picture that must not be used: a repeated pts, or the burst at the start of a run.
        """
        if self._last_pts_s is not None and pts_s == self._last_pts_s:
            return None
        if not self._settled:
            return self._settle(pts_s, arrival_s, utc_s)
        assert self._last_pts_s is not None
        step_s = pts_s - self._last_pts_s
        if step_s < 0 or arrival_s - pts_s < self._edge_s() - AHEAD_S:
            self._break(pts_s, arrival_s)
        else:
            self._see(pts_s, arrival_s)
            self._slew(step_s, utc_s - arrival_s)
        return self._give(pts_s, arrival_s)

    def expected_s(self, pts_s: float) -> float | None:
        """What `stamp` would say, to a few milliseconds; None when that is not known before the picture is there."""
        if not self._settled or self._last_pts_s is None or pts_s <= self._last_pts_s:
            return None
        return pts_s + self._offset_s

    def _settle(self, pts_s: float, arrival_s: float, utc_s: float) -> Stamp | None:
        if self._first_arrival_s is None:
            self._first_arrival_s = arrival_s
        elif self._last_pts_s is not None and pts_s < self._last_pts_s:
            self._forget_edge()
        else:
            # Live: as much time has passed here as in the stream. In a burst far less has.
            live = arrival_s - self._last_arrival_s >= 0.5 * (pts_s - (self._last_pts_s or 0.0))
            self._settled = live or arrival_s - self._first_arrival_s > SETTLE_S
        self._see(pts_s, arrival_s)
        if not self._settled:
            self._last_pts_s, self._last_arrival_s = pts_s, arrival_s
            return None
        self._offset_s = max(self._edge_s() + utc_s - arrival_s, self._last_time_s + _TICK_S - pts_s)
        return self._give(pts_s, arrival_s)

    def _give(self, pts_s: float, arrival_s: float) -> Stamp:
        self._last_pts_s, self._last_arrival_s = pts_s, arrival_s
        self._last_time_s = max(pts_s + self._offset_s, self._last_time_s + _TICK_S)
        return Stamp(self._last_time_s, self._edge_s() + pts_s)

    def _break(self, pts_s: float, arrival_s: float) -> None:
        self.breaks += 1
        self._offset_s = self._last_time_s + max(_TICK_S, arrival_s - self._last_arrival_s) - pts_s
        self._forget_edge()
        self._see(pts_s, arrival_s)

    def _slew(self, step_s: float, utc_minus_monotonic_s: float) -> None:
        error_s = self._edge_s() + utc_minus_monotonic_s - self._offset_s
        limit_s = step_s * (_FAST_SLEW if abs(error_s) > _FAR_S else _SLEW)
        self._offset_s += min(max(error_s, -limit_s), limit_s)

    def _forget_edge(self) -> None:
        self._window_start_s: float | None = None
        self._least_s = float("inf")
        self._least_before_s = float("inf")

    def _see(self, pts_s: float, arrival_s: float) -> None:
        if self._window_start_s is None:
            self._window_start_s = arrival_s
        elif arrival_s - self._window_start_s > WINDOW_S:
            self._least_before_s, self._least_s = self._least_s, float("inf")
            self._window_start_s = arrival_s
        self._least_s = min(self._least_s, arrival_s - pts_s)

    def _edge_s(self) -> float:
        return min(self._least_s, self._least_before_s)
