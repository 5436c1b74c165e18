"""What is to be deleted: the plan's promises for any footage, and that the cleaner does exactly the plan."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import BadInput
from pipelines.recording.cleaner import Cleaner, Settings
from pipelines.recording.coverage import Span
from pipelines.recording.journal import Journal
from pipelines.recording.policy import PROFILES, Keeping, resolve
from pipelines.recording.retention import CameraFootage, Limits, Row, Rule, forecast, plan
from pipelines.recording.testing import fake_site
from pipelines.testing import FakeClock

DAY = 86_400_000
NOW = 1000 * DAY


def touches(row: Row, spans: list[Span] | tuple[Span, ...]) -> bool:
    return any(span.from_ms < row.end_ms and span.to_ms > row.start_ms for span in spans)


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    floor = draw(st.integers(0, 40 * DAY))
    target = floor + draw(st.integers(0, 40 * DAY))
    incidents = floor + draw(st.integers(0, 80 * DAY))
    return Limits(floor, target, incidents, max(target, incidents) + draw(st.integers(0, 40 * DAY)))


@st.composite
def footage(draw: st.DrawFn) -> CameraFootage:
    starts = sorted(draw(st.lists(st.integers(NOW - 220 * DAY, NOW + DAY), max_size=25, unique=True)))
    rows = [
        Row(number, start, start + draw(st.integers(1, 3 * DAY)), draw(st.integers(1, 10**9)))
        for number, start in enumerate(starts, 1)
    ]
    spans = st.tuples(st.integers(NOW - 220 * DAY, NOW), st.integers(1, 20 * DAY)).map(
        lambda t: Span(t[0], t[0] + t[1])
    )
    return CameraFootage(draw(limits()), rows, draw(st.lists(spans, max_size=4)), draw(st.lists(spans, max_size=4)))


sites = st.dictionaries(st.sampled_from(["gate", "yard", "road"]), footage(), max_size=3)
clocks = st.integers(NOW - 100 * DAY, NOW + 300 * DAY)
sizes = st.integers(0, 20 * 10**9)


@given(sites, clocks, sizes, sizes)
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_the_plan_keeps_its_promises(site: dict[str, CameraFootage], now: int, free: int, reserve: int) -> None:
    decided = plan(site, now_ms=now, free_bytes=free, reserve_bytes=reserve)
    gone = {(deletion.camera, deletion.row.row_id) for deletion in decided.deletions}
    assert len(gone) == len(decided.deletions)
    for deletion in decided.deletions:
        camera = site[deletion.camera]
        assert not touches(deletion.row, tuple(camera.holds)), "held"
        assert deletion.row.end_ms <= now - camera.limits.floor_ms, "under the floor"
    for name, camera in site.items():
        for row in camera.rows:
            held, old = touches(row, tuple(camera.holds)), now - row.end_ms
            if not held and old >= camera.limits.ceiling_ms:
                assert (name, row.row_id) in gone, "past the ceiling"
    # Idempotent: what is left is left, and the same question has the same answer.
    assert plan(site, now_ms=now, free_bytes=free, reserve_bytes=reserve) == decided
    left = {
        name: CameraFootage(
            camera.limits,
            [row for row in camera.rows if (name, row.row_id) not in gone],
            camera.holds,
            camera.incidents,
        )
        for name, camera in site.items()
    }
    again = plan(left, now_ms=now, free_bytes=free + decided.bytes, reserve_bytes=reserve)
    assert again.deletions == ()
    assert again.short_bytes == decided.short_bytes


@given(sites, clocks, sizes, sizes, st.floats(0.01, 1.0))
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_the_cap_takes_the_first_of_the_same_plan(
    site: dict[str, CameraFootage], now: int, free: int, reserve: int, share: float
) -> None:
    whole = plan(site, now_ms=now, free_bytes=free, reserve_bytes=reserve)
    capped = plan(site, now_ms=now, free_bytes=free, reserve_bytes=reserve, cap_share=share)
    total = sum(len(camera.rows) for camera in site.values())
    assert len(capped.deletions) <= max(1, int(total * share))
    assert capped.deletions == whole.deletions[: len(capped.deletions)]
    assert capped.postponed == len(whole.deletions) - len(capped.deletions)


LIMITS = Limits(30 * DAY, 60 * DAY, 90 * DAY, 90 * DAY)


def row(days_old: float, number: int = 1, size: int = 100) -> Row:
    return Row(number, NOW - round(days_old * DAY) - 10_000, NOW - round(days_old * DAY), size)


@pytest.mark.parametrize(
    ("days_old", "incident", "rule"),
    [
        (10, False, None),
        (30, False, None),
        (59, False, None),
        (60, False, Rule.TARGET),
        (60, True, None),
        (89.9, True, None),
        (90, True, Rule.CEILING),
        (100, False, Rule.CEILING),
    ],
)
def test_rules_by_age(days_old: float, incident: bool, rule: Rule | None) -> None:
    item = row(days_old)
    site = {"gate": CameraFootage(LIMITS, [item], (), [Span(item.start_ms, item.start_ms + 1)] if incident else ())}
    decided = plan(site, now_ms=NOW, free_bytes=10**12, reserve_bytes=0)
    assert [deletion.rule for deletion in decided.deletions] == ([] if rule is None else [rule])


def test_under_pressure_the_oldest_ordinary_footage_goes_first_and_the_floor_stands() -> None:
    rows = [row(50, 1), row(45, 2), row(40, 3), row(29, 4)]
    site = {"gate": CameraFootage(LIMITS, rows, (), [Span(rows[0].start_ms, rows[0].end_ms)])}
    decided = plan(site, now_ms=NOW, free_bytes=0, reserve_bytes=150)
    assert [(d.row.row_id, d.rule) for d in decided.deletions] == [(2, Rule.PRESSURE), (3, Rule.PRESSURE)]
    decided = plan(site, now_ms=NOW, free_bytes=0, reserve_bytes=1000)
    assert [d.row.row_id for d in decided.deletions] == [2, 3, 1]
    assert decided.short_bytes == 700


@pytest.mark.parametrize("incidents", [(), (Span(NOW - 31 * DAY, NOW - 30 * DAY),)], ids=["ordinary", "an incident's"])
def test_under_pressure_the_floor_is_kept_to_the_millisecond(incidents: tuple[Span, ...]) -> None:
    old = Row(1, NOW - 31 * DAY, NOW - 30 * DAY, 100)
    for young_ms, gone in ((0, [1]), (1, [])):
        footage = CameraFootage(LIMITS, [old._replace(end_ms=old.end_ms + young_ms)], (), incidents)
        decided = plan({"gate": footage}, now_ms=NOW, free_bytes=0, reserve_bytes=50)
        assert [deletion.row.row_id for deletion in decided.deletions] == gone
        assert decided.short_bytes == (0 if gone else 50)


def test_the_cap_is_a_share_of_all_segments_also_of_those_that_are_not_looked_at() -> None:
    footage = CameraFootage(LIMITS, [row(100 - number, number) for number in range(1, 11)], others=90)
    decided = plan({"gate": footage}, now_ms=NOW, free_bytes=10**12, reserve_bytes=0, cap_share=0.05)
    assert (decided.considered, len(decided.deletions), decided.postponed) == (100, 5, 5)


def test_forecast() -> None:
    steady = forecast(
        {"gate": 100},
        {"gate": 30 * DAY},
        leaving_per_day_bytes=100,
        recorded_bytes=3000,
        free_bytes=500,
        reserve_bytes=100,
    )
    assert steady.days_to_full is None
    assert not steady.floor_in_danger
    growing = forecast(
        {"gate": 100},
        {"gate": 30 * DAY},
        leaving_per_day_bytes=0,
        recorded_bytes=500,
        free_bytes=500,
        reserve_bytes=100,
    )
    assert growing.days_to_full == pytest.approx(4.0)
    assert growing.floor_in_danger
    assert growing.floor_days == pytest.approx(9.0)


def test_profiles_owners_and_cameras() -> None:
    site = Keeping(keep_s=30 * 86400, keep_incidents_s=90 * 86400)
    assert resolve("gate", [Keeping(), PROFILES["cn-799"], site]) == Limits(30 * DAY, 30 * DAY, 90 * DAY, 90 * DAY)
    police = Keeping(floor_s=60 * 86400, keep_s=60 * 86400, ceiling_s=90 * 86400)
    assert resolve("gate", [police, PROFILES["cn-799"], site]).floor_ms == 60 * DAY
    with pytest.raises(BadInput, match=r"camera gate: keep \(7 d\) is below the floor \(30 d\)"):
        resolve("gate", [Keeping(keep_s=7 * 86400), PROFILES["cn-799"], site])
    with pytest.raises(BadInput, match="above the ceiling"):
        resolve("gate", [Keeping(ceiling_s=80 * 86400), PROFILES["cn-799"], site])


@given(sites, clocks, sizes, sizes)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_the_cleaner_does_what_the_plan_says(site: dict[str, CameraFootage], now: int, free: int, reserve: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        volume, index, ids = fake_site(Path(folder) / "v", site, now)
        decided = plan(site, now_ms=now, free_bytes=free, reserve_bytes=reserve)
        default = Limits(0, 0, 0, 0)
        wanted = Settings({name: c.limits for name, c in site.items()}, default, reserve, cap_share=1.0)
        cleaner = Cleaner(volume, wanted, FakeClock(now / 1000), boot="b", free_bytes=lambda: free)
        outcome = cleaner.run_once(index)
        assert outcome.refused is None
        expected = {ids[d.camera, d.row.row_id] for d in decided.deletions}
        left = {item[0] for item in index.read("SELECT id FROM segments")}
        assert left == set(ids.values()) - expected
        files = list(volume.root.glob("*/[0-9]*/*/*/*/*.mp4"))
        assert len(files) == len(left)
        (records,) = index.read("SELECT count(*) FROM deletions WHERE finished = 1").fetchone()
        assert records == len(expected)
        assert Journal(volume.journal / "ledger.jsonl").verify() == []
        index.close()
