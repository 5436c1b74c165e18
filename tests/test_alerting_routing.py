from __future__ import annotations

import re
from typing import Any

import pytest

from pipelines.alerting.facts import Manner
from pipelines.alerting.life import Conflict, State, check_move, states_before
from pipelines.alerting.messages import Letters
from pipelines.alerting.routing import Plan, Policy, Recipient, alert_id, plan, route
from pipelines.alerting.sender import Retries
from pipelines.events.envelope import incident_event
from pipelines.store.incidents import Change, Known, notice_of
from pipelines.testing import an_incident
from vision.incident import Phase, Quantity

ROOM = Policy((Recipient("room", ("log", "webhook")),))
WARNED = Policy(ROOM.recipients, warnings=True)
TOLD = frozenset({("room", "incident")})


def change(phase: Phase, revision: int = 1, known: Known | None = None, **changes: Any) -> Change:
    event = incident_event(an_incident(phase=phase, revision=revision, **changes), "v", "North")
    return Change(notice_of(event), known or Known())


def both(purpose: str, first: bool) -> tuple[Plan, ...]:
    return tuple(Plan("room", purpose, channel, first) for channel in ("log", "webhook"))


@pytest.mark.parametrize(
    ("given", "policy", "expected"),
    [
        (change(Phase.OPENED), ROOM, both("incident", True)),
        (change(Phase.WARNED), ROOM, ()),
        (change(Phase.WARNED), WARNED, both("warning", True)),
        (change(Phase.WARNED, 2, Known(1, None, frozenset({("room", "warning")}))), WARNED, ()),
        (change(Phase.OPENED, 2, Known(1, None)), ROOM, both("incident", True)),
        # The first that is heard of it is its end: it is told all the same.
        (change(Phase.CLOSED, 3), ROOM, both("incident", True)),
        (change(Phase.UPDATED, 2, Known(1, 2, TOLD)), ROOM, ()),
        (change(Phase.UPDATED, 2, Known(1, 3, TOLD)), ROOM, both("incident", False)),
        (change(Phase.UPDATED, 2, Known(1, 1, TOLD)), ROOM, ()),
        (change(Phase.CLOSED, 2, Known(1, 2, TOLD)), ROOM, both("incident", False)),
        # A case that never opened ends in silence.
        (change(Phase.CLOSED, 2, Known(1, None), opened_s=None), ROOM, ()),
        (change(Phase.OPENED), Policy(()), ()),
    ],
)
def test_who_is_told_what(given: Change, policy: Policy, expected: tuple[Plan, ...]) -> None:
    assert route(given, policy).plans == expected


def test_a_batch_follows_up_on_what_it_made() -> None:
    planned = plan([change(Phase.OPENED), change(Phase.CLOSED, 2, Known(1, 2))], ROOM)
    assert [[one.first for one in telling.plans] for _, telling in planned] == [[True, True], [False, False]]


def test_an_alert_is_known_by_what_it_is_about() -> None:
    # Whichever dispatcher asks, today or after an update: with another id whoever was told would be told again.
    assert alert_id("a", "room", "incident") == "ede4705e-0597-58e8-ae50-6d8ebcbca12f"
    assert len({alert_id(*key) for key in (("a", "b", "c"), ("a", "b", "d"), ("ab", "", "c"), ("a", "c", "b"))}) == 4


def test_moves_between_states() -> None:
    check_move(State.PENDING, State.SENT)
    check_move(State.ACKNOWLEDGED, State.CLOSED)
    with pytest.raises(Conflict, match="closed cannot become sent"):
        check_move(State.CLOSED, State.SENT)
    with pytest.raises(Conflict, match=re.escape("(it can become closed, on_site)")):
        check_move(State.ACKNOWLEDGED, State.SENT)
    assert set(states_before(State.SENT)) == {State.PENDING, State.FAILED}


def test_pauses_between_tries_double_up_to_the_longest() -> None:
    retries = Retries(first_s=1, longest_s=60)
    assert [retries.wait_s(attempt, 1.0) for attempt in (1, 2, 3, 7, 500)] == [1, 2, 4, 60, 60]
    assert retries.wait_s(3, 0.0) == 2


def test_one_line_for_people() -> None:
    incident = an_incident(severity=1, evidence={"people": Quantity(23, "people"), "plate": Quantity("unknown", "")})
    event = incident_event(incident, "v", "北门").to_dict()
    drill = incident_event(incident, "v", "北门", drill=True).to_dict()
    english, chinese = Letters(Manner("en")), Letters(Manner("zh-CN"))
    assert english.compose("opened", event).line == (
        "level 1 critical · illegal parking · opened · 北门 / kerb · people 23 people, plate unknown"
    )
    assert chinese.compose("opened", event).line.startswith("一级 特别重大 · 违法停车 · 发生 · 北门 / kerb")
    assert english.compose("opened", drill).line.startswith("[drill] ")
