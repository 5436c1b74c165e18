"""The clocks that go with an incident: from the recorder's volume to the message, the picture, the store and the screen."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import jsonschema
import numpy as np
import pytest

from pipelines.cli import main
from pipelines.errors import Unavailable
from pipelines.events.envelope import EnvelopeError, Event, event_schema, incident_event
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.recording import clocks
from pipelines.recording.footage import Footage
from pipelines.store import incidents
from pipelines.store.database import Database, sqlite_url
from pipelines.store.incidents import notice_of
from pipelines.testing import FakeClock, an_incident
from pipelines.workers.clockboard import ClockBoard
from pipelines.workers.pictures import PictureStore, Place
from vision.frame import Frame
from vision.incident import PictureRequest

if TYPE_CHECKING:
    from conftest import FilledVolume

MORNING_MS = 1_772_438_400_000
HOST = {"synchronised": True, "error_s": 0.01}


class Recorded:
    """A board over a real recording volume."""

    def __init__(self, filled: FilledVolume) -> None:
        self.filled = filled
        self.clock = FakeClock(MORNING_MS / 1000 + 5.0)
        self.away = False
        footage = Footage(filled.volume, Ffmpeg.find(), self.clock)

        def ask(camera_id: str) -> dict[str, Any]:
            if self.away:
                raise Unavailable("nothing has been recorded yet")
            return footage.clock_grade(camera_id, self.clock.now_s()).to_json()

        log = logging.getLogger("test.clocks")
        self.board = ClockBoard(lambda: ["gate"], ask, lambda: HOST, self.clock, log)

    def seen(self, bounds_ms: tuple[int, int]) -> None:
        with self.filled.index.transaction() as cursor:
            now_ms = round(self.clock.now_s() * 1000)
            clocks.note(cursor, "gate", "ONVIF", now_ms, bounds_ms)
            clocks.note(cursor, clocks.HOST, clocks.KERNEL, now_ms, (-10, 10))


@pytest.fixture
def recorded(filled: FilledVolume) -> Recorded:
    return Recorded(filled)


def test_the_board_tells_what_the_recorder_knows_and_never_waits_for_it(recorded: Recorded) -> None:
    assert recorded.board("gate")["why"].startswith("the camera's clock is unknown: no recorder")
    assert recorded.board("gate")["host"] == HOST
    recorded.seen((100, 300))
    assert recorded.board("gate")["evidence_grade"] is False, "not asked yet"
    recorded.board.run_once()
    told = recorded.board("gate")
    assert (told["evidence_grade"], told["camera_offset_s"], told["source"]) == (True, 0.2, "ONVIF")
    recorded.away = True
    recorded.clock.advance(60.0)
    recorded.board.run_once()
    assert recorded.board("gate")["evidence_grade"] is True, "a minute ago is good enough"
    recorded.clock.advance(60.0)
    assert recorded.board("gate")["evidence_grade"] is False


def test_an_incident_is_stored_and_shown_with_its_clocks(
    recorded: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded.seen((-3100, -2900))
    recorded.board.run_once()
    event = incident_event(an_incident(), "v1", "North", clock=recorded.board("gate"))
    jsonschema.validate(json.loads(event.to_json()), event_schema())
    plain = incident_event(an_incident("case-2"), "v1", "North")
    jsonschema.validate(json.loads(plain.to_json()), event_schema())
    database = Database(sqlite_url(tmp_path))
    database.migrate()
    with database.write() as connection:
        incidents.apply(connection, [notice_of(one) for one in (event, plain)], 5.0)
    database.close()
    config = tmp_path / "site.yaml"
    config.write_text(f"data: {tmp_path}\n")

    def show(*words: str) -> str:
        assert main(["incidents", *words, "-c", str(config)]) == 0
        return capsys.readouterr().out

    stored = json.loads(show("show", "case-1", "--json"))["clock"]
    assert stored == recorded.board("gate")
    assert stored["host"] == HOST
    assert {row["incident_id"]: row["clock"] for row in json.loads(show("list", "--json"))}["case-1"] == stored
    assert (
        "clock       NOT evidence grade: the camera's clock is -3.0 s off (limit 1.0 s) (camera -3.0 s, known to 0.1 s by"
        " ONVIF)" in show("show", "case-1")
    )
    assert "clock       NOT evidence grade: nobody looked at the clocks" in show("show", "case-2")


def test_a_message_whose_clock_is_no_object_is_refused() -> None:
    event = incident_event(an_incident(), "v1", "North")
    with pytest.raises(EnvelopeError, match="clock is no object"):
        notice_of(
            Event(**{name: getattr(event, name) for name in event.__slots__} | {"data": event.data | {"clock": "?"}})
        )


def test_each_picture_has_them_beside_it(recorded: Recorded, tmp_path: Path) -> None:
    recorded.seen((100, 300))
    recorded.board.run_once()
    frame = Frame("gate", "run-1", MORNING_MS / 1000, np.zeros((90, 160, 3), np.uint8))
    request = PictureRequest("case-1", "illegal_parking", "kerb", "limit", MORNING_MS / 1000, None)
    place = Place("School", "gate", "North", ZoneInfo("UTC"), "en")
    record = PictureStore(tmp_path).save(request, frame, place, recorded.board("gate"))
    beside = json.loads((tmp_path / record["path"]).with_suffix(".json").read_text())
    assert beside["clock"]["evidence_grade"] is True
    assert beside["camera"] == "gate"
