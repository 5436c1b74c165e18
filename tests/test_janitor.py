"""The janitor on a real recording volume: alarms onto the bus once, clips of incidents, their footage kept."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pipelines.errors import Unavailable
from pipelines.events.envelope import Event, event_schema
from pipelines.janitor import Janitor
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.recording import alarms
from pipelines.recording.footage import Footage
from pipelines.store.incidents import notice_of
from pipelines.testing import FakeClock

MORNING_S = 1_772_438_400.0


class Collector:
    """A bus that can be away."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.away = False

    def publish(self, event: Event) -> None:
        if self.away:
            raise Unavailable("the bus is away")
        self.events.append(event)


class Rounds:
    def __init__(self, filled: Any) -> None:
        filled.add(count=30)  # one minute
        self.clock = FakeClock(MORNING_S + 60.0)
        self.footage = Footage(filled.volume, Ffmpeg.find(None), self.clock, pre_s=4.0, post_s=6.0)
        self.index = filled.index
        self.bus = Collector()
        self.rows: list[dict[str, Any]] = []
        self.janitor = self.another()

    def another(self) -> Janitor:
        """As after a restart: it knows nothing of what the first one did."""
        log = logging.getLogger("test.janitor")
        return Janitor(lambda: self.footage, lambda _since_s: self.rows, self.bus, "0123456789ab", self.clock, log)


@pytest.fixture
def rounds(filled: Any) -> Rounds:
    return Rounds(filled)


def an_alarm() -> dict[str, Any]:
    times = {"first_seen": MORNING_S, "opened": MORNING_S + 15, "time": MORNING_S + 15}
    evidence = {"gap": {"value": 15.0, "unit": "s"}}
    return alarms.incident(
        "recording_gap", "gate", "1", phase="opened", revision=1, severity=2, times_s=times, evidence=evidence
    )


def a_row(opened_s: float, closed_s: float | None, incident_id: str = "case-1") -> dict[str, Any]:
    return {
        "incident_id": incident_id,
        "camera": "gate",
        "kind": "illegal_parking",
        "first_seen_s": opened_s - 10,
        "opened_s": opened_s,
        "closed_s": closed_s,
    }


def test_a_gap_in_the_recording_reaches_the_bus_once_and_as_an_envelope(rounds: Rounds) -> None:
    alarms.post(rounds.index, an_alarm(), round(MORNING_S * 1000))
    rounds.bus.away = True
    with pytest.raises(Unavailable):
        rounds.janitor.run_once()
    assert rounds.bus.events == []
    rounds.bus.away = False
    rounds.janitor.run_once()
    rounds.another().run_once()
    (event,) = rounds.bus.events
    assert (event.type, event.data["kind"], event.data["camera"]) == ("incident.opened", "recording_gap", "gate")
    assert event.data["evidence"] == {"gap": {"value": 15.0, "unit": "s"}}
    assert event.data["clock"]["evidence_grade"] is False
    jsonschema.validate(json.loads(event.to_json()), event_schema())


def test_an_alarm_of_the_whole_volume_is_taken_by_the_record(rounds: Rounds) -> None:
    faults = alarms.Faults(rounds.index, round(MORNING_S * 1000))
    faults.raised("retention_floor", "at this rate only 21.2 days fit on the volume")
    faults.over("retention_floor")
    rounds.janitor.run_once()
    notices = [notice_of(event) for event in rounds.bus.events]
    assert [(one.kind, one.phase, one.severity) for one in notices] == [
        ("retention_floor", "opened", 1),
        ("retention_floor", "closed", 1),
    ]


def test_an_incident_of_the_whole_site_has_no_footage_to_keep(rounds: Rounds) -> None:
    of_a_camera = a_row(MORNING_S + 20, MORNING_S + 30, "case-2")
    rounds.rows = [a_row(MORNING_S + 20, MORNING_S + 30) | {"camera": "-", "kind": "retention_floor"}, of_a_camera]
    rounds.janitor.run_once()
    assert rounds.footage.clip("case-1") is None
    assert rounds.footage.clip("case-2") is not None
    assert [name for (name,) in rounds.index.read("SELECT incident_id FROM marks")] == ["case-2"]


def test_a_closed_incident_has_its_clip_with_the_seconds_around_it(rounds: Rounds) -> None:
    rounds.rows = [a_row(MORNING_S + 20, MORNING_S + 30)]
    rounds.janitor.run_once()
    clip = rounds.footage.clip("case-1")
    assert clip is not None
    assert Path(rounds.footage.path(clip)).stat().st_size > 1000
    assert clip.span == (round((MORNING_S + 16) * 1000), round((MORNING_S + 36) * 1000))
    before = Path(rounds.footage.path(clip)).stat().st_mtime_ns
    rounds.another().run_once()
    assert Path(rounds.footage.path(clip)).stat().st_mtime_ns == before, "made once"


def test_a_clip_waits_until_its_end_is_recorded(rounds: Rounds, filled: Any) -> None:
    rounds.rows = [a_row(MORNING_S + 50, MORNING_S + 58)]  # with the seconds after it: until 64 s, and 60 are there
    rounds.janitor.run_once()
    assert rounds.footage.clip("case-1") is None
    filled.add(start_ms=round((MORNING_S + 60) * 1000), count=2)
    rounds.clock.advance(4.0)
    rounds.janitor.run_once()
    clip = rounds.footage.clip("case-1")
    assert clip is not None
    assert clip.span == (round((MORNING_S + 46) * 1000), round((MORNING_S + 64) * 1000))


def test_an_incident_that_lasts_gets_the_clip_of_its_beginning(rounds: Rounds) -> None:
    rounds.rows = [a_row(MORNING_S + 10, None)]
    rounds.clock.step(-25.0)  # 25 s after it opened
    rounds.janitor.run_once()
    assert rounds.footage.clip("case-1") is None
    rounds.clock.step(25.0)
    rounds.janitor.run_once()
    assert rounds.footage.clip("case-1") is not None


def test_while_nothing_is_recorded_it_waits(rounds: Rounds) -> None:
    def nothing() -> Footage:
        raise Unavailable("nothing has been recorded yet")

    log = logging.getLogger("test.janitor")
    janitor = Janitor(nothing, lambda _since_s: [], rounds.bus, "v", rounds.clock, log)
    with pytest.raises(Unavailable, match="nothing has been recorded"):
        janitor.run_once()
