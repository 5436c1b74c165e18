"""Clips and pictures of incidents: what goes when, that holds keep them, and that each leaves a record."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.recording.cleaner import Cleaner, Settings
from pipelines.recording.coverage import Span
from pipelines.recording.holds import Holds, mark_incident
from pipelines.recording.incidentfiles import CLIP, PICTURE, IncidentFile, due, pictures_in
from pipelines.recording.journal import Journal
from pipelines.recording.retention import Limits
from pipelines.testing import FakeClock

if TYPE_CHECKING:
    from conftest import FilledVolume

DAY = 86_400_000
MORNING_MS = 1_772_438_400_000
LIMITS = Limits(30 * DAY, 30 * DAY, 90 * DAY, 90 * DAY)

moments = st.integers(MORNING_MS - 200 * DAY, MORNING_MS)
spans = st.tuples(moments, st.integers(0, 20 * DAY)).map(lambda pair: Span(pair[0], pair[0] + pair[1]))
cameras = st.sampled_from(["gate", "yard", None])
files = st.lists(
    st.builds(
        IncidentFile,
        st.sampled_from([CLIP, PICTURE]),
        st.uuids().map(str),
        cameras,
        spans,
        st.uuids().map(lambda name: Path(str(name))),
        st.just(""),
    ),
    max_size=20,
)
holds = st.dictionaries(st.sampled_from(["gate", "yard"]), st.lists(spans, max_size=3), max_size=2)


@given(files, holds, st.integers(MORNING_MS - 50 * DAY, MORNING_MS + 200 * DAY))
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_what_is_held_or_young_stays_and_everything_else_goes(
    found: list[IncidentFile], held: dict[str, list[Span]], now: int
) -> None:
    limits = {"gate": LIMITS, "yard": Limits(0, 0, 10 * DAY, 10 * DAY)}
    gone = due(found, lambda camera: limits.get(camera, LIMITS), held, now)
    for file in found:
        of = limits.get(file.camera or "", LIMITS)
        whose = held.get(file.camera, []) if file.camera else [span for one in held.values() for span in one]
        kept = any(span.from_ms <= file.span.to_ms and span.to_ms >= file.span.from_ms for span in whose)
        assert (file in gone) == (now - file.span.to_ms >= of.incidents_ms and not kept)
    left = [file for file in found if file not in gone]
    assert due(left, lambda camera: limits.get(camera, LIMITS), held, now) == []


def a_picture(
    folder: Path, incident: str, role: str, at_ms: int, camera: str | None = "gate", *, note: bool = True
) -> Path:
    """As the worker writes one."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    path = folder / f"{moment:%Y-%m-%d}" / incident / f"{role}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(f"{incident} {role}".encode())
    if note:
        captured_at = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        record = {"role": role, "captured_at": captured_at, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        path.with_suffix(".json").write_text(json.dumps(record | ({"camera": camera} if camera else {})))
    return path


class Site:
    def __init__(self, filled: FilledVolume, folder: Path) -> None:
        self.filled = filled
        self.pictures = folder / "pictures"
        self.holds = Holds(filled.index, Journal(filled.volume.journal / "audit.jsonl"))

    def cleaner(self, now_ms: int, limits: Limits = LIMITS) -> Cleaner:
        """One that does not wonder how much time has passed since the last one."""
        with self.filled.index.transaction() as cursor:
            cursor.execute("UPDATE cameras SET seen_ms = 0")
            cursor.execute("DELETE FROM meta WHERE key = 'deletion_clock'")
        wanted = Settings({}, limits, 0, 1.0, pictures=self.pictures)
        clock = FakeClock(now_ms / 1000)
        return Cleaner(self.filled.volume, wanted, clock, boot="b", free_bytes=lambda: 1)

    def clean(self, now_ms: int) -> None:
        assert self.cleaner(now_ms).run_once(self.filled.index).refused is None

    def hold(self, camera: str, from_ms: int, to_ms: int) -> str:
        span = Span(from_ms, to_ms)
        now_ms = MORNING_MS + DAY
        return self.holds.place([camera], span, reason="r", owner="o", actor="a", now_ms=now_ms).hold.hold_id

    def left(self) -> list[str]:
        return sorted(path.relative_to(self.pictures).as_posix() for path in self.pictures.rglob("*"))


@pytest.fixture
def site(filled: FilledVolume, tmp_path: Path) -> Site:
    return Site(filled, tmp_path)


def test_pictures_are_kept_for_keep_incidents_and_then_deleted_with_a_record(site: Site) -> None:
    old = a_picture(site.pictures, "case-1", "limit", MORNING_MS)
    a_picture(site.pictures, "case-1", "first_seen", MORNING_MS - 200_000)
    young = a_picture(site.pictures, "case-2", "limit", MORNING_MS + 2 * DAY)
    (site.pictures / "notes").mkdir()
    digest = hashlib.sha256(old.read_bytes()).hexdigest()
    site.clean(MORNING_MS + 90 * DAY - 300_000)
    assert old.exists()
    planned = site.cleaner(MORNING_MS + 90 * DAY).dry_run(site.filled.index).files
    assert [file.path.name for file in planned] == ["first_seen.jpg", "limit.jpg"]
    site.clean(MORNING_MS + 90 * DAY)
    assert not old.parent.parent.exists(), "neither the picture nor its empty folders"
    assert young.exists()
    assert "notes" in site.left(), "only what is a day's folder is looked into"
    records = [
        entry
        for entry in Journal(site.filled.volume.journal / "ledger.jsonl").entries()
        if entry.action == "delete_picture"
    ]
    assert [record.data["camera"] for record in records] == ["gate"]
    assert ["case-1", "limit.jpg", MORNING_MS, MORNING_MS, digest] in records[0].data["files"]
    audit = list(Journal(site.filled.volume.journal / "audit.jsonl").entries())
    assert [(entry.action, entry.data["files"]) for entry in audit] == [("delete_picture", 2)]
    site.clean(MORNING_MS + 91 * DAY)
    assert len(list(Journal(site.filled.volume.journal / "ledger.jsonl").entries())) == len(records)


def test_a_hold_on_any_part_of_the_incident_keeps_its_pictures(site: Site) -> None:
    for incident, camera in (("held", "gate"), ("other-camera", "yard"), ("by-its-mark", "gate")):
        a_picture(
            site.pictures, incident, "limit", MORNING_MS if incident != "by-its-mark" else MORNING_MS - DAY, camera
        )
    mark_incident(site.filled.index, "by-its-mark", "gate", Span(MORNING_MS - DAY - 10_000, MORNING_MS - DAY + 60_000))
    first = site.hold("gate", MORNING_MS - 1, MORNING_MS + 1)
    second = site.hold("gate", MORNING_MS - DAY + 30_000, MORNING_MS - DAY + 40_000)
    site.clean(MORNING_MS + 200 * DAY)
    assert {Path(name).parts[1] for name in site.left() if "/" in name} == {"held", "by-its-mark"}
    for hold_id in (first, second):
        site.holds.release(hold_id, reason="closed", actor="a", now_ms=MORNING_MS)
    site.clean(MORNING_MS + 201 * DAY)
    assert site.left() == []


def test_a_picture_without_its_note_belongs_to_its_incidents_camera_or_to_any(site: Site) -> None:
    a_picture(site.pictures, "marked", "limit", MORNING_MS, note=False)
    a_picture(site.pictures, "unknown", "limit", MORNING_MS, note=False)
    mark_incident(site.filled.index, "marked", "gate", Span(MORNING_MS, MORNING_MS + 60_000))
    hold = site.hold("yard", MORNING_MS - DAY, MORNING_MS + DAY)
    site.clean(MORNING_MS + 200 * DAY)
    assert {Path(name).parts[1] for name in site.left() if "/" in name} == {"unknown"}
    site.holds.release(hold, reason="closed", actor="a", now_ms=MORNING_MS)
    site.clean(MORNING_MS + 201 * DAY)
    assert site.left() == []


def test_a_hold_placed_between_plan_and_deletion_keeps_the_picture(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    path = a_picture(site.pictures, "case-1", "limit", MORNING_MS)
    cleaner = site.cleaner(MORNING_MS + 200 * DAY)
    planned = list(cleaner.dry_run(site.filled.index).files)
    assert [file.path for file in planned] == [path]
    site.hold("gate", MORNING_MS, MORNING_MS + 1)
    monkeypatch.setattr(cleaner, "_incident_files", lambda _index: planned)
    cleaner.run_once(site.filled.index)
    assert path.exists()


def test_nothing_is_looked_for_in_a_folder_that_is_not_there(site: Site, tmp_path: Path) -> None:
    assert pictures_in(tmp_path / "none", MORNING_MS, site.filled.index) == []
