"""When to try a camera again: exponential back-off with jitter, and a breaker for one that stays dead."""

from __future__ import annotations

import random
from typing import Final

FIRST_S: Final = 1.0
LONGEST_S: Final = 30.0
#: Failures in a row after which no ffmpeg is started before a plain connection has been seen to work.
BREAKER_AFTER: Final = 5


class Retries:
    """Of one camera. Jitter is 50-100 % of the delay, so that cameras behind one switch do not come back all at once."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self.failures = 0

    @property
    def breaker_open(self) -> bool:
        """While open, only a cheap probe is made; a probe that connects lets one attempt through."""
        return self.failures >= BREAKER_AFTER

    def failed(self) -> float:
        """Count a failure; returns the seconds to wait."""
        self.failures += 1
        delay_s = min(LONGEST_S, FIRST_S * 2.0 ** (min(self.failures, 20) - 1))
        return delay_s * self._dice.uniform(0.5, 1.0)

    def worked(self) -> None:
        """Media came."""
        self.failures = 0
