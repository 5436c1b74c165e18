"""Clocks: a camera's, read from a real web server; what was known when; and the grade that an incident gets."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.clock import SystemClock
from pipelines.recording import cameratime, clocks
from pipelines.recording import settings as recording_settings
from pipelines.recording.cameratime import (
    HTTP_DATE,
    ONVIF,
    Bounds,
    Narrowing,
    Place,
    ask,
    http_time,
    onvif_time,
    places,
)
from pipelines.recording.clockstate import HostClock
from pipelines.recording.clockwatch import ClockWatch
from pipelines.recording.coverage import Span
from pipelines.recording.index import Index
from pipelines.recording.journal import Journal
from pipelines.testing import FakeClock

if TYPE_CHECKING:
    from conftest import FilledVolume

MORNING_MS = 1_772_438_400_000
GOOD_HOST = HostClock(True, 0.02)
ANSWER = (
    '<?xml version="1.0"?><env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope" xmlns:tt="http://www.onvif.org/'
    'ver10/schema"><env:Body><GetSystemDateAndTimeResponse><SystemDateAndTime><tt:TimeZone><tt:TZ>CST-8</tt:TZ></tt:TimeZone>'
    "<tt:UTCDateTime><tt:Time><tt:Hour>{0.tm_hour}</tt:Hour><tt:Minute>{0.tm_min}</tt:Minute><tt:Second>{0.tm_sec}</tt:Second>"
    "</tt:Time><tt:Date><tt:Year>{0.tm_year}</tt:Year><tt:Month>{0.tm_mon}</tt:Month><tt:Day>{0.tm_mday}</tt:Day></tt:Date>"
    "</tt:UTCDateTime></SystemDateAndTime></GetSystemDateAndTimeResponse></env:Body></env:Envelope>"
)


class Camera(ThreadingHTTPServer):
    """The web server of a camera whose clock is `ahead_s` off. `onvif` False: it has only pages, behind a password."""

    daemon_threads = True

    def __init__(self, ahead_s: float, *, onvif: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.ahead_s = ahead_s
        self.onvif = onvif
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def place(self, source: str) -> Place:
        return Place(source, False, "127.0.0.1", self.port, "/onvif/device_service" if source == ONVIF else "/")


class _Answers(BaseHTTPRequestHandler):
    server: Camera

    def log_message(self, *_: Any) -> None:
        pass

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(time.time() + self.server.ahead_s, usegmt=True)

    def _note(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, dict(self.headers), body))

    def do_POST(self) -> None:
        self._note()
        if not self.server.onvif:
            self.send_error(404)
            return
        said = ANSWER.format(time.gmtime(time.time() + self.server.ahead_s)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def do_HEAD(self) -> None:
        self._note()
        self.send_response(302)
        self.send_header("Location", "http://192.0.2.1/elsewhere")
        self.end_headers()


@pytest.fixture
def cameras() -> Iterator[list[Camera]]:
    """Two that answer: one by ONVIF, +0.2 s off; one by its page only, 30 s behind."""
    both = [Camera(0.2), Camera(-30.0, onvif=False)]
    threads = [threading.Thread(target=one.serve_forever, args=(0.05,)) for one in both]
    for thread in threads:
        thread.start()
    yield both
    for one in both:
        one.shutdown()
        one.server_close()
    for thread in threads:
        thread.join()


# -- one question -----------------------------------------------------------------------------------------------------


def test_onvif_and_a_page_say_within_which_second_the_camera_is(cameras: list[Camera]) -> None:
    by_onvif = ask(cameras[0].place(ONVIF), SystemClock())
    assert by_onvif is not None
    assert by_onvif.low_s <= 0.2 <= by_onvif.high_s
    by_page = ask(cameras[1].place(HTTP_DATE), SystemClock())
    assert by_page is not None
    assert by_page.low_s <= -30.0 <= by_page.high_s
    assert ask(cameras[1].place(ONVIF), SystemClock()) is None
    # Read only, no credentials, and nobody is followed elsewhere.
    for method, _, headers, body in cameras[0].asked + cameras[1].asked:
        assert method in ("POST", "HEAD")
        assert not {"Authorization", "Cookie"} & set(headers)
        assert (b"GetSystemDateAndTime" in body) == (method == "POST")


def test_a_server_that_is_away_silent_or_drips_ends_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cameratime, "_TIMEOUT_S", 0.2)
    monkeypatch.setattr(cameratime, "_WHOLE_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        place = Place(HTTP_DATE, False, "127.0.0.1", listening.getsockname()[1], "/")
        assert ask(place, SystemClock()) is None, "it takes the connection and says nothing"
        stop = threading.Event()

        def drip() -> None:
            listening.settimeout(0.1)
            while not stop.is_set():
                try:
                    taken, _ = listening.accept()
                except TimeoutError:
                    continue
                with taken:
                    try:
                        taken.sendall(b"HTTP/1.1 200 OK\r\n")
                        while not stop.wait(0.05):
                            taken.sendall(b"X-More: and more\r\n")
                    except OSError:
                        pass

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            assert ask(place, SystemClock()) is None
        finally:
            stop.set()
            thread.join()
    assert ask(place, SystemClock()) is None, "nobody listens any more"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>not found",
        b"<a><UTCDateTime/></a>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a><UTCDateTime/></a>",
        ANSWER.format(time.gmtime(0)).replace(">1970<", ">0<").encode(),
        b"\xff\xfe\x00",
    ],
)
def test_what_is_no_time_is_none(body: bytes) -> None:
    assert onvif_time(body) is None


def test_times_are_read_as_utc() -> None:
    assert onvif_time(ANSWER.format(time.gmtime(1_772_438_400)).encode()) == 1_772_438_400
    assert http_time("Mon, 02 Mar 2026 08:00:00 GMT") == 1_772_438_400
    assert [http_time(text) for text in (None, "", "yesterday", "Mon, 32 Mar 2026 08:00:00 GMT")] == [None] * 4


def test_where_a_camera_is_asked() -> None:
    rtsp = "rtsp://guard:s3cret@192.0.2.10:554/1"
    assert places("auto", rtsp) == [
        Place(ONVIF, False, "192.0.2.10", 80, "/onvif/device_service"),
        Place(HTTP_DATE, False, "192.0.2.10", 80, "/"),
    ]
    assert places("off", rtsp) == []
    assert places("auto", "rtsp://127.0.0.1:8554/1") == places("auto", "clip.mp4") == []
    assert places("https://192.0.2.10:8443/x?y=1", rtsp) == [Place(HTTP_DATE, True, "192.0.2.10", 8443, "/x?y=1")]
    assert places("http://[::1]/onvif/device_service", rtsp)[0].host == "::1"


@given(
    st.floats(-5.0, 5.0),
    st.lists(st.tuples(st.floats(0.0, 200.0), st.floats(0.0, 0.3), st.floats(0.0, 1.0)), min_size=1, max_size=30),
    st.floats(-80e-6, 80e-6),
)
@settings(max_examples=150, deadline=None)
def test_the_true_offset_always_lies_within_the_bounds(
    offset_s: float, questions: list[tuple[float, float, float]], drift: float
) -> None:
    """A camera that drifts a little, answers that take a while, whole seconds only: never a wrong bound."""
    narrowing, at_s = Narrowing(), 1_000_000.0
    for pause_s, round_trip_s, when in questions:
        at_s += pause_s
        true_s = offset_s + drift * (at_s - 1_000_000.0)
        said = float(int(at_s + when * round_trip_s + true_s))
        found = narrowing.add(Bounds(said - (at_s + round_trip_s), said + 1.0 - at_s), at_s + round_trip_s)
        assert found.low_s - 1e-4 <= true_s <= found.high_s + 1e-4
        assert found.high_s - found.low_s <= 1.0 + round_trip_s + 1e-6


def test_four_questions_narrow_a_second_to_less_than_a_third() -> None:
    narrowing = Narrowing()
    for number in range(4):
        at_s = 1000.0 + 0.27 * number
        said = float(int(at_s + 0.4))
        found = narrowing.add(Bounds(said - at_s, said + 1.0 - at_s), at_s)
    assert found.low_s <= 0.4 <= found.high_s
    assert found.high_s - found.low_s < 0.33
    # Its clock is set: the old answers contradict the new one and are forgotten.
    assert narrowing.add(Bounds(-31.0, -30.0), 1060.0) == Bounds(-31.0, -30.0)


# -- what was known when ----------------------------------------------------------------------------------------------


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
