"""Looks at the clocks: each camera's, by its web server, and this host's, by its kernel.

A thread of its own in the recorder's process, with its own connection to the index: whatever a camera's web server
does, no camera is recorded a second less for it.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Mapping
from typing import Final

from pipelines.clock import Clock
from pipelines.errors import Unavailable
from pipelines.recording import clocks
from pipelines.recording.cameratime import Bounds, Narrowing, Place, ask
from pipelines.recording.clockstate import HostClock, host_clock
from pipelines.recording.index import Index
from pipelines.recording.journal import Journal
from pipelines.recording.layout import Volume

log = logging.getLogger(__name__)

_EVERY_S: Final = 60.0
_CAMERA_S: Final = 300.0
_SILENT_S: Final = 900.0
#: Questions in a row, at different fractions of the second.
_TIMES: Final = 4
_APART_S: Final = 0.27


class ClockWatch:
    """`cameras`: where each camera's time may be read, in order of preference."""

    def __init__(
        self,
        volume: Volume,
        cameras: Mapping[str, list[Place]],
        clock: Clock,
        *,
        host: Callable[[], HostClock] = host_clock,
        dice: random.Random | None = None,
    ) -> None:
        self._volume = volume
        self._cameras = dict(cameras)
        self._clock = clock
        self._host = host
        self._dice = dice or random.Random()
        self._next_s: dict[str, float] = {}
        self._known: dict[tuple[str, Place], Narrowing] = {}
        self._journal = Journal(volume.journal / "ledger.jsonl")

    def reconfigure(self, cameras: Mapping[str, list[Place]]) -> None:
        """From another thread: other cameras, other addresses."""
        self._cameras = dict(cameras)

    def run(self, stop: threading.Event) -> None:
        """Look until told to stop; what fails is tried again."""
        while not stop.is_set():
            try:
                with Index.open(self._volume.index) as index:
                    self.run_once(index, stop)
            except (OSError, Unavailable) as error:
                log.warning("clocks are not noted: %s", error)
            self._clock.wait(stop, _EVERY_S)

    def run_once(self, index: Index, stop: threading.Event) -> None:
        """Ask whom it is time to ask. Raises Unavailable."""
        looks: list[tuple[str, str, int, tuple[int, int] | None]] = []
        for camera, where in self._cameras.items():
            if stop.is_set():
                return
            if self._clock.monotonic_s() < self._next_s.get(camera, 0.0):
                continue
            found = self._ask(camera, where, stop)
            wait_s = _SILENT_S if found is None else _CAMERA_S
            self._next_s[camera] = self._clock.monotonic_s() + wait_s * self._dice.uniform(0.8, 1.0)
            if found is not None:
                source, bounds = found
                looks.append(
                    (camera, source, self._now_ms(), (round(bounds.low_s * 1000), round(bounds.high_s * 1000)))
                )
        host = self._host()
        error_ms = round((host.error_s or 0.0) * 1000)
        if host.synchronised is not None:
            looks.append(
                (clocks.HOST, clocks.KERNEL, self._now_ms(), (-error_ms, error_ms) if host.synchronised else None)
            )
        with index.transaction() as cursor:
            ended = [row for look in looks if (row := clocks.note(cursor, *look)) is not None]
        if ended:
            rows = [list(row) for row in ended]
            self._journal.append(
                at_ms=self._now_ms(), action="clocks", actor="recorder", reason="", data={"rows": rows}
            )

    def _ask(self, camera: str, where: list[Place], stop: threading.Event) -> tuple[str, Bounds] | None:
        """By the first way that answers."""
        for place in where:
            known = self._known.setdefault((camera, place), Narrowing())
            bounds: Bounds | None = None
            for _ in range(_TIMES):
                answer = ask(place, self._clock)
                if answer is None:
                    break
                bounds = known.add(answer, self._clock.monotonic_s())
                if self._clock.wait(stop, _APART_S):
                    break
            if bounds is not None:
                return place.source, bounds
        return None

    def _now_ms(self) -> int:
        return round(self._clock.now_s() * 1000)
