"""Camera addresses: which are streams, and how they look without their credentials."""

from __future__ import annotations

import re
from typing import Final

_SCHEME: Final = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_USER_INFO: Final = re.compile(r"([a-z][a-z0-9+.-]*://)[^\s/]*@", re.IGNORECASE)
# Some recorders take user and password in the path or the query: /user=admin&password=...&channel=1
_SECRET_FIELD: Final = re.compile(
    r"\b(user|username|usr|password|passwd|pass|pwd|token|auth|key)=[^&\s'\"/?#]+", re.IGNORECASE
)


def is_url(place: str) -> bool:
    """True for `scheme://...`; anything else is a path."""
    return _SCHEME.match(place) is not None


def is_live(place: str) -> bool:
    """True for an address that plays in real time (RTSP and its kin), where a lost connection is not an end."""
    return place.lower().startswith(
        ("rtsp://", "rtsps://", "rtspt://", "rtmp://", "rtmps://", "srt://", "udp://", "rtp://")
    )


def redact(text: str) -> str:
    """The text (a URL, or a message that holds some) with every user name and password replaced by `***`."""
    return _SECRET_FIELD.sub(r"\1=***", _USER_INFO.sub(r"\1***@", text))
