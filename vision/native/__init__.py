"""Small loops over a dozen boxes, compiled: each module does what the NumPy code of its caller does, to the bit.

All modules are None where they were not compiled (no C compiler when Gatewatch was installed), where their sources have
changed since or one of them is damaged, and in a process that begins with `GATEWATCH_NATIVE=0`. Their callers then go NumPy's
way, which gives the same and costs more processor time; the tests hold both ways against each other.
"""

from __future__ import annotations

import os

from vision.native.sources import are_current

try:
    if os.environ.get("GATEWATCH_NATIVE") == "0" or not are_current():
        raise ImportError
    from vision.native import (
        assignment,
        boxes,
        brightness,
        colours,
        detections,
        ground,
        heads,
        looks,
        missed,
        mosaic,
        motion,
        parking,
        parts,
        people,
        regions,
        scaling,
        tracking,
        view,
    )
except (ImportError, OSError, ValueError):  # ValueError: compiled for a NumPy that is laid out otherwise
    assignment = boxes = brightness = colours = detections = ground = heads = looks = None  # type: ignore[assignment]
    missed = mosaic = motion = parking = parts = people = regions = scaling = tracking = view = None  # type: ignore[assignment]


def modules() -> dict[str, bool]:
    """Which of the modules are compiled and used, by name."""
    return {
        "assignment": assignment is not None,
        "boxes": boxes is not None,
        "brightness": brightness is not None,
        "colours": colours is not None,
        "detections": detections is not None,
        "ground": ground is not None,
        "heads": heads is not None,
        "looks": looks is not None,
        "missed": missed is not None,
        "mosaic": mosaic is not None,
        "motion": motion is not None,
        "parking": parking is not None,
        "parts": parts is not None,
        "people": people is not None,
        "regions": regions is not None,
        "scaling": scaling is not None,
        "tracking": tracking is not None,
        "view": view is not None,
    }
