"""Stages as plain numbers say on the page what the metrics library's own counters would."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from pipelines import stages
from pipelines.metrics import Metrics
from pipelines.stages import BUCKETS_S, Laps, Stages

SECONDS = st.one_of(st.sampled_from(BUCKETS_S), st.floats(0.0, 20.0))


def lines(text: bytes) -> list[str]:
    """What the stages' part of a page says, but for when its counting began."""
    return sorted(
        line
        for line in text.decode().splitlines()
        if "gatewatch_stage" in line and not ("_created" in line and "{" in line)
    )


@given(st.lists(st.tuples(st.sampled_from(["gate", "track"]), SECONDS, st.floats(1e-9, 5.0)), max_size=40))
def test_the_page_is_what_the_librarys_own_metrics_would_say(passes: list[tuple[str, float, float]]) -> None:
    reference = CollectorRegistry()
    durations = Histogram(
        "gatewatch_stage_duration_seconds", "Time a stage took.", ["stage"], registry=reference, buckets=BUCKETS_S
    )
    processor = Counter(
        "gatewatch_stage_cpu_seconds", "Processor time a stage took, in its own thread.", ["stage"], registry=reference
    )
    metrics = Metrics()
    laps = metrics.stages.laps()
    for stage, wall_s, cpu_s in passes:
        durations.labels(stage=stage).observe(wall_s)
        processor.labels(stage=stage).inc(cpu_s)
        laps.note(stage, wall_s)
        laps.spent[stage].cpu_s += cpu_s
    assert lines(metrics.exposition()[0]) == lines(generate_latest(reference))


def test_what_has_no_duration_or_takes_no_processor_time_is_not_shown_as_nothing() -> None:
    metrics = Metrics()
    metrics.stages.cpu("decode")(0.5)
    metrics.stages.laps().note("age", 0.25)
    page = metrics.exposition()[0].decode()
    assert 'gatewatch_stage_cpu_seconds_total{stage="decode"} 0.5' in page
    assert 'gatewatch_stage_duration_seconds_count{stage="age"} 1.0' in page
    assert 'gatewatch_stage_duration_seconds_count{stage="decode"}' not in page
    assert 'gatewatch_stage_cpu_seconds_total{stage="age"}' not in page


def test_a_stage_ends_where_the_next_begins_and_nothing_is_lost_between(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 10.25, 10.5, 20.0, 22.0])
    processor = iter([1.0, 1.125, 1.25, 5.0, 5.5])
    monkeypatch.setattr(stages, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(stages, "thread_time", lambda: next(processor))
    laps = Laps()
    laps.begin()
    laps.end("decode")
    laps.end("gate")
    laps.begin()  # what was done between is no stage
    laps.end("gate")
    spent = {stage: (of.wall_s, of.cpu_s, sum(of.counts)) for stage, of in laps.spent.items()}
    assert spent == {"decode": (0.25, 0.125, 1), "gate": (2.25, 0.625, 2)}


def test_passes_that_were_timed_together_took_a_part_each(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, processor = iter([10.0, 10.016]), iter([1.0, 1.008])
    monkeypatch.setattr(stages, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(stages, "thread_time", lambda: next(processor))
    laps = Laps()
    laps.begin()
    laps.end("rules", 4)
    spent = laps.spent["rules"]
    assert (spent.wall_s, spent.cpu_s) == (pytest.approx(0.016), pytest.approx(0.008))
    assert spent.counts[BUCKETS_S.index(0.005)] == 4, "four of four milliseconds, not one of sixteen"


def test_threads_add_up_whoever_has_laps_and_who_has_not() -> None:
    every = Stages()
    count = every.cpu("decode")

    def work() -> None:
        laps = every.laps()
        for _ in range(500):
            laps.note("rules", 0.002)
            count(0.5)
            with every.stage("detect"):
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = every.total()
    assert total["decode"].cpu_s == 1000.0
    assert sum(total["decode"].counts) == 0, "processor time that was told is no pass"
    assert total["rules"].counts[BUCKETS_S.index(0.0025)] == 2000
    assert total["rules"].wall_s == pytest.approx(4.0)
    assert sum(total["detect"].counts) == 2000
    assert total["detect"].cpu_s > 0
