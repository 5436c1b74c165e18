"""Redis Pub/Sub on a real Valkey, MQTT on a real broker, Apprise through a real HTTP server."""

from __future__ import annotations

import base64
import json
import logging
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.alerting.channels.apprise import AppriseChannel
from pipelines.alerting.channels.base import ChannelFault, Message, NoPicture, NotDelivered, Picture, Undeliverable
from pipelines.alerting.channels.mqtt import MqttChannel
from pipelines.alerting.channels.pubsub import PubSubChannel
from pipelines.config.channels import AppriseService, Mqtt, PubSub
from pipelines.events.embedded import EmbeddedValkey
from pipelines.events.envelope import incident_event
from pipelines.events.redis_streams import connect
from pipelines.testing import an_incident, until
from pipelines.testing_http import HttpServer

EVENT = incident_event(an_incident(), "v", "北门").to_dict()
GATE, SITE = "34020000001320000001", "34020000002000000001"


def message(key: str = "alert-1", **changes: Any) -> Message:
    values: dict[str, Any] = {"title": "标题", "body": "正文\n第二行"}
    return Message("alert-1", key, "guard", "incident", False, 1, "一行", EVENT, **(values | changes))


# --- Redis Pub/Sub


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    server = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


def listen(url: str, topic: str) -> Callable[[], bytes | None]:
    """Subscribed when it returns; the result takes the next message."""
    subscription = connect(url, 5.0).pubsub()
    subscription.subscribe(topic)
    assert subscription.get_message(timeout=60)["type"] == "subscribe"

    def take() -> bytes | None:
        found = subscription.get_message(timeout=60)
        return None if found is None else found["data"]

    return take


def test_the_message_as_json_to_whoever_listens(valkey: EmbeddedValkey) -> None:
    channel = PubSubChannel(PubSub(kind="pubsub"), valkey.url, {})
    with pytest.raises(NotDelivered, match="nobody listens on gatewatch:alerts"):
        channel.send(message())
    take = listen(valkey.url, "gatewatch:alerts")
    assert channel.send(message("alert-1:3")) == "1 listening"
    said = json.loads(take() or b"")
    assert (said["idempotency_key"], said["text"], said["event"]["subject"]) == ("alert-1:3", "一行", "case-1")
    channel.close()


def test_the_alarm_that_wvp_forwards(valkey: EmbeddedValkey) -> None:
    take = listen(valkey.url, "alarm_receive")
    settings = PubSub(kind="pubsub", format="wvp", gb_id=SITE, alarm_types={"possible_bullying": 99})
    channel = PubSubChannel(settings, valkey.url, {"gate-north": GATE})

    def alarm(**changes: Any) -> Any:
        event = incident_event(an_incident(**changes), "v", "北门").to_dict()
        channel.send(Message("a", "a", "guard", "incident", False, 1, "一行", event))
        return json.loads(take() or b"")

    assert alarm() == {"gbId": GATE, "alarmSn": 5, "alarmType": 6, "alarmDescription": "一行 #case-1"}
    assert alarm(camera_id="another", kind="crowding")["gbId"] == SITE
    assert [alarm(kind=kind)["alarmType"] for kind in ("crowding", "recording_gap", "other", "possible_bullying")] == [
        *(10, 11, 2, 99)
    ]
    assert "nothing to say" in channel.send(message(why="closed"))
    channel.close()


def test_serial_numbers_are_the_messages_own(valkey: EmbeddedValkey) -> None:
    take = listen(valkey.url, "x")
    settings = PubSub(kind="pubsub", format="wvp", gb_id=SITE, alarm_sn="serial", topic="x")
    channel = PubSubChannel(settings, valkey.url, {})
    numbers = []
    for key in ("alert-1", "alert-1", "alert-1:2"):
        channel.send(message(key))
        numbers.append(json.loads(take() or b"")["alarmSn"])
    assert numbers[0] == numbers[1] != numbers[2]
    assert all(0 <= number < 2**31 for number in numbers)
    channel.close()


def test_a_redis_that_is_away_is_tried_again() -> None:
    channel = PubSubChannel(PubSub(kind="pubsub", timeout=1.0), "redis://:word@127.0.0.1:1/0", {})
    with pytest.raises(NotDelivered, match="cannot publish to gatewatch:alerts") as caught:
        channel.send(message())
    assert "word" not in str(caught.value)


# --- MQTT


def mosquitto() -> str:
    """The broker, from Debian's package `mosquitto`."""
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("no MQTT broker here: apt-get install mosquitto")
    return found


class Broker:
    """A mosquitto on the loopback that asks for a password."""

    def __init__(self, program: str, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        passwords, log = folder / "passwords", folder / "log"
        tool = Path(program).with_name("mosquitto_passwd")
        tool = tool if tool.exists() else Path(shutil.which("mosquitto_passwd") or "/usr/bin/mosquitto_passwd")
        subprocess.run([tool, "-b", "-c", passwords, "gatewatch", "right@word"], check=True, capture_output=True)
        config = folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\npassword_file {passwords}\nallow_anonymous false\nuser {_me()}\n"
            f"log_dest file {log}\n"
        )
        self._process = subprocess.Popen([program, "-c", config])
        until(lambda: log.exists() and "running" in log.read_text(), 90, "the broker's start")

    def url(self, word: str = "right%40word") -> str:
        return f"mqtt://gatewatch:{word}@127.0.0.1:{self.port}"

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(90)


def _me() -> str:
    import getpass

    return getpass.getuser()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    made = Broker(mosquitto(), tmp_path_factory.mktemp("mqtt"))
    yield made
    made.end()


def test_mqtt_says_what_the_broker_has_confirmed(broker: Broker) -> None:
    import paho.mqtt.client as paho

    taken: list[tuple[str, int, Any]] = []
    subscribed = threading.Event()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.username_pw_set("gatewatch", "right@word")
    client.on_connect = lambda *_: client.subscribe("school/#", qos=1)
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = lambda _, __, got: taken.append((got.topic, got.qos, json.loads(got.payload)))
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    assert subscribed.wait(90)
    try:
        channel = MqttChannel(Mqtt(kind="mqtt", url=broker.url(), topic="school/{camera}/{kind}"))
        assert channel.send(message("alert-1:2")) == "confirmed on school/gate-north/illegal_parking"
        until(lambda: taken)
    finally:
        client.disconnect()
        client.loop_stop()
    (topic, qos, said) = taken[0]
    assert (topic, qos, said["idempotency_key"]) == ("school/gate-north/illegal_parking", 1, "alert-1:2")
    assert said["text"] == "一行"


def test_mqtt_refused_and_away_are_tried_again(broker: Broker) -> None:
    with pytest.raises(NotDelivered, match=r"127\.0\.0\.1 refuses: Not authorized") as caught:
        MqttChannel(Mqtt(kind="mqtt", url=broker.url("wrong-word"))).send(message())
    assert "wrong-word" not in str(caught.value)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotDelivered, match="ConnectionRefusedError"):
        MqttChannel(Mqtt(kind="mqtt", url=f"mqtt://127.0.0.1:{port}")).send(message())


def test_mqtt_a_server_that_says_nothing_costs_one_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"mqtt://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(NotDelivered, match="does not answer as a broker"):
            MqttChannel(Mqtt(kind="mqtt", url=url, timeout=0.3)).send(message())


# --- Apprise


@pytest.fixture
def service() -> Iterator[HttpServer]:
    made = HttpServer()
    yield made
    made.close()


def address_of(service: HttpServer) -> str:
    return f"json://user:word-of-a-user@127.0.0.1:{service.port}/token-in-a-path"


def apprise(address: str, **changes: Any) -> AppriseChannel:
    return AppriseChannel(AppriseService(kind="apprise", address=address, **changes))


class Shown:
    def __init__(self, reason: str = "") -> None:
        self.reason = reason

    def blurred(self, event: Any) -> Picture:
        if self.reason:
            raise NoPicture(self.reason)
        return Picture(b"\xff\xd8 blurred", "limit.jpg", blurred=True, captured_at="")

    def original(self, event: Any) -> Picture:
        raise AssertionError("nobody asked for it")


def test_apprise_carries_title_text_and_the_blurred_picture(service: HttpServer) -> None:
    channel = apprise(address_of(service))
    assert channel.send(message(pictures=Shown())).endswith("with a picture")
    said = json.loads(service.bodies[0])
    assert (said["title"], said["message"].splitlines()[:2], said["type"]) == ("标题", ["正文", "第二行"], "warning")
    (attached,) = said["attachments"]
    assert (attached["filename"], base64.b64decode(attached["base64"])) == ("limit.jpg", b"\xff\xd8 blurred")
    channel.send(message(pictures=Shown("unblurrable")))
    said = json.loads(service.bodies[1])
    assert said["attachments"] == []
    assert "could not be blurred" in said["message"]


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Undeliverable), (401, Undeliverable), (404, Undeliverable), (429, NotDelivered), (503, NotDelivered)],
)
def test_apprise_refusals_are_dead_and_trouble_is_tried_again(
    service: HttpServer, status: int, error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    service.status = status
    with caplog.at_level(logging.DEBUG), pytest.raises(error, match=f"error={status}") as caught:
        apprise(address_of(service)).send(message())
    for secret in ("word-of-a-user", "token-in-a-path"):
        assert secret not in str(caught.value)
        assert all(secret not in record.getMessage() for record in caplog.records if record.name == "apprise")


def test_apprise_follows_no_redirect(service: HttpServer) -> None:
    service.status = 302
    with pytest.raises(NotDelivered, match="error=302"):
        apprise(address_of(service)).send(message())
    assert len(service.paths) == 1


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("dingtalk://SEC0123456789@aaaaaaaaaaaaaaaaaaaaaaaa/", "notify_url"),
        ("wecombot://12345678-aaaa-bbbb-cccc-123456789012/", "api_url"),
    ],
)
def test_a_refusal_with_status_200_is_none_the_less_one(service: HttpServer, address: str, where: str) -> None:
    channel = apprise(address)
    channel._service.request_rate_per_sec = 0
    setattr(channel._service, where, service.url + "?key=aaaaaaaaaaaaaaaaaaaaaaaa")  # instead of the service's own
    service.answer = b'{"errcode": 0, "errmsg": "ok"}'
    assert channel.send(message()).startswith("sent by Apprise")
    service.answer = b'{"errcode": 310000, "errmsg": "keywords not in content aaaaaaaaaaaaaaaaaaaaaaaa\\u0007"}'
    with pytest.raises(NotDelivered, match="answered 200, but errcode=310000: keywords not in content") as caught:
        channel.send(message())
    assert "\x07" not in str(caught.value)
    service.answer = b"<html>the guest network wants you to log in</html>"
    with pytest.raises(NotDelivered, match="errcode=none"):
        channel.send(message())
    service.answer = b'{"errcode": 0}'
    assert channel.send(message()).startswith("sent by Apprise")
    assert len(service.bodies) == 4


def test_apprise_away_and_silent(service: HttpServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(NotDelivered, match="onnection error"):
            apprise(f"json://127.0.0.1:{port}/token-in-a-path", timeout=0.3).send(message())
    with pytest.raises(NotDelivered, match="onnection error"):
        apprise(f"json://127.0.0.1:{port}/token-in-a-path").send(message())


@pytest.mark.parametrize(
    "address",
    [
        "dingtalk://SEC0123456789@aaaaaaaaaaaaaaaaaaaaaaaa/",
        "wecombot://12345678-aaaa-bbbb-cccc-123456789012/",
        "feishu://aaaaaaaa-bbbb-cccc-dddd-123456789012/",
        "lark://aaaaaaaa-bbbb-cccc-dddd-123456789012/",
        "tgram://123456789:abcdefghijklmnopqrstuvwxyzabcdefghij/12345/",
    ],
)
def test_the_services_of_the_house_are_known(address: str) -> None:
    assert apprise(address).name == "apprise"


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("nonsense-word://secret-token", "Apprise knows no service nonsense-word://"),
        ("tgram://secret-token", "Apprise cannot use this tgram:// address"),
        ("dingtalk://", "Apprise cannot use this dingtalk:// address"),
    ],
)
def test_an_address_that_is_none_is_told_without_showing_it(
    address: str, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ChannelFault, match=fault) as caught:
        apprise(address)
    assert caught.value.place == ("address",)
    assert "secret-token" not in str(caught.value) + caplog.text
