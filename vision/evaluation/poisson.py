"""What a count of rare events says of their rate: the exact bounds of Garwood (Biometrika 28, 1936)."""

from __future__ import annotations

from typing import Final

from scipy.stats import chi2

SECONDS_PER_DAY: Final = 86400.0


def rate_bound(count: int, exposure: float, confidence: float = 0.95) -> float | None:
    """The rate per unit of `exposure` that the true one exceeds with a chance of only 1 - `confidence`, after `count`
    events were seen in `exposure` (hours, days, cameras x days: whatever the rate shall be per). None without exposure.

    One-sided. No event in 3 days gives about 1 a day: silence on little footage proves little. Footage that is played
    twice is exposure once: the events of a copy are not independent.

    Raises:
        ValueError: a negative count or exposure, or a confidence outside 0..1.
    """
    _check(count, exposure, confidence)
    return None if exposure <= 0 else float(chi2.ppf(confidence, 2 * (count + 1)) / 2 / exposure)


def rate_interval(count: int, exposure: float, confidence: float = 0.95) -> tuple[float, float] | None:
    """The two-sided interval of the rate: each end is missed with a chance of (1 - `confidence`) / 2. None without
    exposure. Raises as `rate_bound`.
    """
    _check(count, exposure, confidence)
    if exposure <= 0:
        return None
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else float(chi2.ppf(tail, 2 * count) / 2)
    return low / exposure, float(chi2.ppf(1 - tail, 2 * (count + 1)) / 2) / exposure


def _check(count: int, exposure: float, confidence: float) -> None:
    if count < 0 or exposure < 0 or not 0 < confidence < 1:
        raise ValueError(
            f"expected count >= 0, exposure >= 0 and 0 < confidence < 1: {count}, {exposure}, {confidence}"
        )
