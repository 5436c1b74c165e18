"""Recorded footage over the API, on a volume with real segments: bytes with ranges, the time line, cut videos, holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from console.testing import NORTH, SOUTH, Site, a_site
from pipelines.access.roles import Role
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.recording.footage import Footage
from pipelines.recording.journal import Journal
from pipelines.testing import FakeClock

if TYPE_CHECKING:
    from conftest import FilledVolume

#: As the segments of `filled`: 2026-03-02 08:00:00 UTC.
MORNING_S = 1_772_438_400.0


@pytest.fixture
def site(tmp_path: Path, filled: FilledVolume) -> Iterator[Site]:
    clock = FakeClock(MORNING_S + 100.0)
    filled.add(NORTH, count=5)
    filled.add(SOUTH, count=2)
    site = a_site(tmp_path, clock)
    site.parts.footage = lambda: Footage(filled.volume, Ffmpeg.find(None), clock, pre_s=1.0, post_s=1.0)
    yield site
    site.parts.database.close()


def audit(site: Site, action: str) -> list[tuple[str, Any]]:
    lines = site.client(Role.ADMIN).get("/api/v1/audit", params={"action": action}).json()["lines"]
    return [(line["who"], line["subject"]) for line in lines]


def test_segments_are_listed_and_played_in_parts_and_one_viewing_is_one_line(site: Site, filled: FilledVolume) -> None:
    guard = site.client(Role.GUARD, NORTH)
    span = {"from_s": MORNING_S, "to_s": MORNING_S + 60}
    found = guard.get(f"/api/v1/cameras/{NORTH}/segments", params=span).json()
    assert [one["start_s"] - MORNING_S for one in found] == [0, 2, 4, 6, 8]
    url = found[0]["url"]
    whole = guard.get(url)
    assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
    assert len(whole.content) == found[0]["size_bytes"]
    assert whole.content[4:8] == b"ftyp"
    part = guard.get(url, headers={"Range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.content == whole.content[100:200]
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    assert guard.get(url, headers={"Range": "bytes=99999999-"}).status_code == 416
    guard.get(found[1]["url"])
    assert audit(site, "footage") == [("token:guard", f"camera {NORTH} hour {MORNING_S:.0f}")]
    journal = (filled.volume.journal / "audit.jsonl").read_text()
    assert journal.count('"footage.view"') == 1
    assert list(Journal(filled.volume.journal / "audit.jsonl").verify()) == []
    assert guard.get(f"/api/v1/cameras/{NORTH}/segments/{round(MORNING_S * 1000) + 1}").status_code == 404
    for path in filled.volume.root.rglob("*.mp4"):
        path.unlink()
    assert guard.get(url).status_code == 404


def test_what_is_not_in_scope_and_what_may_not_be_seen_unblurred_is_refused(site: Site) -> None:
    span = {"from_s": MORNING_S, "to_s": MORNING_S + 60}
    assert site.client(Role.GUARD, NORTH).get(f"/api/v1/cameras/{SOUTH}/segments", params=span).status_code == 404
    assert site.client(Role.GUARD).get(f"/api/v1/cameras/{SOUTH}/segments", params=span).status_code == 200
    site.parts.config.console.blurred_for.append("guard")
    refused = site.client(Role.GUARD).get(f"/api/v1/cameras/{NORTH}/segments", params=span)
    assert (refused.status_code, refused.json()["code"]) == (403, "blurred_only")


def test_who_sees_people_only_blurred_takes_no_video_out_either(site: Site) -> None:
    analyst = site.client(Role.ANALYST)
    asked = {"from_s": MORNING_S, "to_s": MORNING_S + 3, "reason": "a claim"}
    path = f"/api/v1/cameras/{NORTH}/video"
    assert analyst.get(path, params=asked).status_code == 200
    site.parts.config.console.blurred_for.append("analyst")
    refused = analyst.get(path, params=asked)
    assert (refused.status_code, refused.json()["code"]) == (403, "blurred_only")
    assert len(audit(site, "footage.export")) == 1, "a refusal is no export"


def test_the_time_line_says_what_is_there_and_why_the_rest_is_not(site: Site) -> None:
    analyst = site.client(Role.ANALYST)
    asked = {"cameras": [NORTH], "from_s": MORNING_S + 2, "to_s": MORNING_S + 4, "reason": "a claim", "owner": "police"}
    assert analyst.post("/api/v1/holds", json=asked).status_code == 201
    site.tell("at-eight", opened_s=MORNING_S + 5, first_seen_s=MORNING_S + 4, time_s=MORNING_S + 5)
    path = f"/api/v1/cameras/{NORTH}/timeline"
    found = analyst.get(path, params={"from_s": MORNING_S, "to_s": MORNING_S + 20}).json()
    assert found["recorded"] == [{"from_s": MORNING_S, "to_s": MORNING_S + 10}]
    assert found["completeness"] == pytest.approx(0.5)
    assert [(gap["from_s"] - MORNING_S, gap["to_s"] - MORNING_S) for gap in found["gaps"]] == [(10, 20)]
    assert [one["incident_id"] for one in found["incidents"]] == ["at-eight"]
    assert [one["reason"] for one in found["holds"]] == ["a claim"]
    assert analyst.get(path, params={"from_s": MORNING_S, "to_s": MORNING_S}).status_code == 422
    assert analyst.get(path, params={"from_s": 0, "to_s": MORNING_S}).status_code == 422


def test_an_incidents_clip_is_played_and_noted(site: Site) -> None:
    guard = site.client(Role.GUARD)
    assert guard.get("/api/v1/incidents/north-1/clip").status_code == 404
    site.parts.footage().make_clip("north-1", NORTH, MORNING_S + 3, MORNING_S + 5)
    clip = guard.get("/api/v1/incidents/north-1/clip", headers={"Range": "bytes=0-15"})
    assert clip.status_code == 206
    assert clip.content[4:8] == b"ftyp"
    assert audit(site, "clip") == [("token:guard", "incident north-1")]
    assert site.client(Role.VIEWER).get("/api/v1/incidents/north-1/clip").status_code == 403


def test_a_video_is_taken_out_with_a_reason(site: Site, filled: FilledVolume) -> None:
    analyst = site.client(Role.ANALYST)
    path = f"/api/v1/cameras/{NORTH}/video"
    span = {"from_s": MORNING_S + 1, "to_s": MORNING_S + 4}
    assert analyst.get(path, params=span).status_code == 422
    assert analyst.get(path, params=span | {"reason": " "}).status_code == 422
    video = analyst.get(path, params=span | {"reason": "asked by the police"})
    assert video.status_code == 200
    assert video.content[4:8] == b"ftyp"
    assert video.headers["content-disposition"].startswith("attachment")
    assert audit(site, "footage.export") == [("token:analyst", f"camera {NORTH}")]
    assert "asked by the police" in (filled.volume.journal / "audit.jsonl").read_text()
    nothing = {"from_s": MORNING_S + 50, "to_s": MORNING_S + 51, "reason": "x"}
    assert analyst.get(path, params=nothing).status_code == 503
    assert len(audit(site, "footage.export")) == 1


def test_a_single_picture_is_noted_before_it_is_kept(site: Site, filled: FilledVolume) -> None:
    guard = site.client(Role.GUARD, NORTH)
    path = f"/api/v1/cameras/{NORTH}/snapshots"
    assert guard.post(path, json={"at_s": MORNING_S + 3.5}).status_code == 204
    assert guard.post(path, json={}).status_code == 422
    assert guard.post(f"/api/v1/cameras/{SOUTH}/snapshots", json={"at_s": MORNING_S}).status_code == 404
    assert site.client(Role.VIEWER).post(path, json={"at_s": MORNING_S}).status_code == 403
    assert audit(site, "footage.snapshot") == [("token:guard", f"camera {NORTH}")]
    assert (filled.volume.journal / "audit.jsonl").read_text().count('"snapshot"') == 1


def test_holds_are_placed_listed_in_scope_and_released_by_an_administrator(site: Site) -> None:
    analyst, near, admin = site.client(Role.ANALYST), site.client(Role.ANALYST, NORTH), site.client(Role.ADMIN)
    asked = {"from_s": MORNING_S, "to_s": MORNING_S + 4, "reason": "a claim", "owner": "police"}
    one = near.post("/api/v1/holds", json=asked | {"cameras": [NORTH]}).json()
    two = analyst.post("/api/v1/holds", json=asked | {"cameras": [NORTH, SOUTH]}).json()
    assert (one["in_force"], one["created_by"]) == (True, "token:analyst")
    hidden = near.post("/api/v1/holds", json=asked | {"cameras": [SOUTH]})
    never = near.post("/api/v1/holds", json=asked | {"cameras": ["never-was"]})
    assert hidden.status_code == never.status_code == 422
    assert hidden.json()["detail"].replace(SOUTH, "never-was") == never.json()["detail"]
    assert [hold["hold_id"] for hold in near.get("/api/v1/holds").json()] == [one["hold_id"]]
    assert len(analyst.get("/api/v1/holds").json()) == 2
    release = f"/api/v1/holds/{two['hold_id']}/release"
    assert analyst.post(release, json={"reason": "settled"}).status_code == 403
    assert admin.post(release, json={"reason": "settled"}).json()["released_by"] == "token:admin"
    assert admin.post(release, json={"reason": "settled"}).status_code == 422
    assert [who for who, _ in audit(site, "hold")] == ["token:admin", "token:analyst", "token:analyst"]
