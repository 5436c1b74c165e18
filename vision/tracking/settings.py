"""The thresholds of association."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """Thresholds of association.

    `sure`: detections at or above it are matched first. `new`: from it on a detection may begin a track. `unsure`:
    below it a detection is not used. `overlap` and `overlap_unsure`: least buffered IoU of a match in the two stages.
    A track counts after `confirm_hits` detections of which one was at least `confirm_sure`, or, when all were weaker,
    once it has been seen for `confirm_slow_s`. `keep_lost_s`: how long a track is remembered unseen. `buffer_per_s`:
    how much of a box's size is added around it per second that its track was not seen, at most `buffer_most`.
    A track that is not seen goes on at its speed, or has stopped: within `stops_s` (to 1/e), which counts for `stopped`
    as much. Who goes behind something often stops there, and where a constant speed would put him after two seconds,
    somebody else is.
    """

    sure: float = 0.4
    new: float = 0.5
    unsure: float = 0.1
    overlap: float = 0.3
    overlap_unsure: float = 0.4
    confirm_hits: int = 2
    confirm_sure: float = 0.6
    confirm_slow_s: float = 2.0
    keep_lost_s: float = 3.0
    keep_tentative_s: float = 1.2
    buffer_per_s: float = 0.5
    buffer_most: float = 0.5
    stops_s: float = 0.4
    stopped: float = 0.8
