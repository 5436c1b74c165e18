"""What is read from a camera's pictures besides what the detector finds: people who act on each other, and crowds."""

from __future__ import annotations

import numpy as np

from vision import coco, interaction, native
from vision.aggression import RegionScorer, RegionWatch, ScoredRegion
from vision.camera import CameraSpec
from vision.crowd import CrowdReading
from vision.crowd_watch import CrowdReader, CrowdWatch
from vision.detection import Detections
from vision.frame import Frame
from vision.geometry import FloatArray


class Readings:
    """Of one camera, as far as its rules ask for it."""

    def __init__(self, scorer: RegionScorer | None, crowds: CrowdReader | None) -> None:
        """`scorer` judges interaction regions; `crowds` counts people who hide each other. None: nothing of that kind is read."""
        self._regions: RegionWatch | None = None
        self._crowds: CrowdWatch | None = None
        self._seen: Detections | None = None
        self._people_px: FloatArray = np.empty((0, 4))
        """The people's boxes in `_seen`."""
        self.equip(scorer, crowds)

    def equip(self, scorer: RegionScorer | None, crowds: CrowdReader | None) -> None:
        """As for `__init__`, later: what it has already stays."""
        if self._regions is None and scorer is not None:
            self._regions = RegionWatch(scorer)
        if self._crowds is None and crowds is not None:
            self._crowds = CrowdWatch(crowds)

    @property
    def wanted_fps(self) -> float | None:
        """How many pictures a second are wanted now; None: those that the detector looks at are enough."""
        return interaction.RATE_HZ if self._regions is not None and self._regions.active else None

    def glance(self, frame: Frame, last_s: float | None) -> None:
        """A picture that the detector does not look at; `last_s`: when the last one was that it did look at."""
        if self._regions is not None and self._regions.awake and (last_s is None or frame.time_s > last_s):
            self._regions.step(frame, frame.time_s, None)

    def regions(self, frame: Frame, seen: Detections, camera: CameraSpec) -> tuple[ScoredRegion, ...]:
        """The places of this picture where people may be acting on each other, scored."""
        if self._regions is None or not follows(camera, "possible_bullying", frame.time_s):
            return ()
        return self._regions.step(frame, frame.time_s, self._people(seen))

    def crowd(self, frame: Frame, seen: Detections, camera: CameraSpec) -> CrowdReading | None:
        """What is read of a crowd in this picture, which can be believed; None: nothing is."""
        if self._crowds is None or not follows(camera, "crowding", frame.time_s):
            return None
        return self._crowds.step(frame, frame.time_s, self._people(seen), camera)

    def _people(self, seen: Detections) -> FloatArray:
        """The same array for the same detections: from picture to picture, where nothing was looked at anew."""
        if seen is not self._seen:
            self._seen, self._people_px = seen, _people(seen)
        return self._people_px


def follows(camera: CameraSpec, kind: str, time_s: float) -> bool:
    """Whether a rule in force is of that kind."""
    return any(rule.kind == kind and rule.active(time_s) for rule in camera.rules)


def _people(seen: Detections) -> FloatArray:
    """(N, 4) the people's boxes, not to be written to."""
    if native.people is not None:
        boxes = native.people.boxes_of(seen.xyxy_px, seen.class_id, coco.PERSON)
    else:
        boxes = seen.xyxy_px[seen.class_id == coco.PERSON].astype(np.float64)
    boxes.flags.writeable = False
    return boxes
