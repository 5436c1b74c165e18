"""What has to be done to recorded footage again and again: clean up, sign the day's heads, count.

Runs in the recorder's process in a thread of its own (so that a full disk is cleaned even when everything else is
down), or in the janitor's; a lock keeps two from working at once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from pipelines.clock import Clock
from pipelines.errors import Unavailable
from pipelines.metrics import Metrics
from pipelines.recording import ledger
from pipelines.recording.cleaner import Cleaner, Outcome
from pipelines.recording.coverage import Span, achieved_retention_ms
from pipelines.recording.heads import Heads
from pipelines.recording.index import Index
from pipelines.recording.layout import Volume

log = logging.getLogger(__name__)

EVERY_S: Final = 60.0


def achieved_retention_s(index: Index, camera: str, now_ms: int, tolerance_ms: int) -> float:
    """Age of the oldest second from which on everything can be replayed (holes up to the tolerance aside)."""
    row = index.read("SELECT min(start_ms) FROM segments WHERE camera = ? AND state < 2", (camera,)).fetchone()
    if row[0] is None:
        return 0.0
    spans = ledger.recorded_spans(index, camera, Span(int(row[0]), now_ms), deleted=False)
    return achieved_retention_ms(now_ms, spans, tolerance_ms) / 1000


class Keeper:
    """`run` opens its own connection to the index."""

    def __init__(
        self,
        volume: Volume,
        cleaner: Cleaner,
        heads: Heads,
        clock: Clock,
        metrics: Metrics | None = None,
        *,
        tolerance_s: float = 300.0,
        open_index: Callable[..., Index] = Index.open,
    ) -> None:
        self._volume = volume
        self._cleaner = cleaner
        self._heads = heads
        self._clock = clock
        self._metrics = metrics
        self._tolerance_ms = round(tolerance_s * 1000)
        self._open_index = open_index
        self._gaps_to_ms: dict[str, int] = {}

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`; what fails is tried again in a minute."""
        while not self._clock.wait(stop, EVERY_S):
            try:
                with self._open_index(self._volume.index, durable=True) as index:
                    self.run_once(index)
            except (OSError, Unavailable) as error:
                log.error("footage is not kept in order: %s", error)

    def run_once(self, index: Index) -> Outcome:
        """Raises OSError, Unavailable."""
        outcome = self._cleaner.run_once(index)
        self._heads.run_once(index)
        if self._metrics is not None:
            self._count(index, outcome, self._metrics)
        return outcome

    def _count(self, index: Index, outcome: Outcome, metrics: Metrics) -> None:
        now_ms = round(self._clock.now_s() * 1000)
        if outcome.forecast is not None:
            days = outcome.forecast.days_to_full
            metrics.disk_days_to_full.set(float("inf") if days is None else days)
        for camera in ledger.cameras(index):
            seconds = achieved_retention_s(index, camera, now_ms, self._tolerance_ms)
            metrics.retention_achieved.labels(camera=camera).set(seconds)
            until_ms = ledger.accounted_until(index, camera, now_ms)
            span = Span(self._gaps_to_ms.get(camera, until_ms), until_ms)
            for gap in ledger.coverage(index, camera, span, now_ms).gaps:
                metrics.gap_seconds.labels(camera=camera, reason=gap.cause.value).inc(gap.duration_s)
            self._gaps_to_ms[camera] = max(until_ms, span.from_ms)
