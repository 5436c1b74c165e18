"""The picture that goes out with a message: blurred on its way, by the boxes that the worker kept beside it.

A picture without such boxes, or whose boxes belong to another picture, is not sent: never an unblurred one by accident.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pipelines.alerting.channels.base import NoPicture, Picture
from pipelines.files import inside, json_object

_WIDEST_PX: Final = 1280
_JPEG_QUALITY: Final = 85
_LARGEST_BYTES: Final = 30 * 2**20


class PictureDesk:
    """Gives out copies of the pictures in `folder`, where the workers keep them; the originals stay as they are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def blurred(self, event: Mapping[str, Any]) -> Picture:
        """The newest picture of an event that can be blurred, at most 1280 pixels wide. Raises NoPicture."""
        return self._newest(event, blur=True)

    def original(self, event: Mapping[str, Any]) -> Picture:
        """The newest picture of an event as it was stored. Raises NoPicture."""
        return self._newest(event, blur=False)

    def _newest(self, event: Mapping[str, Any], *, blur: bool) -> Picture:
        records = [one for one in event["data"].get("pictures") or () if isinstance(one, dict)]
        reason = "missing" if records else "none"
        for record in sorted(records, key=lambda one: str(one.get("captured_at")), reverse=True):
            try:
                return self._picture(record, blur=blur)
            except NoPicture as error:
                reason = max(reason, error.reason)  # "unblurrable" says more than "missing"
        raise NoPicture(reason)

    def _picture(self, record: Mapping[str, Any], *, blur: bool) -> Picture:
        path = inside(self._folder, record.get("path"))
        if path is None:
            raise NoPicture("missing")
        beside = json_object(path.with_suffix(".json"))
        try:
            if path.stat().st_size > _LARGEST_BYTES:
                raise NoPicture("missing")
            content = path.read_bytes()
        except OSError as error:
            raise NoPicture("missing") from error
        if not beside:
            raise NoPicture("missing")
        if beside.get("sha256") != hashlib.sha256(content).hexdigest():
            # A later picture of the same role is just taking its place: boxes of one must not go with the other.
            raise NoPicture("unblurrable" if blur else "missing")
        if blur:
            content = _blurred(content, beside)
        return Picture(content, f"{path.stem}.jpg", blurred=blur, captured_at=str(beside.get("captured_at", "")))


def _blurred(content: bytes, beside: Mapping[str, Any]) -> bytes:
    from pipelines.media.hiding import Box, hide

    try:
        boxes = [Box(**box) for box in beside["hide"]]
        size = int(beside["height"]), int(beside["width"])
    except (KeyError, TypeError, ValueError) as error:
        raise NoPicture("unblurrable") from error  # nobody looked at this picture
    # Here, so that only dispatchers that send pictures pay for it.
    import cv2
    import numpy as np

    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if picture is None or picture.shape[1] != size[1] or picture.shape[0] < size[0]:
        raise NoPicture("unblurrable")
    try:
        hide(picture[: size[0]], boxes)  # type: ignore[arg-type]
    except (TypeError, ValueError, ArithmeticError) as error:
        raise NoPicture("unblurrable") from error  # corners that are no numbers
    if picture.shape[1] > _WIDEST_PX:
        height = round(picture.shape[0] * _WIDEST_PX / picture.shape[1])
        picture = cv2.resize(picture, (_WIDEST_PX, height), interpolation=cv2.INTER_AREA)
    encoded, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not encoded:
        raise NoPicture("unblurrable")
    return jpeg.tobytes()
