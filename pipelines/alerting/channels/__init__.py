"""One channel, one file. `build` is the explicit list of what the configuration can name."""

from __future__ import annotations

from pipelines.alerting.channels.base import Channel, Message, NotDelivered, Undeliverable
from pipelines.alerting.channels.jsonl import JsonLinesChannel
from pipelines.alerting.channels.log import LogChannel
from pipelines.alerting.channels.webhook import WebhookChannel
from pipelines.clock import Clock
from pipelines.config.schema import Channels

__all__ = ["Channel", "Message", "NotDelivered", "Undeliverable", "build"]


def build(channels: Channels, clock: Clock) -> list[Channel]:
    """The channels that the configuration names. Raises BadInput when one cannot be made of what it says."""
    made: list[Channel] = []
    if channels.log:
        made.append(LogChannel())
    if channels.jsonl is not None:
        made.append(JsonLinesChannel(channels.jsonl))
    if channels.webhook is not None:
        made.append(WebhookChannel(channels.webhook.url, channels.webhook.secret, clock))
    return made
