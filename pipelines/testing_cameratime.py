"""A double for tests: the web server of a camera whose clock is off, as ONVIF and as a page's `Date` tell it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from pipelines.recording.cameratime import ONVIF, Place

#: What a camera answers to GetSystemDateAndTime, to be filled with a `struct_time`.
ANSWER: Final = (
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


@contextmanager
def two_cameras() -> Iterator[list[Camera]]:
    """Two that answer: one by ONVIF, +0.2 s off; one by its page only, 30 s behind."""
    both = [Camera(0.2), Camera(-30.0, onvif=False)]
    threads = [threading.Thread(target=one.serve_forever, args=(0.05,)) for one in both]
    for thread in threads:
        thread.start()
    try:
        yield both
    finally:
        for one in both:
            one.shutdown()
            one.server_close()
        for thread in threads:
            thread.join()
