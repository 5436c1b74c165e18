"""Evidence pictures: the frame as it came, with a band below it that says which camera, where, when and under which rule.

GA/T 832-2014 asks for place, direction, time and device on the picture, at least two pictures >= 10 s apart and
1280x720. The band is added below, so no pixel of the original is covered; each picture has a JSON beside it with its
hash, size and source, and says when it is too small to be evidence under that standard.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import cv2
import numpy as np
from pydantic_core import to_json

from pipelines.events.envelope import ANALYSED
from pipelines.files import write_atomically
from pipelines.media.hiding import Box, boxes_to_json
from pipelines.wording import Language, word
from vision.frame import Frame, Pixels
from vision.incident import PictureRequest

_BAND_LINE_PX: Final = 26
_MARGIN_PX: Final = 10
_JPEG_QUALITY: Final = 92
_EVIDENCE_SIZE_PX: Final = (1280, 720)
#: The role of a picture that shows only its subject and what is around it: this much of its size on each side, and not less
#: than this part of the picture's width; enlarged by a whole number until it is so wide.
CLOSE_UP: Final = "close_up"
_AROUND: Final = 0.35
_LEAST_PART: Final = 0.2
_WIDE_PX: Final = 640
_MOST_ENLARGED: Final = 4


@dataclass(frozen=True, slots=True)
class Place:
    """What the band says of the camera. `name` is the camera's own, or its id."""

    site: str
    camera_id: str
    name: str
    timezone: ZoneInfo
    language: Language


class PictureStore:
    """Keeps the pictures of incidents, and of cases that may become one, under `folder/YYYY-MM-DD/INCIDENT/ROLE.jpg`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(
        self,
        request: PictureRequest,
        frame: Frame,
        place: Place,
        clock: dict[str, Any] | None = None,
        hide: Sequence[Box] | None = None,
    ) -> dict[str, Any]:
        """Write one picture; returns its record (`role, camera, path, sha256, width, height, source, captured_at, ...`).

        `clock` is how far its time can be trusted (GA/T 832-2014 wants that with each picture); None: not known.
        `path` is relative to the store's folder. A picture of the same incident and role is replaced. `hide` is kept
        beside it, so that a copy can be blurred on its way out; None: nobody looked, and none will be.
        Raises OSError when the disk refuses.
        """
        cut: dict[str, Any] = {}
        # Where the subject is and on how large a picture: what a picture of the same moment from another stream is cut by.
        place_of = {
            "box_norm": None if request.box_norm is None else list(request.box_norm),
            "frame_px": [frame.width_px, frame.height_px],
        }
        if request.role == CLOSE_UP and request.box_norm is not None:
            frame, hide, cut = close_up(frame, request.box_norm, hide)
            request = replace(request, box_norm=None)
        day = datetime.fromtimestamp(request.time_s, UTC).strftime("%Y-%m-%d")
        relative = Path(day) / request.incident_id / f"{request.role}.jpg"
        path = self._folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        content = jpeg_of(stamp(frame, request, place))
        record: dict[str, Any] = {
            "role": request.role,
            "camera": place.camera_id,
            "path": relative.as_posix(),
            "sha256": hashlib.sha256(content).hexdigest(),
            "source": ANALYSED,
            "width": frame.width_px,
            "height": frame.height_px,
            "evidence_size": large_enough(frame),
            **place_of,
            **cut,
            "clock": clock,
            "captured_at": frame.captured_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        write_atomically(path, content, durable=False)
        beside = record if hide is None else {**record, "hide": boxes_to_json(hide)}
        write_atomically(path.with_suffix(".json"), to_json(beside), durable=False)
        return record

    def discard(self, records: list[dict[str, Any]]) -> None:
        """Delete the pictures of a case that never became an incident. What is gone already is no fault."""
        for record in records:
            path = self._folder / record["path"]
            path.unlink(missing_ok=True)
            path.with_suffix(".json").unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # not empty: another role's picture is in it
                path.parent.rmdir()


def large_enough(frame: Frame) -> bool:
    """Whether a picture of this size is evidence under GA/T 832-2014."""
    return frame.width_px >= _EVIDENCE_SIZE_PX[0] and frame.height_px >= _EVIDENCE_SIZE_PX[1]


def jpeg_of(picture: Pixels) -> bytes:
    """As every evidence picture is encoded. Raises OSError when it cannot be."""
    encoded, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not encoded:
        raise OSError("the picture could not be encoded as JPEG")
    return jpeg.tobytes()


def close_up(
    frame: Frame, box_norm: tuple[float, float, float, float], hide: Sequence[Box] | None
) -> tuple[Frame, Sequence[Box] | None, dict[str, Any]]:
    """The surroundings of a box, enlarged; the boxes to hide moved with it; and where in the frame it was cut out."""
    x1, y1, x2, y2 = (side * size for side, size in zip(box_norm, (frame.width_px, frame.height_px) * 2, strict=True))
    half_x = max((0.5 + _AROUND) * (x2 - x1), _LEAST_PART * frame.width_px / 2)
    half_y = max((0.5 + _AROUND) * (y2 - y1), 0.5 * half_x)
    left, right = _within((x1 + x2) / 2, half_x, frame.width_px)
    top, bottom = _within((y1 + y2) / 2, half_y, frame.height_px)
    times = min(_MOST_ENLARGED, -(-_WIDE_PX // (right - left)))
    size = (times * (right - left), times * (bottom - top))
    pixels = np.asarray(cv2.resize(frame.pixels[top:bottom, left:right], size, interpolation=cv2.INTER_CUBIC), np.uint8)
    moved = [
        Box(
            one.kind,
            times * (one.x1_px - left),
            times * (one.y1_px - top),
            times * (one.x2_px - left),
            times * (one.y2_px - top),
        )
        for one in hide or ()
    ]
    told = {"cut_px": [left, top, right, bottom], "enlarged": times, "evidence_size": False}
    return Frame(frame.camera_id, frame.run_id, frame.time_s, pixels), None if hide is None else moved, told


def _within(middle: float, half: float, size_px: int) -> tuple[int, int]:
    """From and to: `half` on both sides of `middle`, moved into 0..`size_px` where it would reach beyond."""
    length = max(1, min(size_px, round(2 * half)))
    first = min(max(0, round(middle - half)), size_px - length)
    return first, first + length


def stamp(frame: Frame, request: PictureRequest, place: Place, source: str = "analysed") -> Pixels:
    """The frame with the subject outlined and a band of text below, which is wider than a frame too narrow for its words;
    (H + band, W or more, 3) uint8 BGR, the frame itself unchanged. `source`: whose frame the band says it is, `analysed` or
    `main`.
    """
    local = frame.captured_at.astimezone(place.timezone)
    lines = [
        f"{place.site}  {place.name} ({place.camera_id})  {request.zone_id}",
        f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d} {local:%z}  "
        f"{word(place.language, f'kind.{request.kind}')}  {word(place.language, f'role.{request.role}')}",
        f"{request.incident_id}  {word(place.language, f'source.{source}')} {frame.width_px}x{frame.height_px}",
    ]
    height, width = frame.pixels.shape[:2]
    band_px = _BAND_LINE_PX * len(lines) + 10
    face = cv2.FontFace("uni")  # the built-in sans has no Chinese; this one is drawn right by OpenCV 5
    size_px = max(11, min(18, width // 44))
    boxes = [cv2.getTextSize((0, 0), line, (_MARGIN_PX, 0), face, size_px, 400) for line in lines]
    wide = max(width, *(left + across + _MARGIN_PX for left, _, across, _ in boxes))
    picture = np.full((height + band_px, wide, 3), 24, np.uint8)
    picture[:height, :width] = frame.pixels
    if request.box_norm is not None:
        x1, y1, x2, y2 = request.box_norm
        corner = (round(x1 * width), round(y1 * height))
        cv2.rectangle(picture, corner, (round(x2 * width), round(y2 * height)), (0, 190, 255), 2)
    for number, line in enumerate(lines):
        origin = (_MARGIN_PX, height + _BAND_LINE_PX * (number + 1) - 4)
        cv2.putText(picture, line, origin, (235, 235, 235), face, size_px, 400)
    return picture
