"""What a person reads of the demo."""

from __future__ import annotations

from pipelines.demo.telling import evidence


def test_evidence_says_each_word_once() -> None:
    parked = {"standing": {"value": 20.3, "unit": "s"}, "vehicle": {"value": "car", "unit": ""}}
    assert evidence(parked) == "car, standing 20 s"
    crowd = {
        "density": {"value": 1.25, "unit": "people/m2"},
        "people": {"value": 11, "unit": "people"},
        "peak_people": {"value": 12, "unit": "people"},
        "growth": {"value": 3.0, "unit": "people/min"},
    }
    assert evidence(crowd) == "11 people, peak 12 people, density 1.2 people/m2"
    assert evidence({}) == ""
