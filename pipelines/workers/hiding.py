"""Where heads and plates are on the pictures of one camera, as its detector saw them: kept with each picture, so that it
can be blurred on its way out by a process that has no detector."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from pipelines.detector import boxes_of_tracks, boxes_to_hide
from pipelines.media.hiding import LINGER_S, Box
from vision.detection import Detections
from vision.track import Track


class RecentBoxes:
    """The boxes of one camera's last half second: what the detector misses on one picture it mostly saw just before."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Detections, Sequence[Track]]] = deque()

    def add(self, time_s: float, detections: Detections, tracks: Sequence[Track] = ()) -> None:
        """What was seen at `time_s`, which never goes back; and what is followed without having been found just now (it
        stands still, or is half hidden)."""
        self._seen.append((time_s, detections, tracks))
        while self._seen and time_s - self._seen[0][0] > LINGER_S:
            self._seen.popleft()

    def at(self, time_s: float) -> list[Box] | None:
        """All that is to be hidden on the picture of `time_s`; None when that very picture was not looked at."""
        if not self._seen or self._seen[-1][0] != time_s:
            return None
        return [
            box
            for _, detections, tracks in self._seen
            for box in (*boxes_to_hide(detections), *boxes_of_tracks(tracks))
        ]
