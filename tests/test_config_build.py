"""What the engine gets to see of a camera."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.config.build import InForce, camera_spec, unwatched
from pipelines.config.explain import rule_kinds
from pipelines.config.loader import load_text
from pipelines.config.schedule import Schedule, SchoolCalendar, parse, parse_dates
from pipelines.config.schema import Config
from pipelines.errors import BadInput
from vision import coco
from vision.behaviours import BEHAVIOURS

TEXT = """
site: {timezone: Asia/Shanghai}
calendar: {terms: [2026-09-01/2027-01-20], holidays: [2026-10-01/2026-10-07], extra_school_days: [2026-10-10]}
schedules: {dismissal: "school_days 16:20-17:10"}
cameras:
  gate-north:
    main: {url: "rtsp://192.0.2.10/1"}
    ground:
      - {picture: [0.1, 0.9], metres: [0, 0]}
      - {picture: [0.9, 0.9], metres: [10, 0]}
      - {picture: [0.7, 0.4], metres: [10, 20]}
      - {picture: [0.3, 0.4], metres: [0, 20]}
    masks: [[[0.0, 0.0], [0.2, 0.0], [0.2, 0.1]]]
    zones:
      kerb: {polygon: [[0.1, 0.6], [0.9, 0.6], [0.9, 0.8], [0.1, 0.8]]}
      forecourt: {polygon: [[0.05, 0.5], [0.95, 0.5], [0.95, 1.0], [0.05, 1.0]]}
    rules:
      - {kind: illegal_parking, zone: kerb, warn_after: 30s, after: 3m, schedule: school_days 06:30-18:30}
      - {kind: illegal_parking, zone: kerb, id: bikes, classes: [bicycle], severity: 3}
      - {kind: crowding, zone: forecourt, people: 20, density: 2.0, for: 30s, except: dismissal}
  yard:
    main: {url: yard.mp4}
"""


def config(text: str = TEXT) -> Config:
    return load_text(text, "site.yaml", {})


def at(local: str) -> float:
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()


def test_camera_becomes_zones_masks_ground_and_rules() -> None:
    spec = camera_spec(config(), "gate-north")
    assert spec.camera_id == "gate-north"
    assert spec.zones["kerb"].polygon_norm == ((0.1, 0.6), (0.9, 0.6), (0.9, 0.8), (0.1, 0.8))
    assert spec.masks == (((0.0, 0.0), (0.2, 0.0), (0.2, 0.1)),)
    assert spec.ground is not None
    assert [rule.rule_id for rule in spec.rules] == ["illegal_parking:kerb", "bikes", "crowding:forecourt"]
    parking, bikes, crowding = (rule.parameters for rule in spec.rules)
    assert (parking.after_s, parking.warn_after_s, parking.severity) == (180.0, 30.0, 2)
    assert parking.classes == coco.VEHICLES
    assert (bikes.classes, bikes.warn_after_s, bikes.severity) == (frozenset({coco.BICYCLE}), None, 3)
    assert (crowding.people, crowding.density_per_m2, crowding.for_s, crowding.severity) == (20, 2.0, 30.0, None)


def test_rules_are_in_force_by_schedule_and_not_in_their_exception() -> None:
    parking, bikes, crowding = camera_spec(config(), "gate-north").rules
    assert parking.active(at("2026-09-01T07:00:00"))
    assert not parking.active(at("2026-09-05T07:00:00"))
    assert parking.active(at("2026-10-10T07:00:00"))  # a make-up Saturday
    assert bikes.active(at("2026-09-05T03:00:00"))
    assert crowding.active(at("2026-09-01T16:19:59"))
    assert not crowding.active(at("2026-09-01T16:20:00"))
    assert crowding.active(at("2026-09-01T17:10:00"))
    assert crowding.active(at("2026-10-01T16:30:00"))  # no dismissal on a holiday


def test_the_same_configuration_gives_equal_rules_and_another_schedule_other_ones() -> None:
    first, again = (camera_spec(config(), "gate-north").rules for _ in range(2))
    assert first == again
    other = camera_spec(config(TEXT.replace("06:30-18:30", "06:30-18:31")), "gate-north").rules
    assert [one == two for one, two in zip(first, other, strict=True)] == [False, True, True]


def test_camera_without_anything_is_a_camera() -> None:
    spec = camera_spec(config(), "yard")
    assert (dict(spec.zones), spec.rules, spec.masks, spec.ground) == ({}, (), (), None)


def test_unknown_camera_names_the_known_ones() -> None:
    with pytest.raises(BadInput, match=r"there is no camera 'south'; known: gate-north, yard"):
        camera_spec(config(), "south")


def test_configuration_that_was_never_checked_gives_one_clear_error() -> None:
    raw = Config.model_validate(
        {
            "cameras": {
                "gate": {
                    "main": {"url": "a.mp4"},
                    "zones": {"z": {"polygon": [(0, 0), (1, 0), (1, 1)]}},
                    "rules": [{"kind": "illegal_parking", "zone": "z", "schedule": "noon"}],
                }
            }
        }
    )
    with pytest.raises(BadInput, match="camera gate: unknown schedule"):
        camera_spec(raw, "gate")


def test_possible_bullying_with_all_that_it_may_say() -> None:
    text = TEXT.replace(
        "    rules:\n",
        "    rules:\n      - {kind: possible_bullying, zone: forecourt, sensitivity: high, cooldown: 2m, severity: 1,"
        " exclude: [kerb]}\n",
    )
    parameters = camera_spec(config(text), "gate-north").rules[0].parameters
    assert (parameters.sensitivity, parameters.cooldown_s) == ("high", 120.0)
    assert (parameters.severity, parameters.excluded) == (1, ("kerb",))


def test_every_kind_of_rule_is_watched_or_said_not_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(rule_kinds()) <= set(BEHAVIOURS)
    assert unwatched(config()) == []
    monkeypatch.setattr("pipelines.config.build.BEHAVIOURS", {"illegal_parking": None})
    assert unwatched(config()) == [
        "cameras.gate-north: rule crowding:forecourt is not watched: this version has no crowding"
    ]
    assert [rule.kind for rule in camera_spec(config(), "gate-north").rules] == ["illegal_parking"] * 2


@settings(max_examples=60)
@given(
    st.sampled_from(("Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu")),
    st.sampled_from(("always", "never", "daily 02:00-03:00", "fri 22:00-06:00", "school_days 06:30-18:30; sun")),
    st.sampled_from((None, "daily 02:30-02:45", "non_school_days")),
    # Around midnight, and where clocks are put forward and back, in 2026.
    st.sampled_from(("2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01", "2026-09-04")),
    st.lists(st.one_of(st.floats(-7200, 100_000), st.integers(-120, 1600).map(lambda m: m * 60.0)), max_size=40),
)
def test_what_is_in_force_is_kept_for_no_longer_than_it_holds(
    zone: str, text: str, without: str | None, day: str, after_s: list[float]
) -> None:
    clock = ZoneInfo(zone)
    calendar = SchoolCalendar(terms=(parse_dates("2026-09-01/2027-01-20"),), holidays=(parse_dates("2026-10-25"),))
    inside, outside = (
        None if words is None else Schedule(parse(words, {}), clock, calendar) for words in (text, without)
    )
    assert inside is not None
    kept, begin_s = InForce(inside, outside), datetime.fromisoformat(day).replace(tzinfo=clock).timestamp()
    # Also a clock that goes back; to the microsecond a date is exact.
    for time_s in (round(begin_s + after, 6) for after in after_s):
        expected = inside.active(time_s) and not (outside is not None and outside.active(time_s))
        assert kept(time_s) is expected, datetime.fromtimestamp(time_s, clock)
    assert kept == InForce(inside, outside)
    assert kept != InForce(inside, inside)
