"""What must not stop the janitor's pictures, nor be written to: forged records, damaged notes, disks
that refuse, wrong clocks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.evidence.testing import MORNING_S, Case, number_on
from pipelines.files import write_atomically
from pipelines.media.hiding import Box
from pipelines.recording.incidentfiles import delete, pictures_in
from pipelines.recording.journal import Journal
from pipelines.store.database import Refused

if TYPE_CHECKING:
    from conftest import FilledVolume, Stream


@pytest.fixture
def case(tmp_path: Path, large: FilledVolume) -> Iterator[Case]:
    made = Case(tmp_path, large)
    yield made
    made.database.close()


def retell(case: Case, incident_id: str, role: str = "limit", **more: Any) -> None:
    case.records[incident_id][role] = case.records[incident_id][role] | more
    case.tell(incident_id, revision=9)


def cut_of(case: Case, incident_id: str, turns: int = 4) -> int:
    for _ in range(turns):
        case.run()
        case.clock.advance(5.0)
    return number_on(case.picture(case.main(incident_id=incident_id)))


@pytest.mark.parametrize("path", ["x" * 300 + ".jpg", "a\0b.jpg", "a\ud800.jpg", "/etc/hostname", "../x.jpg", ""])
def test_a_path_that_is_none_stops_no_other(case: Case, path: str) -> None:
    case.see(4.0, incident_id="old")
    case.see(3.0, incident_id="zz")
    retell(case, "zz", path=path)
    assert cut_of(case, "old") == 40


@pytest.mark.parametrize(
    "damage", [{"frame_px": [640]}, {"box_norm": [0.1]}, {"hide": [[]]}, {"frame_px": {"a": 1}}, {"cut_px": []}]
)
def test_a_damaged_note_beside_a_picture_stops_no_other(case: Case, damage: dict[str, Any]) -> None:
    case.see(4.0, incident_id="old")
    record = case.see(3.0, incident_id="zz", hide=[Box("person", 300, 100, 340, 200)])
    beside = (case.folder / record["path"]).with_suffix(".json")
    beside.write_text(json.dumps(json.loads(beside.read_text()) | damage))
    assert cut_of(case, "old") == 40
    assert case.main(incident_id="zz")["missing"] == "unreadable"


def test_a_note_nested_without_end_stops_no_other(case: Case) -> None:
    case.see(4.0, incident_id="old")
    record = case.see(3.0, incident_id="zz")
    (case.folder / record["path"]).with_suffix(".json").write_text("[" * 100_000)
    assert cut_of(case, "old") == 40


def test_a_folder_that_cannot_be_written_stops_no_other(case: Case) -> None:
    case.see(4.0, incident_id="old")
    record = case.see(3.0, incident_id="zz")
    # Root may write everywhere; a folder in the place of the file it may not replace.
    (case.folder / record["path"]).with_suffix(".main.json").mkdir()
    assert cut_of(case, "old") == 40
    (case.folder / record["path"]).with_suffix(".main.json").rmdir()
    case.clock.advance(600.0)
    assert cut_of(case, "zz") == 30, "and it is tried again"


def test_what_the_store_refuses_stops_no_other(case: Case) -> None:
    case.see(4.0, incident_id="old")
    case.see(3.0, incident_id="zz")
    put = case.put

    def refusing(incident_id: str, still: Any) -> None:
        if incident_id == "zz":
            raise Refused("no such value")
        put(incident_id, still)

    case.put = refusing  # type: ignore[method-assign]
    case.stills = case.another()
    assert cut_of(case, "old") == 40


def test_pictures_of_the_future_do_not_take_every_turn(case: Case) -> None:
    """A host whose clock stood in another year for a while leaves incidents that stay the newest."""
    case.see(4.0, incident_id="old")
    later = datetime.fromtimestamp(MORNING_S + 10 * 365 * 86_400, UTC).isoformat()
    for number in range(70):
        case.records.setdefault("zz", {})[f"r{number}"] = case.see(3.0, f"r{number}", incident_id="zz") | {
            "captured_at": later
        }
    retell(case, "zz", "r69")
    assert cut_of(case, "old") == 40


def test_a_record_that_names_the_picture_of_another_incident_touches_nothing_of_it(case: Case) -> None:
    record = case.see(4.0, incident_id="old")
    case.run()
    still = case.main(incident_id="old")
    before = {path.name: path.read_bytes() for path in (case.folder / record["path"]).parent.iterdir()}
    case.see(3.0, incident_id="zz")
    retell(case, "zz", path=record["path"], sha256=record["sha256"], captured_at="2026-03-02T08:00:06Z")
    case.run()
    assert {path.name: path.read_bytes() for path in (case.folder / record["path"]).parent.iterdir()} == before
    assert case.main(incident_id="old") == still
    assert case.main(incident_id="zz") is None


def test_a_picture_that_is_not_what_its_record_says_gives_none(case: Case) -> None:
    record = case.see(3.0)
    path = case.folder / record["path"]
    path.write_bytes(path.read_bytes() + b"more")
    case.clock.advance(3700.0)
    assert case.run() == 0
    assert case.main()["missing"] == "picture_gone"


def test_two_pictures_that_say_they_are_the_same_role_are_not_cut_for_ever(case: Case) -> None:
    first = case.see(3.0, "limit")
    case.records["case-1"] = {"a": first | {"sha256": "0" * 64}, "b": first}
    case.tell(revision=4)
    case.clock.advance(3700.0)
    case.run()
    seen = [case.run() for _ in range(3)]
    assert seen == [0, 0, 0]
    assert number_on(case.picture(case.rows()[0]["stills"][0])) == 30


def test_a_gap_under_a_late_picture_of_a_long_incident_is_looked_at_again(case: Case) -> None:
    """A car that left after hours: its last picture is young, its incident is not."""
    case.see(3.0)
    case.run()
    case.clock.advance(4 * 3600.0)
    left_s = 4 * 3600.0
    case.see(left_s, "cleared")
    case.clock.advance(1000.0)
    case.run()
    assert case.main("cleared")["missing"] == "gap"
    case.clock.advance(601.0)
    case.volume.add(start_ms=round((MORNING_S + left_s - 2) * 1000), count=2)
    assert case.run() == 1
    assert number_on(case.picture(case.main("cleared"))) == 20


def test_a_second_janitor_does_not_take_the_note_of_what_the_first_has_cut(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.see(3.0)
    rows = case.rows()
    still = case.footage.still

    class Killed(BaseException):
        pass

    def slow(camera: str, at_s: float, decoding: Any) -> Any:
        with monkeypatch.context() as quick:
            quick.setattr(case.footage, "still", still)
            case.stills.run_once(case.footage, rows)  # the other one is just done
        decoding()
        raise Killed

    monkeypatch.setattr(case.footage, "still", slow)
    with suppress(Killed):
        case.another().run_once(case.footage, rows)
    beside = json.loads((case.folder / case.main()["path"]).with_suffix(".json").read_text())
    assert beside["sha256"] == case.main()["sha256"]


class Ended(BaseException):
    """A process that is killed."""


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("step", range(3))
@pytest.mark.parametrize("fault", [Ended(), OSError(28, "No space left on device")], ids=["killed", "full disk"])
def test_whatever_is_written_when_it_ends_the_next_one_has_the_same_in_the_end(
    case: Case, monkeypatch: pytest.MonkeyPatch, step: int, done: bool, fault: BaseException
) -> None:
    """The note that a decoder is at work, the picture, what is said of it."""
    record = case.see(3.0)
    first = {path: path.read_bytes() for path in case.folder.rglob("*.*")}
    writes = []

    def write(path: Path, content: bytes, **more: Any) -> None:
        writes.append(path)
        if len(writes) == step + 1:
            if done:
                write_atomically(path, content, **more)
            raise fault
        write_atomically(path, content, **more)

    with monkeypatch.context() as patched, suppress(Ended):
        patched.setattr("pipelines.evidence.stills.write_atomically", write)
        assert case.run() == 0
    assert len(writes) == step + 1
    assert case.main() is None
    case.clock.advance(301.0)
    assert case.run(janitor=case.another()) == 1
    assert number_on(case.picture(case.main())) == 30
    assert {path: path.read_bytes() for path in first} == first
    names = {path.name for path in (case.folder / record["path"]).parent.iterdir()}
    assert names == {"limit.jpg", "limit.json", "limit.main.jpg", "limit.main.json"}


def test_what_a_killed_janitor_left_goes_with_the_pictures(case: Case) -> None:
    record = case.see(3.0)
    note = (case.folder / record["path"]).with_suffix(".main.json")
    note.write_text(json.dumps({"of": record["sha256"], "tries": 1}))
    volume = case.volume.volume
    journals = (Journal(volume.journal / "ledger.jsonl"), Journal(volume.journal / "audit.jsonl"))
    later_ms = round((MORNING_S + 100 * 86_400) * 1000)
    delete(case.volume.index, pictures_in(case.folder, later_ms, case.volume.index), journals, later_ms)
    assert list(case.folder.iterdir()) == [], "no empty folders of incidents stay for ever"


def test_a_camera_that_was_exchanged_gives_the_picture_as_it_was_recorded(
    tmp_path: Path, large: FilledVolume, counted: Callable[..., Stream]
) -> None:
    small = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=10", "-tag:v", "hvc1")
    large._stream = counted(640, 360, small)
    large.add(start_ms=round((MORNING_S + 8) * 1000), count=1)
    case = Case(tmp_path, large)
    case.see(7.9)
    case.see(8.0, "cleared")
    case.clock.advance(30.0)
    case.run()
    before, after = case.main(), case.main("cleared")
    assert (before["width"], before["scale"], after["width"], after["scale"]) == (1920, 3.0, 640, 1.0)
    assert number_on(case.picture(after), 640, 360) == 0
    assert (before["evidence_size"], after["evidence_size"]) == (True, False)
    case.database.close()
