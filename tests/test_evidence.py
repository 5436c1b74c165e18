"""Beside an incident's pictures: the same moments out of the recorded main stream, cut once, said where from, never instead."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import pytest

from pipelines.alerting.channels.base import NoPicture
from pipelines.alerting.pictures import PictureDesk
from pipelines.config.loader import load_text
from pipelines.errors import Unavailable
from pipelines.events.envelope import incident_event
from pipelines.evidence import MAIN, MainStills
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.media.hiding import Box
from pipelines.recording import ledger
from pipelines.recording.coverage import Cause, Gap, Span
from pipelines.recording.footage import Footage
from pipelines.recording.stills import FARTHEST_MS
from pipelines.store import incidents, stills
from pipelines.store.database import Database, sqlite_url
from pipelines.store.queries import IncidentFilter, list_incidents
from pipelines.store.stills import with_stills
from pipelines.testing import FakeClock, an_incident
from pipelines.workers.pictures import PictureStore, Place
from vision.frame import Frame
from vision.incident import Phase, PictureRequest

if TYPE_CHECKING:
    from conftest import FilledVolume, Stream

MORNING_S = 1_772_438_400.0
SUBJECT = (0.25, 0.4, 0.5, 0.7)
PERSON = Box("person", 300, 100, 340, 200)
CONFIG = "site: {name: North Primary School, language: en}\ncameras: {gate: {main: {url: rtsp://192.0.2.1/1}}}\n"


def number_on(picture: np.ndarray, width: int = 1920, height: int = 1080) -> int:
    """The counter that `counted` draws, read from the picture."""
    row = picture[height // 18]
    return sum(1 << bit for bit in range(16) if row[round((bit + 0.5) * width / 16)].mean() > 128)


class Case:
    """An incident whose worker saw a sub stream of 640x360, a recorder's volume, the record, and a janitor's part of it."""

    def __init__(self, folder: Path, volume: FilledVolume) -> None:
        self.folder = folder / "pictures"
        self.volume = volume
        self.clock = FakeClock(MORNING_S + 8.0)
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
    ) -> dict[str, Any]:
        """What the worker keeps and tells: a picture `at_s` seconds after the recording began, then the incident."""
        pixels = np.full((size[1], size[0], 3), 90, np.uint8)
        frame = Frame("gate", "run-1", MORNING_S + at_s, pixels)
        request = PictureRequest(incident_id, "illegal_parking", "kerb", role, frame.time_s, box)
        place = Place("North Primary School", "gate", "gate", ZoneInfo("Asia/Shanghai"), "en")
        record = PictureStore(self.folder).save(request, frame, place, hide=[] if hide is None else hide)
        self.records.setdefault(incident_id, {})[role] = record
        self.tell(incident_id)
        return record

    def tell(self, incident_id: str = "case-1", revision: int | None = None) -> None:
        records = self.records[incident_id]
        times = {"first_seen_s": MORNING_S, "opened_s": MORNING_S + 1, "time_s": MORNING_S + 1}
        told = an_incident(incident_id, revision or len(records), Phase.OPENED, camera_id="gate", **times)
        event = incident_event(told, "v1", "gate", list(records.values()))
        with self.database.write() as connection:
            incidents.apply(connection, [incidents.notice_of(event)], MORNING_S)

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

    def picture(self, still: dict[str, Any]) -> np.ndarray:
        found = cv2.imread(str(self.folder / still["path"]))
        assert found is not None
        return found


@pytest.fixture
def case(tmp_path: Path, large: FilledVolume) -> Iterator[Case]:
    made = Case(tmp_path, large)
    yield made
    made.database.close()


def test_the_nearest_recorded_picture_is_cut_at_full_size_beside_the_first_and_both_say_what_they_are(
    case: Case,
) -> None:
    record = case.see(3.34)
    first = (case.folder / record["path"]).read_bytes()
    assert case.run() == 1
    still = case.main()
    picture = case.picture(still)
    assert number_on(picture) == 33
    assert (still["captured_at"], still["off_s"]) == ("2026-03-02T08:00:03.300Z", -0.04)
    assert (still["source"], still["width"], still["height"], still["scale"]) == (MAIN, 1920, 1080, 3.0)
    assert still["evidence_size"] is True
    assert picture.shape[1] == 1920
    assert picture.shape[0] > 1080, "the words are below it"
    assert (picture[1080:] > 150).sum() > 500
    outline = picture[round(0.55 * 1080), round(0.25 * 1920)]
    assert outline[2] > outline[0] + 100, "the subject is outlined where it is on this size"
    content = (case.folder / still["path"]).read_bytes()
    assert still["sha256"] == hashlib.sha256(content).hexdigest()
    beside = json.loads((case.folder / still["path"]).with_suffix(".json").read_text())
    assert {name: beside[name] for name in still} == still
    assert (case.folder / record["path"]).read_bytes() == first, "the first picture stays as it is"
    segment = case.volume.volume.root / still["segment"]["path"]
    assert hashlib.sha256(segment.read_bytes()).hexdigest() == still["segment"]["sha256"]


@pytest.mark.parametrize(("at_s", "number"), [(0.0, 0), (1.97, 20), (2.04, 20), (5.96, 60), (7.4, 74)])
def test_which_picture_is_nearest_does_not_depend_on_where_segments_end(case: Case, at_s: float, number: int) -> None:
    case.see(at_s)
    case.run()
    assert number_on(case.picture(case.main())) == number
    assert case.main()["off_s"] == pytest.approx(number / 10 - at_s, abs=0.002)


def test_it_waits_for_the_segment_and_cuts_each_picture_once(case: Case) -> None:
    case.see(9.0)
    case.clock.advance(2.0)
    assert case.run() == 0
    assert case.main() is None
    assert [path.name for path in case.folder.rglob("*.main.*")] == []
    case.volume.add(start_ms=round((MORNING_S + 8) * 1000), count=1)
    assert case.run() == 1
    made = (case.folder / case.main()["path"]).stat().st_mtime_ns
    assert case.run() == 0
    assert case.run(janitor=case.another()) == 0
    assert (case.folder / case.main()["path"]).stat().st_mtime_ns == made


def test_what_was_cut_before_a_crash_is_found_again(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.see(3.34)
    case.broken = True
    with pytest.raises(Unavailable):
        case.run()
    (path,) = case.folder.rglob("limit.main.jpg")
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    case.broken = False
    with monkeypatch.context() as patched:
        patched.setattr(case.footage, "still", lambda *_: pytest.fail("it was cut already"))
        assert case.run(janitor=case.another()) == 1
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert case.main()["path"] == path.relative_to(case.folder).as_posix()
    case.another().run_once(case.footage, case.rows())
    path.write_bytes(before[0][:1000])  # half of it: not what was cut
    with case.database.write() as connection:
        connection.exec_driver_sql("UPDATE incidents SET stills = NULL")
    assert case.run(janitor=case.another()) == 1
    assert number_on(case.picture(case.main())) == 33


def test_a_decoder_that_ends_the_process_is_not_tried_for_ever(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def still(_camera: str, _at_s: float, decoding: Callable[[], object]) -> None:
        decoding()
        raise Killed

    case.see(3.34)
    monkeypatch.setattr(case.footage, "still", still)
    for _ in range(3):
        with pytest.raises(Killed):
            case.run(janitor=case.another())
    assert case.run(janitor=case.another()) == 0
    assert case.main()["missing"] == "damaged"
    assert [path.name for path in case.folder.rglob("*.main.*")] == []


def test_a_later_revision_and_its_redelivery_keep_the_still_and_a_replaced_picture_gets_its_own(case: Case) -> None:
    case.see(3.34, "peak")
    case.run()
    before = case.main("peak")
    case.tell(revision=5)
    case.tell(revision=5)
    assert case.main("peak") == before
    case.see(5.0, "peak")
    case.tell(revision=6)
    assert case.main("peak") is None, "what was cut for the earlier one is not its own"
    assert case.run() == 1
    assert number_on(case.picture(case.main("peak"))) == 50
    assert len(case.rows()[0]["stills"]) == 1


def test_a_gap_is_said_with_its_cause_when_the_recorder_has_had_its_time(case: Case) -> None:
    from_ms = round((MORNING_S + 8) * 1000)
    with case.volume.index.transaction() as cursor:
        ledger.add_gap(cursor, "gate", Gap(from_ms, from_ms + 4000, Cause.NETWORK, "connection lost"))
    case.volume.add(start_ms=from_ms + 4000, count=1)
    case.see(10.0)
    case.clock.advance(10.0)
    assert case.run() == 0
    assert case.main() is None, "a segment may still come in"
    case.clock.advance(120.0)
    case.run()
    assert case.main()["missing"] == "gap"
    assert case.main()["detail"] == "network: connection lost"
    assert [path.name for path in case.folder.rglob("*.main.*")] == []


def test_at_the_edge_of_a_gap_only_a_picture_that_is_near_is_taken(case: Case) -> None:
    case.see(7.9 + FARTHEST_MS / 1000 - 0.01, "limit")
    case.see(7.9 + FARTHEST_MS / 1000 + 0.01, "cleared")
    case.clock.advance(1000.0)
    case.run()
    assert number_on(case.picture(case.main("limit"))) == 79
    assert case.main("limit")["off_s"] == pytest.approx(-0.49, abs=0.002)
    assert case.main("cleared")["missing"] == "gap"


def test_a_camera_that_is_not_recorded_and_a_recorder_elsewhere_are_said(case: Case, tmp_path: Path) -> None:
    case.see(3.0)
    assert case.run(footage=None) == 0
    assert case.main() is None
    case.clock.advance(150.0)
    case.run(footage=None)
    assert case.main()["missing"] == "elsewhere"
    case.run(footage=None)
    assert case.run() == 1, "the volume was only not there yet"
    assert number_on(case.picture(case.main())) == 30
    with case.volume.index.transaction() as cursor:
        cursor.execute("UPDATE segments SET camera = 'yard'")
        cursor.execute("UPDATE cameras SET camera = 'yard'")
    case.see(4.0, incident_id="case-2")
    case.clock.advance(900.0)
    case.run()
    assert case.main(incident_id="case-2")["missing"] == "not_recorded"


def test_a_segment_that_is_not_what_was_recorded_is_no_evidence(case: Case) -> None:
    at_ms = round((MORNING_S + 3) * 1000)
    (segment,) = ledger.segments(case.volume.index, "gate", Span(at_ms, at_ms + 1))
    path = case.volume.path(segment)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    case.see(3.0)
    case.see(5.0, "cleared")
    case.run()
    assert case.main()["missing"] == "damaged"
    assert number_on(case.picture(case.main("cleared"))) == 50, "the others go on"


def test_a_stream_that_came_damaged_gives_no_picture_that_was_guessed(
    tmp_path: Path, large: FilledVolume, counted: Callable[[int, int], Stream]
) -> None:
    stream = counted(1920, 1080)
    broken = list(stream.fragments)
    data = bytearray(broken[2].data)
    start = data.index(b"mdat") + 2000
    data[start : start + 3000] = bytes(3000)
    kind = type(broken[2])
    broken[2] = kind(bytes(data), *(getattr(broken[2], name) for name in kind.__slots__[1:]))
    large._stream = type(stream)(stream.data, stream.init, broken[:4])
    large.add(start_ms=round((MORNING_S + 8) * 1000), count=2)
    case = Case(tmp_path, large)
    case.clock.advance(10.0)
    case.see(10.45)
    case.see(9.0, "first_seen")
    case.run()
    assert case.main()["missing"] == "damaged"
    assert "scale" in case.main("first_seen")
    case.database.close()


def test_a_close_up_is_cut_from_the_main_stream_with_the_scale_and_where(case: Case) -> None:
    case.see(3.0, "close_up")
    case.see(3.0, "limit")
    case.run()
    still = case.main("close_up")
    assert (still["scale"], still["frame_px"]) == (3.0, [1920, 1080])
    left, top, right, bottom = still["cut_px"]
    assert (left < 480, top < 432, right > 960, bottom > 756) == (True,) * 4
    assert (still["width"], still["height"]) == (right - left, bottom - top)
    assert still["enlarged"] == 1
    # The fields' greys are 8 apart, 120 px wide: it is that part of the recorded picture, and as large.
    whole = case.main("limit")
    assert still["captured_at"] == whole["captured_at"]
    part = case.picture(whole)[top:bottom, left:right]
    inside = (slice(10, 300), slice(10, 60))
    assert case.picture(still)[: bottom - top][inside] == pytest.approx(part[inside], abs=12)


def test_streams_of_another_shape_give_no_close_up_no_outline_and_nothing_to_whoever_sees_people_blurred(
    case: Case,
) -> None:
    case.see(3.0, size=(640, 480), hide=[PERSON])
    case.see(4.0, "close_up", size=(640, 480), hide=[PERSON])
    case.run()
    still = case.main()
    assert (still["same_shape"], still["blurrable"]) == (False, False)
    assert (case.picture(still)[:1080, :, 2].astype(int) - case.picture(still)[:1080, :, 0] < 60).all(), "no outline"
    assert case.main("close_up")["missing"] == "other_shape"
    desk = PictureDesk(case.folder)
    with pytest.raises(NoPicture, match="unblurrable"):
        desk.blurred({"data": {"pictures": [still]}})
    assert desk.original({"data": {"pictures": [still]}}).content == (case.folder / still["path"]).read_bytes()


def contrast(picture: np.ndarray) -> float:
    return float(np.abs(np.diff(picture.mean(axis=2), axis=1)).mean())


@pytest.mark.parametrize("role", ["limit", "close_up"])
def test_whoever_sees_people_blurred_gets_the_still_with_the_same_people_hidden(case: Case, role: str) -> None:
    head, plate = Box("person", 200, 130, 230, 200), Box("vehicle", 240, 150, 300, 230)
    case.see(3.0, role, hide=[head, plate])
    case.run()
    still = case.main(role)
    assert still["blurrable"] is True
    blurred = PictureDesk(case.folder).blurred({"data": {"pictures": [still]}})
    assert blurred.blurred
    shown = cv2.imdecode(np.frombuffer(blurred.content, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    original = case.picture(still)
    by = shown.shape[1] / original.shape[1]
    left, top = still.get("cut_px", [0, 0])[:2]

    def part(of: np.ndarray, box: tuple[float, float, float, float], times: float) -> np.ndarray:
        x1, y1, x2, y2 = (3 * side for side in box)
        rows = slice(round((y1 - top) * times), round((y2 - top) * times))
        return of[rows, round((x1 - left) * times) : round((x2 - left) * times)]

    for hidden in ((200, 130, 230, 150), (250, 180, 290, 225)):
        assert contrast(part(original, hidden, 1.0)) > 20
        assert contrast(part(shown, hidden, by)) < 6
    seen = (350, 150, 380, 200) if role == "limit" else (330, 240, 345, 270)
    assert contrast(part(shown, seen, by)) > 10, "where nobody is, nothing is hidden"


def test_boxes_grow_with_the_time_between_the_two_pictures(case: Case) -> None:
    case.see(3.0, "near", hide=[PERSON])
    case.see(3.05, "far", hide=[PERSON])
    case.run()
    boxes = [
        json.loads((case.folder / case.main(role)["path"]).with_suffix(".json").read_text())["hide"][0]
        for role in ("near", "far")
    ]
    height = 3 * 100
    assert [3 * 300 - box["x1_px"] for box in boxes] == pytest.approx([0.2 * height, 0.25 * height], abs=1.0)
    assert [box["x2_px"] - 3 * 340 for box in boxes] == pytest.approx([0.2 * height, 0.25 * height], abs=1.0)


def test_a_picture_that_nobody_looked_at_has_a_still_that_is_not_blurred_and_not_given(case: Case) -> None:
    record = case.see(3.0)
    path = (case.folder / record["path"]).with_suffix(".json")
    beside = json.loads(path.read_text())
    del beside["hide"]
    path.write_text(json.dumps(beside))
    case.run()
    assert case.main()["blurrable"] is False
    with pytest.raises(NoPicture, match="unblurrable"):
        PictureDesk(case.folder).blurred({"data": {"pictures": [case.main()]}})


def test_one_turn_has_bounded_work(case: Case) -> None:
    for number in range(5):
        case.see(1.0 + number, f"role-{number}")
    assert [case.run() for _ in range(3)] == [3, 2, 0]


def test_pictures_given_by_hand_and_pictures_that_are_gone_are_left_alone(case: Case) -> None:
    record = case.see(3.0, "by_hand")
    case.records["case-1"]["by_hand"] = record | {"source": "by hand"}
    case.tell(revision=2)
    assert case.run() == 0
    assert case.main("by_hand") is None
    gone = case.see(4.0, "limit", incident_id="case-2")
    (case.folder / gone["path"]).unlink()
    assert case.run() == 0
    assert case.main(incident_id="case-2")["missing"] == "picture_gone"
