from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipelines.alerting.channels.base import Message, NotDelivered, Undeliverable
from pipelines.alerting.channels.webhook import WebhookChannel, sign, verify
from pipelines.errors import BadInput
from pipelines.events.envelope import incident_event
from pipelines.testing import FakeClock, an_incident

SECRET = "a secret of ours"
EVENT = incident_event(an_incident(), "v", "北门").to_dict()
MESSAGE = Message("alert-1", "alert-1", "room", "incident", False, 1, "一级", EVENT)
Answer = Callable[[BaseHTTPRequestHandler], None]


class Receiver:
    """A real server whose behaviour each test chooses."""

    def __init__(self) -> None:
        self.answer: Answer = lambda handler: plain(handler, 200, b"ok")
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.closing = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((self.path, dict(self.headers), body))
                receiver.answer(self)

            def do_GET(self) -> None:
                receiver.requests.append((self.path, dict(self.headers), b""))
                plain(self, 200, b"got")

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook/path-token"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


def plain(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.closing.set()
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def channel(receiver: Receiver) -> Iterator[WebhookChannel]:
    made = WebhookChannel(receiver.url, SECRET, FakeClock(1_790_000_000.7), timeout_s=0.5)
    yield made
    made.close()


def test_signed_with_key_and_time(receiver: Receiver, channel: WebhookChannel) -> None:
    assert channel.send(MESSAGE) == "200 ok"
    ((path, headers, body),) = receiver.requests
    assert path == "/hook/path-token"
    assert headers["Idempotency-Key"] == "alert-1"
    timestamp, signature = headers["X-Gatewatch-Timestamp"], headers["X-Gatewatch-Signature"]
    assert timestamp == "1790000000"
    assert verify(SECRET, timestamp, signature, body, now_s=1_790_000_100)
    assert not verify(SECRET, timestamp, signature, body + b" ", now_s=1_790_000_100)
    assert not verify("another", timestamp, signature, body, now_s=1_790_000_100)
    assert not verify(SECRET, timestamp, signature, body, now_s=1_790_001_000)  # replayed later
    assert not verify(SECRET, "1790000001", signature, body, now_s=1_790_000_100)
    said = json.loads(body)
    assert (said["alert_id"], said["test"], said["event"]) == ("alert-1", False, EVENT)


def test_the_signature_is_what_the_page_says() -> None:
    # Computed with `printf '10.{}' | openssl dgst -sha256 -hmac k`.
    assert sign("k", "10", b"{}") == "v1=41fb4a7948d48dbbc0de115d30fd497cd453f3dec35c5dace8584b41ea18aaf9"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_a_receipt(receiver: Receiver, channel: WebhookChannel, status: int) -> None:
    receiver.answer = lambda handler: plain(handler, status)
    assert channel.send(MESSAGE) == str(status)


@pytest.mark.parametrize("status", [500, 502, 503, 408, 425, 429])
def test_trouble_of_the_moment_is_tried_again(receiver: Receiver, channel: WebhookChannel, status: int) -> None:
    receiver.answer = lambda handler: plain(handler, status, b"later", Retry_After="7")
    with pytest.raises(NotDelivered, match=f"answered {status} later") as caught:
        channel.send(MESSAGE)
    assert caught.value.after_s == 7.0
    assert "path-token" not in str(caught.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_a_refusal_is_dead_at_once(receiver: Receiver, channel: WebhookChannel, status: int) -> None:
    receiver.answer = lambda handler: plain(handler, status, b"no\x1b[31m\nsecond line")
    with pytest.raises(Undeliverable, match=f"answered {status} no"):
        channel.send(MESSAGE)


@pytest.mark.parametrize(
    ("status", "error"), [(301, Undeliverable), (308, Undeliverable), (302, NotDelivered), (307, NotDelivered)]
)
def test_no_redirect_is_followed(
    receiver: Receiver, channel: WebhookChannel, status: int, error: type[Exception]
) -> None:
    other = Receiver()
    receiver.answer = lambda handler: plain(handler, status, Location=other.url)
    with pytest.raises(error, match=r"redirects .* to 127\.0\.0\.1"):
        channel.send(MESSAGE)
    assert other.requests == []
    assert len(receiver.requests) == 1
    other.server.shutdown()


def stall(receiver: Receiver) -> Answer:
    return lambda _: receiver.closing.wait(30) and None


def hang_up(_: BaseHTTPRequestHandler) -> None:
    _.connection.shutdown(socket.SHUT_RDWR)


def nonsense(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\x00\xffSSH-2.0 what?\r\n\r\n")
    handler.close_connection = True


def test_a_stall_ends_with_the_time_out(receiver: Receiver, channel: WebhookChannel) -> None:
    receiver.answer = stall(receiver)
    with pytest.raises(NotDelivered, match=r"no answer within 0\.5 s"):
        channel.send(MESSAGE)


@pytest.mark.parametrize("lie", [hang_up, nonsense])
def test_an_answer_that_is_none_is_tried_again(receiver: Receiver, channel: WebhookChannel, lie: Answer) -> None:
    receiver.answer = lie
    with pytest.raises(NotDelivered):
        channel.send(MESSAGE)
    receiver.answer = lambda handler: plain(handler, 200)
    assert channel.send(MESSAGE) == "200"


def short_body(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"half")
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def test_a_body_shorter_than_it_says_is_still_a_receipt(receiver: Receiver, channel: WebhookChannel) -> None:
    receiver.answer = short_body
    assert channel.send(MESSAGE).startswith("200")


def test_a_body_that_never_ends_is_cut_off(receiver: Receiver, channel: WebhookChannel) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not receiver.closing.wait(0.05):
            try:
                handler.wfile.write(b"x")
                handler.wfile.flush()
            except OSError:
                return

    receiver.answer = drip
    began_s = time.monotonic()
    assert channel.send(MESSAGE).startswith("200")
    assert time.monotonic() - began_s < 20  # it would take 100 s to read what we read at most


def test_a_head_that_never_ends_is_cut_off(receiver: Receiver, channel: WebhookChannel) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not receiver.closing.wait(0.05):
            try:
                handler.wfile.write(b"x")
                handler.wfile.flush()
            except OSError:
                return

    receiver.answer = drip
    began_s = time.monotonic()
    assert channel.send(MESSAGE) == "200"  # the status was said
    assert time.monotonic() - began_s < 60  # a header line may have 65,536 bytes
    receiver.answer = lambda handler: plain(handler, 201)
    assert channel.send(MESSAGE) == "201"


def test_a_status_that_never_ends_is_none(receiver: Receiver, channel: WebhookChannel) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        with contextlib.suppress(OSError):
            while not receiver.closing.wait(0.05):
                handler.wfile.write(b"H")
                handler.wfile.flush()

    receiver.answer = drip
    with pytest.raises(NotDelivered, match=r"no answer within 0\.5 s"):
        channel.send(MESSAGE)


def test_a_connection_that_the_other_side_closed_costs_no_message(receiver: Receiver, channel: WebhookChannel) -> None:
    def once(handler: BaseHTTPRequestHandler) -> None:
        plain(handler, 200, b"ok")
        handler.close_connection = True  # and does not say so

    receiver.answer = once
    for _ in range(3):
        assert channel.send(MESSAGE) == "200 ok"
        time.sleep(0.1)


def test_connections_are_kept(receiver: Receiver, channel: WebhookChannel) -> None:
    ports: set[int] = set()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        ports.add(handler.client_address[1])
        plain(handler, 200, b"ok" * (len(ports) - 1))

    receiver.answer = answer
    for _ in range(5):
        channel.send(MESSAGE)
    assert len(ports) == 1


def test_nobody_listens(receiver: Receiver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotDelivered, match=r"127\.0\.0\.1: no connection: Connection refused"):
        WebhookChannel(f"http://127.0.0.1:{port}/secret", SECRET).send(MESSAGE)


@pytest.mark.parametrize("url", ["ftp://x/", "nonsense", "http://", ""])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(BadInput, match=r"channels\.webhook\.url"):
        WebhookChannel(url, SECRET)
    with pytest.raises(BadInput, match="secret"):
        WebhookChannel("http://x/", "")
