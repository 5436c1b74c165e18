"""The janitor: what stands between the record of incidents and the recorded footage, which know nothing of each other.

It hands the recorder's own incidents (a gap, retention in danger) to the bus, marks the footage of every incident to be
kept longer from the moment it opens, makes its clip when its end has been recorded, and has the moments of its pictures cut
from the recorded main stream. All of it may be done twice without harm, so a crash costs nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event as StopEvent
from typing import Any, Final, Protocol

from pipelines.clock import Clock
from pipelines.errors import GatewatchError, Unavailable
from pipelines.events.bus import Publisher
from pipelines.events.envelope import incident_event
from pipelines.evidence.stills import MainStills
from pipelines.logs import fields
from pipelines.recording import alarms
from pipelines.recording.clips import Clip
from pipelines.recording.clockstate import ClockGrade
from pipelines.recording.stills import Still
from vision.incident import Incident, Phase, Quantity

_EVERY_S: Final = 5.0
#: A clip shows the beginning of what lasts: a parked car for an hour is an hour of the same picture.
_LONGEST_CLIP_S: Final = 60.0
#: Incidents that opened longer ago are not looked at any more: their clips are made, or their footage is not there.
_LOOK_BACK_S: Final = 2 * 86400.0
#: An incident that is still open after this long gets its clip all the same.
_OPEN_CLIP_AFTER_S: Final = 30.0


class RecordedFootage(Protocol):
    """`pipelines.recording.footage.Footage`."""

    def forward(self, publish: Callable[[dict[str, Any]], None]) -> int: ...

    def keep_incident(self, incident_id: str, camera: str, from_s: float, to_s: float) -> None: ...

    def clock_grade(self, camera: str, at_s: float) -> ClockGrade: ...

    def clip(self, incident_id: str) -> Clip | None: ...

    def make_clip(self, incident_id: str, camera: str, from_s: float, to_s: float) -> Clip: ...

    def still(self, camera: str, at_s: float, decoding: Callable[[], object]) -> Still: ...


class Janitor:
    """`open_footage` raises Unavailable while nothing is recorded; `incidents_since(time_s)` gives rows of the record with
    `incident_id, camera, kind, first_seen_s, opened_s, closed_s`, and what `stills` asks of them; None: no stills are cut.
    """

    def __init__(
        self,
        open_footage: Callable[[], RecordedFootage],
        incidents_since: Callable[[float], list[dict[str, Any]]],
        publisher: Publisher,
        config_version: str,
        clock: Clock,
        log: logging.Logger,
        stills: MainStills | None = None,
    ) -> None:
        self._stills = stills
        self._open_footage = open_footage
        self._incidents_since = incidents_since
        self._publisher = publisher
        self._config_version = config_version
        self._clock = clock
        self._log = log
        self._kept: dict[str, bool] = {}  # incident id -> also its end
        self._clipped: set[str] = set()

    def run(self, stop: StopEvent) -> None:
        """Every five seconds until told to stop; what is away is tried again."""
        while not stop.is_set():
            try:
                self.run_once()
            except Unavailable as error:
                self._log.warning("the janitor waits: %s", error)
            except GatewatchError as error:
                self._log.error("the janitor could not do everything: %s", error)
            self._clock.wait(stop, _EVERY_S)

    def run_once(self) -> None:
        """One round. Raises Unavailable: footage, record or bus are away."""
        try:
            footage = self._open_footage()
        except Unavailable:
            self._cut(None, self._rows())
            raise
        footage.forward(lambda body: self._publish(footage, body))
        rows = self._rows()
        for row in rows:
            self._keep(footage, row)
            self._clip(footage, row)
        self._cut(footage, rows)

    def _rows(self) -> list[dict[str, Any]]:
        rows = self._incidents_since(self._clock.now_s() - _LOOK_BACK_S)
        return [row for row in rows if row["camera"] not in ("", alarms.NO_CAMERA) and row["kind"] != "recording_gap"]

    def _cut(self, footage: RecordedFootage | None, rows: list[dict[str, Any]]) -> None:
        if self._stills is not None:
            self._stills.run_once(footage, rows)

    def _publish(self, footage: RecordedFootage, body: dict[str, Any]) -> None:
        values = {name: value for name, value in body.items() if name not in ("phase", "evidence", "track_ids")}
        evidence = {name: Quantity(one["value"], one["unit"]) for name, one in body["evidence"].items()}
        incident = Incident(**values, phase=Phase(body["phase"]), evidence=evidence, track_ids=())
        clock = footage.clock_grade(incident.camera_id, incident.time_s).to_json()
        self._publisher.publish(incident_event(incident, self._config_version, incident.camera_id, clock=clock))

    def _keep(self, footage: RecordedFootage, row: dict[str, Any]) -> None:
        incident_id, ended = row["incident_id"], row["closed_s"] is not None
        if self._kept.get(incident_id) in (True, ended):
            return
        end_s = row["closed_s"] if ended else self._clock.now_s()
        footage.keep_incident(incident_id, row["camera"], row["first_seen_s"], end_s)
        self._kept[incident_id] = ended

    def _clip(self, footage: RecordedFootage, row: dict[str, Any]) -> None:
        incident_id, opened_s = row["incident_id"], row["opened_s"]
        if incident_id in self._clipped:
            return
        if row["closed_s"] is None and self._clock.now_s() < opened_s + _OPEN_CLIP_AFTER_S:
            return
        end_s = opened_s + _OPEN_CLIP_AFTER_S if row["closed_s"] is None else row["closed_s"]
        if footage.clip(incident_id) is None:
            try:
                footage.make_clip(incident_id, row["camera"], opened_s, min(end_s, opened_s + _LONGEST_CLIP_S))
            except Unavailable:
                return  # its end is not recorded yet, or nothing of it is
            self._log.info("a clip was made", extra=fields(camera=row["camera"], incident=incident_id))
        self._clipped.add(incident_id)
