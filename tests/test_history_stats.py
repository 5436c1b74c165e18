"""Figures of incidents that are written down here, checked by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from pipelines.errors import BadInput
from pipelines.history import pictures
from pipelines.history.stats import stats, wilson
from pipelines.store.columns import Columns, Crowd, Place, Row, columns_of

KERB = Place("north", "kerb", "illegal_parking:kerb", "illegal_parking")
YARD = Place("north", "yard", "crowding:yard", "crowding")
SOUTH = Place("south", "kerb", "illegal_parking:kerb", "illegal_parking")


def at(text: str, zone: str = "Asia/Shanghai") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def row(at_s: float, place: Place = KERB, verdict: str = "none", severity: int = 2, **more: Any) -> Row:
    values: dict[str, Any] = {"drill": False, "told": True, "delays_s": (None, None, None, 5.0)}
    return Row(at_s, place, severity, verdict, **(values | more))


def of(rows: Sequence[Row], plates: Sequence[tuple[int, str]] = (), crowds: Sequence[Crowd] = ()) -> Iterator[Columns]:
    """In two portions, as days come; plates and crowds belong to the first."""
    ordered = sorted(rows, key=lambda one: one.at_s)
    middle = (len(ordered) + 1) // 2
    yield columns_of(ordered[:middle], plates, crowds)
    yield columns_of(ordered[middle:], (), ())


def test_nothing() -> None:
    figures = stats([], "Asia/Shanghai")
    assert figures["incidents"] == 0
    assert np.array(figures["by_hour_and_weekday"]).shape == (7, 24)
    assert figures["delays"]["acknowledge"]["all"] is None
    assert figures["density_minutes"]["known"] == 0


@pytest.mark.parametrize(
    ("zone", "moments", "expected"),
    [
        # Sunday 2026-10-25 in Berlin has two hours from 2 to 3; Sunday 2026-03-29 has none.
        (
            "Europe/Berlin",
            ["2026-10-25T00:30+00:00", "2026-10-25T01:30+00:00", "2026-10-25T02:30+00:00"],
            {(6, 2): 2, (6, 3): 1},
        ),
        ("Europe/Berlin", ["2026-03-29T00:59+00:00", "2026-03-29T01:00+00:00"], {(6, 1): 1, (6, 3): 1}),
        ("Asia/Kathmandu", ["2026-09-01T18:14+00:00", "2026-09-01T18:15+00:00"], {(1, 23): 1, (2, 0): 1}),
        ("Asia/Shanghai", ["2026-09-06T15:59:59+00:00", "2026-09-06T16:00+00:00"], {(6, 23): 1, (0, 0): 1}),
    ],
)
def test_hours_and_weekdays_are_on_the_sites_clock(zone: str, moments: list[str], expected: dict[Any, int]) -> None:
    figures = stats(of([row(datetime.fromisoformat(moment).timestamp()) for moment in moments]), zone)
    week = figures["by_hour_and_weekday"]
    found = {(day, hour): week[day][hour] for day in range(7) for hour in range(24) if week[day][hour]}
    assert found == expected
    assert figures["by_hour_and_weekday_of_kind"]["illegal_parking"] == week
    assert sum(figures["by_day"].values()) == len(moments)


def test_counts_answers_and_places() -> None:
    rows = [
        row(at("2026-09-01T08:00"), delays_s=(10.0, 60.0, 100.0, 5.0)),
        row(at("2026-09-01T09:00"), severity=1, delays_s=(20.0, None, 200.0, None)),
        row(at("2026-09-03T08:00"), delays_s=(40.0, None, None, 5.0)),
        row(at("2026-09-03T08:05"), SOUTH, told=False),
        row(at("2026-09-04T08:05"), YARD, severity=3, delays_s=(-1.0, None, None, 5.0)),
    ]
    figures = stats(
        of(rows, [(0, "京A1"), (1, "京A1"), (2, "B")], [Crowd(0, 90.0, (60.0, 30.0, 0.0))]),
        "Asia/Shanghai",
        lambda cameras: {camera: camera.upper() for camera in cameras},
    )
    assert (figures["incidents"], figures["open"]) == (5, 1)
    assert figures["by_day"] == {"2026-09-01": 2, "2026-09-02": 0, "2026-09-03": 2, "2026-09-04": 1}
    assert figures["by_camera"] == [
        {"camera": "north", "name": "NORTH", "incidents": 4},
        {"camera": "south", "name": "SOUTH", "incidents": 1},
    ]
    assert figures["by_kind"] == {"illegal_parking": 4, "crowding": 1}
    assert figures["by_level"] == {"1": 1, "2": 3, "3": 1}
    assert figures["answers"] == {"told": 4, "acknowledge": 4, "on_site": 1, "close": 2}
    acknowledge = figures["delays"]["acknowledge"]
    assert acknowledge["all"] == {"count": 4, "median_s": 15.0, "p95_s": 37.0}
    assert acknowledge["by_level"]["2"] == {"count": 2, "median_s": 25.0, "p95_s": 38.5}
    assert acknowledge["by_kind"]["crowding"] == {"count": 1, "median_s": 0.0, "p95_s": 0.0}
    assert acknowledge["by_camera"]["north"]["count"] == 4
    assert figures["delays"]["close"]["all"] == {"count": 2, "median_s": 150.0, "p95_s": 195.0}
    assert [(one["camera"], one["zone"], one["incidents"], one["days"]) for one in figures["repeat_places"]] == [
        ("north", "kerb", 3, 2)
    ]
    assert figures["repeat_plates"] == [{"plate": "京A1", "incidents": 2, "cameras": ["north"]}]
    minutes = figures["density_minutes"]
    assert (minutes["known"], minutes["above"]) == (1.5, {"2.0": 1.0, "3.5": 0.5, "5.0": 0.0})
    assert minutes["by_place"][0]["zone"] == "kerb"


def test_quantiles_are_those_of_numpy() -> None:
    seconds = np.random.default_rng(3).exponential(60, 501)
    rows = [row(1000.0 * number, delays_s=(float(one), None, None, None)) for number, one in enumerate(seconds)]
    found = stats(of(rows), "UTC")["delays"]["acknowledge"]["all"]
    assert found["median_s"] == pytest.approx(np.median(seconds), abs=2e-3)
    assert found["p95_s"] == pytest.approx(np.percentile(seconds, 95), abs=2e-3)


def test_precision_counts_what_a_person_judged() -> None:
    judged = ["true"] * 8 + ["false"] * 2 + ["duplicate", "unsure", "none"]
    rows = [row(1000.0 * number, KERB, verdict) for number, verdict in enumerate(judged)]
    rows += [row(9e4, SOUTH, "false"), row(9.1e4, KERB, "true", drill=True)]
    found = stats(of(rows), "UTC")["precision"]
    by = {(one["kind"], one["camera"]): one for one in found}
    north = by["illegal_parking", "north"]
    assert [north[name] for name in ("true", "false", "other", "unjudged")] == [8, 2, 2, 1]
    assert (north["rule"], north["precision"]) == ("illegal_parking:kerb", 0.8)
    assert (north["low"], north["high"]) == (0.4902, 0.9433)
    assert by["illegal_parking", None]["false"] == 3
    assert by["illegal_parking", "south"]["precision"] == 0.0


@pytest.mark.parametrize(
    ("right", "of_all", "low", "high"),
    [(0, 0, 0, 1), (0, 10, 0, 0.2775), (10, 10, 0.7225, 1), (5, 10, 0.2366, 0.7634), (50, 100, 0.4038, 0.5962)],
)
def test_wilsons_interval(right: int, of_all: int, low: float, high: float) -> None:
    assert wilson(right, of_all) == pytest.approx((low, high), abs=1e-4)


def figures_to_draw() -> dict[str, Any]:
    rows = [
        row(at("2026-09-01T08:00") + 7000 * number, (KERB, YARD)[number % 2], ("true", "false")[number % 3 == 0], 1 + number % 3,
            delays_s=(10.0 + number, 60.0, 100.0, 5.0))
        for number in range(60)
    ]  # fmt: skip
    crowds = [Crowd(number, 90.0, (60.0, 30.0, 12.0)) for number in range(1, 20, 2)]
    return stats(of(rows, (), crowds), "Asia/Shanghai", lambda cameras: dict.fromkeys(cameras, "北门 $5_<b>"))


def test_pictures_as_svg_keep_their_text(tmp_path: Path) -> None:
    figures = figures_to_draw()
    drawn = pictures.draw(figures, tmp_path / "new", "zh-CN", "svg")
    names = ["when", "days", "cameras", "answers", "precision", "places", "crowds"]
    assert [path.name for path in drawn] == [f"{name}.svg" for name in names]
    text = {path.stem: path.read_text("utf-8") for path in drawn}
    when, precision = text["when"], text["precision"]
    assert "各星期、各小时的事件数" in when
    for name in names:  # each says of which time it is, and what its axis counts
        assert "2026-09-01至2026-09-06，共60起" in text[name]
    for name, unit in {"days": "事件数", "answers": "1.7分", "precision": "80 %", "crowds": "≥2.0 人/平方米"}.items():
        assert unit in text[name], name
    assert "周三" in when
    assert "Noto Sans CJK SC" in when
    assert "北门 $5_&lt;b&gt;" in precision
    again = pictures.draw(figures, tmp_path / "again", "zh-CN", "svg")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in drawn]


def test_a_year_is_drawn_by_weeks_and_many_cameras_as_the_most_and_the_rest(tmp_path: Path) -> None:
    places = [Place(f"gate-{number:02d}", "kerb", "illegal_parking:kerb", "illegal_parking") for number in range(30)]
    rows = [row(at("2025-09-01T08:00") + 86_400.0 * number, places[number % 30]) for number in range(300)]
    drawn = {
        path.stem: path.read_text("utf-8") for path in pictures.draw(stats(of(rows), "UTC"), tmp_path, "en", "svg")
    }
    assert "Incidents a week" in drawn["days"]
    assert "10 others" in drawn["cameras"]


def test_pictures_as_png_need_a_font_for_chinese(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = figures_to_draw()
    monkeypatch.setattr(pictures, "CHINESE_FONTS", ("No Such Font",))
    with pytest.raises(BadInput, match="apt-get install fonts-wqy-microhei"):
        pictures.draw(figures, tmp_path, "en", "png")
    plain = stats(of([row(at("2026-09-01T08:00"))]), "Asia/Shanghai")
    drawn = pictures.draw(plain, tmp_path, "en", "png")
    assert [path.name for path in drawn] == ["when.png", "days.png", "cameras.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    assert pictures.draw(stats([], "UTC"), tmp_path, "en", "png") == []
