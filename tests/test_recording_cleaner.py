"""The cleaner at work: capped, on its own volume only, never after a jump of the clock, never what is held, and finished
after a crash."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import BadInput
from pipelines.metrics import Metrics
from pipelines.recording.alarms import waiting
from pipelines.recording.cleaner import Cleaner, Settings
from pipelines.recording.coverage import Span
from pipelines.recording.heads import Heads
from pipelines.recording.holds import Holds
from pipelines.recording.index import Index
from pipelines.recording.journal import Journal
from pipelines.recording.keeper import Keeper
from pipelines.recording.layout import Volume
from pipelines.recording.retention import CameraFootage, Limits, Row
from pipelines.recording.signing import Ed25519Signer
from pipelines.recording.testing import fake_site
from pipelines.testing import FakeClock

DAY = 86_400_000
NOW = 1000 * DAY
LIMITS = Limits(30 * DAY, 60 * DAY, 90 * DAY, 90 * DAY)


def row(days_old: float, number: int = 1, size: int = 100) -> Row:
    return Row(number, NOW - round(days_old * DAY) - 10_000, NOW - round(days_old * DAY), size)


@pytest.fixture
def old_site(tmp_path: Path) -> tuple[Volume, Index]:
    rows = [row(100 - number, number) for number in range(1, 11)]
    volume, index, _ = fake_site(tmp_path / "v", {"gate": CameraFootage(LIMITS, rows)}, NOW)
    return volume, index


def cleaner_of(volume: Volume, clock: FakeClock, share: float = 1.0) -> Cleaner:
    return Cleaner(volume, Settings({}, LIMITS, 0, share), clock, boot="b", free_bytes=lambda: 10**12)


def count(index: Index) -> int:
    return int(index.read("SELECT count(*) FROM segments").fetchone()[0])


def test_the_cap_spreads_a_big_deletion_over_runs(old_site: tuple[Volume, Index]) -> None:
    volume, index = old_site
    cleaner = cleaner_of(volume, FakeClock(NOW / 1000), share=0.3)
    assert (cleaner.run_once(index).deleted, cleaner.run_once(index).deleted) == (3, 2)


def test_nothing_is_deleted_from_another_volume(old_site: tuple[Volume, Index]) -> None:
    volume, index = old_site
    (volume.root / ".gatewatch-volume").write_text("another\n")
    outcome = cleaner_of(volume, FakeClock(NOW / 1000)).run_once(index)
    assert "another volume" in str(outcome.refused)
    (volume.root / ".gatewatch-volume").unlink()
    assert "is it mounted" in str(cleaner_of(volume, FakeClock(NOW / 1000)).run_once(index).refused)
    assert count(index) == 10
    assert [item.body["kind"] for item in waiting(index)] == ["retention_refused"]


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0, 400 * 86400.0])
def test_nothing_is_deleted_after_a_jump_of_the_clock_until_a_person_looked(
    old_site: tuple[Volume, Index], jump_s: float
) -> None:
    from pipelines.recording.guard import accept_clock

    volume, index = old_site
    clock = FakeClock(NOW / 1000)
    cleaner = cleaner_of(volume, clock, share=0.1)
    assert cleaner.run_once(index).deleted == 1
    clock.step(jump_s)
    assert "the" in str(cleaner.run_once(index).refused)
    assert count(index) == 9
    accept_clock(index, clock, "b")
    assert cleaner.run_once(index).refused is None


def test_a_hold_placed_between_plan_and_deletion_wins(
    old_site: tuple[Volume, Index], monkeypatch: pytest.MonkeyPatch
) -> None:
    volume, index = old_site
    cleaner = cleaner_of(volume, FakeClock(NOW / 1000))
    decided = cleaner.dry_run(index).plan
    assert decided is not None
    assert len(decided.deletions) == 10
    audit = Journal(volume.journal / "audit.jsonl")
    Holds(index, audit).place(["gate"], Span(0, NOW), reason="court", owner="police", actor="a", now_ms=NOW)
    monkeypatch.setattr(cleaner, "_plan", lambda _index: decided)
    assert cleaner.run_once(index).deleted == 0
    assert count(index) == 10


def test_a_released_or_expired_hold_holds_nothing(old_site: tuple[Volume, Index]) -> None:
    volume, index = old_site
    holds = Holds(index, Journal(volume.journal / "audit.jsonl"))
    kept = holds.place(["gate"], Span(0, NOW), reason="court", owner="police", actor="a", now_ms=NOW)
    holds.place(["gate"], Span(0, NOW), reason="x", owner="y", actor="a", now_ms=NOW - 10, expires_ms=NOW - 1)
    cleaner = cleaner_of(volume, FakeClock(NOW / 1000))
    assert cleaner.run_once(index).deleted == 0
    with pytest.raises(BadInput, match="needs a reason"):
        holds.release(kept.hold.hold_id, reason=" ", actor="a", now_ms=NOW)
    holds.release(kept.hold.hold_id, reason="case closed", actor="b", now_ms=NOW)
    assert cleaner.run_once(index).deleted == 10
    actions = [entry.action for entry in Journal(volume.journal / "audit.jsonl").entries()]
    assert actions == ["hold", "hold", "release", "delete"]


def test_a_deletion_that_a_crash_cut_in_two_is_finished(
    old_site: tuple[Volume, Index], monkeypatch: pytest.MonkeyPatch
) -> None:
    volume, index = old_site
    cleaner = cleaner_of(volume, FakeClock(NOW / 1000))
    with monkeypatch.context() as patched:
        patched.setattr(cleaner, "_finish", lambda _index: None)
        cleaner.run_once(index)
    assert index.read("SELECT count(*) FROM segments WHERE state = 1").fetchone()[0] == 10
    assert len(list(volume.root.glob("gate/*/*/*/*/*.mp4"))) == 10
    cleaner.run_once(index)
    assert count(index) == 0
    assert list(volume.root.glob("gate/*/*/*/*/*.mp4")) == []


def test_before_the_floor_is_in_danger_it_alarms_and_says_in_how_many_days_the_volume_is_full(tmp_path: Path) -> None:
    """A day of 24 GB, room for four more: thirty days do not fit, long before anything is short."""
    rows = [row(number / 24, number, 10**9) for number in range(1, 24)]
    volume, index, _ = fake_site(tmp_path / "v", {"gate": CameraFootage(LIMITS, rows)}, NOW)
    wanted = Settings({}, LIMITS, 10**9, 1.0)
    cleaner = Cleaner(volume, wanted, FakeClock(NOW / 1000), boot="b", free_bytes=lambda: 97 * 10**9)
    metrics = Metrics()
    signer = Ed25519Signer.load(tmp_path / "key.pem")
    keeper = Keeper(volume, cleaner, Heads(volume, signer, None, FakeClock(NOW / 1000)), FakeClock(NOW / 1000), metrics)
    outcome = keeper.run_once(index)
    assert outcome.plan is not None
    assert (outcome.plan.short_bytes, outcome.deleted) == (0, 0)
    assert metrics.disk_days_to_full._value.get() == pytest.approx(4.0, rel=0.1)
    (alarm,) = waiting(index)
    assert (alarm.body["kind"], alarm.body["severity"]) == ("retention_floor", 1)
    assert "days fit on the volume" in alarm.body["evidence"]["detail"]["value"]


def test_at_the_floor_it_alarms_and_deletes_nothing(tmp_path: Path) -> None:
    rows = [row(10 - number / 10, number) for number in range(1, 11)]
    volume, index, _ = fake_site(tmp_path / "v", {"gate": CameraFootage(LIMITS, rows)}, NOW)
    cleaner = Cleaner(volume, Settings({}, LIMITS, 10**9, 1.0), FakeClock(NOW / 1000), boot="b", free_bytes=lambda: 0)
    outcome = cleaner.run_once(index)
    assert outcome.plan is not None
    assert outcome.plan.short_bytes == 10**9
    assert count(index) == 10
    assert [(item.body["kind"], item.body["severity"]) for item in waiting(index)] == [("retention_floor", 1)]
