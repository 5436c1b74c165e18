"""What a worker has done, camera by camera: its metrics, its log, and when each camera was last seen."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.clock import Clock
from pipelines.logs import fields
from pipelines.metrics import Metrics
from vision.incident import Incident, Phase

_SHOW_EVERY_S: Final = 1.0


@dataclass(slots=True)
class _Seen:
    at_s: float
    frames: int = 0
    time_s: float = 0.0


class Tally:
    """Of the cameras that were `opened` and not yet dropped (`forget`)."""

    def __init__(self, metrics: Metrics, clock: Clock, log: logging.Logger) -> None:
        self._metrics = metrics
        self._clock = clock
        self._log = log
        self._seen: dict[str, _Seen] = {}
        self._shown_s = float("-inf")

    def opened(self, camera_id: str) -> None:
        """From now on it is to be analysed."""
        self._seen[camera_id] = _Seen(self._clock.monotonic_s())
        self._log.info("analysing", extra=fields(camera=camera_id))

    def forget(self, camera_id: str) -> None:
        """It is no longer analysed here."""
        seen = self._seen.pop(camera_id, None)
        if seen is not None:
            self._show(camera_id, seen)

    def analysed(self, camera_id: str, time_s: float, now_s: float) -> None:
        """A frame of `time_s`, at `now_s` (monotonic)."""
        seen = self._seen[camera_id]
        seen.at_s = now_s
        seen.frames += 1
        seen.time_s = time_s

    def show(self, now_s: float) -> None:
        """Bring the metrics up to date, once a second: counting each frame there would look labels up and take locks."""
        if now_s - self._shown_s < _SHOW_EVERY_S:
            return
        self._shown_s = now_s
        for camera_id, seen in self._seen.items():
            self._show(camera_id, seen)

    def _show(self, camera_id: str, seen: _Seen) -> None:
        if seen.frames:
            self._metrics.frames_analysed.labels(camera=camera_id).inc(seen.frames)
            self._metrics.last_frame_timestamp.labels(camera=camera_id).set(seen.time_s)
            seen.frames = 0

    def incidents(self, camera_id: str, incidents: Sequence[Incident]) -> None:
        """They were published."""
        for incident in incidents:
            if incident.phase == Phase.OPENED:
                self._metrics.incidents.labels(camera=camera_id, behaviour=incident.kind).inc()
            self._log.info(
                "%s %s",
                incident.kind,
                incident.phase.value,
                extra=fields(camera=camera_id, zone=incident.zone_id, incident=incident.incident_id),
            )

    def unwatched(self, longest_s: float) -> list[str]:
        """Cameras without an analysed frame for longer than `longest_s` (or since they were opened). From any thread."""
        now_s = self._clock.monotonic_s()
        return sorted(camera for camera, seen in self._seen.copy().items() if now_s - seen.at_s > longest_s)
