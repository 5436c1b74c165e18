"""The states of an alert and the moves between them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from pipelines.errors import BadInput


class State(StrEnum):
    """`failed`: reached no channel. `expired`: nobody answered in time. The last three are ends."""

    PENDING = "pending"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"
    FAILED = "failed"
    EXPIRED = "expired"


_MOVES: Final[dict[State, frozenset[State]]] = {
    State.PENDING: frozenset({State.SENT, State.ACKNOWLEDGED, State.FAILED, State.EXPIRED}),
    State.SENT: frozenset({State.ACKNOWLEDGED, State.CLOSED, State.EXPIRED}),
    State.ACKNOWLEDGED: frozenset({State.CLOSED}),
    # A dead delivery that is sent again by command, or an answer that came late after all.
    State.FAILED: frozenset({State.PENDING, State.SENT, State.ACKNOWLEDGED}),
    State.EXPIRED: frozenset({State.ACKNOWLEDGED, State.CLOSED}),
    State.CLOSED: frozenset(),
}


def check_move(now: State, then: State) -> None:
    """Raises: BadInput: an alert in `now` cannot become `then`; the message says what it can become."""
    if then not in _MOVES[now]:
        possible = ", ".join(sorted(_MOVES[now])) or "nothing more"
        raise BadInput(f"an alert that is {now} cannot become {then} (it can become {possible})")


def states_before(then: State) -> tuple[State, ...]:
    """The states from which `then` can be reached in one move."""
    return tuple(state for state, moves in _MOVES.items() if then in moves)
