"""Real people of many cameras as lessons: where the detector sees them clearly, their heads are known.

Staged crowds alone teach what one camera's people look like cut out; on other cameras' pictures such a head takes all kinds
of things for heads. Real footage teaches what they look like elsewhere, and what is nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from pipelines.bullying.clips import Clip
from pipelines.media.file import open_source
from vision import coco
from vision.crowd import HEAD_SHARE
from vision.detection import Detector
from vision.frame import Pixels
from vision.geometry import FloatArray

#: Who is seen at least this surely is a lesson; less surely, and it is not known whether anybody is there.
SURE: Final = 0.4
_UNSURE: Final = 0.12
#: Smaller people teach nothing.
_LEAST_TALL_PX: Final = 40.0
#: Larger pictures are made smaller.
_MOST_PX: Final = 768


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A picture of real people. `boxes` (N, 4) are those that are surely there, `unsure` (M, 4) perhaps; in pixels. `group`
    is the source that it comes from.
    """

    pixels: Pixels
    boxes: FloatArray
    unsure: FloatArray
    group: str

    @property
    def heads_px(self) -> FloatArray:
        """(N, 2)"""
        return heads_of(self.boxes)

    @property
    def tall_px(self) -> float:
        return float(np.percentile(self.boxes[:, 3] - self.boxes[:, 1], 75))


def heads_of(boxes: FloatArray) -> FloatArray:
    """(N, 2) the middle of the head of each box."""
    return np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 1] + HEAD_SHARE * (boxes[:, 3] - boxes[:, 1])], axis=1)


def kept_groups(clips: Sequence[Clip]) -> frozenset[str]:
    """Every third source is kept for judging."""
    return frozenset(sorted({clip.group for clip in clips})[::3])


def shots(
    clips: Sequence[Clip], detector: Detector, each: int = 3, say: Callable[[], None] = lambda: None
) -> Iterator[Shot]:
    """`each` pictures of every clip in which somebody is large enough. `detector` must keep detections of little confidence."""
    for clip in clips:
        frames = [frame.pixels for frame in open_source(str(clip.path), "clip", 5.0)]
        chosen = sorted({round(place) for place in np.linspace(0, len(frames) - 1, each)}) if frames else []
        for number in chosen:
            shot = _shot(frames[number], detector, clip.group)
            if shot is not None:
                yield shot
        say()


def _shot(pixels: Pixels, detector: Detector, group: str) -> Shot | None:
    scale = _MOST_PX / max(pixels.shape[:2])
    if scale < 1:
        pixels = np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    found = detector.detect([pixels])[0]
    people = found.class_id == coco.PERSON
    boxes = np.asarray(found.xyxy_px, np.float64)
    sure = people & (found.confidence >= SURE)
    shot = Shot(pixels, boxes[sure], boxes[people & ~sure & (found.confidence >= _UNSURE)], group)
    return shot if len(shot.boxes) and shot.tall_px >= _LEAST_TALL_PX else None
