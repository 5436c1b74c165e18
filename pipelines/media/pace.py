"""Which pictures of a stream are picked, by their own time."""

from __future__ import annotations

from typing import Final

#: A picture that comes early by this part of the interval still counts, so that jitter does not halve the rate ...
_EARLY: Final = 0.2
#: ... but not by more than this.
_EARLY_S: Final = 0.02
#: Of the time between two pictures: more than half of it, and less than all by more than pts are rounded.
_LEANING: Final = 0.6


class Pace:
    """Picks at most `fps` pictures a second on average, the one nearest after each due time; never one twice."""

    def __init__(self, fps: float | None) -> None:
        self.fps = fps
        self._due_s: float | None = None

    def wants(self, time_s: float) -> bool:
        """Whether `pick` would take the picture at `time_s`."""
        if self.fps is None:
            return True
        interval_s = 1.0 / self.fps
        wait_s = 0.0 if self._due_s is None else self._due_s - time_s
        # A wait that is longer than any this rate makes comes from a lower rate before, or from times that went back.
        return not min(_EARLY * interval_s, _EARLY_S) < wait_s < (1.0 + 2 * _EARLY) * interval_s

    def begin_with(self, time_s: float, step_s: float) -> None:
        """Pick the picture at `time_s`, and from there on, of pictures `step_s` apart, rather the one before a due time than the
        one after it where that is as near.
        """
        if self.fps is not None:
            early_s = min(_EARLY / self.fps, _EARLY_S)
            self._due_s = time_s - max(0.0, _LEANING * step_s - early_s)

    def pick(self, time_s: float) -> bool:
        """Whether the picture at `time_s` is wanted. `fps` None wants every picture. Times must grow."""
        if not self.wants(time_s):
            return False
        if self.fps is None:
            return True
        interval_s = 1.0 / self.fps
        following_s = (time_s if self._due_s is None else self._due_s) + interval_s
        # After a gap the grid starts anew, else the missed pictures would be made up for at once.
        self._due_s = following_s if following_s > time_s else time_s + interval_s
        return True
