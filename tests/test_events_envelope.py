from __future__ import annotations

import json

import jsonschema
import pytest

from pipelines.events.envelope import EnvelopeError, Event, event_schema, incident_event, rfc3339
from pipelines.testing import an_incident
from vision.incident import Phase, Quantity

PICTURE = {"role": "limit", "path": "2026-09-01/case-1/limit.jpg", "sha256": "0" * 64, "width": 1280, "height": 720}


@pytest.mark.parametrize("phase", list(Phase))
def test_events_of_every_phase_fit_the_schema(phase: Phase) -> None:
    incident = an_incident(phase=phase, evidence={"people": Quantity(23, "people"), "plate": Quantity("unknown", "")})
    event = incident_event(incident, "abc123", "北门", [PICTURE])
    validator = jsonschema.Draft202012Validator(event_schema())
    jsonschema.Draft202012Validator.check_schema(event_schema())
    assert list(validator.iter_errors(json.loads(event.to_json()))) == []
    assert Event.from_json(event.to_json()) == event


@pytest.mark.parametrize(
    ("change", "where"),
    [({"severity": 5}, "severity"), ({"opened_at": "yesterday"}, "opened_at"), ({"evidence": {"a": 1}}, "evidence")],
)
def test_the_schema_refuses_what_is_wrong(change: dict[str, object], where: str) -> None:
    message = json.loads(incident_event(an_incident(), "v", "n").to_json())
    message["data"] |= change
    errors = list(jsonschema.Draft202012Validator(event_schema()).iter_errors(message))
    assert [error for error in errors if where in error.json_path]


def test_the_id_names_the_revision_for_good() -> None:
    first = incident_event(an_incident(revision=3), "v1", "a")
    again = incident_event(an_incident(revision=3), "v1", "a")
    assert first.id == "case-1:3"
    assert first == again
    assert first.type == "incident.opened"


def test_a_camera_id_is_quoted_in_the_source() -> None:
    assert incident_event(an_incident(camera_id="a b/ü"), "v", "n").source == "/cameras/a%20b%2F%C3%BC"


@pytest.mark.parametrize(("time_s", "text"), [(0.29, "1970-01-01T00:00:00.290Z"), (1.9996, "1970-01-01T00:00:02.000Z")])
def test_times_are_rounded_to_milliseconds(time_s: float, text: str) -> None:
    assert rfc3339(time_s) == text


BAD = ("", "{", "[]", "null", '{"specversion": "0.3"}', '{"specversion": "1.0"}', b"\xff\xfe")
DEEP = ("[" * 100_000, "[" * 40 + "]" * 40, "x" * 2**21)


@pytest.mark.parametrize("text", [*BAD, *DEEP], ids=range(10))
def test_what_is_no_envelope_is_refused(text: str | bytes) -> None:
    with pytest.raises(EnvelopeError):
        Event.from_json(text)
