"""One object followed through time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from vision.geometry import Box


class TrackState(StrEnum):
    """`tentative`: seen too little to count; `confirmed`: seen in this picture; `lost`: not seen in this picture,
    place predicted.
    """

    TENTATIVE = "tentative"
    CONFIRMED = "confirmed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Track:
    """One object at one moment.

    `track_id` is unique in the run of one tracker and never reused. `xyxy_px` is the filtered box (for a lost track
    the predicted one), `velocity_px_per_s` (vx, vy) that of its centre. `class_id` (COCO) has the most votes so far.
    `confidence` is that of the last detection. `first_seen_s` and `last_seen_s` are times of pictures in which it was
    seen.
    """

    track_id: int
    state: TrackState
    class_id: int
    xyxy_px: Box
    velocity_px_per_s: tuple[float, float]
    first_seen_s: float
    last_seen_s: float
    confidence: float
