"""Pictures that are judged together: who waits, for how long, and what ends the waiting."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pipelines.workers.company import ENOUGH, LONGEST_S, Company
from pipelines.workers.looking import Task
from vision.attention import Look
from vision.detection import Detections
from vision.frame import Frame

FRAME = Frame("gate", "run", 1.0, np.zeros((4, 4, 3), np.uint8))


def task(whole: bool = False) -> Task:
    camera: Any = None
    return Task(camera, FRAME, Look(((0, 0, 4, 4),) if whole else (), whole=whole), (), float(whole))


def test_a_picture_in_which_nothing_is_looked_at_waits_most_of_the_time_until_its_cameras_next_one() -> None:
    company, one = Company(), task()
    company.calm(one, 10.0, 0.2)
    assert company.due(10.14) == []
    assert company.starts_in_s(10.14) == pytest.approx(0.01)
    assert company.due(10.151) == [(one, ())]
    assert company.due(99.0) == []
    assert company.starts_in_s(99.0) == math.inf


def test_of_a_camera_with_few_pictures_none_waits_until_its_next_one() -> None:
    company, one = Company(), task()
    company.calm(one, 10.0, 10.0)
    assert company.starts_in_s(10.0) == pytest.approx(LONGEST_S)
    assert company.due(10.0 + LONGEST_S) == [(one, ())]


def test_the_first_that_has_waited_long_enough_takes_all_along_in_order() -> None:
    company, slow, quick = Company(), task(), task()
    company.calm(slow, 10.0, 0.2)
    company.calm(quick, 10.01, 0.04)
    assert company.due(10.039) == []
    assert [one for one, _ in company.due(10.041)] == [slow, quick]


def test_what_the_detector_gives_is_judged_at_once_and_whatever_waits_with_it() -> None:
    company, calm, looked_at = Company(), task(), task(whole=True)
    company.calm(calm, 10.0, 0.2)
    found = [Detections.empty()]
    company.landed([(looked_at, found)])
    assert company.starts_in_s(10.0) == 0.0
    assert company.due(10.0) == [(looked_at, found), (calm, ())]
    assert company.due(99.0) == []


def test_so_many_are_enough() -> None:
    company = Company()
    for _ in range(ENOUGH - 1):
        company.calm(task(), 10.0, 0.2)
        assert not company.is_enough
    assert company.due(10.0) == []
    company.calm(task(), 10.0, 0.2)
    assert company.is_enough
    assert len(company.due(10.0)) == ENOUGH
    assert not company.is_enough


def test_of_many_that_are_due_some_can_be_had_at_a_time_and_none_is_lost() -> None:
    company, landed, calm = Company(), [(task(whole=True), ()) for _ in range(3)], task()
    company.landed(landed)
    company.calm(calm, 10.0, 0.2)
    had = [company.due(10.0, 1)]
    assert company.starts_in_s(10.0) == 0.0  # the others are due as well, now
    while had[-1]:
        had.append(company.due(10.0, 1))
    assert had == [[one] for one in (*landed, (calm, ()))] + [[]]
    assert company.starts_in_s(10.0) == math.inf
