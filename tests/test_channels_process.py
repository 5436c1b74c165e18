"""A real dispatcher with every kind of channel: one that hangs delays no other, and `alerts test` says how each did."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import redis
import yaml

from pipelines.cli import main
from pipelines.clock import SystemClock
from pipelines.commands.site import channels_of
from pipelines.config import load
from pipelines.errors import ConfigError
from pipelines.events.embedded import EmbeddedValkey
from pipelines.events.envelope import incident_event
from pipelines.events.locate import embedded_folder
from pipelines.events.redis_streams import RedisPublisher, connect
from pipelines.testing import an_incident, until
from pipelines.testing_http import HttpServer

GATE = "34020000001320000001"


def command(config: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "pipelines.cli", *words, "-c", str(config)]


def heard(url: str, topic: str, taken: list[bytes]) -> threading.Thread:
    """Subscribed when it returns; fills `taken` until the server goes."""
    subscription = connect(url, 30.0).pubsub()
    subscription.subscribe(topic)
    assert subscription.get_message(timeout=60)["type"] == "subscribe"

    def listen() -> None:
        try:
            taken.extend(message["data"] for message in subscription.listen())
        except (OSError, redis.RedisError):
            return

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    return thread


def test_a_mail_server_that_hangs_delays_no_other_channel_and_each_is_told_apart(tmp_path: Path) -> None:
    bus = EmbeddedValkey(embedded_folder(tmp_path))
    bus.start()
    webhook, service = HttpServer(), HttpServer()
    silent = socket.create_server(("127.0.0.1", 0))
    alarms: list[bytes] = []
    config = tmp_path / "gatewatch.yaml"
    mail = {"kind": "email", "host": "127.0.0.1", "security": "none", "sender": "a@b.example", "to": ["c@d.example"]}
    values = {
        "data": str(tmp_path),
        "site": {"name": "北门小学", "language": "zh-CN"},
        "cameras": {"gate-north": {"main": {"url": "a.mp4"}, "gb_id": GATE}},
        "channels": {
            "log": False,
            "webhook": {"url": webhook.url, "secret": "word"},
            "named": {
                "stuck": {**mail, "port": silent.getsockname()[1], "timeout": "2s"},
                "service": {"kind": "apprise", "address": f"json://127.0.0.1:{service.port}/"},
                "platform": {"kind": "pubsub", "format": "wvp", "gb_id": GATE},
                "file": {"kind": "jsonl", "path": str(tmp_path / "alerts.jsonl")},
            },
        },
    }
    config.write_text(yaml.safe_dump(values, allow_unicode=True), "utf-8")
    heard(bus.url, "alarm_receive", alarms)
    publisher = RedisPublisher(bus.url, tmp_path / "spool")
    publisher.open()
    log = (tmp_path / "log").open("wb")
    dispatcher = subprocess.Popen(command(config, "dispatch", "--health-port", "0"), stdout=log, stderr=log)
    try:
        for number in range(10):
            publisher.publish(incident_event(an_incident(f"case-{number}"), "v1", "北门"))
        until(lambda: min(len(webhook.bodies), len(service.bodies), len(alarms)) >= 10, 60, "telling 10 incidents")
        lines = (tmp_path / "alerts.jsonl").read_text("utf-8").splitlines()
        assert len(lines) == 10
        assert json.loads(alarms[0])["gbId"] == GATE
        assert json.loads(service.bodies[0])["title"] == "【二级 警告】北门 / kerb：违法停车，新报警"

        done = subprocess.run(
            command(config, "alerts", "test", "--json", "--timeout", "5"), capture_output=True, text=True, check=False
        )
        said = json.loads(done.stdout)
        states = {line["channel"]: line["state"] for line in said["channels"]}
        assert (done.returncode, said["ok"]) == (1, False)
        assert states == {"webhook": "sent", "service": "sent", "platform": "sent", "file": "sent", "stuck": "waiting"}
        until(lambda: len(webhook.bodies) > 10)
        assert json.loads(webhook.bodies[-1])["test"] is True
    finally:
        dispatcher.terminate()
        dispatcher.wait(90)
        publisher.close()
        for server in (webhook, service):
            server.close()
        silent.close()
        bus.stop()
    assert "Traceback" not in (tmp_path / "log").read_text("utf-8")


def test_what_cannot_be_made_is_told_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "body.txt").write_text("fine\n{{ incident.knd }}\n")
    config = tmp_path / "gatewatch.yaml"
    config.write_text(
        f"data: {tmp_path}/data\nsite: {{language: en}}\nchannels:\n  templates: {tmp_path}\n  named:\n"
        f"    duty:\n      kind: apprise\n      address: nonsense://secret-word\n"
    )
    faults = [
        f"{config}:4: channels.templates: {tmp_path}/en/body.txt:2: there is no 'knd' here",
        f"{config}:8: channels.named.duty.address: Apprise knows no service nonsense://",
    ]
    assert main(["config", "check", "-c", str(config)]) == 2
    assert capsys.readouterr().err.splitlines() == [*faults, "2 faults"]
    # What a dispatcher does before it touches store or bus.
    with pytest.raises(ConfigError) as caught:
        channels_of(load(config), SystemClock())
    assert caught.value.faults == faults
    assert not (tmp_path / "data").exists()
