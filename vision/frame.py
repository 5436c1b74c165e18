"""One picture of one camera with its own time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import numpy as np

from vision.brightness import Pixels, brightness, thumbnail

__all__ = ["Frame", "Picture", "Pixels", "grey_of", "size_px", "whole"]


@dataclass(frozen=True, eq=False)
class Frame:
    """A decoded picture.

    `time_s` is seconds since the Unix epoch: UTC at the start of the run plus the stream's own pts. It never goes back
    within a camera, and it is never the time of arrival. `run_id` names one RTSP session (or one reading of a file).
    `pixels` is (H, W, 3) uint8, BGR.
    """

    camera_id: str
    run_id: str
    time_s: float
    pixels: Pixels

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.uint8:
            raise ValueError(
                f"pixels of camera {self.camera_id}: expected (H, W, 3) uint8, "
                f"got {self.pixels.shape} {self.pixels.dtype}"
            )

    @cached_property
    def small(self) -> Pixels:
        """The `thumbnail` of `pixels`; made when it is first asked for, and once."""
        return thumbnail(self.pixels)

    @property
    def grey(self) -> Pixels:
        """(H, W) the `brightness` of `pixels`."""
        return brightness(self.pixels)

    def at(self, parts: Sequence[tuple[int, int, int, int]]) -> Pixels:
        """(H, W, 3) as `pixels`, of which only what lies in `parts` (left, top, right, bottom) may be read: of a picture that
        came as YUV no more than that is converted.
        """
        return self.pixels

    @property
    def captured_at(self) -> datetime:
        """When the picture was taken, UTC, derived from the stream's pts."""
        return datetime.fromtimestamp(self.time_s, UTC)

    @property
    def width_px(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height_px(self) -> int:
        return int(self.pixels.shape[0])


#: What one picture is judged by: a `Frame`, or its pixels (H, W, 3) uint8 BGR alone.
Picture = Frame | Pixels


def size_px(picture: Picture) -> tuple[int, int]:
    """Height and width."""
    if isinstance(picture, Frame):
        return picture.height_px, picture.width_px
    return picture.shape[0], picture.shape[1]


def whole(picture: Picture) -> Pixels:
    """(H, W, 3) all of it."""
    return picture.pixels if isinstance(picture, Frame) else picture


def grey_of(picture: Picture) -> Pixels:
    """(H, W) its brightness."""
    return picture.grey if isinstance(picture, Frame) else brightness(picture)
