"""Alerts on a Redis channel (Pub/Sub): the message as JSON, or the alarm that WVP-GB28181-pro forwards to the platforms
above it.

Pub/Sub keeps nothing: what is published while nobody listens is lost. So a message that no subscriber took is tried again.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from pipelines.alerting.channels.base import Message, NotDelivered
from pipelines.config.channels import PubSub
from pipelines.errors import Unavailable
from pipelines.events.pubsub import Announcer

_TOPICS: Final = {"gatewatch": "gatewatch:alerts", "wvp": "alarm_receive"}
#: alarmType of GB/T 28181 for alarms by video: 6 intrusion, 7 wrong way, 8 loitering, 10 density, 11 abnormal video, 13
#: covered. It has none for parking or fighting: a vehicle where none may be is told as an intrusion, the rest as 2, something
#: that moves was detected; the description says what it is.
_TYPES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "illegal_parking": 6,
        "wrong_way": 7,
        "loitering": 8,
        "crowding": 10,
        "recording_gap": 11,
        **dict.fromkeys(("signal_lost", "frozen", "dark", "blurred", "view_moved"), 11),
        "covered": 13,
    }
)
_OTHER_TYPE: Final = 2
#: alarmMethod of GB/T 28181: 5 is video. WVP hands alarmSn on under that name.
_BY_VIDEO: Final = 5


class PubSubChannel:
    """Publishes to one Redis channel."""

    workers: Final = 1

    def __init__(self, settings: PubSub, url: str, cameras: Mapping[str, str], name: str = "pubsub") -> None:
        """`cameras`: the GB/T 28181 code of each camera that has one. Raises BadInput: `url` is none."""
        self._settings = settings
        self._cameras = cameras
        self._name = name
        self._topic = settings.topic or _TOPICS[settings.format]
        self._announcer = Announcer(url, settings.timeout)

    @property
    def name(self) -> str:
        return self._name

    def send(self, message: Message) -> str:
        if self._settings.format == "wvp":
            if message.why == "closed":
                return "nothing to say: WVP knows no end of an alarm"
            body = self._alarm(message)
        else:
            body = message.to_dict()
        try:
            listeners = self._announcer.publish(self._topic, json.dumps(body, ensure_ascii=False).encode())
        except Unavailable as error:
            raise NotDelivered(str(error)) from error
        if not listeners:
            raise NotDelivered(f"nobody listens on {self._topic}")
        return f"{listeners} listening"

    def close(self) -> None:
        self._announcer.close()

    def _alarm(self, message: Message) -> dict[str, Any]:
        data = message.event["data"]
        types = {**_TYPES, **self._settings.alarm_types}
        by_serial = self._settings.alarm_sn == "serial"
        return {
            "gbId": self._cameras.get(str(data.get("camera")), self._settings.gb_id),
            "alarmSn": zlib.crc32(message.idempotency_key.encode()) & 0x7FFFFFFF if by_serial else _BY_VIDEO,
            "alarmType": types.get(str(data.get("kind")), _OTHER_TYPE),
            "alarmDescription": f"{message.text} #{data.get('incident_id', message.alert_id)}",
        }
