"""Whose picture is taken next. Readers tell of theirs; the worker asks no camera and sorts none, so a turn costs the same with
sixty cameras as with four.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from itertools import count

from pipelines.workers.fairness import Fairness


class Turns:
    """Cameras whose newest picture waits in its reader, and those of which one is in hand: these wait until it is done, as one
    camera's pictures must not overtake each other. All but `tell` is for the worker's thread.
    """

    def __init__(self, fairness: Fairness) -> None:
        self._fairness = fairness
        self._told: deque[str] = deque()
        self._waiting: dict[str, int] = {}
        """Number of the entry in `_order` that counts; others of the same camera are left over."""
        self._order: list[tuple[float, int, str]] = []
        self._numbers = count()
        self._in_hand: set[str] = set()
        self._behind: set[str] = set()

    def tell(self, camera_id: str) -> None:
        """There is a picture of this camera. From any thread."""
        self._told.append(camera_id)

    def hear(self) -> None:
        """Take in what was told, so that it does not pile up while nobody can be served: each camera waits once at most."""
        while self._told:
            self._come(self._told.popleft())

    @property
    def has_news(self) -> bool:
        """Whether anybody told of a picture since the last `hear` or `next`."""
        return bool(self._told)

    def next(self) -> str | None:
        """The camera that is to be served now, each picture that was told of once; None: there is none.

        The one that lags behind most is first, of equals the one that told first.
        """
        self.hear()
        while self._order:
            _, number, camera_id = heappop(self._order)
            if self._waiting.get(camera_id) == number:
                del self._waiting[camera_id]
                return camera_id
        return None

    def hold(self, camera_id: str) -> None:
        """A picture of this camera is in hand: the next one waits for `free`."""
        self._in_hand.add(camera_id)

    def free(self, camera_id: str) -> None:
        """It is done."""
        self._in_hand.discard(camera_id)
        if camera_id in self._behind:
            self._behind.discard(camera_id)
            self._come(camera_id)

    def is_behind(self, camera_id: str) -> bool:
        """Whether a picture waits while another one of its camera is in hand."""
        self.hear()
        return camera_id in self._behind

    def forget(self, camera_id: str) -> None:
        """The camera is no longer analysed here."""
        self._waiting.pop(camera_id, None)
        self._in_hand.discard(camera_id)
        self._behind.discard(camera_id)
        self._fairness.forget(camera_id)

    def _come(self, camera_id: str) -> None:
        if camera_id in self._in_hand:
            self._behind.add(camera_id)
        elif camera_id not in self._waiting:
            number = self._waiting[camera_id] = next(self._numbers)
            heappush(self._order, (self._fairness.start(camera_id), number, camera_id))
