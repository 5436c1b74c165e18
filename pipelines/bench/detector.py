"""What one picture costs the detector, by model, input size and mode; and what the motion gate costs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vision.detectors import make_detector
from vision.detectors.settings import DetectorSettings
from vision.frame import Pixels
from vision.motion import MotionGate

Mode = Literal["throughput", "latency"]


@dataclass(frozen=True, slots=True)
class Cost:
    """`cpu_ms` is user and system time of all threads, `wall_ms` what it took; both per picture, fitting in and
    reading boxes included. `boxes` is how many were seen per picture, so that nobody is quicker by seeing less.
    """

    model: str
    input: tuple[int, int]
    mode: Mode
    cpu_ms: float
    wall_ms: float
    boxes: float


def detector_costs(
    models: dict[str, Path],
    sizes: Sequence[tuple[int, int]],
    pictures: list[Pixels],
    *,
    backend: str = "openvino",
    rounds: int = 3,
) -> Iterator[Cost]:
    """Each combination, as it is measured: the cheapest of `rounds` runs over all pictures, after a warm-up.

    Raises:
        ModelError: a model cannot be used at a size.
        DetectorError: it failed.
    """
    modes: tuple[Mode, ...] = ("throughput", "latency")
    threads = len(os.sched_getaffinity(0))
    for size in sizes:
        for name, path in models.items():
            for mode in modes:
                settings = DetectorSettings(path, size, mode=mode, threads=threads, label=name)
                detector = make_detector(backend, settings)
                # In latency mode pictures come one by one, as they do from one camera.
                step = len(pictures) if mode == "throughput" else 1
                parts = [pictures[start : start + step] for start in range(0, len(pictures), step)]
                detector.detect(pictures[:4])
                best = (float("inf"), float("inf"))
                boxes = 0
                for _ in range(rounds):
                    cpu_s, wall_s = time.process_time(), time.perf_counter()
                    boxes = sum(len(found) for part in parts for found in detector.detect(part))
                    cost = (time.process_time() - cpu_s, time.perf_counter() - wall_s)
                    best = min(best, cost)
                each = len(pictures)
                yield Cost(name, size, mode, best[0] / each * 1e3, best[1] / each * 1e3, boxes / each)


def gate_cost_ms(pictures: list[Pixels], rounds: int = 5) -> float:
    """Processor time of the motion gate per picture: the cheapest of `rounds` runs."""
    best = float("inf")
    for _ in range(rounds):
        gate = MotionGate()
        start = time.process_time()
        for number, picture in enumerate(pictures):
            gate.update(picture, number * 0.2)
        best = min(best, time.process_time() - start)
    return best / len(pictures) * 1e3
