"""Checks of everything that is an address: cameras, Redis, database, webhook."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from pipelines.config.document import Document
from pipelines.config.faults import Fault, Place

_WITH_HOST: Final = frozenset({"rtsp", "rtsps", "http", "https", "redis", "rediss", "mqtt", "mqtts"})
_CAMERA: Final = ("rtsp", "rtsps", "file")
_SCHEMES: Final[dict[Place, tuple[str, ...]]] = {
    ("redis", "url"): ("redis", "rediss", "unix"),
    ("database", "url"): ("sqlite", "postgresql", "postgresql+psycopg"),
    ("channels", "webhook", "url"): ("https", "http"),
    ("recording", "head_channel", "url"): ("https", "http"),
}


def check(document: Document, values: dict[str, Any]) -> Iterator[Fault]:
    """Faults of every `url`."""
    for place, schemes in _SCHEMES.items():
        yield from _address(document, place, _at(values, place), schemes)
    cameras = values.get("cameras")
    for camera_id in cameras if isinstance(cameras, dict) else ():
        for stream in ("main", "sub"):
            place = ("cameras", camera_id, stream, "url")
            yield from _address(document, place, _at(values, place), _CAMERA, paths=True)


def _at(values: Any, place: Place) -> Any:
    for step in place:
        values = values.get(step) if isinstance(values, dict) else None
    return values


def _address(
    document: Document, place: Place, url: Any, schemes: tuple[str, ...], paths: bool = False
) -> Iterator[Fault]:
    if not isinstance(url, str) or place in document.unread:
        return
    allowed = ", ".join(f"{scheme}://" for scheme in schemes) + (", or the path of a video file" if paths else "")
    message = url_fault(url, schemes, paths)
    if message:
        yield Fault(document.line(place), place, message, document.got(place), allowed)


def url_fault(url: str, schemes: tuple[str, ...], paths: bool = False) -> str | None:
    """What is wrong with an address, without quoting any of it; None when nothing is."""
    if not url.strip():
        return "the address is empty"
    if re.search(r"\s", url) and "://" in url:
        return "an address has no blanks"
    scheme, separator, rest = url.partition("://")
    if not separator:
        return None if paths else "the address has no scheme"
    if scheme.lower() not in schemes:
        return "this kind of address cannot be used here"
    if scheme.lower() not in _WITH_HOST:
        return None if rest or scheme == "sqlite" else "the address names nothing"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "the address cannot be read; write @ : / ? # [ ] of a password in percent form, such as %40"
    if not parts.hostname:
        return "the address has no host"
    return "port 0 cannot be used" if port == 0 else None
