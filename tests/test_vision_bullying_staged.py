"""Staged situations: people moved in metres, no pixels. What becomes an incident and what does not, as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from vision.evaluation.moved import Way, incidents, lie_from, opened, ring, scenes, stand, walk
from vision.incident import Incident
from vision.scene import Scene
from vision.view import View, ViewState


def encirclement() -> list[Way]:
    return [stand(10, 6), *ring(10, 6, 4, 8.0)]


def chase_and_held() -> list[Way]:
    fled = walk((2, 2, 6), (5, 14, 6))
    return [fled, walk((2, 0, 6), (5.2, 13.4, 6))]


def person_down() -> list[Way]:
    return [lie_from(stand(10, 6), 10.0), stand(10.8, 6.4), stand(9.3, 5.5), stand(10.2, 7.2)]


def queue() -> list[Way]:
    return [stand(4 + 0.8 * i, 6) for i in range(12)]


def greeting() -> list[Way]:
    """Three run up to a friend, embrace, and walk away together after ten seconds."""
    paths: list[Way] = []
    for i, (dx, dy) in enumerate([(0.0, 0.0), (0.7, 0.1), (-0.5, 0.5), (-0.3, -0.6)]):
        far = (10 + 9 * dx, 6 + 9 * dy)
        paths.append(walk((2, *far), (4 + 0.2 * i, 10 + dx, 6 + dy), (14, 10 + dx, 6 + dy), (22, 18 + dx, 6 + dy)))
    return paths


def tag() -> list[Way]:
    """Two run after each other; each touch ends the run, and they part at once."""
    first = walk((1, 2, 6), (4, 12, 6), (5, 12, 6), (8, 4, 9), (11, 14, 8), (12, 14, 8), (15, 5, 4))
    second = walk((1, 0, 6), (4.3, 11.5, 6), (6, 16, 6), (9, 8, 9), (11.2, 13.5, 8), (13, 18, 3), (16, 10, 3))
    return [first, second]


def waiting_parents() -> list[Way]:
    return [stand(4 + 1.2 * (i % 5), 3 + 1.2 * (i // 5)) for i in range(15)]


def bell() -> list[Way]:
    """Forty pupils stream out of the gate and past each other within a minute."""
    rng = np.random.default_rng(5)
    paths = []
    for _ in range(40):
        begin, y0, y1 = rng.uniform(0, 30), rng.uniform(4, 8), rng.uniform(1, 11)
        paths.append(walk((begin, 0.5, y0), (begin + rng.uniform(12, 18), 19.5, y1)))
    return paths


def tying_a_shoe() -> list[Way]:
    """Crouches for four seconds beside friends: the box gets wide, but not for long."""
    return [lie_from(stand(10, 6), 8.0, 12.0), stand(11, 6), stand(9.2, 6.5)]


def alone_on_the_ground() -> list[Way]:
    """Nobody is near: not this rule's business."""
    return [lie_from(stand(10, 6), 8.0), stand(18, 1)]


def friends_walking() -> list[Way]:
    return [walk((0, 1 + dx, 6 + dy), (16, 17 + dx, 6 + dy)) for dx, dy in [(0, 0), (0.8, 0.5), (0.8, -0.5), (-0.9, 0)]]


#: situation, seconds, what opens at normal sensitivity (the evidence that must be named), latest second of opening
TABLE: list[tuple[Callable[[], list[Way]], float, str | None, float]] = [
    (encirclement, 60, "encircled_for", 30.0),
    (chase_and_held, 30, "caught_for", 12.0),
    (person_down, 30, "down_for", 20.0),
    (queue, 90, None, 0),
    (greeting, 60, None, 0),
    (tag, 30, None, 0),
    (waiting_parents, 120, None, 0),
    (bell, 60, None, 0),
    (tying_a_shoe, 30, None, 0),
    (alone_on_the_ground, 60, None, 0),
    (friends_walking, 20, None, 0),
]


@pytest.mark.parametrize(
    ("situation", "seconds", "evidence", "latest_s"), TABLE, ids=lambda v: getattr(v, "__name__", "")
)
def test_what_opens_and_what_does_not(
    situation: Callable[[], list[Way]], seconds: float, evidence: str | None, latest_s: float
) -> None:
    found = opened(incidents(scenes(situation(), seconds)))
    if evidence is None:
        assert found == []
        return
    assert len(found) == 1
    assert evidence in found[0].evidence
    assert found[0].evidence[evidence].unit == "s"
    assert found[0].opened_s is not None
    assert found[0].opened_s <= latest_s


def test_a_situation_that_agrees_needs_fewer_windows_and_makes_it_graver() -> None:
    def score(t: float) -> float:
        return 0.95 if 14 <= t < 15.4 else 0.1

    alone = opened(incidents(scenes([stand(10, 6), stand(10.7, 6)], 20, score)))
    surrounded = opened(incidents(scenes([stand(10, 6), *ring(10, 6, 4, 8.0)], 18, score)))
    assert alone == []
    assert [m.severity for m in surrounded] == [1]
    assert surrounded[0].evidence["encircled_by"].value == 4
    said, in_chinese = (str(surrounded[0].evidence[f"in_words_{language}"].value) for language in ("en", "zh"))
    assert said.startswith("Possible bullying: 4 people around 1 for 8 s, contact score 0.95")
    assert in_chinese.startswith("疑似欺凌，待人工判断：4人围住1人8秒，肢体冲突评分0.95")


def test_a_view_that_moved_hides_no_blows_but_no_situation_is_believed_in_it() -> None:
    def seen(shown: Sequence[Scene], state: ViewState) -> list[Incident]:
        return opened(incidents([replace(scene, view=View(state, 120.0, 50.0)) for scene in shown]))

    blows = scenes([stand(10, 6), stand(10.6, 6)], 20, lambda t: 0.95)
    surrounded = scenes(encirclement(), 60)
    assert [len(seen(blows, state)) for state in (ViewState.MOVED, ViewState.BLOCKED, ViewState.DARK)] == [1, 0, 0]
    assert len(seen(surrounded, ViewState.USABLE)) == 1
    assert seen(surrounded, ViewState.MOVED) == []
