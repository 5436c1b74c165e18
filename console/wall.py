"""The newest pictures of many cameras in one answer, for the wall: one request a second, not one for each camera.

    4 bytes: length of the JSON, big-endian | JSON | the JPEGs, one behind the other

The JSON has `now_s`, `number` (send it back as `after` to get only what is new), `config` (the version of the configuration: at
another one the page asks for its cameras anew) and `cameras`: for each new picture
`camera, time_s, bytes` (the length of its JPEG) and what was seen in it (`boxes, rules, view`; places 0..1).
"""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np

from pipelines.errors import Unavailable
from pipelines.events.live import LivePicture
from pipelines.media.hiding import Box, hide

_HEAD: Final = struct.Struct(">I")
_JPEG_QUALITY: Final = 70


class Blurs:
    """The newest blurred picture of each camera, made once however many look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[str, tuple[float, bytes]] = {}

    def of(self, picture: LivePicture) -> bytes:
        """Raises Unavailable: it cannot be blurred."""
        with self._lock:
            time_s, jpeg = self._made.get(picture.camera_id, (None, b""))
            if time_s != picture.time_s:
                jpeg = blurred(picture)
                self._made[picture.camera_id] = (picture.time_s, jpeg)
            return jpeg


def pack(now_s: float, number: int, pictures: Sequence[tuple[LivePicture, bytes]], config_version: str = "") -> bytes:
    """`pictures` with the JPEG that this viewer may see of each."""
    cameras: list[dict[str, Any]] = [
        {"camera": picture.camera_id, "time_s": picture.time_s, "bytes": len(jpeg)} | seen_by_people(picture.overlay)
        for picture, jpeg in pictures
    ]
    head = json.dumps(
        {"now_s": now_s, "number": number, "config": config_version, "cameras": cameras}, ensure_ascii=False
    ).encode()
    return b"".join((_HEAD.pack(len(head)), head, *(jpeg for _, jpeg in pictures)))


def seen_by_people(overlay: dict[str, Any]) -> dict[str, Any]:
    """What goes to the page: not the list of what must be hidden."""
    return {name: overlay.get(name, []) for name in ("boxes", "rules")} | {"view": overlay.get("view", "unknown")}


def blurred(picture: LivePicture) -> bytes:
    """The JPEG with heads and number plates hidden, by all that the detector saw, however unsure.

    Raises Unavailable: the picture does not say what is to be hidden, or cannot be read. It is never let out as it is.
    """
    places = picture.overlay.get("hide")
    pixels = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    if places is None or pixels is None:
        raise Unavailable(f"the picture of {picture.camera_id} cannot be blurred")
    height, width = pixels.shape[:2]
    boxes = [Box(kind, x1 * width, y1 * height, x2 * width, y2 * height) for kind, x1, y1, x2, y2 in places]
    shown = np.asarray(pixels, np.uint8)
    hide(shown, boxes)
    _, jpeg = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return jpeg.tobytes()
