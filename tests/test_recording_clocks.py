"""Clocks on record: what was known when, the grade that an incident gets, and the watch that notes what cameras say."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.clock import SystemClock
from pipelines.recording import clocks
from pipelines.recording import settings as recording_settings
from pipelines.recording.cameratime import HTTP_DATE, ONVIF, Place
from pipelines.recording.clockstate import HostClock
from pipelines.recording.clockwatch import ClockWatch
from pipelines.recording.coverage import Span
from pipelines.recording.index import Index
from pipelines.recording.journal import Journal
from pipelines.testing import FakeClock
from pipelines.testing_cameratime import Camera, two_cameras

if TYPE_CHECKING:
    from conftest import FilledVolume

MORNING_MS = 1_772_438_400_000
GOOD_HOST = HostClock(True, 0.02)


@pytest.fixture
def cameras() -> Iterator[list[Camera]]:
    with two_cameras() as both:
        yield both


def grade(filled: FilledVolume, at_ms: int, host_now: HostClock = GOOD_HOST, now_ms: int | None = None) -> Any:
    now_ms = at_ms if now_ms is None else now_ms
    return clocks.grade_of(filled.index, "gate", Span(at_ms, at_ms), now_ms, host_now)


def look(filled: FilledVolume, camera: str, at_ms: int, bounds_ms: tuple[int, int] | None) -> clocks.Row | None:
    source = clocks.KERNEL if camera == clocks.HOST else ONVIF
    with filled.index.transaction() as cursor:
        return clocks.note(cursor, camera, source, at_ms, bounds_ms)


def test_an_incident_of_last_month_has_the_clocks_of_then(filled: FilledVolume) -> None:
    for minute in range(0, 30, 5):
        look(filled, "gate", MORNING_MS + minute * 60_000, (100, 300))
        look(filled, clocks.HOST, MORNING_MS + minute * 60_000, (-20, 20))
    then = grade(filled, MORNING_MS + 600_000, HostClock(False, None), MORNING_MS + 30 * 86_400_000)
    assert then.evidence_grade
    assert then.to_json() == {
        "camera_offset_s": 0.2,
        "camera_error_s": 0.1,
        "source": "ONVIF",
        "host": {"synchronised": True, "error_s": 0.02},
        "evidence_grade": True,
        "why": "within 1.0 s",
    }
    # Nothing was seen an hour later: unknown, and so not evidence grade, although the host is in order today.
    later = grade(filled, MORNING_MS + 4 * 3_600_000, now_ms=MORNING_MS + 30 * 86_400_000)
    assert not later.evidence_grade
    assert "not known" in later.why


def test_beyond_a_second_unknown_and_a_host_that_is_not_synchronised_are_no_evidence(filled: FilledVolume) -> None:
    assert "unknown (no RTCP" in grade(filled, MORNING_MS).why
    look(filled, "gate", MORNING_MS, (700, 1200))
    assert "may be 1.2 s off" in grade(filled, MORNING_MS).why
    look(filled, "gate", MORNING_MS + 300_000, (800, 900))
    assert not grade(filled, MORNING_MS - 60_000, HostClock(False, None)).evidence_grade
    look(filled, "gate", MORNING_MS + 400_000, (-30_000, -29_000))
    assert "-29.5 s off" in grade(filled, MORNING_MS + 400_000).why


def test_a_second_by_which_the_host_was_not_synchronised_counts_for_all_near_it(filled: FilledVolume) -> None:
    look(filled, "gate", MORNING_MS, (0, 100))
    look(filled, clocks.HOST, MORNING_MS, (-20, 20))
    assert grade(filled, MORNING_MS).evidence_grade
    assert look(filled, clocks.HOST, MORNING_MS + 60_000, None) == (
        clocks.HOST,
        clocks.KERNEL,
        MORNING_MS,
        MORNING_MS,
        -20,
        20,
    )
    assert "not synchronised" in grade(filled, MORNING_MS + 60_000).why


def test_rows_end_with_the_hour_a_silence_and_a_clock_that_was_set(filled: FilledVolume) -> None:
    ended = [look(filled, "gate", MORNING_MS + minute * 60_000, (0, 300)) for minute in range(0, 130, 5)]
    assert [row.to_ms - row.from_ms for row in ended if row] == [3_300_000, 3_300_000]
    assert look(filled, "gate", MORNING_MS + 125 * 60_000, (5000, 5300)) is not None, "set"
    assert look(filled, "gate", MORNING_MS + 160 * 60_000, (5000, 5300)) is not None, "a silence of half an hour"


# -- the watch --------------------------------------------------------------------------------------------------------


def test_the_watch_notes_every_camera_that_answers_and_none_that_does_not(
    filled: FilledVolume, cameras: list[Camera]
) -> None:
    where = {
        "gate": [cameras[0].place(ONVIF), cameras[0].place(HTTP_DATE)],
        "yard": [cameras[1].place(ONVIF), cameras[1].place(HTTP_DATE)],
        "dead": [Place(ONVIF, False, "127.0.0.1", 1, "/onvif/device_service")],
        "none": [],
    }
    watch = ClockWatch(filled.volume, where, SystemClock(), host=lambda: GOOD_HOST)
    watch.run_once(filled.index, threading.Event())
    now_ms = round(time.time() * 1000)
    rows = {row[0]: row[1:] for row in filled.index.read("SELECT camera, source, low_ms, high_ms FROM clocks")}
    assert set(rows) == {"", "gate", "yard"}
    assert (rows["gate"][0], rows["yard"][0], rows[""]) == (ONVIF, HTTP_DATE, (clocks.KERNEL, -20, 20))
    assert rows["gate"][1] <= 200 <= rows["gate"][2]
    assert rows["yard"][1] <= -30_000 <= rows["yard"][2]
    good = clocks.grade_of(filled.index, "gate", Span(now_ms, now_ms), now_ms, GOOD_HOST)
    assert (good.evidence_grade, good.why) == (True, "within 1.0 s")
    bad = clocks.grade_of(filled.index, "yard", Span(now_ms, now_ms), now_ms, GOOD_HOST)
    assert "s off (limit 1.0 s)" in bad.why
    asked = len(cameras[0].asked)
    watch.run_once(filled.index, threading.Event())
    assert len(cameras[0].asked) == asked, "a camera is left in peace for some minutes"


def test_what_was_known_comes_back_with_a_rebuilt_index(filled: FilledVolume) -> None:
    from pipelines.recording.rebuild import rebuild

    clock = FakeClock(MORNING_MS / 1000)
    watch = ClockWatch(filled.volume, {}, clock, host=lambda: GOOD_HOST)
    for _ in range(70):
        watch.run_once(filled.index, threading.Event())
        clock.advance(60.0)
    before = filled.index.read("SELECT * FROM clocks ORDER BY from_ms").fetchall()
    assert len(before) == 2
    filled.index.close()
    rebuild(filled.volume, clock)
    with Index.open(filled.volume.index) as index:
        assert index.read("SELECT * FROM clocks").fetchall() == before[:1], (
            "the row that was still going on is not there"
        )
    assert Journal(filled.volume.journal / "ledger.jsonl").verify() == []


def test_an_index_of_the_version_before_is_brought_up(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    with Index.open(path, create=True) as index:
        index.set_meta("kept", "yes")
        with index.transaction() as cursor:
            cursor.execute("DROP TABLE clocks")
            cursor.execute("PRAGMA user_version=1")
    with Index.open(path) as index:
        assert index.meta("kept") == "yes"
        assert index.read("SELECT count(*) FROM clocks").fetchone() == (0,)
        assert index.read("PRAGMA user_version").fetchone() == (2,)


def test_places_follow_the_configuration(tmp_path: Path) -> None:
    from pipelines.config import load

    config = tmp_path / "c.yaml"
    config.write_text(
        "cameras:\n"
        "  one: {main: {url: 'rtsp://192.0.2.1/1'}}\n"
        "  two: {main: {url: 'rtsp://192.0.2.2/1'}, clock: 'http://192.0.2.9:8080/'}\n"
        "  three: {main: {url: 'rtsp://192.0.2.3/1'}, recording: {enabled: false}}\n"
    )
    found = recording_settings.clock_places(load(config).config)
    assert json.dumps({name: [place.host for place in where] for name, where in found.items()}) == (
        '{"one": ["192.0.2.1", "192.0.2.1"], "two": ["192.0.2.9"]}'
    )
