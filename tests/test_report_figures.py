"""The inspection sheet of a week whose every incident is written down here: each figure was counted by hand."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipelines.config.loader import load_text
from pipelines.report.counting import passes
from pipelines.report.model import SITE, Above, Chapter, Count, Figure, Part, Precision, Retention, Share, Sheet, Spread
from pipelines.report.testing import CONFIG, WrittenSite, at, fill, record
from pipelines.store import queries
from pipelines.store.database import Database


@pytest.fixture
def site(store: Database, store_url: str, tmp_path: Path) -> WrittenSite:
    more = f"data: {json.dumps(str(tmp_path))}\ndatabase: {{url: {json.dumps(store_url)}}}\n"
    return WrittenSite(load_text(CONFIG + more, "site.yaml", {}), store)


@pytest.fixture
def filled_site(site: WrittenSite, tmp_path: Path) -> WrittenSite:
    fill(site)
    record(tmp_path / "recordings")
    return site


def chapter(sheet: Sheet, camera: str = SITE) -> Chapter:
    return next(one for one in sheet.chapters if one.camera == camera)


def figure(sheet: Sheet, key: str, camera: str = SITE) -> Figure:
    found = chapter(sheet, camera).figure(key)
    assert found is not None, key
    return found


def value(sheet: Sheet, key: str, camera: str = SITE) -> Any:
    found = figure(sheet, key, camera)
    return found.value if found.value is not None else found.why


def behind(found: Figure) -> dict[str, list[str]]:
    return {one.role: sorted(one.ids) for one in found.behind}


def every_figure(sheet: Sheet) -> list[tuple[str, Figure]]:
    return [(one.camera, found) for one in sheet.chapters for group in one.groups for found in group.figures]


def test_recording(filled_site: WrittenSite) -> None:
    sheet = filled_site.sheet()
    assert sheet.period.title == "2026-W47"
    recorded_s, away_s = 166 * 3600.0, 2 * 3600.0
    for camera in ("north", SITE):
        assert value(sheet, "online", camera) == Part(recorded_s, recorded_s + away_s)
        assert value(sheet, "completeness", camera) == Part(recorded_s, 168 * 3600.0)
        assert value(sheet, "retention", camera) == Retention(
            35 * 3600.0, 30 * 86400.0, 30 * 86400.0, at("2026-11-21T22:00"), True
        )
    assert value(sheet, "recorded") == Share(1, 2, "cameras")  # the office is not to be recorded
    assert value(sheet, "clock", "north") == Share(5, 6, "days")
    assert value(sheet, "clock") == Share(0, 1, "cameras")
    notes = {(key, *(piece.value for piece in of)) for key, of in figure(sheet, "completeness").notes}
    assert notes == {("lost", "network", 7200.0)}
    assert ("clock_unknown_days", 1) in {(key, of[0].value) for key, of in figure(sheet, "clock", "north").notes}
    assert sheet.recorded["north"][date(2026, 11, 21)] == pytest.approx(22 / 24)
    for key in ("online", "completeness", "retention", "clock"):
        assert value(sheet, key, "south") == "never_recorded"
        assert value(sheet, key, "office") == "not_recorded"
    assert value(sheet, "clock_incidents", "north") == Share(1, 2, "incidents")
    graded = behind(figure(sheet, "clock_incidents", "north"))
    assert graded == {
        "passed": ["case-i1"],
        "failed": ["case-i2"],
        "unknown": ["blurred", "case-i3", "case-i5", "case-i6", "covered", "long-gap"],
    }


def test_good_pictures(filled_site: WrittenSite) -> None:
    """An hour covered and an hour blurred, half an hour of it both."""
    sheet = filled_site.sheet()
    for camera in (SITE, "north"):
        assert value(sheet, "good", camera) == Part(164.5 * 3600.0, 166 * 3600.0)
        assert behind(figure(sheet, "good", camera)) == {"picture_faults": ["blurred", "covered"]}
    assert value(sheet, "good", "south") == "never_recorded"
    filled_site.config.cameras["north"].health.kinds.clear()
    assert value(filled_site.sheet(), "good") == "not_judged"


def test_faults(filled_site: WrittenSite) -> None:
    sheet = filled_site.sheet()
    assert value(sheet, "faults_restored") == Share(3, 4, "faults")
    assert behind(figure(sheet, "faults_restored")) == {
        "restored": ["a-gap", "blurred", "covered"],
        "overdue": ["long-gap"],
    }
    assert value(sheet, "faults_overdue") == Count(2, "faults")
    assert behind(figure(sheet, "faults_overdue")) == {"overdue": ["long-gap"], "from_before": ["old-gap"]}
    assert value(sheet, "faults_restored", "south") == Share(1, 1, "faults")
    assert value(sheet, "faults_overdue", "north") == Count(1, "faults")
    assert value(sheet, "faults_restored", "office") == "not_recorded"


def test_answers(filled_site: WrittenSite) -> None:
    sheet = filled_site.sheet()
    assert value(sheet, "acknowledged") == Share(2, 5, "incidents")
    groups = {"in_time": ["case-i1", "case-i4"], "late": ["case-i2", "case-i5"], "unanswered": ["case-i3"]}
    assert behind(figure(sheet, "acknowledged")) == groups
    by_level = {
        found.of[0].value: found.value for _, found in every_figure(sheet)[:60] if found.key == "acknowledged_of"
    }
    assert value(sheet, "acknowledged", "north") == Share(1, 4, "incidents")
    assert by_level[3] == Share(1, 1, "incidents")
    assert value(sheet, "acknowledged", "south") == Share(1, 1, "incidents")
    assert value(sheet, "acknowledged", "office") == "none_told"
    # 20, 31, 90: the 95th percentile lies nine tenths of the way from the second to the third.
    assert value(sheet, "acknowledge", "north") == Spread(3, 31.0, 84.1)
    assert value(sheet, "on_site") == Spread(1, 120.0, 120.0)
    assert value(sheet, "close") == Spread(1, 300.0, 300.0)
    assert value(sheet, "reach") == Spread(4, 2.0, 2.0)
    assert value(sheet, "unreached") == Count(1, "incidents")
    assert behind(figure(sheet, "unreached")) == {"unreached": ["case-i3"], "undelivered": ["case-i3"]}
    assert behind(figure(sheet, "untold")) == {"untold": ["case-i6"]}
    assert value(sheet, "unreached_alarms") == Count(0, "alarms")


def test_incidents_and_how_often_right(filled_site: WrittenSite) -> None:
    sheet = filled_site.sheet()
    assert value(sheet, "incidents") == Count(12, "incidents")  # drills are none, nor what lies a second outside
    assert value(sheet, "incidents", "north") == Count(8, "incidents")
    assert [one.camera for one in sheet.chapters] == [SITE, "north", "south", "office"]  # not what names no camera
    kinds = {
        one.of[0].value: one.value for camera, one in every_figure(sheet) if one.key == "incidents_of" and not camera
    }
    assert kinds["illegal_parking"] == Count(4, "incidents")
    judged = {
        (camera, *(piece.value for piece in one.of)): one
        for camera, one in every_figure(sheet)
        if one.key == "precision"
    }
    site = judged[SITE, "illegal_parking"].value
    assert isinstance(site, Precision)
    assert (site.true, site.false) == (2, 1)
    # Wilson's interval of 2 of 3.
    assert (site.low, site.high) == (pytest.approx(0.2077, abs=1e-4), pytest.approx(0.9385, abs=1e-4))
    assert behind(judged["north", "illegal_parking", "kerb"]) == {
        "verdict_true": ["case-i1", "case-i2"],
        "verdict_none": ["case-i3"],
    }
    assert judged["north", "possible_bullying", "yard"].why == "none_judged"
    assert sheet.by_day[date(2026, 11, 17)] == {"illegal_parking": 2}
    assert sheet.by_day[date(2026, 11, 22)] == {}
    assert sheet.week[0][0] == 1
    assert sum(map(sum, sheet.week)) == 12


def test_repetition_crowds_access_and_drills(filled_site: WrittenSite) -> None:
    sheet = filled_site.sheet()
    vehicles = figure(sheet, "repeat_vehicles")
    assert vehicles.value == Count(1, "vehicles")
    assert [(one.role, [piece.value for piece in one.of], one.ids) for one in vehicles.behind] == [
        ("", ["京A···45"], ("case-i1", "case-i2")),
        ("with_plate", [], ("case-i1", "case-i2")),
        ("without_plate", [], ("case-i3", "case-i4")),
    ]
    assert sheet.cases["case-i1"].plate == "京A···45"
    assert value(sheet, "repeat_vehicles", "south") == "no_plates"
    assert value(sheet, "repeat_places") == Count(1, "places")
    assert [[piece.value for piece in one.of] for one in figure(sheet, "repeat_places").behind] == [
        ["north", "kerb", "illegal_parking", 2]
    ]
    # 2.5 from 0.5 s to 60 s, 4.0 from there to 180 s.
    above = ((2.0, pytest.approx(179.5 / 60)), (3.5, pytest.approx(2.0)), (5.0, 0.0))
    assert value(sheet, "density", "north") == Above(pytest.approx(179.5 / 60), above)
    assert value(sheet, "density", "south") == "no_ground"
    assert value(sheet, "density", "office") == "no_crowd_rule"
    assert value(sheet, "drills_made") == Share(1, 2, "drills")
    assert [of[0].value for key, of in figure(sheet, "drills_made").notes if key == "absent"] == [
        at("2026-11-18T09:00")
    ]
    assert value(sheet, "drills_arrived") == Share(1, 1, "drills")
    assert value(sheet, "drills_delay") == Spread(1, 5.0, 5.0)
    assert value(sheet, "drills_failed") == Count(1, "alarms")
    assert value(sheet, "exports_footage") == Count(2, "exports")
    assert value(sheet, "exports_footage", "north") == Count(2, "exports")
    assert value(sheet, "exports_data") == Count(2, "exports")
    assert (value(sheet, "views"), value(sheet, "views", "south")) == (Count(2, "views"), Count(1, "views"))
    assert value(sheet, "refusals") == Count(1, "exports")
    for key in ("guard_post", "rounds", "rectifications"):
        assert figure(sheet, key).value is None


def test_what_stands_behind_a_figure_makes_it(filled_site: WrittenSite) -> None:
    """Counting the incidents behind gives the figure, and each question to the history finds exactly them."""
    for wanted in ({}, {"kind": "term", "current": True}, {"kind": "month", "current": True}):
        sheet = filled_site.sheet(**wanted)
        asked = 0
        for camera, one in every_figure(sheet):
            for each in one.behind:
                assert set(each.ids) <= set(sheet.cases)
                if each.query is None:
                    continue
                with filled_site.store.read() as connection:
                    page = queries.list_incidents(connection, each.query, 1000)
                assert sorted(row["incident_id"] for row in page.rows) == sorted(each.ids), (camera, one.key, each)
                asked += 1
            counted = {each.role: len(each.ids) for each in one.behind}
            match one.value:
                case Count(number, "incidents" | "alarms" | "faults"):
                    roles = ("all", "untold", "unreached", "overdue", "from_before")
                    assert sum(counted.get(role, 0) for role in roles) == number, one
                case Share(part, whole, "incidents" | "faults"):
                    parts = [counted.get(role, 0) for role in ("in_time", "passed", "restored")]
                    rest = [counted.get(role, 0) for role in ("late", "unanswered", "failed", "overdue")]
                    assert (sum(parts), sum(parts) + sum(rest)) == (part, whole), one
                case Precision(true, false):
                    assert (counted.get("verdict_true", 0), counted.get("verdict_false", 0)) == (true, false)
                case Spread(count) if one.key != "drills_delay":
                    assert counted == {"all": count}
        assert asked > 30


def test_a_filter_in_memory_is_the_history_filter(filled_site: WrittenSite) -> None:
    cases = filled_site.sheet(kind="term", current=True).cases.values()
    since_s, until_s = at("2026-11-16T00:00"), at("2026-11-21T00:00")
    for query in (
        queries.IncidentFilter(since_s=since_s, until_s=until_s, drills=False),
        queries.IncidentFilter(camera="north", severity=2),
        queries.IncidentFilter(state="open"),
        queries.IncidentFilter(level=2, rule="illegal_parking:kerb"),
        queries.IncidentFilter(verdict="none", kind="illegal_parking", zone="kerb"),
        queries.IncidentFilter(verdict="true", cameras=frozenset({"north"})),
    ):
        with filled_site.store.read() as connection:
            rows = queries.list_incidents(connection, query, 1000).rows
        assert {row["incident_id"] for row in rows} & {one.incident_id for one in cases} == {
            one.incident_id for one in cases if passes(query, one)
        }


def test_an_empty_store_without_recordings(site: WrittenSite) -> None:
    """Nothing is zero where nobody looked: it says so, with the reason."""
    sheet = site.sheet()
    expected = {
        "recorded": "no_volume",
        "online": "no_volume",
        "completeness": "no_volume",
        "retention": "no_volume",
        "clock": "no_volume",
        "clock_incidents": "no_incidents",
        "faults_restored": "no_volume",
        "faults_overdue": "no_volume",
        "acknowledged": "none_told",
        "acknowledge": "none_told",
        "unreached": "none_told",
        "precision": "no_rule_incidents",
        "repeat_vehicles": "no_parking",
        "repeat_places": "no_incidents",
        "density": "no_crowd",
        "drills_made": "none_drilled",
        "exports_footage": "no_volume",
    }
    assert {key: value(sheet, key) for key in expected} == expected
    assert value(sheet, "incidents") == Count(0, "incidents")
    assert sheet.cases == {}


def test_only_some_cameras(filled_site: WrittenSite) -> None:
    sheet = filled_site.sheet(cameras=frozenset({"south"}))
    assert [one.camera for one in sheet.chapters] == [SITE, "south"]
    assert value(sheet, "incidents") == Count(2, "incidents")
    assert value(sheet, "completeness") == "never_recorded"
    assert value(sheet, "drills_made") == value(sheet, "exports_data") == "whole_site_only"
    assert value(sheet, "exports_footage") == Count(0, "exports")
    assert chapter(sheet).figure("unreached_alarms") is None
    assert set(sheet.cases) == {"case-i4", "a-gap", "old-gap"}
    assert sheet.partial


def test_a_period_that_still_runs(filled_site: WrittenSite) -> None:
    """A limit that has not run out yet counts for nobody."""
    filled_site.tell("now", "2026-11-23T08:59:30", thread={"told_s": 0.0})
    sheet = filled_site.sheet(current=True)
    assert sheet.period.running
    assert value(sheet, "incidents") == Count(2, "incidents")
    assert value(sheet, "acknowledged") == "none_due"
    assert behind(figure(sheet, "acknowledged")) == {"still_running": ["now"]}
    assert value(sheet, "completeness") == Part(9 * 3600.0, 9 * 3600.0)
