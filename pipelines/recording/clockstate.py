"""How far clocks can be trusted: each camera's against ours, and ours against the world.

A camera's clock comes from the RTCP sender reports of its stream (RFC 3550, 6.4.1), which ffmpeg passes on as `prft`
boxes. Without sender reports ffmpeg writes its own time of writing there; since that is always "just now" when the box
reaches us, while a picture's own time lies at least a fragment back, the two can be told apart, and where they cannot
the offset stays unknown.
"""

from __future__ import annotations

import ctypes
import os
from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

#: GA/T 832-2014: beyond this, pictures are not evidence.
EVIDENCE_LIMIT_S: Final = 1.0
_ENOUGH: Final = 5
#: ffmpeg's own time of writing lies within this before the moment its box arrives.
_JUST_NOW_S: Final = 0.1
#: Further off than a year: the sender reports count from the camera's start, as RFC 3550 allows, and say no date.
_NO_DATE_S: Final = 366 * 86400.0


class CameraClock:
    """A camera's clock minus ours, from the pictures of one connection."""

    def __init__(self) -> None:
        self._offsets_s: deque[float] = deque(maxlen=31)
        self._just_now = 0

    def add(self, camera_s: float, picture_utc_s: float, arrived_utc_s: float) -> None:
        """`camera_s` is the camera's own time for the picture that we date `picture_utc_s`."""
        if -_JUST_NOW_S <= camera_s - arrived_utc_s <= 0.02:
            self._just_now += 1
        self._offsets_s.append(camera_s - picture_utc_s)
        self._just_now = min(self._just_now, len(self._offsets_s))

    def offset_ms(self) -> int | None:
        """None when there are no sender reports, or too few."""
        count = len(self._offsets_s)
        if count < _ENOUGH or self._just_now * 2 > count:
            return None
        offset_s = median(self._offsets_s)
        return None if abs(offset_s) > _NO_DATE_S else round(offset_s * 1000)


@dataclass(frozen=True, slots=True)
class HostClock:
    """`synchronised` as the kernel says (None: it cannot be asked); `error_s` the kernel's own bound on the error."""

    synchronised: bool | None
    error_s: float | None

    def to_json(self) -> dict[str, Any]:
        return {"synchronised": self.synchronised, "error_s": self.error_s}


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    )


def host_clock() -> HostClock:
    """Ask the kernel (adjtimex(2), read only). What chrony, ntpd or systemd-timesyncd told it."""
    if os.uname().sysname != "Linux":
        return HostClock(None, None)
    state = _Timex()
    answer = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(state))
    if answer < 0:
        return HostClock(None, None)
    unsynchronised = answer == 5 or bool(state.status & 0x40)  # TIME_ERROR, STA_UNSYNC
    return HostClock(not unsynchronised, None if unsynchronised else state.maxerror / 1e6)


@dataclass(frozen=True, slots=True)
class CameraOffset:
    """A camera's clock minus ours, known to within `error_ms` either way, and by which means."""

    offset_ms: int
    error_ms: int
    source: str


@dataclass(frozen=True, slots=True)
class ClockGrade:
    """What goes with an incident. `evidence_grade` only when every clock is known to be within the limit."""

    camera: CameraOffset | None
    host: HostClock
    evidence_grade: bool
    why: str

    def to_json(self) -> dict[str, Any]:
        camera = self.camera
        return {
            "camera_offset_s": None if camera is None else camera.offset_ms / 1000,
            "camera_error_s": None if camera is None else camera.error_ms / 1000,
            "source": None if camera is None else camera.source,
            "host": self.host.to_json(),
            "evidence_grade": self.evidence_grade,
            "why": self.why,
        }


def grade(camera: CameraOffset | None, host: HostClock) -> ClockGrade:
    """Whether times are good enough for evidence (error at most 1.0 s, known)."""

    def no(why: str) -> ClockGrade:
        return ClockGrade(camera, host, False, why)

    offset_s = 0.0 if camera is None else camera.offset_ms / 1000
    error_s = 0.0 if camera is None else camera.error_ms / 1000
    if abs(offset_s) - error_s > EVIDENCE_LIMIT_S:
        return no(f"the camera's clock is {offset_s:+.1f} s off (limit 1.0 s)")
    if abs(offset_s) + error_s > EVIDENCE_LIMIT_S:
        return no(f"the camera's clock may be {abs(offset_s) + error_s:.1f} s off (limit 1.0 s)")
    if host.synchronised is None:
        return no("whether this host's clock was synchronised is not known")
    if not host.synchronised:
        return no("this host's clock is not synchronised")
    if host.error_s is not None and host.error_s > EVIDENCE_LIMIT_S:
        return no(f"this host's clock may be {host.error_s:.1f} s off (limit 1.0 s)")
    if camera is None:
        return no("the camera's clock is unknown (no RTCP sender reports, no answer of its web server)")
    return ClockGrade(camera, host, True, "within 1.0 s")
