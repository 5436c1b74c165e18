"""For tests of evidence pictures: an incident whose worker saw a small stream, beside a recorder's volume of a large one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.config.loader import load_text
from pipelines.errors import Unavailable
from pipelines.events.envelope import incident_event
from pipelines.evidence.stills import MainStills
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.media.hiding import Box
from pipelines.recording.footage import Footage
from pipelines.store import incidents, stills
from pipelines.store.database import Database, sqlite_url
from pipelines.store.queries import IncidentFilter, list_incidents
from pipelines.store.stills import with_stills
from pipelines.testing import FakeClock, an_incident
from pipelines.workers.pictures import PictureStore, Place
from vision.frame import Frame
from vision.incident import Phase, PictureRequest

Pixels = npt.NDArray[np.uint8]

#: 2026-03-02 08:00:00 UTC, when the recording begins.
MORNING_S: Final = 1_772_438_400.0
SUBJECT: Final = (0.25, 0.4, 0.5, 0.7)
CONFIG: Final = "site: {name: North Primary School, language: en}\ncameras: {gate: {main: {url: rtsp://192.0.2.1/1}}}\n"


def number_on(picture: Pixels, width: int = 1920, height: int = 1080) -> int:
    """The counter that `counted` draws, read from the picture."""
    row = picture[height // 18]
    return sum(1 << bit for bit in range(16) if row[round((bit + 0.5) * width / 16)].mean() > 128)


class Case:
    """An incident whose worker saw a sub stream of 640x360; `volume`: the tests' `FilledVolume`; the record; and the
    janitor's part of it. The recording begins at `start_s`. Close `database`."""

    def __init__(self, folder: Path, volume: Any, start_s: float = MORNING_S) -> None:
        self.start_s = start_s
        self.folder = folder / "pictures"
        self.volume = volume
        self.clock = FakeClock(self.start_s + 8.0)
        self.footage = Footage(volume.volume, Ffmpeg.find(None), self.clock)
        self.database = Database(sqlite_url(folder))
        self.database.migrate()
        self.stills = self.another()
        self.records: dict[str, dict[str, dict[str, Any]]] = {}
        self.broken = False

    def another(self) -> MainStills:
        """As after a restart."""
        config = load_text(CONFIG, "site.yaml", {})
        return MainStills(self.folder, config, self.put, self.clock, logging.getLogger("test.evidence"))

    def put(self, incident_id: str, still: Any) -> None:
        if self.broken:
            raise Unavailable("the store is away")
        with self.database.write() as connection:
            stills.put(connection, incident_id, still)

    def see(
        self,
        at_s: float,
        role: str = "limit",
        *,
        incident_id: str = "case-1",
        size: tuple[int, int] = (640, 360),
        box: tuple[float, float, float, float] | None = SUBJECT,
        hide: list[Box] | None = None,
        shows_s: float | None = None,
    ) -> dict[str, Any]:
        """What the worker keeps and tells: a picture `at_s` seconds after the recording began, then the incident. It is grey, or
        what the main stream showed at `shows_s`."""
        pixels = np.full((size[1], size[0], 3), 90, np.uint8) if shows_s is None else self.small(shows_s, size)
        frame = Frame("gate", "run-1", self.start_s + at_s, pixels)
        request = PictureRequest(incident_id, "illegal_parking", "kerb", role, frame.time_s, box)
        place = Place("North Primary School", "gate", "gate", ZoneInfo("Asia/Shanghai"), "en")
        record = PictureStore(self.folder).save(request, frame, place, hide=[] if hide is None else hide)
        self.records.setdefault(incident_id, {})[role] = record
        self.tell(incident_id)
        return record

    def small(self, at_s: float, size: tuple[int, int]) -> Pixels:
        """What a sub stream shows of that moment."""
        large = self.footage.still("gate", self.start_s + at_s).pixels
        return np.asarray(cv2.resize(large, size, interpolation=cv2.INTER_AREA), np.uint8)

    def tell(self, incident_id: str = "case-1", revision: int | None = None) -> None:
        records = self.records[incident_id]
        times = {"first_seen_s": self.start_s, "opened_s": self.start_s + 1, "time_s": self.start_s + 1}
        told = an_incident(incident_id, revision or len(records), Phase.OPENED, camera_id="gate", **times)
        event = incident_event(told, "v1", "gate", list(records.values()))
        with self.database.write() as connection:
            incidents.apply(connection, [incidents.notice_of(event)], self.start_s)

    def rows(self) -> list[dict[str, Any]]:
        with self.database.read() as connection:
            return list_incidents(connection, IncidentFilter()).rows

    def run(self, footage: Footage | str | None = "mine", janitor: MainStills | None = None) -> int:
        given = self.footage if isinstance(footage, str) else footage
        return (janitor or self.stills).run_once(given, self.rows())

    def main(self, role: str = "limit", incident_id: str = "case-1") -> Any:
        (row,) = [row for row in self.rows() if row["incident_id"] == incident_id]
        (found,) = [one["main"] for one in with_stills(row) if one["role"] == role]
        return found

    def picture(self, still: dict[str, Any]) -> Pixels:
        found = cv2.imread(str(self.folder / still["path"]))
        assert found is not None
        return np.asarray(found, np.uint8)
