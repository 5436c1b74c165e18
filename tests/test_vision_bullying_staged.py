"""Staged situations: people moved in metres, no pixels. What becomes an incident and what does not, as a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vision.aggression import ScoredRegion
from vision.behaviours.possible_bullying import Parameters, PossibleBullying, Sensitivity
from vision.camera import RuleSpec
from vision.detection import Detections
from vision.ground import Ground
from vision.incident import Incident, Phase
from vision.interaction import Region
from vision.scene import Scene
from vision.track import Track, TrackState
from vision.view import View, ViewState
from vision.zone import Zone

WIDTH_PX, HEIGHT_PX = 1280, 720
#: A forecourt of 20 m x 12 m that fills the lower part of the picture.
GROUND = Ground.fit([((0.0, 0.2), (0, 12)), ((1.0, 0.2), (20, 12)), ((1.0, 1.0), (20, 0)), ((0.0, 1.0), (0, 0))])
ZONE = Zone("forecourt", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
FPS = 5.0
TALL_PX = 90.0

#: Where somebody is at a time: (x_m, y_m), or (x_m, y_m, lying).
Path = Callable[[float], Sequence[float]]


def stand(x: float, y: float, until_s: float = 1e9) -> Path:
    """Stands, swaying a little, as people do."""
    return lambda t: (x + 0.08 * math.sin(1.3 * t + x), y + 0.08 * math.sin(0.9 * t + y)) if t < until_s else ()


def walk(*stops: tuple[float, float, float]) -> Path:
    """Through (time_s, x_m, y_m), at rest before the first and after the last."""
    times, xs, ys = ([stop[i] for stop in stops] for i in range(3))
    return lambda t: (float(np.interp(t, times, xs)), float(np.interp(t, times, ys)))


def lie_from(path: Path, from_s: float, until_s: float = 1e9) -> Path:
    def at(t: float) -> Sequence[float]:
        place = path(t)
        return (*place, 1.0) if from_s <= t < until_s else place

    return at


def ring(x: float, y: float, count: int, arrive_s: float, radius_m: float = 1.3) -> list[Path]:
    """`count` people who come from 6 m away and stand around (x, y) from `arrive_s` on."""
    paths = []
    for index in range(count):
        a = 2 * math.pi * index / count
        near = (x + radius_m * math.cos(a), y + radius_m * math.sin(a))
        far = (x + 6 * math.cos(a), y + 6 * math.sin(a))
        paths.append(walk((arrive_s - 4, *far), (arrive_s, *near)))
    return paths


def encirclement() -> list[Path]:
    return [stand(10, 6), *ring(10, 6, 4, 8.0)]


def chase_and_held() -> list[Path]:
    fled = walk((2, 2, 6), (5, 14, 6))
    return [fled, walk((2, 0, 6), (5.2, 13.4, 6))]


def person_down() -> list[Path]:
    return [lie_from(stand(10, 6), 10.0), stand(10.8, 6.4), stand(9.3, 5.5), stand(10.2, 7.2)]


def queue() -> list[Path]:
    return [stand(4 + 0.8 * i, 6) for i in range(12)]


def greeting() -> list[Path]:
    """Three run up to a friend, embrace, and walk away together after ten seconds."""
    paths: list[Path] = []
    for i, (dx, dy) in enumerate([(0.0, 0.0), (0.7, 0.1), (-0.5, 0.5), (-0.3, -0.6)]):
        far = (10 + 9 * dx, 6 + 9 * dy)
        paths.append(walk((2, *far), (4 + 0.2 * i, 10 + dx, 6 + dy), (14, 10 + dx, 6 + dy), (22, 18 + dx, 6 + dy)))
    return paths


def tag() -> list[Path]:
    """Two run after each other; each touch ends the run, and they part at once."""
    first = walk((1, 2, 6), (4, 12, 6), (5, 12, 6), (8, 4, 9), (11, 14, 8), (12, 14, 8), (15, 5, 4))
    second = walk((1, 0, 6), (4.3, 11.5, 6), (6, 16, 6), (9, 8, 9), (11.2, 13.5, 8), (13, 18, 3), (16, 10, 3))
    return [first, second]


def waiting_parents() -> list[Path]:
    return [stand(4 + 1.2 * (i % 5), 3 + 1.2 * (i // 5)) for i in range(15)]


def bell() -> list[Path]:
    """Forty pupils stream out of the gate and past each other within a minute."""
    rng = np.random.default_rng(5)
    paths = []
    for _ in range(40):
        begin, y0, y1 = rng.uniform(0, 30), rng.uniform(4, 8), rng.uniform(1, 11)
        paths.append(walk((begin, 0.5, y0), (begin + rng.uniform(12, 18), 19.5, y1)))
    return paths


def tying_a_shoe() -> list[Path]:
    """Crouches for four seconds beside friends: the box gets wide, but not for long."""
    return [lie_from(stand(10, 6), 8.0, 12.0), stand(11, 6), stand(9.2, 6.5)]


def alone_on_the_ground() -> list[Path]:
    """Nobody is near: not this rule's business."""
    return [lie_from(stand(10, 6), 8.0), stand(18, 1)]


def friends_walking() -> list[Path]:
    return [walk((0, 1 + dx, 6 + dy), (16, 17 + dx, 6 + dy)) for dx, dy in [(0, 0), (0.8, 0.5), (0.8, -0.5), (-0.9, 0)]]


def scenes(
    paths: Sequence[Path], seconds: float, score: Callable[[float], float] | None = None, where: Path | None = None
) -> list[Scene]:
    """What the engine would show a behaviour, five times a second; its region is at `where`, or follows the first."""
    made: list[Scene] = []
    scored: list[tuple[float, float]] = []
    for step in range(int(seconds * FPS)):
        t = step / FPS
        tracks = tuple(_track(index + 1, place, t) for index, path in enumerate(paths) if (place := path(t)))
        regions: tuple[ScoredRegion, ...] = ()
        if score is not None:
            x, y = _px((paths[0] if where is None else where)(t))
            scored.append((t, score(t)))
            region = Region(1, (x - 70, y - 115, 140), 0.0, t, 0, 0.5, 5.0, 1.5)
            regions = (ScoredRegion(region, scored[-1][1], tuple(scored[-50:])),)
        made.append(
            Scene(
                camera_id="gate",
                time_s=t,
                gap_s=0.0 if step == 0 else 1 / FPS,
                width_px=WIDTH_PX,
                height_px=HEIGHT_PX,
                tracks=tracks,
                detections=Detections.empty(),
                detection_track_id=np.empty(0, np.int64),
                zones={"forecourt": ZONE, "pitch": Zone("pitch", ((0.4, 0.0), (0.6, 0.0), (0.6, 1.0), (0.4, 1.0)))},
                ground=GROUND,
                view=View(ViewState.USABLE, 120.0, 50.0),
                regions=regions,
            )
        )
    return made


def _px(place: Sequence[float]) -> tuple[float, float]:
    return place[0] / 20 * WIDTH_PX, (1.0 - 0.8 * place[1] / 12) * HEIGHT_PX


def _track(track_id: int, place: Sequence[float], time_s: float) -> Track:
    x, y = _px(place)
    wide, tall = (TALL_PX, TALL_PX * 0.45) if len(place) == 3 else (TALL_PX * 0.4, TALL_PX)
    box = (x - wide / 2, y - tall, x + wide / 2, y)
    return Track(track_id, TrackState.CONFIRMED, 0, box, (0.0, 0.0), 0.0, time_s, 0.9)


def incidents(shown: Sequence[Scene], sensitivity: Sensitivity = "normal", **parameters: Any) -> list[Incident]:
    rule = RuleSpec("r", "possible_bullying", "forecourt", Parameters(sensitivity, **parameters))
    behaviour = PossibleBullying("gate", rule)
    return [incident for scene in shown for incident in behaviour.step(scene).incidents]


def opened(messages: Sequence[Incident]) -> list[Incident]:
    return [m for m in messages if m.phase is Phase.OPENED]


#: situation, seconds, what opens at normal sensitivity (the evidence that must be named), latest second of opening
TABLE: list[tuple[Callable[[], list[Path]], float, str | None, float]] = [
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
    situation: Callable[[], list[Path]], seconds: float, evidence: str | None, latest_s: float
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


def test_a_view_that_moved_hides_no_blows_but_no_situation_is_believed_in_it() -> None:
    def seen(shown: Sequence[Scene], state: ViewState) -> list[Incident]:
        return opened(incidents([replace(scene, view=View(state, 120.0, 50.0)) for scene in shown]))

    blows = scenes([stand(10, 6), stand(10.6, 6)], 20, lambda t: 0.95)
    surrounded = scenes(encirclement(), 60)
    assert [len(seen(blows, state)) for state in (ViewState.MOVED, ViewState.BLOCKED, ViewState.DARK)] == [1, 0, 0]
    assert len(seen(surrounded, ViewState.USABLE)) == 1
    assert seen(surrounded, ViewState.MOVED) == []


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
