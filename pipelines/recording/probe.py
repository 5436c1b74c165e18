"""Is there a connection to a camera at all? What tells `network` from `camera` in the ledger."""

from __future__ import annotations

import socket
from typing import Final
from urllib.parse import urlsplit

from pipelines.recording.coverage import Cause

_PORTS: Final = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "rtmp": 1935}


def address(url: str) -> tuple[str, int] | None:
    """(host, port) of a camera's URL, None when it names none."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme.lower())
        return (parts.hostname, port) if parts.hostname and port else None
    except ValueError:
        return None


def why_no_media(url: str, timeout_s: float = 3.0) -> tuple[Cause, str]:
    """Called when no media comes: `network` when no TCP connection can be made, else `camera`."""
    place = address(url)
    if place is None:
        return Cause.CONFIGURATION, "the camera's address names no host and port"
    try:
        with socket.create_connection(place, timeout_s):
            return Cause.CAMERA, "connected, but no valid media"
    except OSError as error:
        return Cause.NETWORK, f"no connection: {error.strerror or error}"
