"""How many people are in a zone and how close they stand, steadied over a moment, and how far that can be trusted."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from vision.behaviours.crowding_hidden import all_people
from vision.behaviours.people import (
    boxes_norm,
    count_error,
    feet,
    hide_each_other,
    local_density,
    people_in,
    read_error,
)
from vision.crowd import HEAD_SHARE, CrowdReading
from vision.geometry import FloatArray, points_in_polygon
from vision.ground import Ground
from vision.incident import Quantity
from vision.scene import Scene
from vision.track import Track
from vision.zone import Point

SMOOTH_S: Final = 0.6
_GROWTH_S: Final = 60.0
_GROWTH_LEAST_S: Final = 10.0
#: A crowd is read twice a second: the median of three readings, none older than this.
_READINGS_S: Final = 1.8
_READINGS: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Count:
    """`people` is what counts: those `seen` as boxes, or more where a crowd was read (`read`). `close`: people hide each
    other. `density` in people per square metre, 0 without ground points. `tracks` are those seen in `scene`.
    """

    people: int
    seen: int
    density: float
    read: bool
    tracks: tuple[Track, ...]
    scene: Scene

    @property
    def boxes(self) -> FloatArray:
        """(N, 4) of `tracks`, 0..1. Only what is told needs them."""
        return boxes_norm(self.tracks, self.scene)

    @property
    def close(self) -> bool:
        return hide_each_other(self.boxes)

    @property
    def error(self) -> float:
        """By how many people it is off in the mean."""
        return read_error(self.people, self.density) if self.read else count_error(self.people, self.close)


class CrowdCount:
    """Counts one zone."""

    def __init__(self) -> None:
        #: (time_s, people seen, density of those, people that counted)
        self._history: deque[tuple[float, int, float, int]] = deque()
        #: (time_s, people, density) of crowds that were read
        self._readings: deque[tuple[float, float, float]] = deque(maxlen=_READINGS)

    def step(self, scene: Scene, polygon: Sequence[Point]) -> Count:
        """The count at this moment."""
        tracks = people_in(scene, polygon)
        seen, density = len(tracks), 0.0
        if seen and scene.ground is not None:
            density = _densest(scene.ground, feet(boxes_norm(tracks, scene)))
        if scene.crowd is not None:
            self._readings.append((scene.time_s, *_read(scene, scene.crowd, boxes_norm(tracks, scene), polygon)))
        self._history.append((scene.time_s, seen, density, seen))
        while self._history[0][0] < scene.time_s - _GROWTH_S:
            self._history.popleft()
        steady, steady_density, read = self.steady(scene.time_s)
        self._history[-1] = (scene.time_s, seen, density, steady)
        return Count(
            people=steady,
            seen=self._seen(scene.time_s)[0] if read else steady,
            density=steady_density,
            read=read,
            tracks=tracks,
            scene=scene,
        )

    def known(self, time_s: float) -> bool:
        """Whether anything is known of this moment."""
        return bool(self._history) and self._history[-1][0] > time_s - SMOOTH_S

    def steady(self, time_s: float) -> tuple[int, float, bool]:
        """People, their density, and whether that was read from the crowd rather than seen as boxes."""
        seen, density = self._seen(time_s)
        recent = [row for row in self._readings if row[0] > time_s - _READINGS_S]
        if not recent:
            return seen, density, False
        people, packed = (float(np.median([row[i] for row in recent])) for i in (1, 2))
        # Boxes are a lower bound: nobody is seen who is not there (but for one in twelve).
        return max(seen, round(people)), max(density, packed), round(people) > seen

    def _seen(self, time_s: float) -> tuple[int, float]:
        """Medians of three pictures at 5 a second: one picture's error moves nothing."""
        counts, densities = [], []
        for at_s, seen, density, _ in reversed(self._history):
            if at_s <= time_s - SMOOTH_S:
                break
            counts.append(seen)
            densities.append(density)
        counts.sort()
        densities.sort()
        return counts[len(counts) // 2], densities[len(densities) // 2]

    def outlook(self, limit: int | None, people: int) -> dict[str, Quantity]:
        """How fast it fills, and when it is full if it goes on like that."""
        growth = self._growth_per_min()
        if growth is None:
            return {}
        outlook = {"growth": Quantity(round(growth, 1), "people/min")}
        if limit is not None and growth > 0 and people <= limit:
            outlook["until_limit"] = Quantity(round((limit + 1 - people) / growth * 60, 1), "s")
        return outlook

    def _growth_per_min(self) -> float | None:
        """Slope of the count over the last minute by least squares; None while less than ten seconds are known."""
        times = np.array([row[0] for row in self._history])
        if len(times) < 3 or times[-1] - times[0] < _GROWTH_LEAST_S:
            return None
        times = times - times.mean()
        counts = np.array([row[3] for row in self._history], np.float64)
        return float(times @ (counts - counts.mean()) / (times @ times) * 60)

    def snapshot(self) -> dict[str, Any]:
        return {"history": [list(row) for row in self._history], "readings": [list(row) for row in self._readings]}

    def restore(self, state: dict[str, Any]) -> None:
        """From a snapshot; one of a release that read no crowds knows only what was seen."""
        rows = state["history"]
        self._history = deque((float(r[0]), int(r[1]), float(r[2]), int(r[3] if len(r) > 3 else r[1])) for r in rows)
        self._readings = deque(
            ((float(t), float(n), float(d)) for t, n, d in state.get("readings", [])), maxlen=_READINGS
        )


def _densest(ground: Ground, places: FloatArray, people: FloatArray | None = None) -> float:
    """The density at the densest of `places` (N, 2), N > 0, on each of which `people` (N,) stand, or one."""
    return float(local_density(ground.to_metres(np.clip(places, 0, 1)), people).max())


def _read(scene: Scene, crowd: CrowdReading, boxes: FloatArray, polygon: Sequence[Point]) -> tuple[float, float]:
    """People in the zone and their density: as read, and as seen (`boxes` (N, 4)) where the reading did not look."""
    heads = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 1] + HEAD_SHARE * (boxes[:, 3] - boxes[:, 1])], axis=1)
    x1, y1, x2, y2 = crowd.region
    looked_at = (heads[:, 0] >= x1) & (heads[:, 0] < x2) & (heads[:, 1] >= y1) & (heads[:, 1] < y2)
    beside = feet(boxes[~looked_at])
    mine = points_in_polygon(np.clip(crowd.places, 0, 1 - 1e-9), polygon)
    places = np.concatenate([crowd.places[mine], beside])
    read = all_people(crowd, scene.ground, (scene.height_px, scene.width_px))
    people = np.concatenate([read[mine], np.ones(len(beside))])
    density = 0.0 if scene.ground is None or not len(places) else _densest(scene.ground, places, people)
    return float(people.sum()), density
