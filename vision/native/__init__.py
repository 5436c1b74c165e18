"""Small loops over a dozen boxes, compiled: each module does what the NumPy code of its caller does, to the bit.

A module is None where it was not compiled (no C compiler when Gatewatch was installed) and in a process that begins with
`GATEWATCH_NATIVE=0`. Its callers then go NumPy's way, which gives the same and costs more processor time; the tests hold
both ways against each other.
"""

from __future__ import annotations

import os

try:
    if os.environ.get("GATEWATCH_NATIVE") == "0":
        raise ImportError
    from vision.native import boxes
except ImportError:
    boxes = None  # type: ignore[assignment]
try:
    if os.environ.get("GATEWATCH_NATIVE") == "0":
        raise ImportError
    from vision.native import heads, mosaic
except ImportError:
    heads = mosaic = None  # type: ignore[assignment]
try:
    if os.environ.get("GATEWATCH_NATIVE") == "0":
        raise ImportError
    from vision.native import brightness, missed, motion, parts, regions
except ImportError:
    brightness = missed = motion = parts = regions = None  # type: ignore[assignment]
try:
    if os.environ.get("GATEWATCH_NATIVE") == "0":
        raise ImportError
    from vision.native import ground, looks, parking, people, sharpness
except ImportError:
    ground = looks = parking = people = sharpness = None  # type: ignore[assignment]
try:
    if os.environ.get("GATEWATCH_NATIVE") == "0":
        raise ImportError
    from vision.native import assignment, detections, tracking
except ImportError:
    assignment = detections = tracking = None  # type: ignore[assignment]


def modules() -> dict[str, bool]:
    """Which of the modules are compiled and used, by name."""
    return {
        "assignment": assignment is not None,
        "boxes": boxes is not None,
        "brightness": brightness is not None,
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
        "sharpness": sharpness is not None,
        "tracking": tracking is not None,
    }
