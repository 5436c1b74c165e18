"""The states of an alert, and of an incident's thread, and the moves between them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from pipelines.errors import GatewatchError


class State(StrEnum):
    """`escalated`: not answered within its limit, the next step was told. `failed`: reached no channel. `expired`: nobody
    answered, and there was nobody left to tell. Only `closed` is an end: a late answer is better than none."""

    PENDING = "pending"
    SENT = "sent"
    ESCALATED = "escalated"
    ACKNOWLEDGED = "acknowledged"
    ON_SITE = "on_site"
    CLOSED = "closed"
    FAILED = "failed"
    EXPIRED = "expired"


class Verdict(StrEnum):
    """What a person found an incident to be."""

    TRUE = "true"
    FALSE = "false"
    DRILL = "drill"
    DUPLICATE = "duplicate"
    UNSURE = "unsure"


#: A person can do these whatever the machine has got round to.
_ANSWERS: Final = frozenset({State.ACKNOWLEDGED, State.ON_SITE, State.CLOSED})
_MOVES: Final[dict[State, frozenset[State]]] = {
    State.PENDING: _ANSWERS | {State.SENT, State.ESCALATED, State.FAILED, State.EXPIRED},
    State.SENT: _ANSWERS | {State.ESCALATED, State.EXPIRED},
    State.ESCALATED: _ANSWERS | {State.EXPIRED},
    State.ACKNOWLEDGED: frozenset({State.ON_SITE, State.CLOSED}),
    State.ON_SITE: frozenset({State.CLOSED}),
    # A dead delivery that is sent again by command, or an answer that came late after all.
    State.FAILED: _ANSWERS | {State.PENDING, State.SENT, State.ESCALATED, State.EXPIRED},
    State.EXPIRED: _ANSWERS,
    State.CLOSED: frozenset(),
}
#: What waits for a person.
UNANSWERED: Final = frozenset({State.PENDING, State.SENT, State.ESCALATED, State.FAILED, State.EXPIRED})


class Conflict(GatewatchError):
    """It cannot be done any more (or not yet): `state` is where the incident stands, `who` brought it there at `at_s`."""

    def __init__(self, message: str, state: State, who: str | None = None, at_s: float | None = None) -> None:
        super().__init__(message)
        self.state, self.who, self.at_s = state, who, at_s


def can_move(now: State, then: State) -> bool:
    return then in _MOVES[now]


def check_move(now: State, then: State) -> None:
    """Raises: Conflict: an alert in `now` cannot become `then`; the message says what it can become."""
    if then not in _MOVES[now]:
        possible = ", ".join(sorted(_MOVES[now])) or "nothing more"
        raise Conflict(f"an alert that is {now} cannot become {then} (it can become {possible})", now)


def states_before(then: State) -> tuple[State, ...]:
    """The states from which `then` can be reached in one move."""
    return tuple(state for state, moves in _MOVES.items() if then in moves)
