"""Alerts to an MQTT broker, QoS 1: the broker has said that it has the message before it counts as sent.

One connection for each message: alerts are rare, and a connection kept open would have to be watched.
"""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from pipelines.alerting.channels.base import ChannelFault, Message, NotDelivered, Undeliverable
from pipelines.config.channels import Mqtt

if TYPE_CHECKING:
    from paho.mqtt.client import Client

_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


class MqttChannel:
    """Publishes the message as JSON. The idempotency key is in it."""

    workers: Final = 2

    def __init__(self, settings: Mqtt, name: str = "mqtt") -> None:
        """Raises ChannelFault: paho-mqtt is not installed, or `ca_file` cannot be read."""
        try:
            import paho.mqtt.client as paho
        except ImportError as error:
            raise ChannelFault(("kind",), "mqtt needs the package paho-mqtt: pip install 'gatewatch[mqtt]'") from error
        self._paho = paho
        parts = urlsplit(settings.url)
        self._host, self._port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        self._user, self._password = parts.username, parts.password
        self._settings = settings
        self._name = name
        self._tls: ssl.SSLContext | None = None
        if parts.scheme == "mqtts":
            try:
                self._tls = ssl.create_default_context(cafile=settings.ca_file)
            except (OSError, ssl.SSLError) as error:
                raise ChannelFault(
                    ("ca_file",), f"{settings.ca_file} cannot be read as certificates: {error}"
                ) from error

    @property
    def name(self) -> str:
        return self._name

    def send(self, message: Message) -> str:
        data = message.event["data"]
        topic = self._settings.topic.replace("{camera}", _level(data.get("camera"))).replace(
            "{kind}", _level(data.get("kind"))
        )
        body = json.dumps(message.to_dict(), ensure_ascii=False, separators=(",", ":")).encode()
        connected, published = threading.Event(), threading.Event()
        said: list[str] = []
        client = self._client(message)

        def on_connect(_: Any, __: Any, ___: Any, reason: Any, ____: Any) -> None:
            if reason.is_failure:
                said.append(f"{self._host} refuses: {reason}")
            else:
                client.publish(topic, body, qos=1)
            connected.set()

        def on_publish(_: Any, __: Any, ___: Any, reason: Any, ____: Any) -> None:
            if reason.is_failure:
                said.append(f"{self._host} does not take it: {reason}")
            published.set()

        client.on_connect, client.on_publish = on_connect, on_publish
        try:
            client.connect(self._host, self._port, keepalive=60)
            client.loop_start()
            if not connected.wait(self._settings.timeout):
                raise NotDelivered(f"{self._host} does not answer as a broker")
            if said or not published.wait(self._settings.timeout):
                raise NotDelivered(said[0] if said else f"{self._host} does not confirm the message")
            if said:
                raise Undeliverable(said[0])
        except ssl.SSLCertVerificationError as error:
            raise NotDelivered(f"{self._host}: its certificate is not trusted: {error.verify_message}") from error
        except (OSError, ValueError) as error:
            raise NotDelivered(f"{self._host}: {type(error).__name__}") from error
        finally:
            client.disconnect()
            client.loop_stop()
        return f"confirmed on {topic}"

    def close(self) -> None:
        pass

    def _client(self, message: Message) -> Client:
        paho = self._paho
        # Of the message's own: two dispatchers must not throw each other out of the broker.
        own = hashlib.sha256(f"{message.idempotency_key}:{message.attempt}".encode()).hexdigest()[:12]
        client: Client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=f"gatewatch-{own}",
            protocol=paho.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = self._settings.timeout
        if self._user is not None:
            client.username_pw_set(unquote(self._user), unquote(self._password or ""))
        if self._tls is not None:
            client.tls_set_context(self._tls)
        return client


def _level(value: Any) -> str:
    """One level of a topic: without what has a meaning there."""
    return "".join("_" if char in "/#+\x00" else char for char in str(value or "-"))
