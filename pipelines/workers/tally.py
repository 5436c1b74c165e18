"""What a worker has done, camera by camera: its metrics, its log, and when each camera was last seen."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from pipelines.clock import Clock
from pipelines.logs import fields
from pipelines.metrics import Metrics
from vision.incident import Incident, Phase


class Tally:
    """Of the cameras that were `opened` and not yet dropped (`forget`)."""

    def __init__(self, metrics: Metrics, clock: Clock, log: logging.Logger) -> None:
        self._metrics = metrics
        self._clock = clock
        self._log = log
        self._analysed_at_s: dict[str, float] = {}
        self._counted: dict[str, tuple[Callable[[], None], Callable[[float], None]]] = {}

    def opened(self, camera_id: str) -> None:
        """From now on it is to be analysed."""
        self._analysed_at_s[camera_id] = self._clock.monotonic_s()
        self._log.info("analysing", extra=fields(camera=camera_id))

    def forget(self, camera_id: str) -> None:
        """It is no longer analysed here."""
        self._analysed_at_s.pop(camera_id, None)
        self._counted.pop(camera_id, None)

    def analysed(self, camera_id: str, time_s: float) -> None:
        """A frame of `time_s`."""
        self._analysed_at_s[camera_id] = self._clock.monotonic_s()
        counted = self._counted.get(camera_id)
        if counted is None:  # kept, as looking the labels up costs more than counting
            frames = self._metrics.frames_analysed.labels(camera=camera_id)
            newest = self._metrics.last_frame_timestamp.labels(camera=camera_id)
            counted = self._counted[camera_id] = frames.inc, newest.set
        count, show = counted
        count()
        show(time_s)

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
        return sorted(camera for camera, at_s in self._analysed_at_s.copy().items() if now_s - at_s > longest_s)
