"""A camera's clock, read from a real web server: within which second it is, and what is no answer."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.clock import SystemClock
from pipelines.recording import cameratime
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
from pipelines.testing_cameratime import ANSWER, Camera, two_cameras


@pytest.fixture
def cameras() -> Iterator[list[Camera]]:
    with two_cameras() as both:
        yield both


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
