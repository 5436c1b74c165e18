"""One trial of `gatewatch bench cameras`: what was asked for, what was counted, and the figures that follow."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipelines.config.schema import Config
from pipelines.metrics import package_version

STAGES: Final = ("decode", "gate", "detect", "track", "rules", "publish")
#: What the bench itself does in the worker's thread: no worker does it.
NOTING: Final = "noting"
#: What a camera must get: analysed frames a second, and how old a frame may be when its incidents are published.
WANTED_FPS: Final = 5.0
OLDEST_P95_S: Final = 1.0
#: Five a second of twelve and a half is met on average; a window cuts one off at its edges.
_LEAST_SHARE: Final = 0.95


def stages_of(config: Config) -> tuple[str, ...]:
    """Those that are told apart. Tracks are kept (`keep`) as the configuration says."""
    return (*STAGES, "keep") if config.tracks.enabled else STAGES


@dataclass(frozen=True, slots=True)
class Trial:
    """How many cameras play `stream`, for how long, through which door, under which `kinds` of rule. With `own_clock` time
    stands still while the worker works: only processor time means anything then, on however busy a machine.
    """

    cameras: int
    seconds: float
    stream: Path
    activity: float
    rtsp: bool = False
    own_clock: bool = False
    kinds: tuple[str, ...] = ("illegal_parking", "crowding", "possible_bullying")

    @property
    def names(self) -> list[str]:
        """The cameras' ids."""
        return [f"camera-{number}" for number in range(self.cameras)]


@dataclass(frozen=True, slots=True)
class Count:
    """Everything that is counted, at one moment."""

    at_s: float
    frames: int
    stages: dict[str, float]
    native_s: float
    process_s: float
    bus_s: float
    bench_s: float
    sending_s: float
    published: int
    drops: Counter[str]
    resident_mb: float


class Analysed:
    """Camera and age of each analysed frame, in six bytes: half an hour of them must not look like a worker that grows."""

    def __init__(self) -> None:
        self.cameras: dict[str, int] = {}
        self._camera = array("H")
        self._age_s = array("f")

    def __len__(self) -> int:
        return len(self._age_s)

    def add(self, camera_id: str, age_s: float) -> None:
        self._camera.append(self.cameras.setdefault(camera_id, len(self.cameras)))
        self._age_s.append(age_s)

    def between(self, first: int, end: int) -> list[tuple[str, float]]:
        """The frames from number `first` up to, not including, `end`."""
        names = list(self.cameras)
        return [(names[self._camera[at]], self._age_s[at]) for at in range(first, end)]


def figures(
    trial: Trial, config: Config, before: Count, after: Count, analysed: Sequence[tuple[str, float]], canvas_ms: float
) -> dict[str, Any]:
    """What `gatewatch bench cameras` prints, from the counts at both ends. `analysed`: camera and age of each frame between;
    `canvas_ms`: what a full canvas costs this machine now.
    """
    passed_s = after.at_s - before.at_s
    per_camera = Counter(camera for camera, _ in analysed)
    rates = [per_camera[name] / passed_s for name in trial.names]
    ages_s = sorted(age_s for _, age_s in analysed) or [float("inf")]
    each = 1.0 / (trial.cameras * passed_s)
    stages = {stage: (after.stages[stage] - before.stages[stage]) * each for stage in stages_of(config)}
    sending = (after.sending_s - before.sending_s) * each
    inference = (after.native_s - before.native_s) * each
    total = (after.process_s - before.process_s) * each
    bench = (after.bench_s - before.bench_s) * each
    total -= bench
    if not trial.rtsp:  # the pacing is done in the readers' threads, and is no work of a worker
        stages["decode"] -= sending
        total -= sending
    other = total - sum(stages.values()) - inference
    p95_s = _percentile(ages_s, 0.95)
    meets = min(rates) >= _LEAST_SHARE * WANTED_FPS and p95_s <= OLDEST_P95_S
    return {
        "version": package_version(),
        "cameras": trial.cameras,
        "seconds": round(passed_s, 1),
        "activity": trial.activity,
        "rtsp": trial.rtsp,
        "own_clock": trial.own_clock,
        "rules": list(trial.kinds),
        "tracks": config.tracks.enabled,
        "detector": describe(config),
        "meets": meets,
        "analysed_fps": round(sum(rates) / len(rates), 3),
        "analysed_fps_min": round(min(rates), 3),
        "p50_age_s": round(_percentile(ages_s, 0.50), 3),
        "p95_age_s": round(p95_s, 3),
        "max_age_s": round(ages_s[-1], 3),
        "dropped": {reason: n - before.drops[reason] for reason, n in after.drops.items() if n > before.drops[reason]},
        "published": after.published - before.published,
        "per_camera_cpu_s": round(total, 5),
        "stages_cpu_s": {name: round(value, 5) for name, value in stages.items()}
        | {"inference": round(inference, 5), "other": round(other, 5)},
        "own_share": round(1 - (stages["decode"] + inference) / total, 4),
        "bus_cpu_s": round((after.bus_s - before.bus_s) * each, 5),
        "sending_cpu_s": round(sending, 5),
        "bench_cpu_s": round(bench, 5),
        "resident_mb": round(after.resident_mb, 1),
        "resident_growth_mb": round(after.resident_mb - before.resident_mb, 1),
        "canvas_cpu_ms": round(canvas_ms, 2),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": round(os.getloadavg()[0], 2),
    }


def describe(config: Config) -> str:
    """The detector in few words."""
    wanted = config.detector
    return f"{wanted.model} {wanted.input[0]}x{wanted.input[1]} {wanted.backend}"


def _percentile(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, round(part * (len(ordered) - 1)))]
