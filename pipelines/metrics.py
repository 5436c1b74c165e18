"""Every metric of Gatewatch, in one place. A process makes one `Metrics`; nothing here is module state.

Names carry the prefix `gatewatch_` and base units; labels are only camera, behaviour, stage, reason, channel, outcome.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.utils import floatToGoString

from pipelines.stages import BUCKETS_S, Stage, Stages

_PREFIX: Final = "gatewatch"
#: From an event's own time to the channel's receipt.
_DELAY_BUCKETS_S: Final = (0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
#: The limits of the four levels (30 s, 60 s, 5 min, a shift) are bucket edges.
_ACKNOWLEDGE_BUCKETS_S: Final = (5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 28800.0)


def package_version() -> str:
    """The installed distribution's version, `0+unknown` when run from a bare tree."""
    try:
        return version("gatewatch")
    except PackageNotFoundError:
        return "0+unknown"


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of a page: `gatewatch_frames_dropped_total{camera="gate",reason="late"} 3`."""

    name: str
    labels: dict[str, str]
    value: float


def read_page(text: str) -> list[Sample]:
    """The samples of another process's /metrics. Raises ValueError: it is no such page."""
    return [
        Sample(one.name, dict(one.labels), float(one.value))
        for family in text_string_to_metric_families(text)
        for one in family.samples
    ]


class _StagePage:
    """The stages' numbers as Prometheus wants them, made when it asks: what counts and observes by itself takes a lock for each
    number, a dozen times a picture.
    """

    def __init__(self, stages: Stages) -> None:
        self._stages = stages
        self._since_s: dict[str, float] = {}

    def describe(self) -> list[Metric]:
        return list(self._families())

    def collect(self) -> list[Metric]:
        durations, processor = self._families()
        for stage, spent in self._stages.total().items():
            # As the library's own counters do: since when it counts.
            since_s = self._since_s.setdefault(stage, time.time())
            if any(spent.counts):
                edges = [*map(floatToGoString, BUCKETS_S), "+Inf"]
                buckets = list(zip(edges, map(float, accumulate(spent.counts)), strict=True))
                durations.add_metric([stage], buckets, spent.wall_s)
                durations.add_sample(f"{durations.name}_created", {"stage": stage}, since_s)
            if spent.cpu_s > 0:  # not of a picture's age
                processor.add_metric([stage], spent.cpu_s, since_s)
        return [durations, processor]

    def _families(self) -> tuple[HistogramMetricFamily, CounterMetricFamily]:
        return (
            HistogramMetricFamily(f"{_PREFIX}_stage_duration_seconds", "Time a stage took.", labels=["stage"]),
            CounterMetricFamily(
                f"{_PREFIX}_stage_cpu_seconds", "Processor time a stage took, in its own thread.", labels=["stage"]
            ),
        )


class Metrics:
    """One process's metrics in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, namespace=_PREFIX, registry=self.registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, labels, namespace=_PREFIX, registry=self.registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(name, text, labels, namespace=_PREFIX, registry=self.registry, buckets=buckets)

        # Analysis
        self.frames_analysed = counter("frames_analysed_total", "Frames that went through the rules.", "camera")
        self.frames_dropped = counter("frames_dropped_total", "Frames not analysed.", "camera", "reason")
        self.stages = Stages()
        self.registry.register(_StagePage(self.stages))
        self.analysis_rate = gauge(
            "analysis_rate_ratio", "Share of its usual rate that each camera is analysed at; below 1: overload."
        )
        self.last_frame_timestamp = gauge(
            "last_frame_timestamp_seconds", "Capture time of the newest analysed frame, Unix time.", "camera"
        )
        self.detector_errors = counter("detector_errors_total", "Frames on which the detector failed.", "camera")
        self.reconnects = counter("reconnects_total", "Times a camera's stream was opened again.", "camera", "reason")
        self.incidents = counter("incidents_total", "Incidents opened.", "camera", "behaviour")
        self.track_chunks = counter(
            "track_chunks_total",
            "Chunks of tracks, by what became of them (written, failed, dropped).",
            "camera",
            "outcome",
        )
        # Bus
        self.bus_pending_messages = gauge("bus_pending_messages", "Messages the dispatchers have not yet acknowledged.")
        self.spool_messages = gauge("spool_messages", "Messages on disk because the bus is away or full.")
        # Alerting
        self.alert_delay = histogram(
            "alert_delay_seconds", "From the event's own time to the channel's receipt.", _DELAY_BUCKETS_S, "channel"
        )
        self.alert_acknowledge = histogram(
            "alert_acknowledge_seconds", "From sent to acknowledged by a person.", _ACKNOWLEDGE_BUCKETS_S
        )
        self.drill_delay = gauge("drill_delay_seconds", "How long the last drill took to arrive.", "channel")
        self.deliveries = counter("deliveries_total", "Attempts to deliver a message.", "channel", "outcome")
        # Recording
        self.recorded_seconds = counter("recorded_seconds_total", "Footage written.", "camera")
        self.gap_seconds = counter("gap_seconds_total", "Seconds without footage.", "camera", "reason")
        self.retention_achieved = gauge(
            "retention_achieved_seconds", "Age of the oldest continuously replayable second.", "camera"
        )
        self.disk_days_to_full = gauge("disk_days_to_full", "Days until the recording volume is full at this rate.")
        self.recordings_deleted_bytes = counter(
            "recordings_deleted_bytes_total", "Footage deleted.", "camera", "reason"
        )

        Info("build", "The running version.", namespace=_PREFIX, registry=self.registry).info(
            {"version": package_version()}
        )
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def stage(self, name: str) -> Stage:
        """For a `with`: observe how long the block took as `stage_duration_seconds{stage=name}`, also when it raised, and
        the processor time of the calling thread as `stage_cpu_seconds_total`.
        """
        return self.stages.stage(name)

    def exposition(self) -> tuple[bytes, str]:
        """The text that Prometheus scrapes, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST
