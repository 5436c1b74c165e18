"""The keys of `channels:`: where alerts go, what they carry, and what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from pipelines.config.cameras import GbId, Section
from pipelines.config.quantities import Seconds

#: The channels that need no name; the others are called by their key under `named`.
PLAIN: Final = ("log", "jsonl", "webhook")

ChannelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,60}$")]
KindName = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]
Timeout = Annotated[Seconds, Field(gt=0, le=25)]
PictureChoice = Literal["none", "blurred", "original"]
_Port = Annotated[int, Field(ge=1, le=65535)]

_TIMEOUT: Final = "A try that takes longer has failed, and is tried again later."
_PICTURE: Final = (
    "The incident's newest picture: `blurred` (heads and plates; sent without a picture when that cannot be done), "
    "`original`, or `none`."
)


class Webhook(Section):
    """Alerts as signed HTTP requests."""

    url: str = Field(description="https:// (or http://) address that alerts are posted to.")
    secret: str = Field(description="Signs each request (HMAC-SHA256). Write ${NAME}.", examples=["${WEBHOOK_SECRET}"])
    body: Path | None = Field(
        default=None, description="A template (Jinja2) that makes the body. Left out: the message as JSON."
    )
    content_type: str = Field(default="application/json", description="What the body is; JSON is checked to be JSON.")
    headers: dict[HeaderName, str] = Field(
        default={}, description="More headers; never shown. Write secrets as ${NAME}."
    )
    answer: dict[str, str | int | bool] = Field(
        default={},
        description="What a JSON answer must say for the message to count as taken; for servers that refuse with 200.",
        examples=[{"errcode": 0}],
    )
    picture: PictureChoice = Field(default="none", description=f"{_PICTURE} In JSON it stands in base64.")
    timeout: Timeout = Field(default=10.0, description=_TIMEOUT)


class NamedWebhook(Webhook):
    """One more webhook."""

    kind: Literal["webhook"]


class NamedLines(Section):
    """One more file of JSON lines."""

    kind: Literal["jsonl"]
    path: Path = Field(description="Alerts are appended to this file, one JSON object a line.")


class Email(Section):
    """Alerts as e-mail."""

    kind: Literal["email"]
    host: str = Field(description="The mail server.", examples=["smtp.example.com"])
    port: _Port | None = Field(default=None, description="Its port. Left out: 587, with `tls` 465, with `none` 25.")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="`starttls`: encrypted after the greeting, or nothing is sent; `tls`: from the first byte; "
        "`none`: in the clear, for a server on this machine; without a password.",
    )
    ca_file: Path | None = Field(
        default=None, description="Certificates to trust, for a server with one of its own. Left out: the system's."
    )
    user: str | None = Field(default=None, description="Who logs in. Left out: nobody.")
    password: str | None = Field(default=None, description="Write ${NAME}.", examples=["${SMTP_PASSWORD}"])
    sender: str = Field(description="From whom.", examples=["Gatewatch <gatewatch@school.example>"])
    to: Annotated[list[str], Field(min_length=1)] = Field(
        description="To whom; each gets a mail of their own.", examples=[["guard@school.example"]]
    )
    picture: PictureChoice = Field(default="blurred", description=_PICTURE)
    timeout: Timeout = Field(default=15.0, description=_TIMEOUT)


class AppriseService(Section):
    """Alerts through whatever Apprise knows: DingTalk, WeCom, Feishu, Telegram, ..."""

    kind: Literal["apprise"]
    address: str = Field(
        description="Apprise's address of the service; never shown. Write its tokens as ${NAME}.",
        examples=["dingtalk://${DINGTALK_SECRET}@${DINGTALK_TOKEN}/"],
    )
    picture: PictureChoice = Field(default="blurred", description=f"{_PICTURE} Only where the service takes files.")
    timeout: Timeout = Field(default=10.0, description=_TIMEOUT)


class PubSub(Section):
    """Alerts published on a Redis channel (Pub/Sub)."""

    kind: Literal["pubsub"]
    url: str | None = Field(default=None, description="redis://, rediss:// or unix:// address. Left out: the site's.")
    format: Literal["gatewatch", "wvp"] = Field(
        default="gatewatch",
        description="`gatewatch`: the message as JSON; `wvp`: the alarm that WVP-GB28181-pro forwards.",
    )
    topic: str | None = Field(
        default=None, description="The Redis channel. Left out: gatewatch:alerts, for `wvp` alarm_receive."
    )
    gb_id: GbId | None = Field(
        default=None, description="20 digits: for `wvp`, stands for cameras without a `gb_id` of their own."
    )
    alarm_sn: Literal["method", "serial"] = Field(
        default="method",
        description="For `wvp`: `method` puts 5 (video) there, since WVP hands alarmSn on as the alarm's method; "
        "`serial` a number of the message's own.",
    )
    alarm_types: dict[KindName, Annotated[int, Field(ge=1, le=9999)]] = Field(
        default={},
        description="For `wvp`: other alarmType numbers, by kind of incident.",
        examples=[{"illegal_parking": 6}],
    )
    timeout: Timeout = Field(default=5.0, description=_TIMEOUT)


class Mqtt(Section):
    """Alerts published to an MQTT broker, QoS 1. Needs the extra `mqtt`."""

    kind: Literal["mqtt"]
    url: str = Field(
        description="mqtt:// or mqtts:// address.", examples=["mqtts://gatewatch:${MQTT_PASSWORD}@192.0.2.30:8883"]
    )
    topic: str = Field(
        default="gatewatch/alerts", description="The topic; {camera} and {kind} in it are replaced by the incident's."
    )
    ca_file: Path | None = Field(
        default=None, description="Certificates to trust, for a broker with one of its own. Left out: the system's."
    )
    timeout: Timeout = Field(default=10.0, description=_TIMEOUT)


NamedChannel = Annotated[
    NamedWebhook | NamedLines | Email | AppriseService | PubSub | Mqtt, Field(discriminator="kind")
]


class Channels(Section):
    """Where alerts go until routes say otherwise."""

    log: bool = Field(default=True, description="Alerts are written to the dispatcher's log.")
    jsonl: Path | None = Field(default=None, description="Alerts are appended to this file, one JSON object a line.")
    webhook: Webhook | None = Field(default=None, description="Alerts are posted to a server.")
    warnings: bool = Field(default=False, description="Also tell warnings that come before an incident (`warn_after`).")
    named: dict[ChannelName, NamedChannel] = Field(
        default={}, description="More channels, by name; docs/channels.md says what each carries."
    )
    templates: Path | None = Field(
        default=None,
        description="A folder with templates (Jinja2) in place of those that ship: zh-CN/body.txt, en/title.txt, ...",
    )
    link: str | None = Field(
        default=None,
        description="Address of an incident's page, {id} in it; it stands in messages. Left out: only the id does.",
        examples=["https://gatewatch.school.example/incidents/{id}"],
    )

    def names(self) -> tuple[str, ...]:
        """The channels that there are, in order: what routes may name."""
        plain = {"log": self.log, "jsonl": self.jsonl is not None, "webhook": self.webhook is not None}
        return (*(name for name in PLAIN if plain[name]), *self.named)
