"""The site's processes as they tell of themselves: each one's /readyz and /metrics, asked over HTTP with a short patience.

Nothing here is written down: a page asks, and shows how long ago.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from pipelines.config.listen import Listen
from pipelines.config.schema import Config
from pipelines.metrics import Sample, read_page

_PATIENCE_S: Final = 1.5


@dataclass(frozen=True, slots=True)
class Process:
    """`ready`: None when it does not answer. `checks`: name -> (well, why). `samples`: its metrics."""

    name: str
    ready: bool | None
    checks: dict[str, tuple[bool, str]] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()

    def value(self, name: str, **labels: str) -> float | None:
        """The sum of the samples of that name whose labels have these values; None when there is none."""
        found = [one.value for one in self.samples if one.name == name and labels.items() <= one.labels.items()]
        return sum(found) if found else None

    def by(self, name: str, label: str) -> dict[str, float]:
        """Sums by the value of one label."""
        found: dict[str, float] = {}
        for one in self.samples:
            if one.name == name and label in one.labels:
                found[one.labels[label]] = found.get(one.labels[label], 0.0) + one.value
        return found


def ask_all(config: Config) -> list[Process]:
    """Every process of this configuration that has a page, all at once."""
    pages: dict[str, Listen] = {
        "worker": config.worker.metrics,
        "dispatcher": config.dispatcher.metrics,
        "recorder": config.recorder.metrics,
    }
    with ThreadPoolExecutor(len(pages)) as pool:
        return list(pool.map(lambda item: _ask(*item), pages.items()))


def _ask(name: str, page: Listen) -> Process:
    host = "127.0.0.1" if page.host in ("0.0.0.0", "::", "") else page.host
    base = f"http://{f'[{host}]' if ':' in host else host}:{page.port}"
    try:
        body = json.loads(_get(f"{base}/readyz"))
        samples = tuple(read_page(_get(f"{base}/metrics").decode()))
    except (OSError, ValueError):
        return Process(name, None)
    checks = {
        str(key): (bool(one.get("ok")), str(one.get("reason", ""))) for key, one in dict(body.get("checks", {})).items()
    }
    return Process(name, body.get("status") == "ok", checks, samples)


def _get(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=_PATIENCE_S) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:  # /readyz answers 503 with its reasons
        return bytes(error.read())


def cameras(found: Iterable[Process], now_s: float, wanted: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """One row for each camera (id, name): how old its last analysed picture is, how many were analysed and dropped and
    why, how often it was connected again, and what of it was recorded and not. None: nobody knows."""
    processes = {one.name: one for one in found}
    worker, recorder = processes.get("worker"), processes.get("recorder")
    rows = []
    for camera, name in wanted:
        last_s = worker.value("gatewatch_last_frame_timestamp_seconds", camera=camera) if worker else None
        rows.append(
            {
                "camera": camera,
                "name": name,
                "age_s": None if not last_s else max(0.0, now_s - last_s),
                "analysed": worker.value("gatewatch_frames_analysed_total", camera=camera) if worker else None,
                "dropped": _reasons(worker, "gatewatch_frames_dropped_total", camera),
                "reconnects": worker.value("gatewatch_reconnects_total", camera=camera) if worker else None,
                "recorded_s": recorder.value("gatewatch_recorded_seconds_total", camera=camera) if recorder else None,
                "gaps_s": _reasons(recorder, "gatewatch_gap_seconds_total", camera),
                "kept_s": recorder.value("gatewatch_retention_achieved_seconds", camera=camera) if recorder else None,
            }
        )
    return rows


def _reasons(process: Process | None, name: str, camera: str) -> dict[str, float]:
    if process is None:
        return {}
    mine = tuple(one for one in process.samples if one.labels.get("camera") == camera)
    return {reason: value for reason, value in Process("", None, {}, mine).by(name, "reason").items() if value}
