from __future__ import annotations

import hashlib
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import pytest

from pipelines.media.hiding import Box
from pipelines.wording import Language
from pipelines.workers.pictures import PictureStore, Place, stamp
from vision.frame import Frame
from vision.incident import PictureRequest

TIME_S = 1_788_218_400.25  # 2026-08-31T23:20:00.250Z


def a_frame(width: int = 640, height: int = 360) -> Frame:
    pixels = np.random.default_rng(7).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Frame("gate-north", "run-1", TIME_S, pixels)


def a_request(role: str = "limit") -> PictureRequest:
    return PictureRequest("case-1", "illegal_parking", "kerb", role, TIME_S, (0.25, 0.25, 0.5, 0.5))


def a_place(language: Language = "zh-CN") -> Place:
    return Place("North Primary School", "gate-north", "北门", ZoneInfo("Asia/Shanghai"), language)


def test_the_stamp_covers_no_pixel_of_the_frame_but_the_outline() -> None:
    frame = a_frame()
    before = frame.pixels.copy()
    picture = stamp(frame, a_request(), a_place())
    assert picture.shape[0] > 360
    assert picture.shape[1:] == (640, 3)
    same = (picture[:360] == frame.pixels).all(axis=2)
    assert same[:85].all(), "above the outline"
    assert same[100:170, 170:310].all(), "inside the outline"
    assert not same[90, 160:320].any(), "the outline itself"
    assert (frame.pixels == before).all()


def test_the_band_has_text_in_both_languages() -> None:
    chinese = stamp(a_frame(), a_request(), a_place("zh-CN"))[360:]
    english = stamp(a_frame(), a_request(), a_place("en"))[360:]
    assert (chinese > 150).sum() > 500
    assert (english > 150).sum() > 500
    assert (chinese != english).any()


def test_the_record_names_what_is_on_the_disk(tmp_path: Path) -> None:
    record = PictureStore(tmp_path).save(a_request(), a_frame(), a_place())
    content = (tmp_path / record["path"]).read_bytes()
    assert record["path"] == "2026-08-31/case-1/limit.jpg"
    assert record["sha256"] == hashlib.sha256(content).hexdigest()
    assert record["captured_at"] == "2026-08-31T23:20:00.250Z"
    assert (record["width"], record["height"], record["evidence_size"]) == (640, 360, False)
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape[1] == 640
    beside = json.loads((tmp_path / record["path"]).with_suffix(".json").read_text())
    assert beside == record


@pytest.mark.parametrize(("size", "grade"), [((1280, 720), True), ((1279, 720), False), ((1920, 719), False)])
def test_a_picture_says_whether_it_is_large_enough_for_evidence(
    tmp_path: Path, size: tuple[int, int], grade: bool
) -> None:
    assert PictureStore(tmp_path).save(a_request(), a_frame(*size), a_place())["evidence_size"] is grade


def test_a_later_picture_of_the_same_role_replaces_the_earlier(tmp_path: Path) -> None:
    store = PictureStore(tmp_path)
    store.save(a_request("peak"), a_frame(), a_place())
    later = store.save(a_request("peak"), a_frame(320, 240), a_place())
    assert later["width"] == 320
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["peak.jpg", "peak.json"]


def test_what_is_discarded_leaves_nothing_and_spares_the_neighbours(tmp_path: Path) -> None:
    store = PictureStore(tmp_path)
    gone = [store.save(a_request(role), a_frame(), a_place()) for role in ("first_seen", "limit")]
    other = PictureRequest("case-2", "crowding", "forecourt", "limit", TIME_S, None)
    kept = store.save(other, a_frame(), a_place())
    store.discard(gone)
    store.discard(gone)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["limit.jpg", "limit.json"]
    assert (tmp_path / kept["path"]).is_file()
    assert not (tmp_path / "2026-08-31" / "case-1").exists()


def test_a_close_up_shows_the_subject_enlarged_and_hides_the_same_people(tmp_path: Path) -> None:
    frame = a_frame(640, 480)
    frame.pixels[200:240, 300:380] = (0, 0, 255)
    request = PictureRequest(
        "case-1", "illegal_parking", "kerb", "close_up", TIME_S, (300 / 640, 200 / 480, 380 / 640, 0.5)
    )
    person, plate = Box("person", 300, 190, 320, 240), Box("vehicle", 0, 0, 20, 20)
    record = PictureStore(tmp_path).save(request, frame, a_place(), hide=[person, plate])
    left, top, right, bottom = record["cut_px"]
    assert (left < 300, top < 200, right > 380, bottom > 240) == (True,) * 4
    assert (record["width"], record["height"]) == (
        record["enlarged"] * (right - left),
        record["enlarged"] * (bottom - top),
    )
    assert record["enlarged"] > 1
    assert record["evidence_size"] is False
    picture = cv2.imread(str(tmp_path / record["path"]))
    assert picture is not None
    times = record["enlarged"]
    red = picture[times * (202 - top) : times * (238 - top), times * (302 - left) : times * (378 - left)]
    assert red.reshape(-1, 3).mean(axis=0) == pytest.approx((0, 0, 255), abs=12)
    beside = json.loads((tmp_path / record["path"]).with_suffix(".json").read_text())
    assert beside["hide"][0] == {
        "kind": "person", "x1_px": times * (300 - left), "y1_px": times * (190 - top),
        "x2_px": times * (320 - left), "y2_px": times * (240 - top),
    }  # fmt: skip
    assert beside["hide"][1]["x2_px"] < 0  # outside the cut: nothing to hide


def test_a_close_up_at_the_edge_stays_in_the_picture(tmp_path: Path) -> None:
    request = PictureRequest("case-1", "illegal_parking", "kerb", "close_up", TIME_S, (0.97, 0.9, 1.0, 1.0))
    record = PictureStore(tmp_path).save(request, a_frame(1280, 720), a_place())
    assert record["cut_px"][2:] == [1280, 720]
    assert record["width"] > record["cut_px"][2] - record["cut_px"][0]
    assert record["width"] == 3 * 256, "a fifth of the picture's width, moved inside and not cut off"


def test_the_band_of_a_narrow_picture_is_as_wide_as_its_words() -> None:
    narrow, wide = stamp(a_frame(160, 120), a_request(), a_place()), stamp(a_frame(640, 120), a_request(), a_place())
    assert narrow.shape[1] > 200
    assert wide.shape[1] == 640
    assert (narrow[:120, 160:] == 24).all(), "nothing beside the frame"
    words = (narrow[120:] > 150).any(axis=2)
    assert words[:, 200:].any(), "they go on beyond the frame's edge"
    assert not words[:, -8:].any(), "and end before the band does"
