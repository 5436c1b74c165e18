"""How many stand behind those whose heads can be seen: the flatter the camera looks and the denser the crowd, the more."""

from __future__ import annotations

from typing import Final

import numpy as np

from vision.behaviours.people import local_density
from vision.crowd import CrowdReading
from vision.geometry import FloatArray
from vision.ground import Ground

#: Of a crowd at density d that is looked at with steepness t (sine of the angle to the ground), exp(-_HIDDEN d / t) of the
#: heads are found: a head is hidden by whoever stands in a strip before it, longer the flatter the look, as in a
#: Boolean model of a crowd. Fitted to staged crowds of the people that were learnt from, where .02 to .04 do equally well: the
#: least is taken, because a crowd of few rows hides less than a deep one.
_HIDDEN: Final = 0.02
#: Nobody knows what a wall of people hides: beyond this factor nothing is added.
_MOST: Final = 1.3
_ROUNDS: Final = 12


def steepness(ground: Ground, place_norm: FloatArray, size_px: tuple[int, int]) -> float:
    """The sine of the angle between the look and the ground at a place (0..1 of the picture of (height, width)): how much shorter
    a metre away from the camera is in the picture than a metre across. 1 where the picture shows no ground.
    """
    pixel = np.array([1 / size_px[1], 1 / size_px[0]])
    here, right, down = ground.to_metres(place_norm + np.array([[0, 0], [pixel[0], 0], [0, pixel[1]]]))
    steps = np.stack([right - here, down - here], axis=1)
    if not np.isfinite(steps).all():  # on or above the horizon
        return 1.0
    scales = np.linalg.svd(steps, compute_uv=False)
    return float(np.clip(scales[1] / scales[0], 0.05, 1.0)) if scales[0] > 0 else 1.0


def all_people(crowd: CrowdReading, ground: Ground | None, size_px: tuple[int, int]) -> FloatArray:
    """(K,) the people at each place of a reading, those included that nobody can see there; without ground points, as read."""
    if ground is None or not len(crowd.people):
        return crowd.people
    middle = np.average(crowd.places, axis=0, weights=crowd.people)
    return with_hidden(ground.to_metres(crowd.places), crowd.people, steepness(ground, middle, size_px))


def with_hidden(metres: FloatArray, people: FloatArray, steep: float, hidden: float = _HIDDEN) -> FloatArray:
    """(N,) the people at each of `metres` (N, 2), those included that nobody can see there."""
    if not len(people):
        return people
    found = np.nan_to_num(local_density(metres, people))
    true = found
    for _ in range(_ROUNDS):
        true = found * np.minimum(np.exp(hidden / steep * true), _MOST)
    return np.asarray(people * np.divide(true, found, out=np.ones_like(found), where=found > 0))
