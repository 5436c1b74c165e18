"""What a channel is: it takes one message and returns when the other side has it, or says why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pipelines.alerting.vocabulary import words_for
from pipelines.config.channels import PictureChoice
from pipelines.config.faults import Place
from pipelines.errors import BadInput, GatewatchError
from pipelines.wording import Language


class NotDelivered(GatewatchError):
    """This try failed; another may succeed. `after_s`: the other side asked to wait that long."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


class Undeliverable(GatewatchError):
    """The other side will never take this message: it is dead at once."""


class ChannelFault(BadInput):
    """A channel cannot be made of what the configuration says; `place` is the key, from the channel's own section on."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


class NoPicture(GatewatchError):
    """There is no picture that may be sent. `reason`: `none` (the event has none), `missing` or `unblurrable`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG on its way out. `captured_at` is RFC 3339."""

    content: bytes
    name: str
    blurred: bool
    captured_at: str


class Pictures(Protocol):
    """Where the picture of an event is had from. Both raise NoPicture."""

    def blurred(self, event: Mapping[str, Any]) -> Picture: ...

    def original(self, event: Mapping[str, Any]) -> Picture: ...


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell one recipient. `idempotency_key` stays the same however often it is tried.

    `text` is one line for people in the site's language, `title` a shorter one, `body` several; `event` the envelope of
    the incident's revision; `why` it is sent is one of `pipelines.alerting.messages.Why`. `first` makes the alert, later
    messages of the same `alert_id` follow up on it.
    """

    alert_id: str
    idempotency_key: str
    recipient: str
    purpose: str
    test: bool
    attempt: int
    text: str
    event: Mapping[str, Any]
    why: str = "opened"
    title: str = ""
    body: str = ""
    language: Language = "en"
    pictures: Pictures | None = None

    @property
    def first(self) -> bool:
        return self.idempotency_key == self.alert_id

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, for channels that carry data."""
        return {
            "alert_id": self.alert_id,
            "idempotency_key": self.idempotency_key,
            "recipient": self.recipient,
            "purpose": self.purpose,
            "why": self.why,
            "test": self.test,
            "text": self.text,
            "title": self.title,
            "body": self.body,
            "event": dict(self.event),
        }

    def picture(self, choice: PictureChoice) -> tuple[Picture | None, str]:
        """The incident's newest picture as `choice` wants it, and a sentence for people about it or its absence.

        What is over, a test and a digest have none, and nothing is said about it.
        """
        if choice == "none" or self.pictures is None or self.why in ("closed", "digest", "test"):
            return None, ""
        try:
            take = self.pictures.original if choice == "original" else self.pictures.blurred
            return take(self.event), words_for(self.language, f"picture.{choice}") or ""
        except NoPicture as error:
            return None, words_for(self.language, f"picture.{error.reason}") or ""


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
