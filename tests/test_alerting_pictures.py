"""The picture of a message: blurred by the boxes kept with it, and never sent unblurred by accident."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import pytest

from pipelines.alerting.channels.base import Message, NoPicture
from pipelines.alerting.pictures import PictureDesk
from pipelines.events.envelope import incident_event
from pipelines.media.hiding import Box
from pipelines.testing import an_incident
from pipelines.workers.hiding import RecentBoxes
from pipelines.workers.pictures import PictureStore, Place
from vision.coco import CAR, PERSON
from vision.detection import Detections
from vision.frame import Frame
from vision.incident import Phase, PictureRequest
from vision.track import Track, TrackState

TIME_S = 1_788_218_400.25
PERSON_BOX = Box("person", 200.0, 100.0, 260.0, 280.0)
HEAD = (slice(90, 150), slice(205, 255))
AWAY = (slice(20, 60), slice(400, 600))


def a_frame(time_s: float = TIME_S, width: int = 640, height: int = 360) -> Frame:
    """Fine stripes everywhere: whatever is blurred loses them."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, ::4] = pixels[:, 1::4] = 255
    return Frame("gate-north", "run-1", time_s, pixels)


def kept(folder: Path, hide: list[Box] | None, role: str = "limit", frame: Frame | None = None) -> dict[str, Any]:
    place = Place("School", "gate-north", "北门", ZoneInfo("Asia/Shanghai"), "zh-CN")
    frame = frame or a_frame()
    request = PictureRequest("case-1", "illegal_parking", "kerb", role, frame.time_s, None)
    return PictureStore(folder).save(request, frame, place, hide=hide)


def event(*records: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return incident_event(an_incident(**changes), "v", "北门", records).to_dict()


def contrast(jpeg: bytes, part: tuple[slice, slice]) -> float:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    # Along a row: the blocks of the mosaic differ from each other, their insides do not.
    return float(np.mean(np.abs(np.diff(picture[part].astype(int), axis=1))))


def test_heads_lose_their_detail_the_rest_and_the_original_keep_it(tmp_path: Path) -> None:
    record = kept(tmp_path, [PERSON_BOX])
    original = (tmp_path / record["path"]).read_bytes()
    picture = PictureDesk(tmp_path).blurred(event(record))
    assert (picture.blurred, picture.name, picture.captured_at) == (True, "limit.jpg", record["captured_at"])
    assert contrast(original, HEAD) > 100
    assert contrast(picture.content, HEAD) < 10
    assert contrast(picture.content, AWAY) > 100
    assert (tmp_path / record["path"]).read_bytes() == original
    assert PictureDesk(tmp_path).original(event(record)).content == original


def test_the_boxes_are_not_in_the_record_that_goes_round(tmp_path: Path) -> None:
    record = kept(tmp_path, [PERSON_BOX])
    beside = json.loads((tmp_path / record["path"]).with_suffix(".json").read_text())
    assert "hide" not in record
    assert beside.pop("hide") == [{"kind": "person", "x1_px": 200.0, "y1_px": 100.0, "x2_px": 260.0, "y2_px": 280.0}]
    assert beside == record


def test_nobody_on_it_is_not_the_same_as_nobody_looked(tmp_path: Path) -> None:
    assert PictureDesk(tmp_path).blurred(event(kept(tmp_path, []))).blurred
    with pytest.raises(NoPicture, match="unblurrable"):
        PictureDesk(tmp_path).blurred(event(kept(tmp_path, None)))


def spoil_hash(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\x00")


def spoil_picture(path: Path) -> None:
    path.write_bytes(b"\xff\xd8 no picture")
    beside = json.loads(path.with_suffix(".json").read_text())
    import hashlib

    beside["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(beside))


def spoil_boxes(path: Path) -> None:
    beside = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(beside | {"hide": [{"kind": "person"}]}))


def spoil_size(path: Path) -> None:
    beside = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(beside | {"width": 1920}))


@pytest.mark.parametrize("spoil", [spoil_hash, spoil_picture, spoil_boxes, spoil_size])
def test_a_picture_whose_boxes_are_not_its_own_is_not_sent(tmp_path: Path, spoil: Any) -> None:
    record = kept(tmp_path, [PERSON_BOX])
    spoil(tmp_path / record["path"])
    with pytest.raises(NoPicture, match="unblurrable"):
        PictureDesk(tmp_path).blurred(event(record))


def test_files_that_are_gone_and_paths_that_lead_away(tmp_path: Path) -> None:
    desk = PictureDesk(tmp_path / "pictures")
    record = kept(tmp_path / "pictures", [])
    outside = kept(tmp_path / "elsewhere", [])
    for path in (f"../elsewhere/{outside['path']}", str(tmp_path / "elsewhere" / outside["path"]), "", "nothing.jpg"):
        with pytest.raises(NoPicture, match="missing"):
            desk.original(event(record | {"path": path}))
    (tmp_path / "pictures" / record["path"]).with_suffix(".json").unlink()
    with pytest.raises(NoPicture, match="missing"):
        desk.blurred(event(record))
    with pytest.raises(NoPicture, match="none"):
        desk.blurred(event())


def test_the_newest_that_can_be_blurred_is_sent_and_not_larger_than_needed(tmp_path: Path) -> None:
    first = kept(tmp_path, [], "first_seen")
    limit = kept(tmp_path, [], "limit", a_frame(TIME_S + 60, 1920, 1080))
    later = kept(tmp_path, None, "later", a_frame(TIME_S + 90))
    picture = PictureDesk(tmp_path).blurred(event(later, first, limit))
    assert picture.name == "limit.jpg"
    decoded = cv2.imdecode(np.frombuffer(picture.content, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape[1] == 1280


def test_a_message_says_what_its_picture_is_or_why_there_is_none(tmp_path: Path) -> None:
    desk = PictureDesk(tmp_path)

    def told(record: dict[str, Any] | None, choice: Any, why: str = "opened") -> tuple[bool, str]:
        about = event(*([record] if record else []))
        picture, note = Message("a", "a", "r", "p", False, 1, "", about, why, pictures=desk).picture(choice)
        return picture is not None, note

    good = kept(tmp_path, [PERSON_BOX])
    assert told(good, "blurred") == (True, "In the picture heads and number plates are blurred.")
    assert told(good, "original") == (True, "The picture is not blurred; do not pass it on.")
    assert told(good, "none") == told(None, "blurred") == told(good, "blurred", "closed") == (False, "")
    bad = kept(tmp_path, None)
    assert told(bad, "blurred") == (
        False,
        "Without a picture: it could not be blurred, and the original is not sent.",
    )


def seen(*boxes: tuple[int, tuple[float, float, float, float]]) -> Detections:
    return Detections(
        np.array([box for _, box in boxes], np.float32).reshape(-1, 4),
        np.full(len(boxes), 0.3, np.float32),
        np.array([class_id for class_id, _ in boxes], np.int64),
    )


def test_what_was_seen_half_a_second_ago_is_hidden_too() -> None:
    recent = RecentBoxes()
    assert recent.at(1.0) is None
    recent.add(1.0, seen((PERSON, (1, 2, 3, 4))))
    recent.add(1.4, seen((CAR, (5, 6, 7, 8)), (14, (9, 9, 10, 10))))
    assert recent.at(1.4) == [Box("person", 1, 2, 3, 4), Box("vehicle", 5, 6, 7, 8)]
    recent.add(1.6, seen())
    assert recent.at(1.6) == [Box("vehicle", 5, 6, 7, 8)]
    assert recent.at(1.4) is None, "that picture is no longer the last one that was looked at"
    assert recent.at(1.7) is None
    followed = Track(7, TrackState.LOST, PERSON, (11.0, 12.0, 13.0, 14.0), (0.0, 0.0), 0.5, 1.2, 0.9)
    recent.add(1.95, seen(), [followed])
    assert recent.at(1.95) == [Box("person", 11, 12, 13, 14)], "it stands still, so nobody looked there again"


def test_closed_and_phase_do_not_matter_for_the_desk(tmp_path: Path) -> None:
    record = kept(tmp_path, [])
    assert PictureDesk(tmp_path).blurred(event(record, phase=Phase.CLOSED)).blurred


@pytest.mark.parametrize("path", ["a\0b.jpg", "a\ud800.jpg", "x" * 300 + ".jpg", "/etc/hostname", "..", "", "."])
def test_a_path_that_came_over_the_bus_and_is_none_is_no_picture(tmp_path: Path, path: str) -> None:
    with pytest.raises(NoPicture, match="missing"):
        PictureDesk(tmp_path).original({"data": {"pictures": [{"path": path}]}})


@pytest.mark.parametrize(
    ("beside", "reason"),
    [
        ("[" * 100_000, "missing"),
        ('{"x1_px": "a"}', "unblurrable"),
        ('{"x1_px": NaN}', "unblurrable"),
        ('{"y2_px": Infinity}', "unblurrable"),
    ],
)
def test_a_damaged_note_beside_a_picture_is_no_picture(tmp_path: Path, beside: str, reason: str) -> None:
    record = kept(tmp_path, [PERSON_BOX])
    note = (tmp_path / record["path"]).with_suffix(".json")
    if reason == "unblurrable":
        said = json.loads(note.read_text())
        said["hide"][0] |= json.loads(beside)
        beside = json.dumps(said)
    note.write_text(beside)
    with pytest.raises(NoPicture, match=reason):
        PictureDesk(tmp_path).blurred({"data": {"pictures": [record]}})
