"""A double for tests: a TCP relay in front of a real server that can fail in the ways that cameras and networks do."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import threading
from typing import Final, Literal

Mode = Literal["pass", "hold", "garbage"]

_HOST: Final = "127.0.0.1"
_REALM: Final = "camera"
_NONCE: Final = "5ca1ab1e"


class Relay:
    """Relays to `target_port` on the loopback. `mode` may change at any time: `pass`; `hold` keeps what the server sends
    and gives it in one burst afterwards; `garbage` replaces it by noise. With `user` and `password` it asks for digest
    authentication (RFC 2617), as a camera does. `drop()` breaks the connections that there are."""

    def __init__(self, target_port: int, user: str | None = None, password: str | None = None) -> None:
        self.target_port = target_port
        self.mode: Mode = "pass"
        self.connections = 0
        self._login = None if user is None else (user, password or "")
        self._listener = socket.create_server((_HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()

    def start(self) -> Relay:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()

    def drop(self) -> None:
        """Break every connection."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                server = socket.create_connection((_HOST, self.target_port), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self._sockets |= {client, server}
            threading.Thread(target=self._to_server, args=(client, server), daemon=True).start()
            threading.Thread(target=self._to_client, args=(server, client), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        buffer = b""
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self._login is None:
                    server.sendall(data)
                    continue
                buffer += data
                while b"\r\n\r\n" in buffer:
                    request, _, buffer = buffer.partition(b"\r\n\r\n")
                    if self._may(request.decode(errors="replace")):
                        server.sendall(request + b"\r\n\r\n")
                    else:
                        sequence = re.search(rb"CSeq: *(\d+)", request)
                        number = sequence[1] if sequence else b"0"
                        client.sendall(
                            b"RTSP/1.0 401 Unauthorized\r\nCSeq: " + number + b"\r\nWWW-Authenticate: Digest "
                            b'realm="%s", nonce="%s"\r\n\r\n' % (_REALM.encode(), _NONCE.encode())
                        )
        self._close(client, server)

    def _to_client(self, server: socket.socket, client: socket.socket) -> None:
        held = b""
        with contextlib.suppress(OSError):
            server.settimeout(0.05)  # the other direction may have ended, and closed it, before this one began
            while True:
                try:
                    data = server.recv(65536)
                    if not data:
                        break
                except TimeoutError:
                    data = b""
                held += os.urandom(len(data)) if self.mode == "garbage" else data
                if self.mode != "hold" and held:
                    client.sendall(held)
                    held = b""
        self._close(client, server)

    def _close(self, *sockets: socket.socket) -> None:
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        with self._lock:
            self._sockets -= set(sockets)

    def _may(self, request: str) -> bool:
        assert self._login is not None
        user, password = self._login
        fields = dict(re.findall(r'(\w+)="([^"]*)"', request.partition("Authorization: Digest")[2]))
        if not fields:
            return request.startswith("OPTIONS")

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        method = request.split(" ", 1)[0]
        secret, asked = md5(f"{user}:{_REALM}:{password}"), md5(f"{method}:{fields.get('uri', '')}")
        return fields.get("response") == md5(f"{secret}:{_NONCE}:{asked}")
