"""Who is served next: start-time fair queueing over cameras (Goyal, Vin, Cheng, SIGCOMM 1996).

Each camera has a virtual time that grows by what its frames cost the detector. The one that lags behind most is next, so a
camera on which everything moves pays with its own turns. A camera with an open case pays half.
"""

from __future__ import annotations

from typing import Final

#: What a frame costs beside the detector, in shares of a whole picture: one that needs no look is not free.
_LEAST_COST: Final = 0.1
_OPEN_CASE_PAYS: Final = 0.5


class Fairness:
    """The virtual times of a worker's cameras."""

    def __init__(self) -> None:
        self._virtual: dict[str, float] = {}
        self._now = 0.0

    def start(self, camera_id: str) -> float:
        """The virtual time of a picture of this camera that comes now: the lowest is to be served first."""
        # Who was silent for long does not come back with a claim on all the turns that it did not take.
        return max(self._now, self._virtual.get(camera_id, 0.0))

    def charge(self, camera_id: str, pictures: float, *, open_case: bool) -> None:
        """A frame was taken of which `pictures` (0..1) must be looked at."""
        start = self._now = self.start(camera_id)
        self._virtual[camera_id] = start + (_LEAST_COST + pictures) * (_OPEN_CASE_PAYS if open_case else 1.0)

    def forget(self, camera_id: str) -> None:
        """The camera is no longer analysed here."""
        self._virtual.pop(camera_id, None)
