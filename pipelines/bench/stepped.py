"""A clock that stands still while the worker works, and what a canvas costs the machine meanwhile."""

from __future__ import annotations

import threading
import time
from typing import Final

import numpy as np

from vision.detection import Detector

#: By how much the clock goes on when everything is done.
STEP_S: Final = 0.04


class SteppedClock:
    """Stands still until it is moved on."""

    def __init__(self, now_s: float) -> None:
        self._at_s = now_s

    def now_s(self) -> float:
        return self._at_s

    def monotonic_s(self) -> float:
        return self._at_s

    def wait(self, stop: threading.Event, timeout_s: float) -> bool:
        return stop.wait(min(timeout_s, 0.002))

    def advance(self, seconds: float) -> None:
        self._at_s += seconds


def canvas_cpu_ms(detector: Detector, input_px: tuple[int, int]) -> float:
    """Processor time of one full canvas now, on this machine as busy as it is: what figures may be compared by."""
    pictures = [np.random.default_rng(1).integers(0, 255, (*input_px, 3), dtype=np.uint8)] * 16
    detector.detect(pictures)
    began_s = time.process_time()
    detector.detect(pictures)
    return (time.process_time() - began_s) / len(pictures) * 1e3
