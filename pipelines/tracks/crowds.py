"""A reading of a crowd as text: {"region": [x1, y1, x2, y2], "places": [x, y, ...], "people": [n, ...]} in whole steps."""

from __future__ import annotations

import json

import numpy as np

from vision.crowd import PEOPLE_STEPS, PLACE_STEPS, CrowdReading


def to_text(crowd: CrowdReading) -> str:
    """Nothing is lost: readings are rounded to these steps when they are made."""
    steps = {
        "region": [round(value * PLACE_STEPS) for value in crowd.region],
        "places": np.rint(crowd.places * PLACE_STEPS).astype(np.int64).reshape(-1).tolist(),
        "people": np.rint(crowd.people * PEOPLE_STEPS).astype(np.int64).tolist(),
    }
    return json.dumps(steps, separators=(",", ":"))


def from_text(text: str) -> CrowdReading:
    """Raises ValueError, KeyError or TypeError: it is no such text."""
    steps = json.loads(text)
    x1, y1, x2, y2 = (value / PLACE_STEPS for value in steps["region"])
    places = np.array(steps["places"], np.float64).reshape(-1, 2) / PLACE_STEPS
    people = np.array(steps["people"], np.float64) / PEOPLE_STEPS
    if len(places) != len(people):
        raise ValueError(f"{len(places)} places, but people at {len(people)}")
    return CrowdReading(places, people, (x1, y1, x2, y2))
