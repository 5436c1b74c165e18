"""Beside an incident's pictures: the same moments out of the recorded main stream, cut once, said where from, never instead."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.errors import Unavailable
from pipelines.evidence.stills import MAIN
from pipelines.evidence.testing import MORNING_S, Case, number_on
from pipelines.media.hiding import Box
from pipelines.recording import ledger
from pipelines.recording.coverage import Cause, Gap, Span
from pipelines.recording.holds import Holds
from pipelines.recording.incidentfiles import delete, pictures_in
from pipelines.recording.journal import Journal
from pipelines.recording.stills import FARTHEST_MS

if TYPE_CHECKING:
    from conftest import FilledVolume, Stream


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


def test_a_gap_that_is_filled_afterwards_gives_its_picture_after_all(
    case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    """A recorder that was killed takes in what it had written when it starts again, which may be hours later."""
    case.see(9.0)
    case.clock.advance(1000.0)
    for _ in range(3):
        case.run()
        case.clock.advance(61.0)
    assert case.main()["missing"] == "gap"
    assert len(caplog.records) == 1, "it is said once"
    case.clock.advance(7200.0)
    case.volume.add(start_ms=round((MORNING_S + 8) * 1000), count=1)
    assert case.run() == 0, "this one gave up long ago"
    assert case.run(janitor=case.another()) == 1, "one that starts looks again"
    assert number_on(case.picture(case.main())) == 10, "which begins anew"


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
    tmp_path: Path, large: FilledVolume, counted: Callable[..., Stream]
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


@pytest.mark.parametrize("damage", [{"captured_at": "yesterday"}, {"hide": [{"kind": "person"}]}, {"frame_px": [0, 0]}])
def test_a_record_that_cannot_be_read_stops_no_other_and_is_said(case: Case, damage: dict[str, Any]) -> None:
    record = case.see(3.0, hide=[Box("person", 300, 100, 340, 200)])
    beside = (case.folder / record["path"]).with_suffix(".json")
    beside.write_text(json.dumps(json.loads(beside.read_text()) | damage))
    case.records["case-1"]["limit"] = record | damage
    case.tell(revision=2)
    case.see(4.0, incident_id="case-2")
    case.run()
    assert case.main()["missing"] == "unreadable"
    assert number_on(case.picture(case.main(incident_id="case-2"))) == 40
    assert [path.name for path in case.folder.rglob("*.main.*") if "case-1" in str(path)] == []


def test_a_picture_whose_place_another_took_is_waited_for_and_then_given_up(case: Case) -> None:
    told = case.see(3.0, "peak")
    case.see(4.0, "peak")
    case.records["case-1"]["peak"] = told
    case.tell(revision=3)
    assert case.run() == 0
    assert case.main("peak") is None, "its message is on its way"
    case.clock.advance(3700.0)
    assert case.run() == 0
    assert case.main("peak")["missing"] == "picture_gone"
    outside = case.see(5.0, "limit", incident_id="case-2")
    case.records["case-2"]["limit"] = outside | {"path": "../../elsewhere.jpg"}
    case.tell("case-2", revision=2)
    assert case.run() == 0


def test_stills_have_their_time_are_held_and_go_as_the_pictures_do(case: Case) -> None:
    case.see(3.0)
    case.run()
    index, volume = case.volume.index, case.volume.volume
    at_ms, later_ms = round((MORNING_S + 3) * 1000), round((MORNING_S + 100 * 86_400) * 1000)
    found = {file.path.name: file for file in pictures_in(case.folder, later_ms, index)}
    assert set(found) == {"limit.jpg", "limit.main.jpg"}
    still = found["limit.main.jpg"]
    assert (still.camera, still.incident_id, still.span) == ("gate", "case-1", Span(at_ms, at_ms))
    assert still.sha256 == case.main()["sha256"]
    journals = (Journal(volume.journal / "ledger.jsonl"), Journal(volume.journal / "audit.jsonl"))
    holds = Holds(index, journals[1])
    span = Span(at_ms - 1, at_ms + 1)
    hold = holds.place(["gate"], span, reason="r", owner="o", actor="a", now_ms=at_ms).hold
    assert delete(index, list(found.values()), journals, later_ms) == 0
    holds.release(hold.hold_id, reason="closed", actor="a", now_ms=at_ms)
    assert delete(index, list(found.values()), journals, later_ms) == 2
    assert [path for path in case.folder.rglob("*") if path.is_file()] == []
    (entry,) = [one for one in journals[0].entries() if one.action == "delete_picture"]
    assert ["case-1", "limit.main.jpg", at_ms, at_ms, still.sha256] in entry.data["files"]
