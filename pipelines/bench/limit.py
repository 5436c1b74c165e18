"""How many cameras this machine carries: one trial after another, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

from pipelines.errors import GatewatchError

_MOST: Final = 400
#: The search ends when the limit is known to about this share.
_CLOSE: Final = 0.03

Figures = dict[str, Any]


def in_a_process(cameras: int, arguments: Sequence[str]) -> Figures:
    """One trial of `gatewatch bench cameras`. Raises GatewatchError when it fails."""
    command = [
        sys.executable,
        "-m",
        "pipelines.cli",
        "bench",
        "cameras",
        "--cameras",
        str(cameras),
        "--json",
        *arguments,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        figures: Figures = json.loads(done.stdout)
    except ValueError as error:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise GatewatchError(f"the trial with {cameras} cameras failed: {last}") from error
    return figures


def find(trial: Callable[[int], Figures], first: int, tell: Callable[[Figures], None]) -> Figures:
    """The highest number that meets its aim, by trials: `limit`, `per_camera_cpu_s` and `p95_age_s` there, all `trials`.

    `trial` measures one number of cameras; its figures say `meets`. `tell` is given each as it is done.
    """
    trials: list[Figures] = []

    def meets(cameras: int) -> Figures:
        figures = trial(cameras)
        trials.append(figures)
        tell(figures)
        return figures

    best: Figures | None = None
    failed = _MOST + 1
    cameras = first
    while True:
        figures = meets(cameras)
        if figures["meets"]:
            best = figures
        else:
            failed = min(failed, cameras)
        reached = best["cameras"] if best is not None else 0
        if failed - reached <= max(1, round(_CLOSE * failed)):
            break
        if failed > _MOST:
            # What one camera costs says where the processor will be full.
            full = figures["cores"] / max(1e-4, figures["per_camera_cpu_s"])
            cameras = min(_MOST, max(reached + 1, min(2 * reached, round(0.95 * full))))
        else:
            cameras = (reached + failed) // 2
    at = best if best is not None else trials[-1]
    return {
        **at,
        "limit": reached,
        "trials": [
            {name: one[name] for name in ("cameras", "meets", "analysed_fps_min", "p95_age_s", "per_camera_cpu_s")}
            for one in trials
        ],
    }
