"""What a behaviour sees of one moment: no pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from vision import native
from vision.aggression import ScoredRegion
from vision.crowd import CrowdReading
from vision.detection import Detections, Int64Array
from vision.geometry import FloatArray
from vision.ground import Ground
from vision.looks import Looks
from vision.track import Track
from vision.view import View
from vision.zone import Zone


@dataclass(frozen=True, eq=False)
class Scene:
    """One moment of one camera.

    `gap_s` is the time since the last valid scene (0 for the first). `detections` are those that no mask hides, with
    vehicles that the detector named twice merged; `detection_track_id` (N,) says which track took each, -1 for none.
    `tracks` are confirmed, tentative and lost ones. `looks` holds a small descriptor for each place that a behaviour
    asked for in its `places()`, under the same key. `regions` are the places where people may be acting on each other,
    with their scores. `crowd` is what was read of people who hide each other, on the pictures on which that was done. `view`
    says whether the picture can be believed.
    """

    camera_id: str
    time_s: float
    gap_s: float
    width_px: int
    height_px: int
    tracks: tuple[Track, ...]
    detections: Detections
    detection_track_id: Int64Array
    zones: Mapping[str, Zone]
    ground: Ground | None
    view: View
    looks: Mapping[str, Looks] = field(default_factory=dict)
    regions: tuple[ScoredRegion, ...] = ()
    crowd: CrowdReading | None = None

    def boxes_norm(self) -> FloatArray:
        """(N, 4) boxes of `detections`, 0..1; not to be written to."""
        return self._boxes_norm

    def track_boxes_norm(self) -> FloatArray:
        """(T, 4) boxes of `tracks`, 0..1; not to be written to."""
        return self._track_boxes_norm

    # Several rules ask for them, in every picture.
    @cached_property
    def _boxes_norm(self) -> FloatArray:
        return self._norm(self.detections.xyxy_px)

    @cached_property
    def _track_boxes_norm(self) -> FloatArray:
        return self._norm([track.xyxy_px for track in self.tracks])

    def _norm(self, boxes_px: npt.ArrayLike) -> FloatArray:
        if native.detections is not None:
            return native.detections.norm(boxes_px, self.width_px, self.height_px)
        boxes = np.asarray(boxes_px, np.float64).reshape(-1, 4)
        boxes = boxes / (self.width_px, self.height_px, self.width_px, self.height_px)
        boxes.flags.writeable = False
        return boxes
