"""Pictures that wait to be judged, a few at a time: what judges one is still in the processor's caches when the next is judged,
and so costs half of what it costs alone. Between two pictures that are judged as they come, a picture is converted, which
empties them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from pipelines.workers.looking import Landed, Task

#: So many pictures are company enough: more would be memory, at a megabyte each.
ENOUGH: Final = 12
#: A picture in which nothing has to be looked at waits so long for others, of the time until its camera's next one.
SHARE: Final = 0.75
#: ... and no longer than this: of a camera with a picture in ten seconds a rule would be told of it seven seconds late.
LONGEST_S: Final = 0.25


class Company:
    """What was looked at is judged at once, and with it whatever waits; a picture in which nothing had to be looked at brings
    nothing new as a rule, and waits for others.
    """

    def __init__(self) -> None:
        self._calm: list[Landed] = []
        self._due_s = math.inf
        """When the first of them has waited long enough."""
        self._landed: list[Landed] = []

    def calm(self, task: Task, now_s: float, apart_s: float) -> None:
        """A picture in which nothing has to be looked at came at `now_s` (monotonic, as below); its camera's next comes `apart_s`
        later.
        """
        self._calm.append((task, ()))
        self._due_s = min(self._due_s, now_s + min(SHARE * apart_s, LONGEST_S))

    def landed(self, landed: Iterable[Landed]) -> None:
        """These come from the detector."""
        self._landed += landed

    @property
    def is_enough(self) -> bool:
        """Whether they are to be judged before any more pictures are taken."""
        return len(self._calm) >= ENOUGH

    def starts_in_s(self, now_s: float) -> float:
        """When they are to be judged if nothing else comes; infinite: none waits."""
        return 0.0 if self._landed else max(0.0, self._due_s - now_s)

    def due(self, now_s: float, most: int | None = None) -> list[Landed]:
        """Those that are to be judged now, one after the other; none: it is not time yet, or none waits. Of more than `most` the
        others are due at once, when this is asked again.
        """
        if not self._landed and not self.is_enough and now_s < self._due_s:
            return []
        due = self._landed + self._calm
        self._calm, self._due_s = [], math.inf
        self._landed = [] if most is None else due[most:]
        return due[:most]
