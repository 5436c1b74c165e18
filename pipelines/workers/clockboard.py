"""What is known of the clocks now, ready for the moment when an incident is told.

Asking the recording volume may take as long as its disk does; the worker's loop must not wait for that. So a thread
asks, and the loop reads what it last heard.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from threading import Event as StopEvent
from typing import Any, Final

from pipelines.clock import Clock
from pipelines.errors import Unavailable

_EVERY_S: Final = 5.0
#: What was heard longer ago says nothing of now.
_GOOD_FOR_S: Final = 90.0


class ClockBoard:
    """`ask(camera_id)` gives a grade as plain JSON (`camera_offset_s, host, evidence_grade, why, ...`) and raises
    Unavailable; `host()` says what is known of this host's clock alone."""

    def __init__(
        self,
        cameras: Callable[[], Sequence[str]],
        ask: Callable[[str], Mapping[str, Any]],
        host: Callable[[], Mapping[str, Any]],
        clock: Clock,
        log: logging.Logger,
    ) -> None:
        self._cameras = cameras
        self._ask = ask
        self._host = host
        self._clock = clock
        self._log = log
        self._heard: dict[str, tuple[float, Mapping[str, Any]]] = {}
        self._away = False

    def run(self, stop: StopEvent) -> None:
        """Ask until told to stop."""
        while not stop.is_set():
            self.run_once()
            self._clock.wait(stop, _EVERY_S)

    def run_once(self) -> None:
        """Ask once for every camera."""
        try:
            for camera_id in self._cameras():
                self._heard[camera_id] = (self._clock.monotonic_s(), self._ask(camera_id))
        except Unavailable as error:
            if not self._away:
                self._log.warning("incidents go out with unknown clocks: %s", error)
            self._away = True
            return
        self._away = False

    def __call__(self, camera_id: str) -> dict[str, Any]:
        """The grade that goes with an incident of `camera_id` that is told now. Never waits."""
        heard = self._heard.get(camera_id)
        if heard is not None and self._clock.monotonic_s() - heard[0] <= _GOOD_FOR_S:
            return dict(heard[1])
        return {
            "camera_offset_s": None,
            "camera_error_s": None,
            "source": None,
            "host": dict(self._host()),
            "evidence_grade": False,
            "why": "the camera's clock is unknown: no recorder on this machine says it",
        }
