"""HTTP requests over connections that are kept open, each with a deadline over everything: `http.client` with a pool.

Time-outs of sockets count from byte to byte; an answer that drips is ended by shutting the socket under its reader.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse, HTTPSConnection
from typing import Final
from urllib.parse import quote, urlsplit

_READ_BYTES: Final = 2048
_CONNECT_S: Final = 5.0
#: A connection that lay idle for longer may have been closed by the other side.
_LOOK_AFTER_S: Final = 0.05


class CallFailed(Exception):
    """There was no answer; the text says why, and does not hold the address."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`content` is the beginning of the body. One that breaks off or never ends changes nothing: the status was said."""

    status: int
    headers: HTTPMessage
    content: bytes


class Caller:
    """Requests to one address. `post` may be called from several threads, each then has a connection of its own."""

    def __init__(self, url: str, timeout_s: float) -> None:
        """Raises ValueError: `url` is no http:// or https:// address."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("expected an http:// or https:// address")
        self.host: Final = parts.hostname
        self._port = parts.port
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        path = parts.path or "/"
        # What is quoted already stays as it is.
        self._target = quote(f"{path}?{parts.query}" if parts.query else path, safe="/?%:@!$&'()*+,;=~-._[]")
        self._timeout_s = timeout_s
        self._idle: deque[tuple[HTTPConnection, float]] = deque()
        self._deadlines = _Deadlines(timeout_s)

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Raises CallFailed."""
        connection = self._connection()
        kept = False
        try:
            with self._deadlines.over(connection.sock) as passed:
                try:
                    connection.request("POST", self._target, body, headers)
                    response = connection.getresponse()
                except TimeoutError as error:
                    raise CallFailed(f"no answer within {self._timeout_s:g} s") from error
                except (HTTPException, OSError, ValueError) as error:
                    if passed():
                        raise CallFailed(f"no answer within {self._timeout_s:g} s") from error
                    raise CallFailed(_said(error)) from error
                content = _beginning(response)
                kept = response.isclosed() and not response.will_close and not passed()
        finally:
            if kept:
                self._idle.append((connection, time.monotonic()))
            else:
                connection.close()
        return Answer(response.status, response.headers, content)

    def close(self) -> None:
        self._deadlines.close()
        while self._idle:
            self._idle.pop()[0].close()

    def _connection(self) -> HTTPConnection:
        while self._idle:
            try:
                connection, since_s = self._idle.pop()
            except IndexError:
                break  # another thread took it
            if time.monotonic() - since_s < _LOOK_AFTER_S or _quiet(connection.sock):
                return connection
            connection.close()
        within_s = min(_CONNECT_S, self._timeout_s)
        connection = (
            _Plain(self.host, self._port, timeout=within_s)
            if self._tls is None
            else _Encrypted(self.host, self._port, timeout=within_s, context=self._tls)
        )
        try:
            connection.connect()
        except (HTTPException, OSError, ValueError) as error:
            connection.close()
            raise CallFailed(f"no connection: {_said(error)}") from error
        connection.sock.settimeout(self._timeout_s)
        return connection


class _OneSend(HTTPConnection):
    """Head and body leave together: one packet, one call of the system, one moment in which another thread may run."""

    _held = b""

    def send(self, data: bytes) -> None:  # type: ignore[override]
        self._held += data

    def getresponse(self) -> HTTPResponse:
        held, self._held = self._held, b""
        super().send(held)
        return super().getresponse()


class _Plain(_OneSend):
    pass


class _Encrypted(_OneSend, HTTPSConnection):
    pass


class _Passed:
    """Whether a call's time is over."""

    passed = False

    def __call__(self) -> bool:
        return self.passed


class _Deadlines:
    """Shuts sockets whose time is over. Its thread begins with the first one, and sleeps while there is none."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._open: dict[_Passed, tuple[float, socket.socket]] = {}
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextlib.contextmanager
    def over(self, sock: socket.socket) -> Iterator[_Passed]:
        call = _Passed()
        with self._change:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            if not self._open:
                self._change.notify()
            self._open[call] = (time.monotonic() + self._after_s, sock)
        try:
            yield call
        finally:
            with self._change:
                self._open.pop(call, None)

    def close(self) -> None:
        with self._change:
            self._closed = True
            self._change.notify()

    def _run(self) -> None:
        with self._change:
            while not self._closed:
                if not self._open:
                    self._change.wait()
                    continue
                # All have the same time, so what comes later ends later.
                self._change.wait(max(0.01, min(end_s for end_s, _ in self._open.values()) - time.monotonic()))
                for call, (end_s, sock) in list(self._open.items()):
                    if end_s <= time.monotonic():
                        call.passed = True
                        del self._open[call]
                        with contextlib.suppress(OSError):
                            # Not TLS's own: that waits for the other side.
                            socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _beginning(response: HTTPResponse) -> bytes:
    try:
        return response.read(_READ_BYTES)
    except (HTTPException, OSError, ValueError):
        return b""


def _quiet(sock: socket.socket) -> bool:
    """Whether an idle connection still stands: one that was closed has something to read, its end."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return not poll.poll(0)


def _said(error: Exception) -> str:
    """What went wrong, in few words: the system's own, else the sort of error."""
    return (
        (getattr(error, "strerror", None) or type(error).__name__)
        if isinstance(error, OSError)
        else type(error).__name__
    )
