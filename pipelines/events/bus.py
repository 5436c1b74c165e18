"""What the worker publishes to and the dispatcher reads from, without saying what is behind it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from pipelines.events.envelope import Event


class Delivery(NamedTuple):
    """One entry as a consumer sees it: `entry_id` acknowledges it; `body` is the raw JSON; `attempts` counts deliveries."""

    entry_id: str
    body: bytes
    attempts: int


class Publisher(Protocol):
    def publish(self, event: Event) -> None:
        """Returns when the event is safe: on the bus, or on the disk spool while the bus is away or full."""
        ...


class Consumer(Protocol):
    """One member of a consumer group."""

    def read(self, limit: int, block_s: float) -> list[Delivery]:
        """New entries, or abandoned ones of dead members; empty after `block_s`. Raises Unavailable when the bus is away."""
        ...

    def acknowledge(self, entry_ids: list[str]) -> None: ...

    def dead_letter(self, delivery: Delivery, reason: str) -> None:
        """Move an entry that cannot be handled aside, visibly, and acknowledge it."""
        ...
