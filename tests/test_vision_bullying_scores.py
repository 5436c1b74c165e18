"""Scores of a region over time: how long and how high opens one incident, whose it is, and when it may not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from vision.aggression import ScoredRegion
from vision.behaviours.possible_bullying import Parameters, PossibleBullying, Sensitivity
from vision.camera import RuleSpec
from vision.evaluation.moved import incidents, opened, scenes, stand, walk
from vision.incident import Phase


def test_a_high_score_that_lasts_opens_one_incident_and_it_closes_when_all_is_calm() -> None:
    messages = incidents(scenes([stand(10, 6), stand(10.6, 6)], 40, lambda t: 0.9 if 5 <= t < 12 else 0.1))
    assert [m.phase for m in messages if m.phase is not Phase.UPDATED] == [Phase.OPENED, Phase.CLOSED]
    first, last = messages[0], messages[-1]
    assert first.opened_s == pytest.approx(7.0, abs=0.3)
    assert first.severity == 2
    assert last.incident_id == first.incident_id
    assert last.closed_s == pytest.approx(12.0, abs=0.5)
    assert last.close_reason == "dispersed"


@pytest.mark.parametrize("score", [lambda t: 0.99 if 5 <= t < 6 else 0.1, lambda t: 0.7, lambda t: 0.99 * (int(t) % 2)])
def test_short_weak_or_broken_scores_open_nothing(score: Callable[[float], float]) -> None:
    assert opened(incidents(scenes([stand(10, 6), stand(10.6, 6)], 40, score))) == []


def test_sensitivity_orders_what_opens() -> None:
    def first_s(sensitivity: Sensitivity, score: float) -> float | None:
        found = opened(incidents(scenes([stand(10, 6), stand(10.6, 6)], 20, lambda t: score), sensitivity))
        return found[0].opened_s if found else None

    assert first_s("low", 0.8) is None
    assert first_s("normal", 0.8) is None
    assert first_s("high", 0.8) is not None
    times = [first_s(s, 0.95) for s in ("high", "normal", "low")]
    assert all(t is not None for t in times)
    assert times == sorted(times, key=lambda t: t or 0.0)


def test_a_group_inherits_nothing_from_those_who_passed_before() -> None:
    """Five pass through a place, wildly but too short; two who come to it later are two, and answer for themselves."""
    crowd = [walk((0, 7 + 0.4 * i, 6), (9, 16 + 0.8 * i, 6)) for i in range(5)]
    later = [walk((5, 10 + 0.6 * i, 0.2), (10, 10 + 0.6 * i, 6)) for i in range(2)]

    def score(t: float) -> float:
        return 0.99 if 2 <= t < 3.4 else 0.9 if t >= 12 else 0.1

    found = opened(incidents(scenes([*crowd, *later], 30, score, where=stand(10, 6))))
    assert len(found) == 1
    assert found[0].evidence["people"].value == 2
    assert found[0].evidence["contact_score"].value == 0.9
    assert found[0].opened_s is not None
    assert found[0].opened_s >= 14.0


def test_windows_of_people_who_were_seen_to_leave_do_not_count_for_the_next() -> None:
    """Neither pair lasts long enough for an incident; a region that goes on under both must not add them up."""
    first = [walk((0, 10 + 0.4 * i, 6), (3.5, 10 + 0.4 * i, 6), (4.3, 16, 6 + i)) for i in range(2)]
    second = [walk((0, 5, 2 + i), (3.7, 5, 2 + i), (4.5, 10 + 0.4 * i, 6)) for i in range(2)]
    together = scenes([*first, *second], 20, lambda t: 0.95 if 2.4 <= t < 5.8 else 0.1, where=stand(10, 6))
    assert opened(incidents(together)) == []
    assert len(opened(incidents(scenes(first[:1] + second[:1], 20, lambda t: 0.95 if 2.4 <= t < 5.8 else 0.1)))) == 1


def test_a_scuffle_whose_place_leaps_between_people_is_one_and_loses_nothing() -> None:
    """Four strike about; what is looked at is now on one pair, now on the other: nobody left, so every window counts."""
    four = [stand(10 + 0.8 * i, 6) for i in range(4)]

    def leaping(t: float) -> Sequence[float]:
        return (9.8, 6) if int(t / 0.6) % 2 else (12.6, 6)

    found = opened(incidents(scenes(four, 20, lambda t: 0.95 if t >= 2 else 0.1, where=leaping)))
    assert len(found) == 1
    assert found[0].opened_s == pytest.approx(2.0 + 11 * 0.2, abs=0.3)


def test_two_regions_of_one_scuffle_are_one_incident() -> None:
    shown = []
    for scene in scenes([stand(10 + 0.8 * i, 6) for i in range(4)], 20, lambda t: 0.95):
        (first,) = scene.regions
        x, y, side = first.region.square_px
        # Beside the first one, not over it, and found four seconds later.
        second = replace(first.region, region_id=2, square_px=(x + 1.2 * side, y, side))
        later = (ScoredRegion(second, first.score, first.scores),) if scene.time_s >= 4 else ()
        shown.append(replace(scene, regions=(first, *later)))
    assert len(opened(incidents(shown))) == 1


def test_cooldown_keeps_the_same_place_quiet_and_another_place_loud() -> None:
    def again(t: float) -> float:
        return 0.9 if 2 <= t < 8 or 25 <= t < 31 else 0.0

    people = [stand(10, 6), stand(10.6, 6)]
    assert len(opened(incidents(scenes(people, 40, again)))) == 1
    assert len(opened(incidents(scenes(people, 40, again), cooldown_s=5.0))) == 2


def test_an_excluded_zone_is_not_looked_at() -> None:
    shown = scenes([stand(10, 6), stand(10.6, 6)], 20, lambda t: 0.95)
    assert len(opened(incidents(shown))) == 1
    assert opened(incidents(shown, excluded=("pitch",))) == []


def test_outside_its_schedule_the_rule_sees_nothing_and_closes_what_is_open() -> None:
    rule = RuleSpec("r", "possible_bullying", "forecourt", Parameters(), lambda time_s: time_s < 10)
    behaviour = PossibleBullying("gate", rule)
    shown = scenes([stand(10, 6), stand(10.6, 6)], 30, lambda t: 0.95)
    told = [incident for scene in shown for incident in behaviour.step(scene).incidents]
    assert [m.phase for m in told if m.phase is not Phase.UPDATED] == [Phase.OPENED, Phase.CLOSED]
    assert told[-1].close_reason == "schedule"


def test_a_restart_goes_on_with_the_open_incident() -> None:
    shown = scenes([stand(10, 6), stand(10.6, 6)], 40, lambda t: 0.95 if t < 15 else 0.0)
    rule = RuleSpec("r", "possible_bullying", "forecourt", Parameters())
    before, after = PossibleBullying("gate", rule), PossibleBullying("gate", rule)
    first = [i for scene in shown[:60] for i in before.step(scene).incidents]
    after.restore(before.snapshot())
    second = [i for scene in shown[60:] for i in after.step(scene).incidents]
    assert first[0].phase is Phase.OPENED
    assert second[-1].phase is Phase.CLOSED
    assert {i.incident_id for i in first + second} == {first[0].incident_id}
    assert opened(second) == []
