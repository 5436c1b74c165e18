"""What the benchmark's cameras play: a clip as a sub stream, with as much quiet between as is asked for.

The quiet has what a sensor and the sky make of it: fresh noise in every picture, light that swells and fades, and now and
then a lamp or a cloud that changes it within half a second.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from pipelines.errors import BadInput
from pipelines.media.file import FileSource
from pipelines.media.writer import VideoWriter
from vision.frame import Pixels

WIDTH_PX: Final = 768
HEIGHT_PX: Final = 432
FPS: Final = 12.5
_CYCLE_S: Final = 20.0
_CYCLES: Final = 3
_SPREAD: Final = 10  # one of so many pictures makes the empty ground
_MOST_S: Final = 80.0
_NOISE: Final = 2.0  # standard deviation in levels of 255
_RECIPE: Final = 1
#: As cameras encode: a key picture every two seconds, none that is not referred to, a bounded rate.
_ENCODER: Final = {
    "preset": "veryfast", "crf": "23", "maxrate": "1500k", "bufsize": "3000k", "bf": "0", "g": "25", "keyint_min": "25",
    "sc_threshold": "0",
}  # fmt: skip


def as_sub_stream(pixels: Pixels) -> Pixels:
    """The middle of the picture at 768x432: scaled where it has to be, never bent."""
    height, width = pixels.shape[:2]
    scale = max(WIDTH_PX / width, HEIGHT_PX / height)
    if scale != 1.0:
        size = (max(WIDTH_PX, round(width * scale)), max(HEIGHT_PX, round(height * scale)))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    top, left = (pixels.shape[0] - HEIGHT_PX) // 2, (pixels.shape[1] - WIDTH_PX) // 2
    return np.ascontiguousarray(pixels[top : top + HEIGHT_PX, left : left + WIDTH_PX])


def top_left_px(height_px: int, width_px: int) -> tuple[float, float, float]:
    """(scale, left, top) by which `as_sub_stream` moves a picture of that size."""
    scale = max(WIDTH_PX / width_px, HEIGHT_PX / height_px)
    return scale, (round(width_px * scale) - WIDTH_PX) // 2, (round(height_px * scale) - HEIGHT_PX) // 2


def sub_stream(video: Path, activity: float, cache: Path) -> Path:
    """The stream as an MP4 in `cache`, made when it is not there; the pictures of `video` follow at 12.5 a second.

    Raises:
        BadInput: it is no video, or too short.
    """
    state = video.stat()
    stamp = f"{_RECIPE} {video.resolve()} {state.st_size} {state.st_mtime_ns} {activity}"
    out = cache / f"{video.stem}-{round(activity * 1000):04d}.mp4"
    note = out.with_suffix(".json")
    if out.is_file() and note.is_file() and json.loads(note.read_text()).get("stamp") == stamp:
        return out
    cache.mkdir(parents=True, exist_ok=True)
    with VideoWriter(out, FPS, _ENCODER) as writer:
        count = -1
        for count, picture in enumerate(pictures(video, activity)):
            writer.write(picture, count / FPS)
    if count < 2 * FPS:
        raise BadInput(f"{video}: two seconds of pictures are needed at least")
    note.write_text(json.dumps({"stamp": stamp}))
    return out


def pictures(video: Path, activity: float) -> Iterator[Pixels]:
    """What `sub_stream` encodes: the clip, or cycles of 20 s of which `activity` is the clip and the rest its empty ground."""
    if activity >= 1.0:
        yield from _clip(video)
        return
    spread = [picture for number, picture in enumerate(_clip(video)) if number % _SPREAD == 0]
    if not spread:
        return
    plate = np.median(np.stack(spread), axis=0).astype(np.float32)
    length = _SPREAD * len(spread)
    random = np.random.default_rng(9)
    cycle, moving = round(_CYCLE_S * FPS), round(_CYCLE_S * FPS * activity)
    clip = enumerate(_clip(video))
    for number in range(_CYCLES * cycle):
        turn, at = divmod(number, cycle)
        light = np.float32(_light(number / FPS))
        picture = None
        if at < moving:
            picture = next((pixels for index, pixels in clip if index >= turn * length // _CYCLES + at), None)
        if picture is not None:
            seen = picture.astype(np.float32) * light
        else:
            seen = plate * light + random.normal(0.0, _NOISE, plate.shape).astype(np.float32)
        yield np.clip(seen, 0, 255).astype(np.uint8)


def _clip(video: Path) -> Iterator[Pixels]:
    frames = FileSource(str(video), "bench")
    return (as_sub_stream(frame.pixels) for frame in islice(frames, round(_MOST_S * FPS)))


def _light(time_s: float) -> float:
    swell = 0.08 * math.sin(time_s / 23.0 * 2 * math.pi)
    lamp = 0.04 / (1 + math.exp(-(time_s % 22.0 - 11.0) / 0.1)) - 0.04 / (1 + math.exp(-(time_s % 22.0 - 21.0) / 0.1))
    return 1.0 + swell + lamp
