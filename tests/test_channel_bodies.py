"""What a webhook's request holds: JSON, a site's own template, a picture; and servers that refuse with 200."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.alerting import channels
from pipelines.alerting.channels.base import ChannelFault, Message, NotDelivered, Picture
from pipelines.alerting.channels.webhook import WebhookChannel, verify
from pipelines.alerting.facts import Manner
from pipelines.alerting.messages import Letters
from pipelines.config.channels import Webhook
from pipelines.config.loader import load_text
from pipelines.events.envelope import incident_event
from pipelines.testing import FakeClock, an_incident
from pipelines.testing_http import HttpServer

EVENT = incident_event(an_incident(), "v", '北门 "N"').to_dict()
LETTERS = Letters(Manner("zh-CN", "Asia/Shanghai", "北门小学"))
WECOM = """\
{
  "msgtype": "text",
  "text": {"content": {{ (message.title ~ "\\n" ~ message.body) | json }}},
  "level": {{ incident.level }}
}
"""


def message(**changes: Any) -> Message:
    text = LETTERS.compose("opened", EVENT)
    values = {"title": text.title, "body": text.body, "language": "zh-CN"}
    return Message("alert-1", "alert-1:2", "guard", "incident", False, 1, text.line, EVENT, **(values | changes))


@pytest.fixture
def server() -> Iterator[HttpServer]:
    made = HttpServer()
    yield made
    made.close()


def webhook(server: HttpServer, **changes: Any) -> WebhookChannel:
    settings = Webhook(url=server.url, secret="word", **changes)
    return WebhookChannel.of(settings, FakeClock(1_790_000_000.0), LETTERS, "bureau")


class Shown:
    def blurred(self, event: Any) -> Picture:
        return Picture(b"jpeg", "limit.jpg", blurred=True, captured_at="2026-09-21T14:16:20.000Z")

    original = blurred


def test_json_holds_the_words_the_event_and_why(server: HttpServer) -> None:
    webhook(server).send(message())
    said = json.loads(server.bodies[0])
    assert (said["why"], said["idempotency_key"], said["event"]) == ("opened", "alert-1:2", EVENT)
    assert said["title"].startswith("【二级 警告】北门")
    assert "处置：" in said["body"]
    assert "picture" not in said


def test_a_picture_in_base64_only_where_it_is_asked_for(server: HttpServer) -> None:
    webhook(server, picture="blurred").send(message(pictures=Shown()))
    picture = json.loads(server.bodies[0])["picture"]
    assert picture == {
        "content_type": "image/jpeg",
        "base64": "anBlZw==",
        "blurred": True,
        "captured_at": "2026-09-21T14:16:20.000Z",
    }


def test_a_template_makes_the_body_and_it_is_signed(server: HttpServer, tmp_path: Path) -> None:
    template = tmp_path / "wecom.json"
    template.write_text(WECOM, "utf-8")
    headers = {"Authorization": "Bearer token", "Idempotency-Key": "not ours"}
    webhook(server, body=template, headers=headers, content_type="application/json; charset=utf-8").send(message())
    said = json.loads(server.bodies[0])
    assert said["level"] == 2
    assert said["text"]["content"].splitlines()[0] == '【二级 警告】北门 "N" / kerb：违法停车，新报警'
    sent = server.headers[0]
    assert (sent["Authorization"], sent["Idempotency-Key"]) == ("Bearer token", "alert-1:2")
    assert sent["Content-Type"] == "application/json; charset=utf-8"
    stamp, signature = sent["X-Gatewatch-Timestamp"], sent["X-Gatewatch-Signature"]
    assert verify("word", stamp, signature, server.bodies[0], now_s=1_790_000_000)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{{ incident.kind", "body.txt:1: "),
        ('{"a": {{ nothing }}}', "body.txt:1: there is no 'nothing' here"),
        ('{"a": "{{ incident.camera_name }}",}', "body.txt: makes no JSON for warned"),
    ],
)
def test_a_broken_template_is_a_fault_of_the_configuration(
    server: HttpServer, tmp_path: Path, text: str, fault: str
) -> None:
    template = tmp_path / "body.txt"
    template.write_text(text)
    with pytest.raises(ChannelFault) as caught:
        webhook(server, body=template)
    assert caught.value.place == ("body",)
    assert str(tmp_path / fault) in str(caught.value)
    assert str(caught.value).startswith(str(template))


def test_plain_text_need_not_be_json(server: HttpServer, tmp_path: Path) -> None:
    template = tmp_path / "body.txt"
    template.write_text("{{ message.line if false else message.text }}")
    webhook(server, body=template, content_type="text/plain").send(message())
    assert server.bodies[0].decode().startswith("二级 警告 · 违法停车")


def test_a_server_that_refuses_with_200_is_not_believed(server: HttpServer) -> None:
    channel = webhook(server, answer={"errcode": 0})
    server.answer = b'{"errcode":310000,"errmsg":"sign not match"}'
    with pytest.raises(NotDelivered, match=r"but not errcode=0: .*sign not match"):
        channel.send(message())
    for lie in (b"", b"ok", b"[0]", b'{"errcode": '):
        server.answer = lie
        with pytest.raises(NotDelivered, match="answered 200, but not errcode=0"):
            channel.send(message())
    server.answer = b'{"errcode": 0, "errmsg": "ok"}'
    assert channel.send(message()).startswith("200 ")


def test_every_kind_can_be_named_twice_and_what_cannot_be_made_is_told(tmp_path: Path) -> None:
    config = load_text(
        f"""
data: {tmp_path}
channels:
  webhook: {{url: "http://127.0.0.1:1/", secret: a-secret, body: {tmp_path}/missing}}
  templates: {tmp_path}/nowhere
  named:
    one: {{kind: webhook, url: "http://127.0.0.1:1/", secret: x}}
    two: {{kind: webhook, url: "http://127.0.0.1:1/", secret: x}}
    file: {{kind: jsonl, path: {tmp_path}/x.jsonl}}
    mail: {{kind: email, host: localhost, sender: a@b.example, to: [c@d.example]}}
    mail2: {{kind: email, host: localhost, sender: a@b.example, to: [c@d.example], ca_file: {tmp_path}/no.pem}}
    shout: {{kind: pubsub}}
    broker: {{kind: mqtt, url: "mqtt://127.0.0.1"}}
    service: {{kind: apprise, address: "json://127.0.0.1/"}}
    nobody: {{kind: apprise, address: "nonsense://secret-word"}}
""",
        "site.yaml",
        {},
    )
    built = channels.build(config, "redis://127.0.0.1:1/0", FakeClock())
    names = [channel.name for channel in built.channels]
    assert names == ["log", "one", "two", "file", "mail", "shout", "broker", "service"]
    assert {fault.place: str(fault) for fault in built.faults} == {
        ("channels", "templates"): f"{tmp_path}/nowhere: there is no such folder",
        ("channels", "webhook", "body"): f"{tmp_path}/missing: cannot be read: No such file or directory",
        ("channels", "named", "mail2", "ca_file"): f"{tmp_path}/no.pem cannot be read as certificates: "
        "[Errno 2] No such file or directory",
        ("channels", "named", "nobody", "address"): "Apprise knows no service nonsense://",
    }
    assert config.channels.names() == ("log", "webhook", *config.channels.named)
    built.close()
