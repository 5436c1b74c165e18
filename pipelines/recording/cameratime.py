"""A camera's own time, read from its web server: ONVIF `GetSystemDateAndTime`, or the `Date` of an answer (RFC 9110, 6.6.1).

Both say whole seconds, so one answer only says that the offset lies within a second. Several answers at different
fractions of our second narrow it: the true offset lies in all of their intervals (Marzullo's intersection). Nothing is
sent but the question: no user, no password, and no redirection is followed. Every question has an end in sight: a
server that drips its answer is cut off.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from threading import Timer
from typing import Final, NamedTuple
from urllib.parse import urlsplit
from xml.etree import ElementTree

from pipelines.clock import Clock
from pipelines.recording.probe import address

ONVIF: Final = "ONVIF"
HTTP_DATE: Final = "HTTP date"
_TIMEOUT_S: Final = 2.0
_WHOLE_S: Final = 5.0
_LONGEST_BYTES: Final = 64 * 1024
_QUESTION: Final = (
    b'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
    b'<GetSystemDateAndTime xmlns="http://www.onvif.org/ver10/device/wsdl"/></s:Body></s:Envelope>'
)
_SOAP: Final = {"Content-Type": "application/soap+xml; charset=utf-8"}
#: How far back answers are combined, and by how much a cheap clock may run wrong meanwhile.
_WINDOW_S: Final = 900.0
_DRIFT: Final = 100e-6


class Bounds(NamedTuple):
    """The camera's clock minus ours lies between these, in seconds."""

    low_s: float
    high_s: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where to ask, and how: `source` is `ONVIF` or `HTTP date`."""

    source: str
    secure: bool
    host: str
    port: int
    path: str


def places(wish: str, stream_url: str) -> list[Place]:
    """Where a camera's time may be read. `wish` is the configuration's: `auto`, `off` or an address.

    `auto` asks the host of its stream, port 80. Not on the loopback: what answers there is this machine.
    """
    if wish == "off":
        return []
    if wish != "auto":
        parts = urlsplit(wish)
        secure = parts.scheme == "https"
        source = ONVIF if "onvif" in parts.path.lower() else HTTP_DATE
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return [Place(source, secure, parts.hostname or "", parts.port or (443 if secure else 80), path)]
    found = address(stream_url)
    if found is None or _is_here(found[0]):
        return []
    return [Place(ONVIF, False, found[0], 80, "/onvif/device_service"), Place(HTTP_DATE, False, found[0], 80, "/")]


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def ask(place: Place, clock: Clock) -> Bounds | None:
    """One question; None when there is no usable answer."""
    if place.source == ONVIF:
        return _exchange(place, clock, "POST")
    # Some servers refuse HEAD without a date; the body of a GET is not read.
    return _exchange(place, clock, "HEAD") or _exchange(place, clock, "GET")


def _exchange(place: Place, clock: Clock, method: str) -> Bounds | None:
    connection = _connection(place)
    watchdog: Timer | None = None
    try:
        connection.connect()
        watchdog = Timer(_WHOLE_S, _cut_off, (connection.sock,))
        watchdog.daemon = True
        watchdog.start()
        sent_s = clock.now_s()
        body = _QUESTION if method == "POST" else None
        connection.request(method, place.path, body, _SOAP if body else {"Connection": "close"})
        answer = connection.getresponse()
        said = onvif_time(answer.read(_LONGEST_BYTES)) if body else http_time(answer.getheader("Date"))
        arrived_s = clock.now_s()
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        if watchdog is not None:
            watchdog.cancel()
        connection.close()
    # The camera looked at its clock some time between question and answer, and left the fraction out.
    return None if said is None or arrived_s < sent_s else Bounds(said - arrived_s, said + 1.0 - sent_s)


def _connection(place: Place) -> http.client.HTTPConnection:
    if not place.secure:
        return http.client.HTTPConnection(place.host, place.port, timeout=_TIMEOUT_S)
    # Cameras sign their own certificates. Nothing secret is sent, and a wrong time costs evidence grade at most.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(place.host, place.port, timeout=_TIMEOUT_S, context=context)


def _cut_off(connected: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def http_time(text: str | None) -> float | None:
    """`Date` of an answer -> Unix seconds; None when it is none."""
    try:
        moment = None if text is None else parsedate_to_datetime(text)
    except ValueError:
        return None
    return None if moment is None else (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def onvif_time(body: bytes) -> float | None:
    """`UTCDateTime` of a GetSystemDateAndTimeResponse -> Unix seconds; None when it has none."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        return None
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return None
    utc = next((item for item in root.iter() if _name(item) == "UTCDateTime"), None)
    if utc is None:
        return None
    values = {_name(item): (item.text or "").strip() for item in utc.iter()}
    try:
        numbers = [int(values[name]) for name in ("Year", "Month", "Day", "Hour", "Minute", "Second")]
        return datetime(*numbers[:5], min(numbers[5], 59), tzinfo=UTC).timestamp()  # type: ignore[misc, arg-type]
    except (KeyError, ValueError, OverflowError):
        return None


def _name(item: ElementTree.Element) -> str:
    return item.tag.rsplit("}", 1)[-1]


class Narrowing:
    """Combines the answers of one camera."""

    def __init__(self) -> None:
        self._answers: deque[tuple[float, Bounds]] = deque()

    def add(self, found: Bounds, at_s: float) -> Bounds:
        """`at_s` is monotonic. Returns where the offset lies by all answers of the last minutes; when they contradict
        each other the camera's clock was set, and only the newest counts."""
        while self._answers and self._answers[0][0] < at_s - _WINDOW_S:
            self._answers.popleft()
        self._answers.append((at_s, found))
        low_s = max(bounds.low_s - _DRIFT * (at_s - then_s) for then_s, bounds in self._answers)
        high_s = min(bounds.high_s + _DRIFT * (at_s - then_s) for then_s, bounds in self._answers)
        if low_s <= high_s:
            return Bounds(low_s, high_s)
        self._answers = deque([(at_s, found)])
        return found
