"""One channel, one file. `build` is the explicit list of what the configuration can name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pipelines.alerting.channels.apprise import AppriseChannel
from pipelines.alerting.channels.base import Channel, ChannelFault, Message, NotDelivered, Undeliverable
from pipelines.alerting.channels.email import EmailChannel
from pipelines.alerting.channels.jsonl import JsonLinesChannel
from pipelines.alerting.channels.log import LogChannel
from pipelines.alerting.channels.mqtt import MqttChannel
from pipelines.alerting.channels.pubsub import PubSubChannel
from pipelines.alerting.channels.webhook import WebhookChannel
from pipelines.alerting.facts import Manner
from pipelines.alerting.messages import Letters
from pipelines.alerting.samples import samples
from pipelines.alerting.templating import TemplateFault
from pipelines.clock import Clock
from pipelines.config.channels import AppriseService, Email, Mqtt, NamedChannel, NamedLines, NamedWebhook, PubSub
from pipelines.config.faults import Place
from pipelines.config.schema import Config
from pipelines.errors import GatewatchError

__all__ = ["Built", "Channel", "ChannelFault", "Message", "NotDelivered", "Undeliverable", "build"]


def _maker(
    name: str, one: NamedChannel, config: Config, bus_url: str, clock: Clock, letters: Letters
) -> Callable[[], Channel]:
    def make() -> Channel:
        match one:
            case NamedWebhook():
                return WebhookChannel.of(one, clock, letters, name)
            case NamedLines():
                return JsonLinesChannel(one.path, name)
            case Email():
                return EmailChannel(one, clock, name)
            case AppriseService():
                return AppriseChannel(one, name)
            case PubSub():
                cameras = {key: camera.gb_id for key, camera in config.cameras.items() if camera.gb_id}
                return PubSubChannel(one, one.url or bus_url, cameras, name)
            case Mqtt():
                return MqttChannel(one, name)

    return make


@dataclass(slots=True)
class Built:
    """What `channels:` asks for, as far as it can be made; `faults` says what cannot."""

    letters: Letters
    channels: list[Channel] = field(default_factory=list)
    faults: list[ChannelFault] = field(default_factory=list)

    def close(self) -> None:
        for channel in self.channels:
            channel.close()


def build(config: Config, bus_url: str, clock: Clock) -> Built:
    """The channels that the configuration names, and their templates tried on samples. Connects nowhere."""
    channels = config.channels
    manner = Manner(config.site.language, config.site.timezone, config.site.name, channels.link)
    built = Built(Letters(manner))
    if channels.templates is not None:
        try:
            built.letters = Letters(manner, channels.templates)
            built.letters.try_all(samples())
        except TemplateFault as error:
            built.faults.append(ChannelFault(("channels", "templates"), str(error)))
    letters, made = built.letters, built.channels
    if channels.log:
        made.append(LogChannel())
    if channels.jsonl is not None:
        made.append(JsonLinesChannel(channels.jsonl))
    named: list[tuple[Place, Callable[[], Channel]]] = []
    webhook = channels.webhook
    if webhook is not None:
        named.append((("channels", "webhook"), lambda: WebhookChannel.of(webhook, clock, letters)))
    for name, one in channels.named.items():
        named.append((("channels", "named", name), _maker(name, one, config, bus_url, clock, letters)))
    for place, make in named:
        try:
            made.append(make())
        except ChannelFault as fault:
            built.faults.append(ChannelFault((*place, *fault.place), str(fault)))
        except GatewatchError as error:
            built.faults.append(ChannelFault(place, str(error)))
    return built
