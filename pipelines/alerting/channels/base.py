"""What a channel is: it takes one message and returns when the other side has it, or says why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pipelines.errors import GatewatchError


class NotDelivered(GatewatchError):
    """This try failed; another may succeed. `after_s`: the other side asked to wait that long."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


class Undeliverable(GatewatchError):
    """The other side will never take this message: it is dead at once."""


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell one recipient. `idempotency_key` stays the same however often it is tried.

    `text` is one line for people in the site's language; `event` the envelope of the incident's revision.
    """

    alert_id: str
    idempotency_key: str
    recipient: str
    purpose: str
    test: bool
    attempt: int
    text: str
    event: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, for channels that carry data."""
        return {
            "alert_id": self.alert_id,
            "idempotency_key": self.idempotency_key,
            "recipient": self.recipient,
            "purpose": self.purpose,
            "test": self.test,
            "text": self.text,
            "event": dict(self.event),
        }


class Channel(Protocol):
    """`workers`: how many messages (of different incidents) may be under way at once."""

    @property
    def name(self) -> str: ...

    @property
    def workers(self) -> int: ...

    def send(self, message: Message) -> str:
        """Returns the receipt (what the other side said). Called from several threads at once if `workers` > 1.

        Raises: NotDelivered, Undeliverable.
        """
        ...

    def close(self) -> None: ...
