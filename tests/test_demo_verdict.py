from __future__ import annotations

from typing import Any

import pytest

from pipelines.demo.verdict import expected_within, judge
from vision.evaluation.incidents import Happening

TRUTH: dict[str, Any] = {
    "duration_s": 100.0,
    "incidents": [
        {"kind": "illegal_parking", "zone": "kerb", "opens_s": 30.0, "closes_s": 60.0},
        {"kind": "crowding", "zone": "forecourt", "opens_s": 80.0, "closes_s": None},
    ],
}
PARKING = Happening("illegal_parking", "kerb", 30.0, 60.0)
CROWD = Happening("crowding", "forecourt", 80.0, None)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (20.0, []),
        (50.0, [Happening("illegal_parking", "kerb", 30.0, None)]),
        (100.0, [PARKING, CROWD]),
        (140.0, [PARKING, Happening("illegal_parking", "kerb", 130.0, None), CROWD]),
        (170.0, [PARKING, Happening("illegal_parking", "kerb", 130.0, 160.0), CROWD]),
    ],
)
def test_the_truth_is_cut_at_the_end_and_repeated_by_the_loop(seconds: float, expected: list[Happening]) -> None:
    assert expected_within(TRUTH, seconds) == expected


def test_what_was_expected_passes() -> None:
    raised = [Happening("illegal_parking", "kerb", 31.5, 58.2), Happening("crowding", "forecourt", 80.4, None)]
    verdict = judge([PARKING, CROWD], raised, 100.0)
    assert verdict.passed
    assert (verdict.expected, verdict.matched) == (2, 2)
    assert verdict.largest_delay_s == pytest.approx(1.8)


@pytest.mark.parametrize(
    ("raised", "fault"),
    [
        ([CROWD], "illegal_parking in kerb, due at 30 s, was not raised"),
        ([PARKING, CROWD, Happening("illegal_parking", "kerb", 45.0, 58.0)], "1 raised twice"),
        ([PARKING, CROWD, Happening("crowding", "kerb", 10.0, 12.0)], "1 raised that the truth does not have"),
        (
            [Happening("illegal_parking", "kerb", 30.0, None), CROWD],
            "illegal_parking in kerb, over at 60 s, was not closed",
        ),
        (
            [Happening("illegal_parking", "kerb", 36.0, 60.0), CROWD],
            "illegal_parking in kerb opened +6.0 s from its truth",
        ),
    ],
)
def test_what_went_otherwise_is_said_and_fails(raised: list[Happening], fault: str) -> None:
    verdict = judge([PARKING, CROWD], raised, 100.0)
    assert fault in verdict.faults
    assert not verdict.passed


def test_what_falls_on_the_end_may_be_there_or_not() -> None:
    at_the_edge = Happening("crowding", "forecourt", 98.0, None)
    assert judge([at_the_edge], [], 100.0).passed
    assert judge([at_the_edge], [at_the_edge], 100.0).passed
