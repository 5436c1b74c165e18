"""What one picture told, without its pixels: from moments that were kept, an engine judges again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from vision.aggression import ScoredRegion
from vision.crowd import CrowdReading
from vision.detection import Detections
from vision.geometry import Box, iou
from vision.looks import Looks
from vision.view import View

#: Looks that were kept under another name serve for a place that overlaps theirs this much.
_SAME_PLACE_IOU: Final = 0.5


class PlacedLooks(NamedTuple):
    """How a place (0..1 of the picture) looked."""

    place: Box
    looks: Looks


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """Everything that the rules of a camera were judged from at `time_s`.

    `detections` are all that the detector found, before masks. `looks` are those of the places that were watched, by
    the key of what stands there.
    """

    camera_id: str
    time_s: float
    width_px: int
    height_px: int
    detections: Detections
    view: View
    regions: tuple[ScoredRegion, ...] = ()
    looks: Mapping[str, PlacedLooks] = field(default_factory=dict)
    crowd: CrowdReading | None = None


class Recollection:
    """Finds the looks of places in moments: those of the same key, else of a place that is nearly the same.

    Looks of two different places are not comparable cell by cell, so a key stays with the source that it had first.
    """

    def __init__(self) -> None:
        self._source: dict[str, str] = {}

    def looks(self, moment: Moment, places: Mapping[str, Box]) -> dict[str, Looks]:
        """What `moment` knows of `places`; a place of which it knows nothing is left out."""
        found: dict[str, Looks] = {}
        for key, place in places.items():
            source = self._of(key, place, moment.looks)
            if source is not None:
                found[key] = moment.looks[source].looks
        self._source = {key: source for key, source in self._source.items() if key in places}
        return found

    def _of(self, key: str, place: Box, known: Mapping[str, PlacedLooks]) -> str | None:
        if key in known:
            return key
        kept = self._source.get(key)
        if kept is not None and kept in known and _overlap(place, known[kept].place) >= _SAME_PLACE_IOU:
            return kept
        best = max(known, key=lambda other: (_overlap(place, known[other].place), other), default=None)
        if best is None or _overlap(place, known[best].place) < _SAME_PLACE_IOU:
            return None
        self._source[key] = best
        return best


def _overlap(a: Box, b: Box) -> float:
    return float(iou(np.array([a]), np.array([b]))[0, 0])
