"""Every second is recorded or a gap with a cause."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.recording.coverage import Cause, Coverage, Gap, Span, achieved_retention_ms, cover, timeline, union

DAY = Span(0, 86_400_000)


def causes(coverage: Coverage) -> list[tuple[int, int, str]]:
    return [(gap.from_ms, gap.to_ms, gap.cause.value) for gap in coverage.gaps]


def test_nothing_recorded_and_nothing_known_is_unknown() -> None:
    assert causes(cover(Span(0, 10_000), [], [])) == [(0, 10_000, "unknown")]


def test_a_gap_gets_the_cause_that_was_written_down() -> None:
    coverage = cover(Span(0, 60_000), [Span(0, 20_000), Span(50_000, 60_000)], [Gap(20_000, 50_000, Cause.NETWORK)])
    assert causes(coverage) == [(20_000, 50_000, "network")]
    assert coverage.completeness == pytest.approx(0.5)
    assert coverage.longest_gap == Gap(20_000, 50_000, Cause.NETWORK)


def test_a_gap_whose_cause_changed_is_two() -> None:
    notes = [Gap(20_000, 30_000, Cause.NETWORK), Gap(30_000, 50_000, Cause.CAMERA)]
    coverage = cover(Span(0, 60_000), [Span(0, 20_000), Span(50_000, 60_000)], notes)
    assert causes(coverage) == [(20_000, 30_000, "network"), (30_000, 50_000, "camera")]


def test_what_lies_on_the_disk_wins_over_a_note_but_not_over_a_hole_inside_the_file() -> None:
    notes = [Gap(0, 10_000, Cause.NETWORK), Gap(20_000, 25_000, Cause.CAMERA, inside=True)]
    assert causes(cover(Span(0, 30_000), [Span(0, 30_000)], notes)) == [(20_000, 25_000, "camera")]


def test_a_sliver_beside_a_known_cause_belongs_to_it() -> None:
    coverage = cover(Span(0, 60_000), [Span(0, 19_000), Span(51_000, 60_000)], [Gap(20_000, 50_000, Cause.DISK)])
    assert causes(coverage) == [(19_000, 51_000, "disk")]


@pytest.mark.parametrize(("sliver_ms", "own"), [(2000, False), (2001, True)])
def test_what_is_longer_than_two_seconds_is_no_sliver(sliver_ms: int, own: bool) -> None:
    before, after = Span(0, 20_000 - sliver_ms), Span(50_000 + sliver_ms, 60_000)
    found = causes(cover(Span(0, 60_000), [before, after], [Gap(20_000, 50_000, Cause.DISK)]))
    unknown = [(before.to_ms, 20_000, "unknown")], [(50_000, after.from_ms, "unknown")]
    assert found == (
        [*unknown[0], (20_000, 50_000, "disk"), *unknown[1]] if own else [(before.to_ms, after.from_ms, "disk")]
    )


def test_a_short_gap_of_a_known_cause_stays_itself_and_a_short_one_of_none_stays_unknown() -> None:
    notes = [Gap(20_000, 30_000, Cause.NETWORK), Gap(30_000, 31_000, Cause.CAMERA)]
    segments = [Span(0, 20_000), Span(31_000, 40_000), Span(41_000, 60_000)]
    assert causes(cover(Span(0, 60_000), segments, notes)) == [
        (20_000, 30_000, "network"),
        (30_000, 31_000, "camera"),
        (40_000, 41_000, "unknown"),
    ]


def test_figures_do_not_depend_on_when_the_span_begins() -> None:
    begin = 1_772_438_400_000  # as every span of a real recording does
    segments = [Span(begin + 9_000, begin + 80_000), Span(begin + 85_000, begin + 100_000)]
    coverage = cover(Span(begin, begin + 100_000), segments, [Gap(begin, begin + 9_000, Cause.RESTART)])
    assert coverage.completeness == pytest.approx(0.86)
    assert coverage.longest_gap == Gap(begin, begin + 9_000, Cause.RESTART)
    assert [gap.duration_s for gap in coverage.gaps] == [9.0, 5.0]
    assert timeline(coverage, 20) == "rr##############u###"
    assert cover(Span(begin, begin), segments, []).completeness == 1.0


def test_rounding_between_segments_is_no_gap() -> None:
    assert cover(Span(0, 20_000), [Span(0, 9_980), Span(10_000, 20_000)], []).completeness == 1.0


spans = st.tuples(st.integers(-1000, 90_000_000), st.integers(0, 4_000_000)).map(lambda t: Span(t[0], t[0] + t[1]))
notes = st.builds(
    lambda span, cause, inside: Gap(span.from_ms, span.to_ms, cause, inside=inside),
    spans,
    st.sampled_from(list(Cause)),
    st.booleans(),
)


@given(st.lists(spans, max_size=12), st.lists(notes, max_size=8))
def test_recorded_and_gaps_fill_the_day_exactly(segments: list[Span], written: list[Gap]) -> None:
    coverage = cover(DAY, segments, written)
    parts = sorted([*coverage.recorded, *(Span(gap.from_ms, gap.to_ms) for gap in coverage.gaps)])
    assert parts[0].from_ms == DAY.from_ms
    assert parts[-1].to_ms == DAY.to_ms
    assert all(a.to_ms == b.from_ms for a, b in itertools.pairwise(parts))
    assert all(part.to_ms > part.from_ms for part in parts)


def test_retention_counts_back_to_the_first_hole_that_matters() -> None:
    recorded = union([Span(0, 1000), Span(500_000, 600_000), Span(600_200, 700_000)])
    assert achieved_retention_ms(700_000, recorded, 10_000) == 200_000
    assert achieved_retention_ms(700_000, recorded, 1_000_000) == 700_000
    assert achieved_retention_ms(800_000, recorded, 10_000) == 0
    assert achieved_retention_ms(800_000, [], 10_000) == 0
    one_hole = [Span(0, 100_000), Span(110_000, 700_000)]
    assert [achieved_retention_ms(700_000, one_hole, tolerance_ms) for tolerance_ms in (9_999, 10_000)] == [
        590_000,
        700_000,
    ]


def test_timeline_shows_where_and_why() -> None:
    coverage = cover(Span(0, 100_000), [Span(0, 50_000), Span(82_000, 100_000)], [Gap(50_000, 82_000, Cause.NETWORK)])
    assert timeline(coverage, 10) == "#####nnn+#"
    half = cover(Span(0, 40_000), [Span(0, 10_000)], [Gap(10_000, 40_000, Cause.NETWORK)])
    assert timeline(half, 2) == "nn", "what is recorded by half only is told as lost"
