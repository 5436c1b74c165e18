"""Names and bounds of the streams."""

from __future__ import annotations

from typing import Final

STREAM: Final = "gatewatch:incidents"
#: The consumer group that stores incidents and makes alerts.
DISPATCHERS: Final = "dispatchers"
#: Entries that some group has not acknowledged; beyond it the publishers spool.
DEFAULT_MAX_LENGTH: Final = 100_000
DEAD_LENGTH: Final = 10_000


def dead_stream(stream: str = STREAM) -> str:
    """Where entries go that nobody can handle."""
    return f"{stream}:dead"


def seen_set(stream: str = STREAM) -> str:
    """The ids of what was published lately."""
    return f"{stream}:seen"
